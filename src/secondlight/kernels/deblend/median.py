"""Median of the 25 pixels around each pixel (spec 06.4.4).

A sorting network (Batcher 1968, "Sorting networks and their applications"), of which only the comparisons are kept that the
middle value depends on, works on a whole row of pixels at a time: 25 shifted copies of rows are compared and exchanged
without branches.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._jit import jit

__all__ = ["MARGIN", "median_of_squares"]

#: Pixels on each side of the square's centre.
MARGIN = 2

_SIDE = 2 * MARGIN + 1
_SIZE = _SIDE * _SIDE


def _median_network(size: int) -> NDArray[np.int64]:
    """Return pairs (i, j): putting the smaller of each first brings the median of ``size`` values to the middle."""
    pairs: list[tuple[int, int]] = []
    p = 1
    while p < size:
        k = p
        while k >= 1:
            for first in range(k % p, size - k, 2 * k):
                for i in range(first, min(first + k, size - k)):
                    if i // (2 * p) == (i + k) // (2 * p):
                        pairs.append((i, i + k))
            k //= 2
        p *= 2
    needed = {size // 2}
    kept = []
    for pair in reversed(pairs):
        if needed & set(pair):
            needed |= set(pair)
            kept.append(pair)
    return np.array(kept[::-1], np.int64)


_NETWORK = _median_network(_SIZE)


@jit
def median_of_squares(
    image: NDArray[np.float32],
    y0: int,
    y1: int,
    x0: int,
    x1: int,
    work: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Fill pixels with the medians of the 5x5 pixels around them; no pixel is NaN.

    Parameters
    ----------
    image
        Two-dimensional.
    y0, y1, x0, x1
        First and last row and column to fill; two more on each side exist.
    work
        Shape ``(25, w)``, at least as wide as what is filled; overwritten.
    out
        Of the image's shape.
    """
    width = x1 - x0 + 1
    for y in range(y0, y1 + 1):
        for i in range(_SIDE):
            for j in range(_SIDE):
                for x in range(width):
                    work[_SIDE * i + j, x] = image[y - MARGIN + i, x0 - MARGIN + j + x]
        for p in range(len(_NETWORK)):
            a, b = _NETWORK[p, 0], _NETWORK[p, 1]
            for x in range(width):
                u, v = work[a, x], work[b, x]
                ordered = u < v
                work[a, x] = u if ordered else v
                work[b, x] = v if ordered else u
        for x in range(width):
            out[y, x0 + x] = work[_SIZE // 2, x]
