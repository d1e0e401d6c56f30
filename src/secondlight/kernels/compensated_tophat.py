"""Which mask bits are set in the square around a source (spec 07c, CompensatedTophatFlux)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .pixels import Pixels, box_bits, position_to_index

__all__ = ["OUT_OF_BOUNDS", "squares_masks"]

#: Flag bit: the square is not inside the image, or the position is none.
OUT_OF_BOUNDS = 1


@jit
def _square_mask(pixels: Pixels, k: int, x: float, y: float, half: int) -> tuple[int, int]:
    ny, nx = pixels.mask.shape
    # compared as floats: a position far off the image does not fit an integer
    if not (0.0 <= x < nx and 0.0 <= y < ny):
        return OUT_OF_BOUNDS, 0
    # the pixel that holds the position decides; but the square is that around the truncated position
    i, j = math.floor(y), math.floor(x)
    if position_to_index(x) + half >= nx or position_to_index(y) + half >= ny or i < half or j < half:
        return OUT_OF_BOUNDS, 0
    return 0, box_bits(pixels, k, i - half, i + half, j - half, j + half)


@jit
def squares_masks(
    pixels: Pixels,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    half: int,
    bits: NDArray[np.int32],
    flags: NDArray[np.int64],
) -> None:
    """Find the mask bits around every source.

    Parameters
    ----------
    pixels
        The image.
    x, y
        Shape ``(n,)``: positions, array coordinates.
    half
        The squares have ``2 * half + 1`` pixels a side.
    bits
        Shape ``(n,)``: receives all mask bits that are set somewhere in the square; 0 where it is not inside the image.
    flags
        Shape ``(n,)``: receives 0 or `OUT_OF_BOUNDS`.
    """
    for k in range(len(x)):
        flags[k], bits[k] = _square_mask(pixels, k, x[k], y[k], half)
