"""Median of the 25 pixels around each pixel (spec 06.4.4).

Columns of five pixels are sorted once and shared by the five squares that they are in. Then sorting networks (Batcher 1968,
"Sorting networks and their applications") work across the columns: one on the smallest values of each, one on the second
smallest, and so on; and one on the thirteen values that may still be the median. Only comparisons are kept that change
anything and that the median depends on. Some rows of pixels are compared and exchanged at a time, without branches, so that
the processor does many at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._jit import jit

__all__ = ["MARGIN", "WORK_SHAPE", "median_of_squares"]

#: Pixels on each side of the square's centre.
MARGIN = 2

_SIDE = 2 * MARGIN + 1
_SIZE = _SIDE * _SIDE

#: What `median_of_squares` works in: rows for sorted columns and for the values of squares; in all, they fit a processor's
#: first cache.
WORK_SHAPE = (_SIDE + _SIZE, 256)


def _sorting_network(size: int) -> list[tuple[int, int]]:
    """Return pairs (i, j): putting the smaller of each first sorts ``size`` values."""
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
    return pairs


def _median_network() -> NDArray[np.int64]:
    """Return pairs that bring the median of a square to its middle, value 12.

    Value ``5 * i + j`` is the i-th smallest of column j.
    """
    pairs = [(_SIDE * i + a, _SIDE * i + b) for i in range(_SIDE) for a, b in _sorting_network(_SIDE)]
    # in rows and columns that are sorted, a value with 13 or more that are not smaller (or not larger) is not the median
    rank = range(1, _SIDE + 1)
    half = _SIZE // 2
    left = [
        _SIDE * (i - 1) + j - 1
        for i in rank
        for j in rank
        if i * j <= half + 1 and (_SIDE + 1 - i) * (_SIDE + 1 - j) <= half + 1
    ]
    pairs += [(left[a], left[b]) for a, b in _sorting_network(len(left))]
    return _thinned(pairs)


def _thinned(pairs: list[tuple[int, int]]) -> NDArray[np.int64]:
    """Drop the pairs that are in order whatever sorted columns hold, and those that the middle does not depend on.

    It is enough to look at columns of zeros and ones (Knuth, the 0-1 principle): 6**5 squares. Each bit of a number is a
    square.
    """
    zeros = np.indices((_SIDE + 1,) * _SIDE).reshape(_SIDE, -1)
    value = [int.from_bytes(np.packbits(zeros[j] <= i).tobytes()) for i in range(_SIDE) for j in range(_SIDE)]
    changing = []
    for a, b in pairs:
        if value[a] & ~value[b]:
            changing.append((a, b))
            value[a], value[b] = value[a] & value[b], value[a] | value[b]
    needed = {_SIZE // 2}
    kept = []
    for pair in reversed(changing):
        if needed & set(pair):
            needed |= set(pair)
            kept.append(pair)
    return np.array(kept[::-1], np.int64)


_COLUMN_NETWORK = np.array(_sorting_network(_SIDE), np.int64)
_NETWORK = _median_network()


@jit
def _exchange(rows: NDArray[np.float32], network: NDArray[np.int64], n: int) -> None:
    """Put the smaller value into the first row of each pair, for the first ``n`` columns."""
    for p in range(len(network)):
        low, high = rows[network[p, 0]], rows[network[p, 1]]
        for t in range(n):
            u, v = low[t], high[t]
            ordered = u < v
            low[t] = u if ordered else v
            high[t] = v if ordered else u


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
        Of `WORK_SHAPE`; overwritten.
    out
        Of the image's shape.
    """
    columns, squares = work[:_SIDE], work[_SIDE:]
    room = work.shape[1]
    x = x0
    while x <= x1:
        width = min(x1 - x + 1, room - 2 * MARGIN)
        stride = width + 2 * MARGIN
        y = y0
        while y <= y1:
            height = min(room // stride, y1 - y + 1)
            n = height * stride
            for k in range(height):
                for i in range(_SIDE):
                    for j in range(stride):
                        columns[i, k * stride + j] = image[y + k - MARGIN + i, x - MARGIN + j]
            _exchange(columns, _COLUMN_NETWORK, n)
            # squares that begin in the last four columns of a row run into the next one, and are not used
            n -= 2 * MARGIN
            for i in range(_SIDE):
                for j in range(_SIDE):
                    for t in range(n):
                        squares[_SIDE * i + j, t] = columns[i, t + j]
            _exchange(squares, _NETWORK, n)
            for k in range(height):
                for j in range(width):
                    out[y + k, x + j] = squares[_SIZE // 2, k * stride + j]
            y += height
        x += width
