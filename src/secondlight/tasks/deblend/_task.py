"""The deblender: which sources are blends, and what becomes of them (spec 06.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Config
from lsst.pipe.base import Task
from numpy.typing import NDArray

from secondlight.errors import ProcessingError
from secondlight.model.catalog import SourceCatalog
from secondlight.model.exposure import Exposure
from secondlight.model.footprints import Footprint, Footprints, HeavyPixels, span_pixels
from secondlight.model.ids import IdFactory
from secondlight.model.schema import Column, Schema
from secondlight.model.spans import set_bits
from secondlight.model.statistics import ImageStatistics

from ._blends import Blends, batches, offsets
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
        rows = np.array([r for r in rows.tolist() if not self._left_alone(exposure, catalog, r)], np.int64)
        parents = [catalog.footprints[r] for r in rows.tolist()]
        fwhm = self._fwhm(exposure, parents)
        usable = fwhm > 0
        for i in np.flatnonzero(~usable).tolist():
            self._fail(catalog, int(rows[i]), f"the PSF has a width of {fwhm[i]} there")
        rows, fwhm = rows[usable], fwhm[usable]
        parents = [p for p, good in zip(parents, usable, strict=True) if good]
        most = int(self.config.maxNumberOfPeaks)
        if self.config.reproduceReferenceDefects:
            catalog["deblend_tooManyPeaks"][rows] = counts[rows] > most
            most = 0
        elif most > 0:
            catalog["deblend_tooManyPeaks"][rows] = counts[rows] > most
        sigma = self._noise(exposure)
        done: dict[int, Deblended] = {}
        for start, stop in batches(counts[rows], exposure.psf):
            part = slice(start, stop)
            found = self._deblend(exposure, catalog, rows[part], parents[part], fwhm[part], sigma, most)
            done.update(found)
        children = _enter(catalog, done, ids, self._inherited)
        self.metadata["parents"] = len(rows)
        self.metadata["children"] = children
        self.log.info("Deblended %d of %d sources into %d", len(rows), len(counts), children)

    def _left_alone(self, exposure: Exposure, catalog: SourceCatalog, row: int) -> bool:
        """Tell whether a blend is too large or too much masked; if so, enter that in its columns and in the mask."""
        footprint = catalog.footprints[row]
        if self._is_large(footprint):
            catalog["deblend_parentTooBig"][row] = True
        elif self._is_masked(footprint, exposure):
            catalog["deblend_masked"][row] = True
        else:
            return False
        catalog["deblend_skipped"][row] = True
        if self.config.notDeblendedMask:
            bits = exposure.mask_planes.bit(self.config.notDeblendedMask)
            set_bits(exposure.mask, footprint.spans, bits, exposure.x0, exposure.y0)
        box = footprint.bbox
        catalog["deblend_peak_center_x"][row] = int(box.x.start + box.x.size / 2)
        catalog["deblend_peak_center_y"][row] = int(box.y.start + box.y.size / 2)
        catalog["deblend_nPeaks"][row] = len(footprint.peaks)
        return True

    def _is_large(self, footprint: Footprint) -> bool:
        config = self.config
        if config.maxFootprintArea > 0 and footprint.area > config.maxFootprintArea:
            return True
        if config.maxFootprintSize > 0 and max(footprint.bbox.shape) > config.maxFootprintSize:
            return True
        if config.minFootprintAxisRatio > 0:
            y, x = span_pixels(footprint.spans)
            (xx, xy), (_, yy) = np.cov(x, y, bias=True)
            mean, spread = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
            ratio = math.sqrt(max(mean - spread, 0.0) / (mean + spread))
            return bool(ratio < config.minFootprintAxisRatio)
        return False

    def _is_masked(self, footprint: Footprint, exposure: Exposure) -> bool:
        if not self.config.maskLimits:
            return False
        y, x = span_pixels(footprint.spans)
        y, x = y - exposure.y0, x - exposure.x0
        h, w = exposure.mask.shape
        inside = (y >= 0) & (y < h) & (x >= 0) & (x < w)
        mask = exposure.mask[y[inside], x[inside]]
        return any(
            np.count_nonzero(mask & exposure.mask_planes.bits([plane])) > limit * len(y)
            for plane, limit in self.config.maskLimits.items()
        )

    def _fwhm(self, exposure: Exposure, parents: Sequence[Footprint]) -> NDArray[np.float64]:
        """Return the width of the PSF in the middle of each blend [pixel]; NaN where it cannot be measured."""
        assert exposure.psf is not None
        centres = np.array([p.centroid for p in parents]).reshape(-1, 2)
        xx, yy, xy = exposure.psf.moments(centres[:, 0], centres[:, 1]).T
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
        rows: NDArray[np.int64],
        parents: Sequence[Footprint],
        fwhm: NDArray[np.float64],
        sigma: float,
        max_peaks: int,
    ) -> dict[int, Deblended]:
        """Deblend some blends together or, if something goes wrong, each by itself; return what became of each row."""
        try:
            found = deblend(exposure, Blends.prepare(exposure, parents, fwhm, max_peaks), sigma, self.config)
            return dict(zip(rows.tolist(), found, strict=True))
        except Exception as error:
            if len(rows) == 1:
                self._fail(catalog, int(rows[0]), f"{type(error).__name__}: {error}")
                return {}
        done: dict[int, Deblended] = {}
        for i in range(len(rows)):
            one = slice(i, i + 1)
            done.update(
                self._deblend(exposure, catalog, rows[one], parents[one], fwhm[one], sigma, max_peaks)
            )
        return done

    def _fail(self, catalog: SourceCatalog, row: int, reason: str) -> None:
        message = f"source {catalog['id'][row]} cannot be deblended: {reason}"
        if not self.config.catchFailures:
            raise ProcessingError(message)
        self.log.warning("%s", message)
        catalog["deblend_failed"][row] = True


def _enter(
    catalog: SourceCatalog, done: Mapping[int, Deblended], ids: IdFactory, inherited: Sequence[str]
) -> int:
    """Enter parents and children into the catalogue, in the order of the parents; return the number of children."""
    rows = sorted(done)
    if not rows:
        return 0
    results = [done[row] for row in rows]
    numbers = [len(r.children) for r in results]
    catalog["deblend_nChild"][rows] = numbers
    catalog["deblend_skipped"][rows] = [r.skipped for r in results]
    parents = np.repeat(rows, numbers)
    footprints = Footprints.from_list([child for r in results for child in r.children])
    peaks = footprints.peaks
    values: dict[str, Any] = {
        name: np.concatenate([r.columns[name] for r in results]) for name in results[0].columns
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
    catalog.footprints = _with_spans(catalog.footprints, {row: done[row].spans for row in rows})
    catalog.append(footprints, values)
    return len(parents)


def _with_spans(footprints: Footprints, new: Mapping[int, NDArray[np.int32]]) -> Footprints:
    """Return footprints of which some have other spans; those lose the pixels that they may have held."""
    bounds = footprints.span_offsets
    spans = [new.get(i, footprints.spans[bounds[i] : bounds[i + 1]]) for i in range(len(footprints))]
    lengths = np.diff(footprints.heavy_offsets)
    keep = np.repeat(~np.isin(np.arange(len(footprints)), list(new)), lengths)
    lengths[list(new)] = 0
    heavy = footprints.heavy
    return Footprints(
        offsets([len(s) for s in spans]),
        np.concatenate(spans),
        footprints.peak_offsets,
        footprints.peaks,
        offsets(lengths),
        HeavyPixels(heavy.image[keep], heavy.mask[keep], heavy.variance[keep]),
    )
