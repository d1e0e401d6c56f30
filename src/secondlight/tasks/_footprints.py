"""Footprints of an image above a threshold, and their growth (spec 04.4, 04.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from lsst.images import Box
from numpy.typing import NDArray

from .. import threads
from ..kernels.footprints import describe_components, find_peaks
from ..kernels.spans import find_pixels, find_runs, label_runs
from ..model.footprints import PEAK_DTYPE, Footprints
from ..model.spans import circle, dilate, manhattan

__all__ = ["Threshold", "find_footprints", "grow_footprints", "sort_peaks"]

#: Rows that one thread searches at a time: some MB of image and variance, and much more than a kernel is long, so that a
#: variance that is smoothed for this is not smoothed twice.
_ROWS = 512


class _Rows(Protocol):
    """A plane whose rows are asked for some at a time: an array, or what makes them only then."""

    def __getitem__(self, rows: slice, /) -> NDArray[np.float32]:
        """Return some rows."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """What is above the background.

    Parameters
    ----------
    value
        Threshold, positive: in units of each pixel's own noise if ``per_pixel``, else of the image.
    include
        A footprint counts only if one of its pixels reaches this.
    per_pixel
        Whether to compare with the variance plane.
    negative
        Look for pixels at or below minus the threshold instead.
    noise
        Standard deviation of the whole image, where the threshold is a multiple of that; 0 where it is not.
    """

    value: float
    include: float
    per_pixel: bool
    negative: bool = False
    noise: float = 0.0

    @property
    def sign(self) -> np.float32:
        """What the image is multiplied with before it is compared."""
        return np.float32(-1.0 if self.negative else 1.0)


def find_footprints(
    image: NDArray[np.float32],
    variance: _Rows,
    threshold: Threshold,
    *,
    min_pixels: int = 1,
    x0: int = 0,
    y0: int = 0,
    first_peak_id: int = 1,
) -> Footprints:
    """Find the connected regions above a threshold and the peaks in each.

    Parameters
    ----------
    image, variance
        Shape ``(h, w)``.
    threshold
        The threshold.
    min_pixels
        A footprint counts only if it has as many pixels.
    x0, y0
        Parent coordinates of the first pixel.
    first_peak_id
        Id of the first peak; the others count on, in raster order within each footprint.

    Returns
    -------
    Footprints
        In the reference's order (spec 04.4); the peaks of each are sorted by brightness.
    """
    image = np.ascontiguousarray(image)
    sign, per_pixel = threshold.sign, threshold.per_pixel
    parts: dict[int, tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.bool_]]] = {}

    def search(start: int, stop: int) -> None:
        rows = image[start:stop]
        noise = np.ascontiguousarray(variance[start:stop]) if per_pixel else rows
        runs = find_runs(rows, noise, sign, threshold.value, per_pixel, 0, stop - start)
        area, reaches = np.zeros(len(runs), np.int64), np.zeros(len(runs), np.bool_)
        each = np.arange(len(runs))
        describe_components(rows, noise, sign, threshold.include, per_pixel, runs, each, area, reaches)
        runs[:, 0] += start
        parts[start] = runs, area, reaches

    threads.map_chunks(search, len(image), _ROWS)
    none = np.empty((0, 3), np.int32), np.zeros(0, np.int64), np.zeros(0, np.bool_)
    spans, areas, reach = (
        np.concatenate(arrays)
        for arrays in zip(none, *(parts[start] for start in sorted(parts)), strict=True)
    )
    component, count = label_runs(spans)
    area = np.bincount(component, areas, count)
    reaches = np.bincount(component, reach, count) > 0
    kept = reaches & (area >= min_pixels)
    spans, offsets = _gather(spans, component, kept)
    position, peak_offsets = find_peaks(image, sign, spans, offsets)
    y, x = position[:, 0], position[:, 1]
    peaks = np.zeros(len(position), PEAK_DTYPE)
    peaks["id"] = np.arange(first_peak_id, first_peak_id + len(peaks))
    peaks["i_x"] = peaks["f_x"] = x + x0
    peaks["i_y"] = peaks["f_y"] = y + y0
    peaks["peakValue"] = image[y, x]
    owner = np.repeat(np.arange(len(peak_offsets) - 1), np.diff(peak_offsets))
    peaks = sort_peaks(peaks, owner)
    spans += np.array([y0, x0, x0], np.int32)
    return Footprints(offsets, spans, peak_offsets, peaks)


def sort_peaks(peaks: NDArray[np.void], owner: NDArray[np.integer] | None = None) -> NDArray[np.void]:
    """Sort peaks by value, the highest first, then by x, then by y.

    Parameters
    ----------
    peaks
        Of `PEAK_DTYPE`.
    owner
        Footprint that each belongs to, the first sort key; all belong to one if not given.
    """
    keys = (peaks["i_y"], peaks["i_x"], -peaks["peakValue"])
    return peaks[np.lexsort(keys if owner is None else (*keys, owner))]


def _gather(
    spans: NDArray[np.int32], component: NDArray[np.int64], kept: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Bring the spans of each component that is kept together; return them and their offsets."""
    number = np.cumsum(kept) - 1
    chosen = kept[component]
    spans, component = spans[chosen], number[component[chosen]]
    order = np.argsort(component, kind="stable")
    counts = np.bincount(component, minlength=int(kept.sum()))
    return np.ascontiguousarray(spans[order]), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def grow_footprints(
    footprints: Footprints, radius: int, bbox: Box, *, isotropic: bool = True, combined: bool = True
) -> Footprints:
    """Dilate footprints and clip them to a box.

    Parameters
    ----------
    footprints
        What to grow.
    radius
        By how much [pixel].
    bbox
        Pixels outside are dropped.
    isotropic
        Dilate with a disc; otherwise with a diamond, which is what repeated growth by one pixel makes.
    combined
        Make one footprint of those that touch, diagonals included, with the peaks of all. Otherwise each stays by
        itself, and they may overlap.

    Returns
    -------
    Footprints
        In the order of spec 04.5; pixels of their own are dropped.
    """
    half_widths = circle(radius) if isotropic else manhattan(radius)
    if not combined:
        return _grow_each(footprints, half_widths, bbox)
    order = np.lexsort((footprints.spans[:, 1], footprints.spans[:, 0]))
    spans = dilate(footprints.spans[order], half_widths, bbox)
    component, count = label_runs(spans)
    # the first pixel of a footprint tells which grown one it became part of
    first = footprints.spans[footprints.span_offsets[:-1]]
    home = component[find_pixels(spans, first[:, 0].copy(), first[:, 1].copy())]
    grown, offsets = _gather(spans, component, np.ones(count, np.bool_))
    members = np.argsort(home, kind="stable")
    peaks = footprints.peaks[_ranges(footprints.peak_offsets, members)]
    owner = np.repeat(home[members], footprints.peak_counts[members])
    peaks = sort_peaks(peaks, owner)
    peak_counts = np.bincount(owner, minlength=count)
    return Footprints(offsets, grown, np.concatenate([[0], np.cumsum(peak_counts)]).astype(np.int64), peaks)


def _ranges(offsets: NDArray[np.int64], chosen: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the indices of the items of the chosen groups, group by group."""
    counts = np.diff(offsets)[chosen]
    begin = np.cumsum(counts) - counts
    return np.asarray(np.arange(counts.sum()) + np.repeat(offsets[chosen] - begin, counts), np.int64)


def _grow_each(footprints: Footprints, half_widths: NDArray[np.int64], bbox: Box) -> Footprints:
    parts = [dilate(f.spans, half_widths, bbox) for f in footprints]
    offsets = np.concatenate([[0], np.cumsum([len(p) for p in parts])]).astype(np.int64)
    spans = np.concatenate([np.empty((0, 3), np.int32), *parts])
    return Footprints(offsets, spans, footprints.peak_offsets, footprints.peaks)
