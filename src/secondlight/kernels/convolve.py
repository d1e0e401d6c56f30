"""Separable smoothing of image, variance and mask, row by row.

Spec 04.3: single-precision sums whose order is part of the result. Rows convolved along x wait in a ring of as many
rows as the kernel is long (row r in slot ``r % size``); the sum along y runs over the slots in storage order, so where
it begins rotates with y.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = ["or_mask_rows", "smooth_rows", "smooth_variance_at"]


@jit
def _add_tap(source: NDArray[np.float32], k: np.float32, out: NDArray[np.float32]) -> None:
    for x in range(out.size):
        out[x] = out[x] + source[x] * k


@jit
def _add_squared_tap(source: NDArray[np.float32], k: np.float32, out: NDArray[np.float32]) -> None:
    for x in range(out.size):
        out[x] = out[x] + (source[x] * k) * k


@jit
def smooth_rows(
    plane: NDArray[np.float32],
    kernel: NDArray[np.float32],
    squared: bool,
    out: NDArray[np.float32],
    start: int,
) -> None:
    """Smooth a plane into some output rows.

    Parameters
    ----------
    plane
        Shape ``(h, w)``.
    kernel
        Shape ``(size,)``, size odd: weights along x and along y.
    squared
        Whether the weights are squared, as for a variance.
    out
        Shape ``(rows, w - size + 1)``, filled: rows from ``start`` on of all ``h - size + 1`` whose pixels have the whole
        kernel on the plane. Which rows go together does not change them.
    start
        The first of them.
    """
    size = kernel.size
    width = out.shape[1]
    ring = np.empty((size, width), np.float32)
    ready = start
    for y in range(start, start + out.shape[0]):
        while ready < y + size:
            slot = ready % size
            ring[slot, :] = np.float32(0.0)
            for tap in range(size):
                if squared:
                    _add_squared_tap(plane[ready, tap : tap + width], kernel[tap], ring[slot])
                else:
                    _add_tap(plane[ready, tap : tap + width], kernel[tap], ring[slot])
            ready += 1
        out[y - start, :] = np.float32(0.0)
        for slot in range(size):
            k = kernel[(slot - y) % size]
            if squared:
                _add_squared_tap(ring[slot], k, out[y - start])
            else:
                _add_tap(ring[slot], k, out[y - start])


@jit
def smooth_variance_at(
    variance: NDArray[np.float32],
    kernel: NDArray[np.float32],
    y: NDArray[np.int32],
    x: NDArray[np.int32],
    out: NDArray[np.float32],
) -> None:
    """Smooth a variance in single pixels, to the same bits as `smooth_rows`.

    Parameters
    ----------
    variance, kernel
        As for `smooth_rows`.
    y, x
        Shape ``(n,)``: indices into the output of `smooth_rows`.
    out
        Shape ``(n,)``, filled.
    """
    size = kernel.size
    for i in range(len(y)):
        total = np.float32(0.0)
        for slot in range(size):
            dy = (slot - y[i]) % size
            row = np.float32(0.0)
            for dx in range(size):
                row = row + (variance[y[i] + dy, x[i] + dx] * kernel[dx]) * kernel[dx]
            total = total + (row * kernel[dy]) * kernel[dy]
        out[i] = total


@jit
def or_mask_rows(
    mask: NDArray[np.int32], size: int, bits: int, out: NDArray[np.int32], start: int, stop: int
) -> None:
    """Fill output rows with the bits that any pixel under the kernel has.

    Parameters
    ----------
    mask
        Shape ``(h, w)``.
    size
        Side of the square kernel, odd.
    bits
        The mask bits of interest.
    out
        Shape ``(h - size + 1, w - size + 1)``.
    start, stop
        Rows of the output to fill.
    """
    width = out.shape[1]
    row = np.empty(mask.shape[1], np.int32)
    for y in range(start, stop):
        row[:] = 0
        for dy in range(size):
            for x in range(row.size):
                row[x] |= mask[y + dy, x]
        out[y, :] = 0
        for dx in range(size):
            for x in range(width):
                out[y, x] |= row[x + dx] & bits
