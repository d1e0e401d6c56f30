"""Separable smoothing of image, variance and mask, row by row.

Spec 04.3: single-precision sums whose order is part of the result. Rows convolved along x wait in a ring of as many
rows as the kernel is long (row r in slot ``r % size``); the sum along y runs over the slots in storage order, so where
it begins rotates with y.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = ["or_mask_rows", "smooth_rows"]


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
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    kernel: NDArray[np.float32],
    out_image: NDArray[np.float32],
    out_variance: NDArray[np.float32],
    start: int,
    stop: int,
) -> None:
    """Smooth image and variance into output rows ``start`` to ``stop``.

    Parameters
    ----------
    image, variance
        Shape ``(h, w)``.
    kernel
        Shape ``(size,)``, size odd: weights along x and along y.
    out_image, out_variance
        Shape ``(h - size + 1, w - size + 1)``: pixels whose whole kernel lies on the image. The variance is weighted by the
        squares of the weights.
    start, stop
        Rows of the output to fill; which rows go together does not change them.
    """
    size = kernel.size
    width = out_image.shape[1]
    ring_image = np.empty((size, width), np.float32)
    ring_variance = np.empty((size, width), np.float32)
    ready = start
    for y in range(start, stop):
        while ready < y + size:
            slot = ready % size
            ring_image[slot, :] = np.float32(0.0)
            ring_variance[slot, :] = np.float32(0.0)
            for tap in range(size):
                _add_tap(image[ready, tap : tap + width], kernel[tap], ring_image[slot])
                _add_squared_tap(variance[ready, tap : tap + width], kernel[tap], ring_variance[slot])
            ready += 1
        out_image[y, :] = np.float32(0.0)
        out_variance[y, :] = np.float32(0.0)
        for slot in range(size):
            k = kernel[(slot - y) % size]
            _add_tap(ring_image[slot], k, out_image[y])
            _add_squared_tap(ring_variance[slot], k, out_variance[y])


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
