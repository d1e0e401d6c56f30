"""Sums over pixels under an elliptical Gaussian weight, as the SDSS Photo pipeline takes them (spec 07b "SdssShape").

Pixels, weights and products are rounded to single precision, sums are kept in double. Pixels are gathered in blocks, so that
the arithmetic runs over long contiguous arrays whether the box has 15 columns or 1500.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit, jit_sum
from .exponential import exp

__all__ = ["weighted_sums"]

_MAX_EXPONENT = 14.0  # a weight of 1e-3
_MAX_EXPONENT_SUBPIXEL = 9.0
#: The exponent is rounded to single precision before it is compared: a row is cut where it is surely too large.
_SURELY_TOO_LARGE = 14.001

#: Pixels in a block: five arrays of them stay in the innermost cache.
_BLOCK = 512


@jit
def weighted_sums(
    image: NDArray[np.floating],
    box: NDArray[np.int64],
    x_centre: np.float32,
    y_centre: np.float32,
    background: np.float32,
    subpixel: bool,
    w11: float,
    w12: float,
    w22: float,
    sums: NDArray[np.float64],
) -> bool:
    """Sum f, xf, yf, x²f, xyf, y²f over a box, f being the weighted pixel.

    Parameters
    ----------
    image
        Shape ``(h, w)``; used as float32 whatever it is.
    box
        First column, first row, last column, last row, within the image.
    x_centre, y_centre
        Centre of the weight exp(-ρ²/2), in the array's indices; second moments are about it.
    background
        Subtracted from every pixel.
    subpixel
        Whether each pixel is sampled at 4x4 places; the sums are then 16 times as large.
    w11, w12, w22
        ρ² = w11 x² + 2 w12 xy + w22 y².
    sums
        Shape ``(6,)``, filled.

    Returns
    -------
    bool
        Whether the sums can be moments of an object.
    """
    sums[:] = 0.0
    if subpixel:
        _add_subpixels(image, box, x_centre, y_centre, background, w11, w12, w22, sums)
    else:
        _add_pixels(image, box, x_centre, y_centre, background, w11, w12, w22, sums)
    return bool(sums[0] > 0.0 and sums[3] > 0.0 and sums[5] > 0.0)


@jit
def _add_pixels(
    image: NDArray[np.floating],
    box: NDArray[np.int64],
    x_centre: np.float32,
    y_centre: np.float32,
    background: np.float32,
    w11: float,
    w12: float,
    w22: float,
    sums: NDArray[np.float64],
) -> None:
    # one by one: Numba does not know that rows of an array are contiguous
    pixels, columns = np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.float32)
    rows, f = np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.float32)
    n = 0
    for iy in range(box[1], box[3] + 1):
        first, last = box[0], box[2]
        if w11 > 0.0:
            # where the ellipse of the largest exponent meets this row, one pixel more on either side
            y = iy - np.float64(y_centre)
            discriminant = w12 * w12 * y * y - w11 * (w22 * y * y - _SURELY_TOO_LARGE)
            if discriminant < 0.0:
                continue
            half = math.sqrt(discriminant) / w11
            middle = np.float64(x_centre) - w12 * y / w11
            # clipped as floats: they may not fit an integer
            first = int(min(max(middle - half - 1.0, float(first)), float(last + 1)))
            last = int(max(min(middle + half + 1.0, float(last)), float(first - 1)))
        while first <= last:
            stop = min(last + 1, first + _BLOCK - n)
            for ix in range(first, stop):
                k = n + ix - first
                pixels[k] = np.float32(np.float32(image[iy, ix]) - background)
                columns[k] = np.float32(ix)
                rows[k] = np.float32(iy)
            n += stop - first
            first = stop
            if n == _BLOCK:
                _weigh(pixels, columns, rows, x_centre, y_centre, w11, w12, w22, f)
                _add(columns, rows, x_centre, y_centre, f, sums)
                n = 0
    _weigh(pixels[:n], columns[:n], rows[:n], x_centre, y_centre, w11, w12, w22, f)
    _add(columns[:n], rows[:n], x_centre, y_centre, f, sums)


@jit
def _weigh(
    pixels: NDArray[np.float32],
    columns: NDArray[np.float32],
    rows: NDArray[np.float32],
    x_centre: np.float32,
    y_centre: np.float32,
    w11: float,
    w12: float,
    w22: float,
    f: NDArray[np.float32],
) -> None:
    """Fill ``f`` with the weighted pixels, zero beyond the largest exponent."""
    for k in range(len(pixels)):
        x, y = np.float32(columns[k] - x_centre), np.float32(rows[k] - y_centre)
        xx, xy, yy = np.float32(x * x), np.float32(x * y), np.float32(y * y)
        exponent = np.float32(xx * w11 + 2.0 * xy * w12 + yy * w22)
        weighted = np.float32(pixels[k] * np.float32(exp(-0.5 * np.float64(exponent))))
        f[k] = np.float32(0.0) if exponent > _MAX_EXPONENT else weighted


@jit_sum
def _add(
    columns: NDArray[np.float32],
    rows: NDArray[np.float32],
    x_centre: np.float32,
    y_centre: np.float32,
    f: NDArray[np.float32],
    sums: NDArray[np.float64],
) -> None:
    """Add the terms of a block to the sums."""
    s0 = s1 = s2 = s3 = s4 = s5 = 0.0
    for k in range(len(columns)):
        v = f[k]
        x, y = np.float32(columns[k] - x_centre), np.float32(rows[k] - y_centre)
        s0 += np.float64(v)
        s1 += np.float64(np.float32(columns[k] * v))
        s2 += np.float64(np.float32(rows[k] * v))
        s3 += np.float64(np.float32(np.float32(x * x) * v))
        s4 += np.float64(np.float32(np.float32(x * y) * v))
        s5 += np.float64(np.float32(np.float32(y * y) * v))
    sums[0] += s0
    sums[1] += s1
    sums[2] += s2
    sums[3] += s3
    sums[4] += s4
    sums[5] += s5


@jit
def _add_subpixels(
    image: NDArray[np.floating],
    box: NDArray[np.int64],
    x_centre: np.float32,
    y_centre: np.float32,
    background: np.float32,
    w11: float,
    w12: float,
    w22: float,
    sums: NDArray[np.float64],
) -> None:
    for iy in range(box[1], box[3] + 1):
        y = np.float32(np.float32(iy) - y_centre)
        y_low, y_high = np.float32(y - 0.375), np.float32(y + 0.375)
        for ix in range(box[0], box[2] + 1):
            x = np.float32(np.float32(ix) - x_centre)
            x_low, x_high = np.float32(x - 0.375), np.float32(x + 0.375)
            largest = np.float32(0.0)
            for v in (y_low, y_high):
                for u in (x_low, x_high):
                    cross = 2.0 * np.float64(u) * np.float64(v) * w12
                    largest = max(
                        largest, np.float32(np.float32(u * u) * w11 + np.float32(v * v) * w22 + cross)
                    )
            if largest > _MAX_EXPONENT_SUBPIXEL:
                continue
            pixel = np.float32(np.float32(image[iy, ix]) - background)
            # in steps, as their roundings add up
            v = y_low
            for _ in range(4):
                yy = np.float64(np.float32(v * v))
                u = x_low
                for _ in range(4):
                    xx, xy = np.float64(np.float32(u * u)), np.float64(np.float32(u * v))
                    exponent = np.float32(xx * w11 + 2.0 * xy * w12 + yy * w22)
                    f = np.float32(pixel * np.float32(math.exp(-0.5 * np.float64(exponent))))
                    sums[0] += f
                    sums[1] += np.float32(np.float32(u + x_centre) * f)
                    sums[2] += np.float32(np.float32(v + y_centre) * f)
                    sums[3] += xx * np.float64(f)
                    sums[4] += xy * np.float64(f)
                    sums[5] += yy * np.float64(f)
                    u = np.float32(u + np.float32(0.25))
                v = np.float32(v + np.float32(0.25))
