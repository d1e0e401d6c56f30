"""Pixels as planes of bytes, the order in which FITS's GZIP_2 compresses them, and back.

All first bytes of the pixels come first, the most significant ones, then all second bytes, and so on (the ``shuffle`` of
section 10.4.3 of the FITS standard 4.0).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = ["join_bytes", "split_bytes"]


@jit
def split_bytes(pixels: NDArray[np.uint32], planes: NDArray[np.uint8], counts: NDArray[np.int64]) -> None:
    """Sort the bytes of pixels by significance, and count how often each value occurs.

    Parameters
    ----------
    pixels
        Shape ``(h, w)``, the bits of the pixels.
    planes
        Shape ``(4, h * w)``, filled: the most significant bytes first.
    counts
        Shape ``(4, 256)``, added to: how many bytes of each plane have each value.
    """
    n = 0
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            pixel = pixels[y, x]
            planes[0, n] = pixel >> 24
            planes[1, n] = (pixel >> 16) & 255
            planes[2, n] = (pixel >> 8) & 255
            planes[3, n] = pixel & 255
            n += 1
    for k in range(4):
        for i in range(n):
            counts[k, planes[k, i]] += 1


@jit
def join_bytes(planes: NDArray[np.uint8], pixels: NDArray[np.uint32]) -> None:
    """Undo `split_bytes`.

    Parameters
    ----------
    planes
        Shape ``(4, h * w)``: the most significant bytes first.
    pixels
        Shape ``(h, w)``, filled.
    """
    n = 0
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            pixels[y, x] = (
                (np.uint32(planes[0, n]) << np.uint32(24))
                | (np.uint32(planes[1, n]) << np.uint32(16))
                | (np.uint32(planes[2, n]) << np.uint32(8))
                | np.uint32(planes[3, n])
            )
            n += 1
