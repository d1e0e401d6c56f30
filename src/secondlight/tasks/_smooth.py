"""The image that is searched for sources: smoothed with a Gaussian as wide as the PSF (spec 04.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from lsst.images import Box
from numpy.typing import NDArray

from .. import threads
from ..errors import ProcessingError
from ..kernels.convolve import or_mask_rows, smooth_rows, smooth_variance_at
from ..model.exposure import Exposure
from ..model.footprints import Footprints
from ._footprints import Threshold, find_footprints

__all__ = ["SmoothedImage", "SmoothedVariance", "gaussian_kernel", "smooth"]

#: Rows that one thread smooths at a time. Each chunk begins with as many rows as the kernel is long that its neighbour
#: smooths too, so chunks are much longer than kernels.
_ROWS = 512


def gaussian_kernel(sigma: float, n_sigma: float) -> NDArray[np.float32]:
    """Return a Gaussian of unit sum along one axis.

    Parameters
    ----------
    sigma
        Its standard deviation [pixel].
    n_sigma
        Its whole width, in units of that.

    Returns
    -------
    ndarray
        Odd number of weights.
    """
    size = int(n_sigma * sigma + 0.5) // 2 * 2 + 1
    x = np.arange(size) - size // 2
    weights = np.exp(-(x * x) / (2 * sigma * sigma)) * (1 / math.sqrt(2 * math.pi) / sigma)
    return np.asarray(weights / weights.sum(), np.float32)


def smooth(exposure: Exposure, kernel: NDArray[np.float32], planes: Sequence[str] = ()) -> SmoothedImage:
    """Smooth an exposure.

    Parameters
    ----------
    exposure
        What to smooth.
    kernel
        Weights along each axis.
    planes
        Mask planes to spread as the smoothing spreads the pixels that have them.

    Raises
    ------
    ProcessingError
        Raised if the image is smaller than the kernel.
    """
    margin = len(kernel) // 2
    height, width = (n - 2 * margin for n in exposure.image.shape)
    if min(height, width) < 1:
        raise ProcessingError(
            f"an image of {exposure.image.shape[1]}x{exposure.image.shape[0]} pixels is smaller than the smoothing "
            f"kernel, {len(kernel)}x{len(kernel)}"
        )
    image = np.empty((height, width), np.float32)
    bits = exposure.mask_planes.bits(planes)
    mask = np.empty((height, width), np.int32) if bits else None

    def work(start: int, stop: int) -> None:
        smooth_rows(exposure.image, kernel, False, image[start:stop], start)
        if mask is not None:
            or_mask_rows(exposure.mask, len(kernel), bits, mask, start, stop)

    threads.map_chunks(work, height, _ROWS)
    variance = SmoothedVariance(exposure.variance, kernel)
    return SmoothedImage(image, variance, mask, margin, exposure.x0 + margin, exposure.y0 + margin)


class SmoothedVariance:
    """A smoothed variance whose rows are made as they are asked for: they are needed once, and whole it is a large image.

    Parameters
    ----------
    plane
        The variance before smoothing.
    kernel
        Weights along each axis.
    rows
        Which rows of all there are.
    """

    def __init__(
        self, plane: NDArray[np.float32], kernel: NDArray[np.float32], rows: range | None = None
    ) -> None:
        self._plane = plane
        self._kernel = kernel
        self._rows = range(plane.shape[0] - len(kernel) + 1) if rows is None else rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        chosen = self._rows[rows]
        out = np.empty((len(chosen), self._plane.shape[1] - len(self._kernel) + 1), np.float32)
        smooth_rows(self._plane, self._kernel, True, out, chosen.start)
        return out

    def part(self, rows: slice, columns: slice) -> SmoothedVariance:
        """Return a part of it.

        Parameters
        ----------
        rows, columns
            Which part.
        """
        below = slice(columns.start, columns.stop + len(self._kernel) - 1)
        return SmoothedVariance(np.ascontiguousarray(self._plane[:, below]), self._kernel, self._rows[rows])

    def at(self, y: NDArray[np.int32], x: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return single pixels.

        Parameters
        ----------
        y, x
            Their indices, of one shape ``(n,)``.
        """
        out = np.empty(len(y), np.float32)
        smooth_variance_at(self._plane, self._kernel, y + np.int32(self._rows.start), x, out)
        return out


class SmoothedImage:
    """The part of an exposure on which the whole smoothing kernel fits.

    Parameters
    ----------
    image, variance
        The smoothed planes, of one shape.
    mask
        Bits of the pixels that went into each; `None` if no pixel has any of interest.
    margin
        Half width of the kernel, by which the exposure is larger on every side [pixel].
    x0, y0
        Parent coordinates of the first pixel.
    """

    def __init__(
        self,
        image: NDArray[np.float32],
        variance: SmoothedVariance,
        mask: NDArray[np.int32] | None,
        margin: int,
        x0: int,
        y0: int,
    ) -> None:
        self.image = image
        self.variance = variance
        self.mask = mask
        self.margin = margin
        self.x0 = x0
        self.y0 = y0

    @property
    def size(self) -> int:
        """Side of the kernel [pixel]."""
        return 2 * self.margin + 1

    @property
    def part(self) -> tuple[slice, slice]:
        """Where it lies on the exposure's array."""
        h, w = self.image.shape
        return slice(self.margin, self.margin + h), slice(self.margin, self.margin + w)

    def mark_edge(self, exposure: Exposure) -> None:
        """Set EDGE in the exposure's mask where the kernel does not fit.

        Parameters
        ----------
        exposure
            The exposure that was smoothed; its mask is changed.
        """
        edge = np.int32(exposure.mask_planes.bit("EDGE"))
        rows, columns = self.part
        exposure.mask[: rows.start] |= edge
        exposure.mask[rows.stop :] |= edge
        exposure.mask[rows, : columns.start] |= edge
        exposure.mask[rows, columns.stop :] |= edge

    def find_footprints(
        self, threshold: Threshold, min_pixels: int, *, first_peak_id: int, bbox: Box | None = None
    ) -> Footprints:
        """Find footprints and their peaks.

        Parameters
        ----------
        threshold, min_pixels, first_peak_id
            As for `find_footprints`.
        bbox
            Search only this box, parent coordinates, as if it were the whole image.
        """
        image, variance, x0, y0 = self.image, self.variance, self.x0, self.y0
        if bbox is not None:
            part = (
                slice(bbox.y.start - y0, bbox.y.stop - y0),
                slice(bbox.x.start - x0, bbox.x.stop - x0),
            )
            image, variance, x0, y0 = image[part], variance.part(*part), bbox.x.start, bbox.y.start
        return find_footprints(
            image, variance, threshold, min_pixels=min_pixels, x0=x0, y0=y0, first_peak_id=first_peak_id
        )

    def set_significance(self, footprints: Footprints, threshold: Threshold) -> None:
        """Set the significance of peaks: their value over its noise, or 0 for a threshold without any (spec 04.6).

        Parameters
        ----------
        footprints
            Found on this image; changed in place.
        threshold
            What they were found with.
        """
        peaks = footprints.peaks
        value = threshold.sign * peaks["peakValue"].astype(np.float64)
        if threshold.per_pixel:
            variance = self.variance.at(peaks["i_y"] - self.y0, peaks["i_x"] - self.x0)
            with np.errstate(divide="ignore", invalid="ignore"):  # a variance may be zero
                peaks["significance"] = value / np.sqrt(variance.astype(np.float64))
        elif threshold.noise > 0:
            peaks["significance"] = value / threshold.noise
