"""The interface of a PSF that is evaluated in batches."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from lsst.images import Box, Image
from lsst.images.psfs import PointSpreadFunction
from numpy.typing import ArrayLike, NDArray

__all__ = ["BatchPsf", "PsfStamps"]


@dataclass(frozen=True, slots=True)
class PsfStamps:
    """PSF images at n positions.

    Parameters
    ----------
    images
        Shape ``(n, h, w)``, each of unit sum.
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

    def compute_kernel_image(self, *, x: float, y: float) -> Image:
        """Evaluate one kernel image; see `lsst.images.psfs.PointSpreadFunction`."""
        return Image(self.kernel_images([x], [y])[0], bbox=self.kernel_bbox)

    def compute_stellar_image(self, *, x: float, y: float) -> Image:
        """Evaluate one star image; see `lsst.images.psfs.PointSpreadFunction`."""
        stamps = self.stellar_images([x], [y])
        return Image(stamps.images[0], bbox=self.compute_stellar_bbox(x=x, y=y))

    def compute_stellar_bbox(self, *, x: float, y: float) -> Box:
        """Bounding box of `compute_stellar_image`; see `lsst.images.psfs.PointSpreadFunction`."""
        stamps = self.stellar_images([x], [y])
        h, w = stamps.images.shape[1:]
        x0, y0 = int(stamps.x0[0]), int(stamps.y0[0])
        return Box.factory[y0 : y0 + h, x0 : x0 + w]
