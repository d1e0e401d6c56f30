"""Some blends at once, as flat arrays in the indices of the image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from secondlight import threads
from secondlight.kernels.deblend.psf_fit import Peaks, Stamps
from secondlight.kernels.deblend.regions import Regions, paint
from secondlight.model.exposure import Exposure
from secondlight.model.footprints import Footprint
from secondlight.model.psf import BatchPsf

__all__ = ["BLEND_CHUNK", "Blends", "batches", "draw_stamps", "offsets", "paint_regions"]

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


def paint_regions(spans: Sequence[NDArray[np.int32]], boxes: NDArray[np.int64]) -> Regions:
    """Paint footprints into boxes.

    Parameters
    ----------
    spans
        Of each footprint, shape ``(m, 3)``.
    boxes
        Shape ``(n, 4)``: y and x of the first pixel, height and width.
    """
    start = offsets(boxes[:, 2] * boxes[:, 3])
    regions = Regions(np.zeros(start[-1], np.uint8), start, boxes)
    paint(regions, np.concatenate([np.empty((0, 3), np.int32), *spans]), offsets([len(s) for s in spans]))
    return regions


def _box(spans: NDArray[np.int32]) -> tuple[int, int, int, int]:
    y0, x0 = int(spans[:, 0].min()), int(spans[:, 1].min())
    return y0, x0, int(spans[:, 0].max()) - y0 + 1, int(spans[:, 2].max()) - x0 + 1


@dataclass(frozen=True)
class Blends:
    """Blends to work on together.

    Parameters
    ----------
    footprints
        Of each, in parent coordinates.
    spans
        Of each, in the indices of the image.
    regions, peaks
        The same as the kernels want them.
    fwhm
        Width of the PSF in each [pixel].
    active
        Shape ``(peaks,)``: which peaks to deblend.
    """

    footprints: Sequence[Footprint]
    spans: Sequence[NDArray[np.int32]]
    regions: Regions
    peaks: Peaks
    fwhm: NDArray[np.float64]
    active: NDArray[np.bool_]

    @classmethod
    def prepare(
        cls,
        exposure: Exposure,
        footprints: Sequence[Footprint],
        fwhm: NDArray[np.float64],
        max_peaks: int = 0,
    ) -> Blends:
        """Gather blends.

        Parameters
        ----------
        exposure
            Their image.
        footprints
            Of each.
        fwhm
            Width of the PSF in each [pixel].
        max_peaks
            Deblend only the first so many peaks of each, if positive.

        Raises
        ------
        ValueError
            Raised if a footprint is not within the image.
        """
        shift = np.array([exposure.y0, exposure.x0, exposure.x0], np.int32)
        spans = [f.spans - shift for f in footprints]
        boxes = np.array([_box(s) for s in spans], np.int64).reshape(-1, 4)
        if (boxes[:, :2] < 0).any() or (boxes[:, :2] + boxes[:, 2:] > exposure.image.shape).any():
            raise ValueError("a footprint extends beyond the image")
        counts = np.array([len(f.peaks) for f in footprints], np.int64)
        start = offsets(counts)
        peaks = np.concatenate([f.peaks for f in footprints])
        blend = np.repeat(np.arange(len(counts)), counts)
        rank = np.arange(len(peaks)) - start[blend]
        return cls(
            footprints,
            spans,
            paint_regions(spans, boxes),
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
    start = 0
    while start < len(counts):
        stop = start + max(int(np.searchsorted(np.cumsum(counts[start:]), limit, side="right")), 1)
        yield start, min(stop, len(counts))
        start = stop


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
    usable = np.empty(len(x), np.bool_)

    def work(start: int, stop: int) -> None:
        usable[start:stop] = np.isfinite(images[start:stop]).all(axis=(1, 2))

    threads.map_chunks(work, len(x), 256)
    return Stamps(images, stamps.x0 - exposure.x0, stamps.y0 - exposure.y0, usable)
