"""The interface of a PSF that is evaluated in batches, and what follows from its images alone."""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from lsst.images import Bounds, Box, Image
from lsst.images.psfs import PointSpreadFunction
from numpy.typing import ArrayLike, NDArray

from ... import threads
from ...kernels.sdss_moments import N_OUT, OUT_XX, OUT_XY, OUT_YY, adaptive_moments_stack
from ...kernels.sinc_aperture import circular_sinc_coefficients

__all__ = ["BatchPsf", "PsfStamps"]

#: Bounds of a PSF whose file does not say where it is valid: all pixel indices.
_EVERYWHERE = Box.factory[-(2**30) : 2**30, -(2**30) : 2**30]

#: Images drawn at once where only numbers derived from them are kept: 5 MB of 25x25 stamps.
_CHUNK = 1024


@dataclass(frozen=True, slots=True)
class PsfStamps:
    """PSF images at n positions.

    Parameters
    ----------
    images
        Shape ``(n, h, w)``, each of unit sum, less what a shift takes over the edge.
    x0, y0
        Shape ``(n,)``: parent coordinates of each stamp's first pixel.
    """

    images: NDArray[np.float64]
    x0: NDArray[np.int64]
    y0: NDArray[np.int64]


class BatchPsf(PointSpreadFunction):
    """A PSF model that draws many positions in one call.

    Positions are pixels in the parent image's coordinates; a position that is NaN means `average_position`
    (spec 11.4).
    """

    _bounds: Bounds = _EVERYWHERE

    @property
    def bounds(self) -> Bounds:
        """The region where this PSF model is valid; all pixel indices if that is not known."""
        return self._bounds

    def with_bounds(self, bounds: Bounds) -> Self:
        """Return the same PSF, valid in another region.

        Parameters
        ----------
        bounds
            The region.
        """
        other = copy.copy(self)
        other._bounds = bounds
        return other

    @property
    @abstractmethod
    def average_position(self) -> tuple[float, float]:
        """Mean position of the stars that the model was fitted to, (x, y) [pixel]."""

    @abstractmethod
    def kernel_images(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Draw the PSF centred on the central pixel.

        Parameters
        ----------
        x, y
            Positions [pixel], shape ``(n,)``.

        Returns
        -------
        ndarray
            Shape ``(n, h, w)``, each of unit sum, centre at ``(h // 2, w // 2)``.
        """

    @abstractmethod
    def stellar_images(self, x: ArrayLike, y: ArrayLike) -> PsfStamps:
        """Draw the PSF as a star at each position would look.

        Parameters
        ----------
        x, y
            Positions [pixel], shape ``(n,)``.
        """

    def moments(
        self, x: ArrayLike, y: ArrayLike, *, images: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Measure the adaptive second moments of the PSF (spec 07b).

        Parameters
        ----------
        x, y
            Positions [pixel], shape ``(n,)``.
        images
            What `kernel_images` returns there, if that is at hand.

        Returns
        -------
        ndarray
            Shape ``(n, 3)``: xx, yy, xy [pixel^2]; NaN where nothing can be measured.
        """
        x, y = self._positions(x, y)
        result = np.empty((len(x), 3))
        drawn = self._drawn(x, y) if images is None else ((slice(None), images),)
        for part, kernels in drawn:
            out = np.empty((len(kernels), N_OUT))
            flags = np.empty(len(kernels), np.int64)
            centre = kernels.shape[2] // 2, kernels.shape[1] // 2

            def work(
                start: int,
                stop: int,
                kernels: NDArray[np.float64] = kernels,
                out: NDArray[np.float64] = out,
                flags: NDArray[np.int64] = flags,
                centre: tuple[int, int] = centre,
            ) -> None:
                adaptive_moments_stack(kernels[start:stop], *centre, out[start:stop], flags[start:stop])

            threads.map_chunks(work, len(kernels), 64)
            result[part] = out[:, [OUT_XX, OUT_YY, OUT_XY]]
        return result

    def effective_area(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Return (ΣP)²/ΣP² of the PSF: the area that background noise enters a PSF flux from.

        Parameters
        ----------
        x, y
            Positions [pixel], shape ``(n,)``.

        Returns
        -------
        ndarray
            Shape ``(n,)`` [pixel].
        """
        x, y = self._positions(x, y)
        result = np.empty(len(x))
        for part, images in self._drawn(x, y):
            result[part] = images.sum(axis=(1, 2)) ** 2 / (images**2).sum(axis=(1, 2))
        return result

    def aperture_flux(self, radius: float, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Return the flux of the PSF within a circle around its centre (sinc method, spec 07c).

        Parameters
        ----------
        radius
            [pixel].
        x, y
            Positions [pixel], shape ``(n,)``.

        Returns
        -------
        ndarray
            Shape ``(n,)``; NaN if the circle does not fit into the PSF's image.
        """
        x, y = self._positions(x, y)
        result = np.full(len(x), math.nan)
        if not radius > 0 or not math.isfinite(radius):
            return result
        coefficients = circular_sinc_coefficients(float(radius)).astype(np.float64)
        half = coefficients.shape[0] // 2
        reach = math.ceil(radius - 0.5)  # of the pixels that the circle touches
        for part, images in self._drawn(x, y):
            height, width = images.shape[1:]
            if min(height - 1 - height // 2, width - 1 - width // 2) < reach:
                continue
            # the pixels that weights and PSF share
            down, up = min(half, height // 2), min(half, height - 1 - height // 2)
            left, right = min(half, width // 2), min(half, width - 1 - width // 2)
            weights = coefficients[half - down : half + up + 1, half - left : half + right + 1]
            rows = slice(height // 2 - down, height // 2 + up + 1)
            columns = slice(width // 2 - left, width // 2 + right + 1)
            result[part] = np.einsum("nij,ij->n", images[:, rows, columns], weights)
        return result

    def compute_kernel_image(self, *, x: float, y: float) -> Image:
        """Evaluate one kernel image; see `lsst.images.psfs.PointSpreadFunction`."""
        return Image(self.kernel_images([x], [y])[0], bbox=self.kernel_bbox)

    def compute_stellar_image(self, *, x: float, y: float) -> Image:
        """Evaluate one star image; see `lsst.images.psfs.PointSpreadFunction`."""
        stamps = self.stellar_images([x], [y])
        return Image(stamps.images[0], bbox=_box(stamps))

    def compute_stellar_bbox(self, *, x: float, y: float) -> Box:
        """Bounding box of `compute_stellar_image`; see `lsst.images.psfs.PointSpreadFunction`."""
        return _box(self.stellar_images([x], [y]))

    def _positions(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return positions as two flat arrays, with the average position for those that are NaN."""
        xs, ys = np.broadcast_arrays(
            np.atleast_1d(np.asarray(x, np.float64)), np.atleast_1d(np.asarray(y, np.float64))
        )
        bad = np.isnan(xs) | np.isnan(ys)
        if bad.any():
            x_mean, y_mean = self.average_position
            xs, ys = np.where(bad, x_mean, xs), np.where(bad, y_mean, ys)
        return np.ascontiguousarray(xs), np.ascontiguousarray(ys)

    def _drawn(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Draw kernel images a chunk of positions at a time."""
        for start in range(0, len(x), _CHUNK):
            part = slice(start, min(start + _CHUNK, len(x)))
            yield part, self.kernel_images(x[part], y[part])


def _box(stamps: PsfStamps) -> Box:
    h, w = stamps.images.shape[1:]
    x0, y0 = int(stamps.x0[0]), int(stamps.y0[0])
    return Box.factory[y0 : y0 + h, x0 : x0 + w]
