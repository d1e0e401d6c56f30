"""PSFEx models as the reference stores them (spec 11.4)."""

from __future__ import annotations

from typing import cast

import numpy as np
from lsst.images import Bounds, Box
from numpy.typing import ArrayLike, NDArray

from ... import threads
from ...kernels.psfex import draw_psfex
from ._base import BatchPsf, PsfStamps
from ._image import centred_box

__all__ = ["PsfexPsf"]


class PsfexPsf(BatchPsf):
    """A pixel grid whose values are polynomials of position.

    Parameters
    ----------
    components
        Shape ``(k, h, w)``: the grid's values for each term of the polynomials.
    pixel_step
        Size of a grid pixel [pixel].
    degree
        Total degree of the polynomial of each group of variables.
    group
        Group of each variable, x and y; counted from 0.
    offset, scale
        What is subtracted from x and y, and what the result is divided by [pixel].
    average_position
        (x, y) [pixel].
    basis, coefficients
        Stored with the model; not used to draw it.
    bounds
        Where it is valid.

    Raises
    ------
    ValueError
        Raised if the number of components is not the polynomials' number of terms, or the variables are not
        one group of two.
    """

    def __init__(
        self,
        components: NDArray[np.float32],
        *,
        pixel_step: float,
        degree: tuple[int, ...],
        group: tuple[int, ...],
        offset: tuple[float, float],
        scale: tuple[float, float],
        average_position: tuple[float, float],
        basis: ArrayLike = (),
        coefficients: ArrayLike = (),
        bounds: Bounds | None = None,
    ) -> None:
        if len(degree) != 1 or tuple(group) != (0, 0):
            raise ValueError(f"a PSFEx model with groups {group} of degree {degree} is not one of x and y")
        terms = (degree[0] + 1) * (degree[0] + 2) // 2
        if components.ndim != 3 or len(components) != terms:
            raise ValueError(
                f"a PSFEx model of degree {degree[0]} has {terms} components; here the shape is {components.shape}"
            )
        self.components = np.ascontiguousarray(components, np.float32)
        self.pixel_step = float(pixel_step)
        self.degree = tuple(degree)
        self.group = tuple(group)
        self.offset = offset
        self.scale = scale
        self.basis = np.asarray(basis, np.float64)
        self.coefficients = np.asarray(coefficients, np.float64)
        self._average_position = average_position
        # the reference keeps the step in float32; stamps have an odd number of pixels
        sizes = (int(np.float32(size) * np.float32(pixel_step)) for size in self.components.shape[1:])
        self._height, self._width = (size + 1 - size % 2 for size in sizes)
        if bounds is not None:
            self._bounds = bounds

    @property
    def average_position(self) -> tuple[float, float]:
        """Mean position of the stars that the model was fitted to, (x, y) [pixel]."""
        return self._average_position

    @property
    def kernel_bbox(self) -> Box:
        """Bounding box of all kernel images."""
        return centred_box(self._height, self._width)

    def terms(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evaluate the polynomial's terms 1, x, x², …, y, xy, …, x fastest.

        Parameters
        ----------
        x, y
            Positions [pixel], shape ``(n,)``.

        Returns
        -------
        ndarray
            Shape ``(n, k)``.
        """
        u = (x - self.offset[0]) / self.scale[0]
        v = (y - self.offset[1]) / self.scale[1]
        n = self.degree[0]
        columns = [u**i * v**j for j in range(n + 1) for i in range(n + 1 - j)]
        return cast(NDArray[np.float64], np.stack(columns, axis=1))

    def kernel_images(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Draw the PSF centred on the central pixel; see `BatchPsf.kernel_images`."""
        x, y = self._positions(x, y)
        zero = np.zeros(len(x), np.float32)
        return self._draw(x, y, zero, zero)

    def stellar_images(self, x: ArrayLike, y: ArrayLike) -> PsfStamps:
        """Draw the PSF as a star at each position would look; see `BatchPsf.stellar_images`."""
        x, y = self._positions(x, y)
        (dx, ix), (dy, iy) = _split(x), _split(y)
        return PsfStamps(self._draw(x, y, dx, dy), ix - self._width // 2, iy - self._height // 2)

    def _draw(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        dx: NDArray[np.float32],
        dy: NDArray[np.float32],
    ) -> NDArray[np.float64]:
        basis = self.terms(x, y).astype(np.float32)
        out = np.empty((len(x), self._height, self._width))
        step = float(np.float32(1.0) / np.float32(self.pixel_step))

        def work(start: int, stop: int) -> None:
            part = slice(start, stop)
            draw_psfex(self.components, basis[part], dx[part], dy[part], step, out[part])

        threads.map_chunks(work, len(x), 16)
        return out


def _split(x: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the distance from the nearest pixel's centre, exactly half counting as positive, and that pixel."""
    fraction = (x - np.trunc(x)).astype(np.float32)
    fraction[fraction > np.float32(0.5)] -= np.float32(1.0)
    return fraction, np.trunc(x - fraction + 0.5).astype(np.int64)
