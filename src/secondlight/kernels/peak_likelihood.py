"""The value of an image between its pixels, and the variance of that."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .lanczos import lanczos_weights
from .pixels import Pixels, position_to_index, show

__all__ = ["OFF_IMAGE", "interpolated_values"]

#: Flag bit: the position, or the kernel around it, is not on the image.
OFF_IMAGE = 1


@jit
def interpolated_values(
    pixels: Pixels,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    order: int,
    out: NDArray[np.float64],
    flags: NDArray[np.int64],
) -> None:
    """Interpolate image and variance with a Lanczos kernel.

    Parameters
    ----------
    pixels
        The image.
    x, y
        Shape ``(n,)``: positions, array coordinates.
    order
        n of Lanczos-n.
    out
        Shape ``(n, 2)``: receives value and variance; NaN off the image.
    flags
        Shape ``(n,)``: receives 0 or `OFF_IMAGE`.
    """
    ny, nx = pixels.image.shape
    size = 2 * order
    weights_x, weights_y = np.empty(size), np.empty(size)
    for k in range(len(x)):
        out[k] = math.nan
        flags[k] = OFF_IMAGE
        # compared as floats: a position far off the image does not fit an integer
        if not (-0.5 <= x[k] < nx - 0.5 and -0.5 <= y[k] < ny - 0.5):
            continue
        i, j = position_to_index(y[k]), position_to_index(x[k])
        # the shift that brings the position to the centre of its pixel
        i_first = i - lanczos_weights(i - y[k], order, weights_y)
        j_first = j - lanczos_weights(j - x[k], order, weights_x)
        if i_first < 0 or j_first < 0 or i_first + size > ny or j_first + size > nx:
            continue
        show(pixels, k)
        value = variance = 0.0
        for di in range(size):
            for dj in range(size):
                w = weights_y[di] * weights_x[dj]
                value += w * pixels.image[i_first + di, j_first + dj]
                variance += w * w * pixels.variance[i_first + di, j_first + dj]
        out[k, 0] = value
        out[k, 1] = variance
        flags[k] = 0
