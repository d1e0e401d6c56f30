"""Median of the 25 pixels around each pixel (spec 06.4.4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._jit import jit

__all__ = ["median_of_square"]


@jit
def median_of_square(image: NDArray[np.float32], y: int, x: int, work: NDArray[np.float32]) -> np.float32:
    """Return the median of the 5x5 pixels around one.

    Parameters
    ----------
    image
        Two-dimensional; the square is inside.
    y, x
        The central pixel.
    work
        Shape ``(25,)``, overwritten.
    """
    n = 0
    zeros = 0
    negative = False
    for i in range(y - 2, y + 3):
        for j in range(x - 2, x + 3):
            value = image[i, j]
            work[n] = value
            n += 1
            if value == 0:
                zeros += 1
            elif value < 0:
                negative = True
    # most squares of a template are mostly empty
    if zeros > 12 and not negative:
        return np.float32(0.0)
    # Hoare's selection of the 13th smallest
    low, high = 0, 24
    while low < high:
        pivot = work[12]
        i, j = low, high
        while i <= j:
            while work[i] < pivot:
                i += 1
            while pivot < work[j]:
                j -= 1
            if i <= j:
                work[i], work[j] = work[j], work[i]
                i += 1
                j -= 1
        if j < 12:
            low = i
        if i > 12:
            high = j
    return np.float32(work[12])
