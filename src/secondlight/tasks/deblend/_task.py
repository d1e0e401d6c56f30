"""The deblender: which sources are blends, and what becomes of them (spec 06.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Config
from lsst.pipe.base import Task
from numpy.typing import NDArray

from secondlight.errors import ProcessingError
from secondlight.kernels.deblend.regions import AREA, BOX, N_DESCRIBED, SUM_X, SUM_Y, describe
from secondlight.model.catalog import SourceCatalog
from secondlight.model.exposure import Exposure
from secondlight.model.footprints import Footprints, HeavyPixels, span_pixels
from secondlight.model.ids import IdFactory
from secondlight.model.schema import Column, Schema
from secondlight.model.spans import set_bits
from secondlight.model.statistics import ImageStatistics

from ._blends import Blends, batches, offsets, ranges
from ._children import Deblended, deblend
from ._config import SourceDeblendConfig

__all__ = ["SourceDeblendTask"]

#: FWHM of a Gaussian over its sigma, as the reference has it.
_FWHM = 2.35

_COLUMNS = (
    Column("deblend_nChild", "I", "", "Number of children this object has (defaults to 0)"),
    Column("deblend_deblendedAsPsf", "Flag", "", "Deblender thought this source looked like a PSF"),
    Column("deblend_psfCenter_x", "D", "pixel", "If deblended-as-psf, the PSF centroid"),
    Column("deblend_psfCenter_y", "D", "pixel", "If deblended-as-psf, the PSF centroid"),
    Column("deblend_psf_instFlux", "D", "count", "If deblended-as-psf, the instrumental PSF flux"),
    Column("deblend_tooManyPeaks", "Flag", "", "Source had too many peaks; only the brightest were included"),
    Column("deblend_parentTooBig", "Flag", "", "Parent footprint covered too many pixels"),
    Column("deblend_masked", "Flag", "", "Parent footprint was predominantly masked"),
    Column("deblend_failed", "Flag", "", "Deblending failed on source"),
    Column("deblend_skipped", "Flag", "", "Deblender skipped this source"),
    Column(
        "deblend_rampedTemplate",
        "Flag",
        "",
        'This source was near an image edge and the deblender used "ramp" edge-handling.',
    ),
    Column(
        "deblend_patchedTemplate",
        "Flag",
        "",
        'This source was near an image edge and the deblender used "patched" edge-handling.',
    ),
    Column("deblend_hasStrayFlux", "Flag", "", "This source was assigned some stray flux"),
    Column("deblend_peak_center_x", "I", "pixel", "Center used to apply constraints in scarlet"),
    Column("deblend_peak_center_y", "I", "pixel", "Center used to apply constraints in scarlet"),
    Column(
        "deblend_peakId",
        "I",
        "",
        "ID of the peak in the parent footprint. This is not unique, but the combination of 'parent'and 'peakId' "
        "should be for all child sources. Top level blends with no parents have 'peakId=0'",
    ),
    Column(
        "deblend_nPeaks",
        "I",
        "",
        "Number of initial peaks in the blend. This includes peaks that may have been culled during deblending or "
        "failed to deblend",
    ),
    Column(
        "deblend_parentNPeaks",
        "I",
        "",
        "Same as deblend_n_peaks, but the number of peaks in the parent footprint",
    ),
)


class SourceDeblendTask(Task):
    """Split the sources that have several peaks into children, each with pixels of its own.

    A child's share of a pixel is its template's share of the sum of all templates there. A peak that the PSF fits has the
    PSF for a template; any other has the part of the image that is symmetric about the peak, smoothed and made to fall
    outwards (Lupton 2005, "SDSS image processing I: the deblender").

    Parameters
    ----------
    schema
        Columns of the catalogue; those of spec 06.2 are added.
    **kwargs
        Passed to `lsst.pipe.base.Task`.
    """

    ConfigClass: ClassVar[type[Config]] = SourceDeblendConfig
    _DefaultName: ClassVar[str] = "sourceDeblend"
    config: Any

    def __init__(self, schema: Schema, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._inherited = [c.name for c in schema if c.name.startswith("merge_footprint")]
        for column in _COLUMNS:
            if column.name != "deblend_failed" or self.config.catchFailures:
                schema.add(column)

    def run(self, exposure: Exposure, catalog: SourceCatalog, ids: IdFactory) -> None:
        """Append the children of every blend to a catalogue.

        The footprints of parents shrink to those of their children (unless stray flux is shared out), and their columns
        tell what was done.

        Parameters
        ----------
        exposure
            The image, with PSF. Only its mask is changed, where blends are left alone (``notDeblendedMask``).
        catalog
            The sources detected on it.
        ids
            Gives the children their ids.

        Raises
        ------
        ProcessingError
            Raised if the exposure has no PSF; without ``catchFailures`` also if a blend cannot be deblended.
        """
        if exposure.psf is None:
            raise ProcessingError("cannot deblend an exposure without its PSF")
        catalog.declare_missing()
        counts = catalog.footprints.peak_counts
        (rows,) = np.nonzero(counts > 1)
        if self.config.useCiLimits:
            least, most = self.config.ciDeblendChildRange
            rows = rows[(counts[rows] >= least) & (counts[rows] <= most)]
            rows = rows[: self.config.ciNumParentsToDeblend]
        sigma = self._noise(exposure)
        parents = _Parents.describe(catalog.footprints, rows, exposure, list(self.config.maskLimits))
        parents = parents[~self._leave_alone(exposure, catalog, parents)]
        fwhm = self._fwhm(exposure, parents)
        for i in np.flatnonzero(~(fwhm > 0)).tolist():
            self._fail(catalog, int(parents.rows[i]), f"the PSF has a width of {fwhm[i]} there")
        parents, fwhm = parents[fwhm > 0], fwhm[fwhm > 0]
        n_peaks = parents.footprints.peak_counts
        limit = int(self.config.maxNumberOfPeaks)
        if self.config.reproduceReferenceDefects:
            catalog["deblend_tooManyPeaks"][parents.rows] = n_peaks > limit
            limit = 0
        elif limit > 0:
            catalog["deblend_tooManyPeaks"][parents.rows] = n_peaks > limit
        done: list[tuple[NDArray[np.intp], Deblended]] = []
        for start, stop in batches(n_peaks, exposure.psf):
            part = np.arange(start, stop)
            done += self._deblend(exposure, catalog, parents[part], fwhm[part], sigma, limit)
        children = _enter(catalog, done, ids, self._inherited)
        self.metadata["parents"] = len(parents.rows)
        self.metadata["children"] = children
        self.log.info("Deblended %d of %d sources into %d", len(parents.rows), len(counts), children)

    def _leave_alone(
        self, exposure: Exposure, catalog: SourceCatalog, parents: _Parents
    ) -> NDArray[np.bool_]:
        """Tell which blends are too large or too much masked, and enter that in their columns and in the mask."""
        config = self.config
        boxes = parents.boxes
        large = np.zeros(len(boxes), np.bool_)
        if config.maxFootprintArea > 0:
            large |= parents.area > config.maxFootprintArea
        if config.maxFootprintSize > 0:
            large |= boxes[:, 2:].max(axis=1, initial=0) > config.maxFootprintSize
        if config.minFootprintAxisRatio > 0:
            ratios = [_axis_ratio(f.spans) for f in parents.footprints]
            large |= np.array(ratios) < config.minFootprintAxisRatio
        limits = np.array(list(config.maskLimits.values()), np.float64)
        masked = ~large & (parents.masked > limits * parents.area[:, None]).any(axis=1)
        skipped = large | masked
        rows = parents.rows
        catalog["deblend_parentTooBig"][rows[large]] = True
        catalog["deblend_masked"][rows[masked]] = True
        catalog["deblend_skipped"][rows[skipped]] = True
        # the middle in parent coordinates, truncated
        catalog["deblend_peak_center_y"][rows[skipped]] = (boxes[:, 0] + boxes[:, 2] / 2 + exposure.y0)[
            skipped
        ]
        catalog["deblend_peak_center_x"][rows[skipped]] = (boxes[:, 1] + boxes[:, 3] / 2 + exposure.x0)[
            skipped
        ]
        catalog["deblend_nPeaks"][rows[skipped]] = parents.footprints.peak_counts[skipped]
        if skipped.any() and config.notDeblendedMask:
            bits = exposure.mask_planes.bit(config.notDeblendedMask)
            spans = parents.footprints.spans[
                ranges(parents.footprints.span_offsets, np.flatnonzero(skipped))[0]
            ]
            set_bits(exposure.mask, spans, bits, exposure.x0, exposure.y0)
        return skipped

    def _fwhm(self, exposure: Exposure, parents: _Parents) -> NDArray[np.float64]:
        """Return the width of the PSF in the middle of each blend [pixel]; NaN where it cannot be measured."""
        assert exposure.psf is not None
        xx, yy, xy = exposure.psf.moments(*parents.centroids.T).T
        with np.errstate(invalid="ignore"):
            return np.asarray(_FWHM * (xx * yy - xy * xy) ** 0.25, np.float64)

    def _noise(self, exposure: Exposure) -> float:
        """Return the median noise of the image [count]."""
        bits = exposure.mask_planes.bits(self.config.maskPlanes)
        return math.sqrt(ImageStatistics(exposure.variance, exposure.mask, and_mask=bits).median)

    def _deblend(
        self,
        exposure: Exposure,
        catalog: SourceCatalog,
        parents: _Parents,
        fwhm: NDArray[np.float64],
        sigma: float,
        max_peaks: int,
    ) -> list[tuple[NDArray[np.intp], Deblended]]:
        """Deblend some blends together or, if something goes wrong, each by itself; return rows and what became of them."""
        try:
            blends = Blends.prepare(exposure, parents.footprints, parents.boxes, fwhm, max_peaks)
            return [(parents.rows, deblend(exposure, blends, sigma, self.config))]
        except Exception as error:
            if len(parents.rows) == 1:
                self._fail(catalog, int(parents.rows[0]), f"{type(error).__name__}: {error}")
                return []
        done = []
        for i in range(len(parents.rows)):
            one = np.arange(i, i + 1)
            done += self._deblend(exposure, catalog, parents[one], fwhm[one], sigma, max_peaks)
        return done

    def _fail(self, catalog: SourceCatalog, row: int, reason: str) -> None:
        message = f"source {catalog['id'][row]} cannot be deblended: {reason}"
        if not self.config.catchFailures:
            raise ProcessingError(message)
        self.log.warning("%s", message)
        catalog["deblend_failed"][row] = True


@dataclass(frozen=True)
class _Parents:
    """Sources with several peaks.

    Parameters
    ----------
    rows
        Shape ``(n,)``: their rows in the catalogue.
    footprints
        Their footprints.
    area
        Number of pixels.
    centroids
        Shape ``(n, 2)``: mean x and y, in parent coordinates.
    boxes
        Shape ``(n, 4)``: y and x of the first pixel in the indices of the image, height and width.
    masked
        Shape ``(n, p)``: number of pixels masked by each of some planes.
    """

    rows: NDArray[np.intp]
    footprints: Footprints
    area: NDArray[np.int64]
    centroids: NDArray[np.float64]
    boxes: NDArray[np.int64]
    masked: NDArray[np.int64]

    @classmethod
    def describe(
        cls, footprints: Footprints, rows: NDArray[np.intp], exposure: Exposure, planes: Sequence[str]
    ) -> _Parents:
        """Describe some footprints; ``planes`` are the mask planes to count."""
        own = _of_rows(footprints, rows)
        shift = np.array([exposure.y0, exposure.x0, exposure.x0], np.int32)
        found = np.zeros((len(rows), N_DESCRIBED), np.int64)
        masked = np.zeros((len(rows), len(planes)), np.int64)
        bits = np.array([exposure.mask_planes.bits([plane]) for plane in planes], np.int64)
        describe(own.spans - shift, own.span_offsets, exposure.mask, bits, found, masked)
        area = found[:, AREA]
        y0, x0, y1, x1 = found[:, BOX:].T
        means = found[:, [SUM_X, SUM_Y]] / np.maximum(area, 1)[:, None] + [exposure.x0, exposure.y0]
        return cls(rows, own, area, means, np.column_stack([y0, x0, y1 - y0 + 1, x1 - x0 + 1]), masked)

    def __getitem__(self, chosen: NDArray[Any]) -> _Parents:
        index = np.arange(len(self.rows))[chosen]
        return _Parents(
            self.rows[index],
            _of_rows(self.footprints, index),
            self.area[index],
            self.centroids[index],
            self.boxes[index],
            self.masked[index],
        )


def _of_rows(footprints: Footprints, rows: NDArray[np.intp]) -> Footprints:
    """Return some of the footprints, without pixels of their own."""
    spans, span_start = ranges(footprints.span_offsets, rows)
    peaks, peak_start = ranges(footprints.peak_offsets, rows)
    return Footprints(span_start, footprints.spans[spans], peak_start, footprints.peaks[peaks])


def _axis_ratio(spans: NDArray[np.int32]) -> float:
    """Return the ratio of the axes of a region's second moments."""
    y, x = span_pixels(spans)
    (xx, xy), (_, yy) = np.cov(x, y, bias=True)
    mean, spread = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
    return math.sqrt(max(mean - spread, 0.0) / (mean + spread))


def _enter(
    catalog: SourceCatalog,
    done: list[tuple[NDArray[np.intp], Deblended]],
    ids: IdFactory,
    inherited: Sequence[str],
) -> int:
    """Enter parents and children into the catalogue, in the order of the parents; return the number of children.

    ``done`` is emptied.
    """
    if not done:
        return 0
    rows = np.concatenate([r for r, _ in done])
    parents = np.concatenate([r[d.blend] for r, d in done])
    catalog["deblend_nChild"][rows] = np.bincount(parents, minlength=len(catalog))[rows]
    catalog["deblend_skipped"][rows] = np.concatenate([d.skipped for _, d in done])
    footprints = [d.children for _, d in done]
    peaks = np.concatenate([f.peaks for f in footprints])
    values: dict[str, Any] = {
        name: np.concatenate([d.columns[name] for _, d in done]) for name in done[0][1].columns
    }
    values |= {name: catalog[name][parents] for name in inherited}
    values |= {
        "id": ids.take(len(parents)),
        "parent": catalog["id"][parents],
        "deblend_peak_center_x": peaks["i_x"],
        "deblend_peak_center_y": peaks["i_y"],
        "deblend_peakId": peaks["id"],
        "deblend_nPeaks": 1,
        "deblend_parentNPeaks": catalog.footprints.peak_counts[parents],
    }
    catalog.footprints = _with_spans(
        catalog.footprints,
        rows,
        np.concatenate([np.diff(d.span_start) for _, d in done]),
        np.concatenate([d.spans for _, d in done]),
    )
    done.clear()  # the pixels are in `footprints`, and need not be held three times
    children = footprints[0] if len(footprints) == 1 else Footprints.concatenate(footprints)
    footprints.clear()
    catalog.append(children, values)
    return len(parents)


def _with_spans(
    footprints: Footprints, rows: NDArray[np.intp], lengths: NDArray[np.int64], spans: NDArray[np.int32]
) -> Footprints:
    """Return footprints of which some ``rows``, ascending, have other spans; those lose pixels of their own."""
    changed = np.zeros(len(footprints), np.bool_)
    changed[rows] = True
    span_lengths, heavy_lengths = np.diff(footprints.span_offsets), np.diff(footprints.heavy_offsets)
    keep_spans, keep_heavy = np.repeat(~changed, span_lengths), np.repeat(~changed, heavy_lengths)
    span_lengths[rows] = lengths
    heavy_lengths[rows] = 0
    new = np.repeat(changed, span_lengths)
    out = np.empty((len(new), 3), np.int32)
    out[new], out[~new] = spans, footprints.spans[keep_spans]
    heavy = footprints.heavy
    return Footprints(
        offsets(span_lengths),
        out,
        footprints.peak_offsets,
        footprints.peaks,
        offsets(heavy_lengths),
        HeavyPixels(heavy.image[keep_heavy], heavy.mask[keep_heavy], heavy.variance[keep_heavy]),
    )
