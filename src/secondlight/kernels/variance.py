"""The median variance in an ellipse around a source (spec 07.10, 07.5)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .order_statistics import select
from .pixels import Pixels

__all__ = ["EMPTY", "FAILURE", "ellipse_row", "median_float32", "variances"]

# flag bits
FAILURE = 1
EMPTY = 2  # no pixel to take the variance of


@jit
def ellipse_row(y: int, cx: float, cy: float, xx: float, yy: float, xy: float) -> tuple[int, int]:
    """Return the first and last pixel of a row that have their centres in an ellipse; last < first if none.

    Parameters
    ----------
    y
        The row.
    cx, cy
        Centre of the ellipse.
    xx, yy, xy
        The matrix Q of the ellipse dᵀQ⁻¹d ≤ 1.
    """
    p = xy / yy
    r = xx - xy * p
    dy = y - cy
    d2 = r - r / yy * dy * dy
    if not d2 >= 0.0:
        return 0, -1
    d = math.sqrt(d2)
    return math.ceil(cx + p * dy - d), math.floor(cx + p * dy + d)


@jit
def median_float32(values: NDArray[np.float32]) -> float:
    """Return the median (of an even number, the mean in float32 of the middle two); NaN if any value is.

    Parameters
    ----------
    values
        Shape ``(n,)``, n ≥ 1; reordered.
    """
    for v in values:
        if math.isnan(v):
            return math.nan
    n = len(values)
    middle = n // 2
    select(values, middle)
    if n % 2 == 1:
        return float(values[middle])
    lower = values[0]
    for v in values[:middle]:
        lower = max(lower, v)
    return float((lower + values[middle]) * np.float32(0.5))


@jit
def _variance_one(
    pixels: Pixels, cx: float, cy: float, xx: float, yy: float, xy: float, bad: int
) -> tuple[int, float]:
    ny, nx = pixels.variance.shape
    reach = math.sqrt(yy)
    first, last = math.ceil(max(cy - reach, 0.0)), math.floor(min(cy + reach, ny - 1.0))
    n = 0
    values = np.empty(64, np.float32)
    for y in range(first, last + 1):
        x0, x1 = ellipse_row(y, cx, cy, xx, yy, xy)
        for x in range(max(x0, 0), min(x1, nx - 1) + 1):
            if pixels.mask[y, x] & bad == 0:
                if n == len(values):
                    more = np.empty(2 * n, np.float32)
                    # no assignment of arrays, with which Numba compiles the text of an error, too
                    for i in range(n):
                        more[i] = values[i]
                    values = more
                values[n] = pixels.variance[y, x]
                n += 1
    if n == 0:
        return FAILURE | EMPTY, math.nan
    return 0, median_float32(values[:n])


@jit
def variances(
    pixels: Pixels,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    xx: NDArray[np.float64],
    yy: NDArray[np.float64],
    xy: NDArray[np.float64],
    scale: float,
    bad: int,
    value: NDArray[np.float64],
    flags: NDArray[np.int32],
) -> None:
    """Take the median variance around every source.

    Parameters
    ----------
    pixels
        The image.
    x, y
        Shape ``(n,)``: centres, array coordinates.
    xx, yy, xy
        Shape ``(n,)``: second moments [pixel²].
    scale
        The ellipse's semi-axes in units of those of the moments.
    bad
        Mask bits of pixels to pass over.
    value, flags
        Shape ``(n,)``: results. The value is NaN and a flag set where position or moments are unusable or no
        pixel is left.
    """
    s2 = scale * scale
    for i in range(len(x)):
        value[i] = math.nan
        flags[i] = FAILURE
        if not (math.isfinite(x[i]) and math.isfinite(y[i])):
            continue
        if math.isnan(xx[i] + yy[i] + xy[i]):
            flags[i] |= EMPTY  # no shape: no pixel has its centre in it
        elif xx[i] > 0.0 and yy[i] > 0.0 and xx[i] * yy[i] > xy[i] * xy[i]:
            flags[i], value[i] = _variance_one(pixels, x[i], y[i], s2 * xx[i], s2 * yy[i], s2 * xy[i], bad)
