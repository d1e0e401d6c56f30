"""Circular Gaussian PSFs, the same everywhere."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
from lsst.images import Bounds
from numpy.typing import ArrayLike, NDArray

from ._base import PsfStamps
from ._image import ImagePsf, nearest_pixel
from .kernel import FixedKernel, KernelPsf

__all__ = ["GaussianPsf", "SingleGaussianPsf", "gaussian_image"]


def gaussian_image(
    height: int, width: int, sigma: float, x: float = 0.0, y: float = 0.0
) -> NDArray[np.float64]:
    """Draw a circular Gaussian of unit sum.

    Parameters
    ----------
    height, width
        Size of the image [pixel].
    sigma
        Standard deviation [pixel].
    x, y
        Centre, from the pixel ``(height // 2, width // 2)``.
    """
    gx = np.exp(-0.5 * ((np.arange(width) - width // 2 - x) / sigma) ** 2)
    gy = np.exp(-0.5 * ((np.arange(height) - height // 2 - y) / sigma) ** 2)
    image = np.multiply.outer(gy, gx)
    return cast(NDArray[np.float64], image / image.sum())


class GaussianPsf(ImagePsf):
    """A circular Gaussian whose shape and aperture fluxes are known exactly.

    Parameters
    ----------
    sigma
        Standard deviation [pixel].
    height, width
        Size of the kernel image [pixel].
    bounds
        Where it is valid.
    analytic_stars
        Evaluate a star at its own place, as `lsst.images` does, instead of shifting the kernel image, as the
        reference does.

    Raises
    ------
    ValueError
        Raised if a parameter is not positive.
    """

    def __init__(
        self,
        sigma: float,
        height: int,
        width: int,
        bounds: Bounds | None = None,
        *,
        analytic_stars: bool = False,
    ) -> None:
        if not sigma > 0 or not math.isfinite(sigma) or height < 1 or width < 1:
            raise ValueError(f"a Gaussian PSF of sigma {sigma} and size {height}x{width} cannot be drawn")
        self.sigma = float(sigma)
        self.analytic_stars = analytic_stars
        self._kernel = gaussian_image(height, width, sigma)
        if bounds is not None:
            self._bounds = bounds

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the kernel images [pixel]."""
        height, width = self._kernel.shape
        return height, width

    def kernel_images(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Draw the PSF centred on the central pixel; see `BatchPsf.kernel_images`."""
        n = len(self._positions(x, y)[0])
        return np.repeat(self._kernel[None], n, axis=0)

    def stellar_images(self, x: ArrayLike, y: ArrayLike) -> PsfStamps:
        """Draw the PSF as a star at each position would look; see `BatchPsf.stellar_images`."""
        if not self.analytic_stars:
            return super().stellar_images(x, y)
        x, y = self._positions(x, y)
        ix, iy = nearest_pixel(x), nearest_pixel(y)
        images = np.empty((len(x), *self.shape))
        for image, dx, dy in zip(images, x - ix, y - iy, strict=True):
            image[...] = gaussian_image(*self.shape, self.sigma, dx, dy)
        box = self.kernel_bbox
        return PsfStamps(images, ix + box.x.start, iy + box.y.start)

    def moments(
        self, x: ArrayLike, y: ArrayLike, *, images: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return the second moments, which are exact; see `BatchPsf.moments`."""
        n = len(self._positions(x, y)[0])
        return np.repeat([[self.sigma**2, self.sigma**2, 0.0]], n, axis=0)

    def aperture_flux(self, radius: float, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Return the flux within a circle, which is exact; see `BatchPsf.aperture_flux`."""
        n = len(self._positions(x, y)[0])
        return np.full(n, -math.expm1(-0.5 * (radius / self.sigma) ** 2))


class SingleGaussianPsf(KernelPsf):
    """A fixed kernel that was made from a Gaussian: its shape is measured like any image's.

    Parameters
    ----------
    sigma
        Standard deviation [pixel].
    height, width
        Size of the kernel image [pixel].
    bounds
        Where it is valid.
    """

    def __init__(self, sigma: float, height: int, width: int, bounds: Bounds | None = None) -> None:
        super().__init__(
            FixedKernel(gaussian_image(height, width, sigma), width // 2, height // 2), (0.0, 0.0), bounds
        )
        self.sigma = float(sigma)
