"""What was found, against what was put in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from scipy.spatial import cKDTree

from secondlight.model.footprints import Footprints

__all__ = ["CompletenessRow", "FluxRow", "TruthComparison", "compare_with_truth", "match_truth"]

#: A source belongs to the true object that is at most this far from it [pixel].
_MATCH_RADIUS = 2.0

#: A star is isolated when nothing within this distance [pixel] is brighter than this share of it.
_ISOLATION_RADIUS, _ISOLATION_SHARE = 15.0, 0.03

#: Sources with any of these flags are not used to judge fluxes.
_BAD_FLAGS = (
    "base_PixelFlags_flag_saturated",
    "base_PixelFlags_flag_edge",
    "base_PixelFlags_flag_bad",
    "base_PixelFlags_flag_cr",
    "base_PixelFlags_flag_interpolatedCenter",
    "base_PixelFlags_flag_nodata",
    "base_SdssCentroid_flag",
    "base_PsfFlux_flag",
)

_SIGNAL_TO_NOISE_BINS = ((10, 20), (20, 50), (50, 200), (200, 5000))

_FEWEST = 5  # rows from fewer stars say nothing


@dataclass(frozen=True, slots=True)
class CompletenessRow:
    """How many true objects of a range of magnitudes were found.

    Parameters
    ----------
    bright, faint
        The range [AB mag].
    stars, galaxies
        Number of true objects.
    stars_found, galaxies_found
        How many of them have a source.
    blended
        How many more, of both, are a peak in a blend that has not been split: seen, but without a source of their own.
    """

    bright: float
    faint: float
    stars: int
    stars_found: int
    galaxies: int
    galaxies_found: int
    blended: int


@dataclass(frozen=True, slots=True)
class FluxRow:
    """How well isolated stars of a range of signal to noise were measured.

    Parameters
    ----------
    low, high
        The range of true flux over stated flux error.
    n
        Number of stars.
    bias
        Median of measured over true PSF flux, less one [percent].
    pull, pull_width
        Median and width of (measured - true) / stated error of the flux; 0 and 1 if all is well.
    centroid_pull_width
        The same width for the centroid, x and y together.
    """

    low: float
    high: float
    n: int
    bias: float
    pull: float
    pull_width: float
    centroid_pull_width: float


@dataclass(frozen=True)
class TruthComparison:
    """A source table judged against the truth.

    Parameters
    ----------
    completeness
        By magnitude, brightest first.
    fluxes
        Of isolated stars, by signal to noise.
    n_sources
        Sources that stand for objects: neither sky sources nor parents of deblended ones.
    n_matched
        How many of them lie on a true object.
    n_blends, n_blended_objects
        Sources whose footprint has several peaks and has not been split, and how many peaks they have together. None if
        the footprints are not known.
    n_sky, sky_pull, sky_pull_width
        Sky sources: number, median and width of PSF flux over its error.
    cosmic_rays
        Share of the truly hit pixels that are marked CR [percent], or None.
    """

    completeness: list[CompletenessRow]
    fluxes: list[FluxRow]
    n_sources: int
    n_matched: int
    n_blends: int | None
    n_blended_objects: int | None
    n_sky: int
    sky_pull: float
    sky_pull_width: float
    cosmic_rays: float | None

    @property
    def purity(self) -> float:
        """Share of the sources that lie on a true object."""
        return self.n_matched / self.n_sources if self.n_sources else float("nan")

    def __rich__(self) -> RenderableType:
        return Group(self._completeness_table(), self._flux_table(), *self._sentences())

    def _completeness_table(self) -> RichTable:
        table = RichTable(title="Found, of what was put in", box=box.SIMPLE_HEAD, title_justify="left")
        table.add_column("magnitude [AB]")
        blends = self.n_blends is not None
        for name in ("stars", "galaxies", *(("in blends",) if blends else ())):
            table.add_column(name, justify="right")
        for row in self.completeness:
            table.add_row(
                f"{row.bright:.0f} to {row.faint:.0f}",
                _share(row.stars_found, row.stars),
                _share(row.galaxies_found, row.galaxies),
                *((f"+ {row.blended}",) if blends else ()),
            )
        return table

    def _flux_table(self) -> RichTable:
        table = RichTable(
            title="Isolated stars: PSF flux and centroid", box=box.SIMPLE_HEAD, title_justify="left"
        )
        table.add_column("signal to noise")
        for name in ("stars", "flux bias [%]", "flux pull", "its width", "centroid pull width"):
            table.add_column(name, justify="right")
        for row in self.fluxes:
            table.add_row(
                f"{row.low:.0f} to {row.high:.0f}",
                str(row.n),
                f"{row.bias:+.2f}",
                f"{row.pull:+.2f}",
                f"{row.pull_width:.2f}",
                f"{row.centroid_pull_width:.2f}",
            )
        return table

    def _sentences(self) -> list[str]:
        lines = [
            f"{self.n_sources} sources, {100 * self.purity:.1f} % of them on a true object "
            f"(within {_MATCH_RADIUS:g} pixels)."
        ]
        if self.n_blends:
            lines.append(
                f"{self.n_blends} of them are blends that have not been split: {self.n_blended_objects} peaks, "
                "each blend counted as one source."
            )
        if self.n_sky:
            lines.append(
                f"{self.n_sky} sky sources: PSF flux over its error has median {self.sky_pull:+.2f}, "
                f"width {self.sky_pull_width:.2f} (0 and 1 if background and errors are right)."
            )
        if self.cosmic_rays is not None:
            lines.append(f"{self.cosmic_rays:.1f} % of the pixels hit by cosmic rays are marked CR.")
        return lines


def compare_with_truth(
    sources: Mapping[str, Any] | Any,
    truth: Table,
    *,
    footprints: Footprints | None = None,
    cr_found: NDArray[np.bool_] | None = None,
    cr_truth: NDArray[np.bool_] | None = None,
) -> TruthComparison:
    """Judge a source table.

    Fluxes are aperture-corrected instrumental fluxes and are compared with the true ones as they are: no zero point is
    fitted.

    Parameters
    ----------
    sources
        Columns of the source table by name: a `~secondlight.model.catalog.SourceCatalog` or a mapping to arrays.
    truth
        Objects as `draw_objects` makes them.
    footprints
        The sources' footprints, row by row; a source with several peaks and no children is an unsplit blend.
    cr_found, cr_truth
        Images of the pixels marked CR and of those truly hit.
    """
    x, y = np.asarray(sources["base_SdssCentroid_x"]), np.asarray(sources["base_SdssCentroid_y"])
    n = len(x)
    sky = np.asarray(sources["sky_source"], bool) if "sky_source" in sources else np.zeros(n, bool)
    children = np.asarray(sources["deblend_nChild"]) if "deblend_nChild" in sources else np.zeros(n, int)
    use = ~sky & (children == 0) & np.isfinite(x) & np.isfinite(y)
    match = match_truth(x, y, use, truth)
    isolated = _isolated(truth)
    star = np.asarray(truth["kind"]) == "star"

    flux = np.asarray(sources["base_PsfFlux_instFlux"], float)
    err = np.asarray(sources["base_PsfFlux_instFluxErr"], float)
    bad = np.zeros(n, bool)
    for name in _BAD_FLAGS:
        if name in sources:
            bad |= np.asarray(sources[name], bool)
    blend = use & (footprints.peak_counts > 1) if footprints is not None else np.zeros(n, bool)
    bad |= blend
    blended = (match < 0) & _near_peaks(footprints, blend, truth)
    sky_pull = flux[sky] / err[sky]
    hit = int(np.count_nonzero(cr_truth)) if cr_truth is not None else 0
    return TruthComparison(
        completeness=_completeness(truth, star, match >= 0, blended),
        fluxes=_fluxes(sources, truth, match, star & isolated, flux, err, ~bad),
        n_sources=int(use.sum()),
        n_matched=int((match >= 0).sum()),
        n_blends=int(blend.sum()) if footprints is not None else None,
        n_blended_objects=int(footprints.peak_counts[blend].sum()) if footprints is not None else None,
        n_sky=int(sky.sum()),
        sky_pull=_median(sky_pull),
        sky_pull_width=_width(sky_pull),
        cosmic_rays=(
            100.0 * float(np.count_nonzero(cr_truth & cr_found)) / hit
            if hit and cr_truth is not None and cr_found is not None
            else None
        ),
    )


def match_truth(
    x: NDArray[np.float64], y: NDArray[np.float64], use: NDArray[np.bool_], truth: Table
) -> NDArray[np.int64]:
    """Give each true object, brightest first, the nearest source that no brighter one has taken.

    Parameters
    ----------
    x, y
        Sources [pixel].
    use
        Sources that may be taken.
    truth
        True objects.

    Returns
    -------
    ndarray
        Row of the source by true object; -1 if it has none.
    """
    match = np.full(len(truth), -1)
    index = np.flatnonzero(use)
    if not index.size:
        return match
    points = np.column_stack([x[index], y[index]])
    centres = np.column_stack([truth["x"], truth["y"]])
    near = cKDTree(points).query_ball_point(centres, _MATCH_RADIUS)
    taken = np.zeros(len(index), bool)
    for t in np.argsort(np.asarray(truth["mag"]), kind="stable"):
        free = [k for k in near[t] if not taken[k]]
        if free:
            best = min(free, key=lambda k: float(np.hypot(*(points[k] - centres[t]))))
            taken[best] = True
            match[t] = index[best]
    return match


def _isolated(truth: Table) -> NDArray[np.bool_]:
    """Which true objects have no neighbour that matters."""
    flux = np.asarray(truth["flux"])
    tree = cKDTree(np.column_stack([truth["x"], truth["y"]]))
    alone = np.ones(len(flux), bool)
    pairs = tree.query_pairs(_ISOLATION_RADIUS, output_type="ndarray")
    for a, b in (pairs.T, pairs.T[::-1]):
        alone[a[flux[b] >= _ISOLATION_SHARE * flux[a]]] = False
    return alone


def _near_peaks(footprints: Footprints | None, blend: NDArray[np.bool_], truth: Table) -> NDArray[np.bool_]:
    """Which true objects lie on a peak of a blend."""
    if footprints is None or not blend.any():
        return np.zeros(len(truth), bool)
    peaks = footprints.peaks[np.repeat(blend, footprints.peak_counts)]
    distance, _ = cKDTree(np.column_stack([peaks["f_x"], peaks["f_y"]])).query(
        np.column_stack([truth["x"], truth["y"]])
    )
    return np.asarray(distance <= _MATCH_RADIUS)


def _completeness(
    truth: Table, star: NDArray[np.bool_], found: NDArray[np.bool_], blended: NDArray[np.bool_]
) -> list[CompletenessRow]:
    """Count by whole magnitudes."""
    mag = np.asarray(truth["mag"])
    rows = []
    for bright in np.arange(np.floor(mag.min()), np.floor(mag.max()) + 1) if len(mag) else ():
        inside = (mag >= bright) & (mag < bright + 1)
        parts = (
            inside & star,
            inside & star & found,
            inside & ~star,
            inside & ~star & found,
            inside & blended,
        )
        rows.append(CompletenessRow(float(bright), float(bright + 1), *(int(p.sum()) for p in parts)))
    return rows


def _fluxes(
    sources: Any,
    truth: Table,
    match: NDArray[np.int64],
    stars: NDArray[np.bool_],
    flux: NDArray[np.float64],
    err: NDArray[np.float64],
    good: NDArray[np.bool_],
) -> list[FluxRow]:
    t = np.flatnonzero(stars & (match >= 0))
    t = t[good[match[t]]]
    s = match[t]
    true = np.asarray(truth["flux"])[t]
    signal_to_noise = true / err[s]
    pull = (flux[s] - true) / err[s]
    centroid = np.column_stack(
        [
            (np.asarray(sources[f"base_SdssCentroid_{a}"])[s] - np.asarray(truth[a])[t])
            / np.asarray(sources[f"base_SdssCentroid_{a}Err"])[s]
            for a in ("x", "y")
        ]
    )
    rows = []
    for low, high in _SIGNAL_TO_NOISE_BINS:
        m = (signal_to_noise >= low) & (signal_to_noise < high)
        if np.count_nonzero(m) >= _FEWEST:
            rows.append(
                FluxRow(
                    float(low),
                    float(high),
                    int(m.sum()),
                    100 * _median(flux[s][m] / true[m] - 1),
                    _median(pull[m]),
                    _width(pull[m]),
                    _width(centroid[m].ravel()),
                )
            )
    return rows


def _median(values: NDArray[np.float64]) -> float:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else float("nan")


def _width(values: NDArray[np.float64]) -> float:
    """Standard deviation of the Gaussian with the same median absolute deviation."""
    values = values[np.isfinite(values)]
    return float(1.4826 * np.median(np.abs(values - np.median(values)))) if values.size else float("nan")


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.0f} %)" if whole else "–"
