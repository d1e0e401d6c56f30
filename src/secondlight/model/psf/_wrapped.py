"""PSFs of `lsst.images` behind the batched interface."""

from __future__ import annotations

import numpy as np
from lsst.images import BoundsError, Box
from lsst.images.psfs import GaussianPointSpreadFunction, PiffWrapper, PointSpreadFunction
from numpy.typing import ArrayLike, NDArray

from ._base import BatchPsf, PsfStamps
from ._image import nearest_pixel
from ._piff_objects import piff_from_objects
from .gaussian import GaussianPsf

__all__ = ["WrappedPsf", "as_batch"]


def as_batch(psf: PointSpreadFunction) -> BatchPsf:
    """Return a PSF that draws many positions in one call and equals the one given.

    Parameters
    ----------
    psf
        Any PSF of `lsst.images`. Gaussians and Piff's pixel grids are drawn by this package; any other is asked for
        one position after another.
    """
    if isinstance(psf, BatchPsf):
        return psf
    if isinstance(psf, GaussianPointSpreadFunction):
        box = psf.kernel_bbox
        return GaussianPsf(psf.sigma, box.y.size, box.x.size, psf.bounds, analytic_stars=True)
    if isinstance(psf, PiffWrapper):
        box = psf.kernel_bbox
        try:
            return piff_from_objects(psf.piff_psf, height=box.y.size, width=box.x.size, bounds=psf.bounds)
        except ValueError:
            return WrappedPsf(psf)
    return WrappedPsf(psf)


class WrappedPsf(BatchPsf):
    """Any PSF, asked for one position after another.

    Parameters
    ----------
    psf
        The PSF. Outside its bounds its images are NaN.
    """

    def __init__(self, psf: PointSpreadFunction) -> None:
        self.wrapped = psf
        self._bounds = psf.bounds

    @property
    def average_position(self) -> tuple[float, float]:
        """The middle of where the PSF is valid: these PSFs do not tell the places of their stars."""
        box = self._bounds.bbox
        return 0.5 * (box.x.start + box.x.stop - 1), 0.5 * (box.y.start + box.y.stop - 1)

    @property
    def kernel_bbox(self) -> Box:
        """Bounding box of all kernel images."""
        return self.wrapped.kernel_bbox

    def kernel_images(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Draw the PSF centred on the central pixel; see `BatchPsf.kernel_images`."""
        x, y = self._positions(x, y)
        box = self.kernel_bbox
        images = np.full((len(x), box.y.size, box.x.size), np.nan)
        for image, xi, yi in zip(images, x.tolist(), y.tolist(), strict=True):
            try:
                image[...] = self.wrapped.compute_kernel_image(x=xi, y=yi).array
            except BoundsError:
                continue
        return images

    def stellar_images(self, x: ArrayLike, y: ArrayLike) -> PsfStamps:
        """Draw the PSF as a star at each position would look; see `BatchPsf.stellar_images`."""
        x, y = self._positions(x, y)
        box = self.kernel_bbox
        images = np.full((len(x), box.y.size, box.x.size), np.nan)
        x0, y0 = nearest_pixel(x) + box.x.start, nearest_pixel(y) + box.y.start
        for i, (xi, yi) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
            try:
                star = self.wrapped.compute_stellar_image(x=xi, y=yi)
            except BoundsError:
                continue
            images[i] = star.array
            x0[i], y0[i] = star.bbox.x.start, star.bbox.y.start
        return PsfStamps(images, x0, y0)
