"""Some blends at once, as flat arrays in the indices of the image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from secondlight.kernels.deblend.psf_fit import Peaks, Stamps
from secondlight.kernels.deblend.regions import Regions, paint
from secondlight.model.exposure import Exposure
from secondlight.model.footprints import Footprints
from secondlight.model.psf import BatchPsf

__all__ = ["BLEND_CHUNK", "Blends", "batches", "draw_stamps", "offsets", "paint_regions", "ranges"]

#: Blends that a thread takes at a time where blends are independent.
BLEND_CHUNK = 16

#: Bytes of PSF images that are held at once: several thousand stamps.
_STAMP_BYTES = 2**26


def offsets(lengths: ArrayLike) -> NDArray[np.int64]:
    """Return where items begin that lie one behind the other, and where the last one ends.

    Parameters
    ----------
    lengths
        Of each item, shape ``(n,)``.
    """
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64))]).astype(np.int64)


def ranges(start: NDArray[np.int64], chosen: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of what belongs to some of the items, and where each of those begins among them.

    Parameters
    ----------
    start
        Shape ``(n + 1,)``: where items begin, as from `offsets`.
    chosen
        Which items.
    """
    chosen = np.asarray(chosen, np.int64)
    lengths = start[chosen + 1] - start[chosen]
    bounds = offsets(lengths)
    index = np.arange(bounds[-1]) + np.repeat(start[chosen] - bounds[:-1], lengths)
    return np.asarray(index, np.int64), bounds


def paint_regions(
    spans: NDArray[np.int32], span_start: NDArray[np.int64], boxes: NDArray[np.int64]
) -> Regions:
    """Paint footprints into boxes.

    Parameters
    ----------
    spans, span_start
        The footprints, in the indices of the image.
    boxes
        Shape ``(n, 4)``: y and x of the first pixel, height and width.
    """
    start = offsets(boxes[:, 2] * boxes[:, 3])
    regions = Regions(np.zeros(start[-1], np.uint8), start, boxes)
    paint(regions, spans, span_start)
    return regions


@dataclass(frozen=True)
class Blends:
    """Blends to work on together.

    Parameters
    ----------
    x0, y0
        Parent coordinates of the image's first pixel.
    footprints
        The blends, in parent coordinates.
    spans, span_start
        Their spans, in the indices of the image.
    regions, peaks
        The same as the kernels want them.
    fwhm
        Width of the PSF in each [pixel].
    active
        Shape ``(peaks,)``: which peaks to deblend.
    """

    x0: int
    y0: int
    footprints: Footprints
    spans: NDArray[np.int32]
    regions: Regions
    peaks: Peaks
    fwhm: NDArray[np.float64]
    active: NDArray[np.bool_]

    @classmethod
    def prepare(
        cls,
        exposure: Exposure,
        footprints: Footprints,
        boxes: NDArray[np.int64],
        fwhm: NDArray[np.float64],
        max_peaks: int = 0,
    ) -> Blends:
        """Gather blends.

        Parameters
        ----------
        exposure
            Their image.
        footprints
            The blends, in parent coordinates.
        boxes
            Shape ``(n, 4)``: the box of each in the indices of the image: y and x of the first pixel, height and width.
        fwhm
            Width of the PSF in each [pixel].
        max_peaks
            Deblend only the first so many peaks of each, if positive.

        Raises
        ------
        ValueError
            Raised if a footprint is not within the image.
        """
        if (boxes[:, :2] < 0).any() or (boxes[:, :2] + boxes[:, 2:] > exposure.image.shape).any():
            raise ValueError("a footprint extends beyond the image")
        spans = footprints.spans - np.array([exposure.y0, exposure.x0, exposure.x0], np.int32)
        peaks, start = footprints.peaks, footprints.peak_offsets
        blend = np.repeat(np.arange(len(footprints)), footprints.peak_counts)
        rank = np.arange(len(peaks)) - start[blend]
        return cls(
            exposure.x0,
            exposure.y0,
            footprints,
            spans,
            paint_regions(spans, footprints.span_offsets, boxes),
            Peaks(
                blend,
                start,
                peaks["f_x"].astype(np.float64) - exposure.x0,
                peaks["f_y"].astype(np.float64) - exposure.y0,
                peaks["i_x"].astype(np.int64) - exposure.x0,
                peaks["i_y"].astype(np.int64) - exposure.y0,
            ),
            np.asarray(fwhm, np.float64),
            (rank < max_peaks) if max_peaks > 0 else np.ones(len(peaks), np.bool_),
        )

    def __len__(self) -> int:
        return len(self.footprints)

    @property
    def n_peaks(self) -> int:
        """Number of peaks of all blends."""
        return len(self.active)

    def in_footprint(self) -> NDArray[np.bool_]:
        """Tell of each peak whether its pixel is in its blend."""
        y0, x0, h, w = self.regions.box[self.peaks.blend].T
        i, j = self.peaks.iy - y0, self.peaks.ix - x0
        inside = (i >= 0) & (i < h) & (j >= 0) & (j < w)
        index = self.regions.start[self.peaks.blend] + np.where(inside, i * w + j, 0)
        return np.asarray(inside & (self.regions.pixels[index] != 0), np.bool_)


def batches(counts: NDArray[np.int64], psf: BatchPsf) -> Iterator[tuple[int, int]]:
    """Cut a list of blends into parts of a bounded number of peaks, at least one blend each.

    Parameters
    ----------
    counts
        Number of peaks of each blend.
    psf
        Its images bound the number.

    Yields
    ------
    start, stop : int
        The blends of a part.
    """
    limit = max(_STAMP_BYTES // (8 * int(np.prod(psf.kernel_bbox.shape))), 1)
    ends = np.cumsum(counts)
    start, done = 0, 0
    while start < len(counts):
        stop = max(int(np.searchsorted(ends, done + limit, side="right")), start + 1)
        yield start, stop
        start, done = stop, int(ends[stop - 1])


def draw_stamps(exposure: Exposure, x: NDArray[np.float64], y: NDArray[np.float64]) -> Stamps:
    """Draw the PSF at some places.

    Parameters
    ----------
    exposure
        Image with PSF.
    x, y
        Places in the indices of the image, shape ``(n,)``.
    """
    assert exposure.psf is not None
    if not len(x):
        none = np.zeros(0, np.int64)
        return Stamps(np.zeros((0, *exposure.psf.kernel_bbox.shape)), none, none, np.zeros(0, np.bool_))
    stamps = exposure.psf.stellar_images(x + exposure.x0, y + exposure.y0)
    images = np.ascontiguousarray(stamps.images, np.float64)
    usable = np.isfinite(images.sum(axis=(1, 2)))
    return Stamps(images, stamps.x0 - exposure.x0, stamps.y0 - exposure.y0, usable)
