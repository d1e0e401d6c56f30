"""PSFs that are drawn on a pixel's centre and shifted to the star's place."""

from __future__ import annotations

from abc import abstractmethod
from typing import cast

import numpy as np
from lsst.images import Box
from numpy.typing import ArrayLike, NDArray

from ... import threads
from ...kernels.lanczos import offset_images
from ._base import BatchPsf, PsfStamps

__all__ = ["ImagePsf", "centred_box", "nearest_pixel"]

_ORDER = 5
#: Zeros put around a stamp before it is shifted: what the kernel of order 5 reaches.
_BUFFER = 5


def nearest_pixel(x: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index of the pixel that holds a position; half a pixel goes up.

    Parameters
    ----------
    x
        Positions [pixel].
    """
    return cast(NDArray[np.int64], np.floor(x + 0.5).astype(np.int64))


def centred_box(height: int, width: int) -> Box:
    """Bounding box of an image whose centre, at ``(height // 2, width // 2)``, is (0, 0).

    Parameters
    ----------
    height, width
        [pixel].
    """
    y0, x0 = -(height // 2), -(width // 2)
    return Box.factory[y0 : y0 + height, x0 : x0 + width]


class ImagePsf(BatchPsf):
    """A PSF known by its kernel images: a star is the kernel image, shifted with Lanczos-5 (spec 11.4)."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Height and width of the kernel images [pixel]."""

    @property
    def average_position(self) -> tuple[float, float]:
        """Mean position of the stars that the model was fitted to, (x, y) [pixel]; (0, 0) if unknown."""
        return 0.0, 0.0

    @property
    def kernel_bbox(self) -> Box:
        """Bounding box of all kernel images."""
        return centred_box(*self.shape)

    def stellar_images(self, x: ArrayLike, y: ArrayLike) -> PsfStamps:
        """Draw the PSF as a star at each position would look; see `BatchPsf.stellar_images`."""
        x, y = self._positions(x, y)
        images = self.kernel_images(x, y)
        ix, iy = nearest_pixel(x), nearest_pixel(y)
        dx, dy = x - ix, y - iy
        padded = np.pad(images, ((0, 0), (_BUFFER, _BUFFER), (_BUFFER, _BUFFER)))
        shifted = np.empty_like(padded)
        whole = np.empty((len(x), 2), np.int64)

        def work(start: int, stop: int) -> None:
            part = slice(start, stop)
            offset_images(padded[part], dx[part], dy[part], _ORDER, shifted[part], whole[part])

        threads.map_chunks(work, len(x), 64)
        shifted = shifted[:, _BUFFER:-_BUFFER, _BUFFER:-_BUFFER]
        still = (dx == 0) & (dy == 0)
        box = self.kernel_bbox
        return PsfStamps(
            images=np.where(still[:, None, None], images, shifted), x0=ix + box.x.start, y0=iy + box.y.start
        )
