"""One small PSF of every kind."""

from __future__ import annotations

import numpy as np
from lsst.images import Box
from lsst.images.psfs import GaussianPointSpreadFunction, PointSpreadFunction

from secondlight.model.psf import (
    AffineWcs,
    BatchPsf,
    Chebyshev1Function2D,
    FixedKernel,
    GaussianPsf,
    KernelPsf,
    LinearCombinationKernel,
    PiffInterpolation,
    PiffPsf,
    PiffStars,
    PixelGrid,
    PolynomialFunction2D,
    PsfexPsf,
    SingleGaussianPsf,
    WrappedPsf,
)
from secondlight.model.psf.gaussian import gaussian_image

BOUNDS = Box.factory[0:1000, 0:1024]


class LopsidedPsf(PointSpreadFunction):
    """A PSF that this package knows nothing of."""

    bounds = BOUNDS
    kernel_bbox = Box.factory[-7:8, -8:9]

    def compute_kernel_image(self, *, x, y):
        from lsst.images import Image

        image = gaussian_image(15, 17, 1.5 + x / 2000) + 0.2 * gaussian_image(15, 17, 1.2, 1.0, y / 1000)
        return Image(image / image.sum(), bbox=self.kernel_bbox)

    def compute_stellar_image(self, *, x, y):
        from lsst.images import Image

        return Image(self.compute_kernel_image(x=x, y=y).array, bbox=self.compute_stellar_bbox(x=x, y=y))

    def compute_stellar_bbox(self, *, x, y):
        ix, iy = int(np.floor(x + 0.5)), int(np.floor(y + 0.5))
        return Box.factory[iy - 7 : iy + 8, ix - 8 : ix + 9]


def piff_psf(matrix=(0.2, 0.0, 0.0, 0.2), *, keys=("u", "v"), height=25, width=25, size=25) -> PiffPsf:
    """A pixel grid whose shape changes over the field."""
    middle = 0.5 * np.sqrt(abs(matrix[0] * matrix[3] - matrix[1] * matrix[2]))
    coefficients = np.stack(
        [
            gaussian_image(size, size, 1.8).ravel(),
            1e-3 * (gaussian_image(size, size, 2.2) - gaussian_image(size, size, 1.8)).ravel(),
            1e-3 * (gaussian_image(size, size, 2.0, 0.7, 0.1) - gaussian_image(size, size, 1.8)).ravel(),
        ],
        axis=1,
    )
    stars = PiffStars(
        np.array([100.0, 500.0, 900.0, 7.0]),
        np.array([700.0, 400.0, 100.0, 7.0]),
        np.array([False, False, False, True]),
        np.array([False, False, True, False]),
        np.array([0.5, 0.7, np.nan, np.nan]),
    )
    mask = np.array([[True, True], [True, False]])
    return PiffPsf(
        PixelGrid(2.0 * middle, size, 7),
        PiffInterpolation(keys, mask, coefficients),
        AffineWcs(matrix),
        stars,
        height=height,
        width=width,
        bounds=BOUNDS,
    )


def psfex_psf() -> PsfexPsf:
    y, x = np.mgrid[-20:21, -20:21]
    first = np.exp(-0.5 * (x**2 + y**2) / 3.6**2)
    components = np.stack([first, 0.1 * x * first, 0.05 * y * first])
    return PsfexPsf(
        components.astype(np.float32),
        pixel_step=0.5,
        degree=(1,),
        group=(0, 0),
        offset=(512.0, 500.0),
        scale=(1024.0, 1000.0),
        average_position=(480.0, 510.0),
        bounds=BOUNDS,
    )


def kernel_psf() -> KernelPsf:
    components = np.stack([gaussian_image(21, 21, 2.0), gaussian_image(21, 21, 1.6, 0.5, -0.3)])
    weights = [
        PolynomialFunction2D(np.array([1.0, 1e-4, -2e-4])),
        Chebyshev1Function2D(np.array([0.5, 0.1, -0.2]), 0.0, 0.0, 1023.0, 999.0),
    ]
    return KernelPsf(LinearCombinationKernel(components, weights, 10, 10), (511.0, 499.0), BOUNDS)


def every_psf() -> dict[str, BatchPsf]:
    """All kinds, by name."""
    return {
        "gaussian": GaussianPsf(1.8, 25, 25, BOUNDS),
        "gaussian of lsst.images": GaussianPsf(1.8, 25, 25, BOUNDS, analytic_stars=True),
        "single gaussian": SingleGaussianPsf(1.8, 25, 23, BOUNDS),
        "fixed kernel": KernelPsf(FixedKernel(gaussian_image(19, 19, 1.7), 9, 9), (5.0, 6.0), BOUNDS),
        "combined kernel": kernel_psf(),
        "psfex": psfex_psf(),
        "piff": piff_psf(),
        "piff turned": piff_psf((0.15, 0.1, -0.11, 0.16)),
        "piff even": piff_psf(height=24, width=26, size=24),
        "wrapped": WrappedPsf(LopsidedPsf()),
        "wrapped gaussian": WrappedPsf(GaussianPointSpreadFunction(1.8, BOUNDS, 21)),
    }
