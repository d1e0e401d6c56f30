"""Clipped mean and standard deviation of the pixels in a ring around a source (spec 07.12, 2.1)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit, jit_sum
from .order_statistics import order_statistics
from .pixels import Pixels, show
from .variance import ellipse_row

__all__ = ["NO_GOOD_PIXELS", "clipped_moments", "local_backgrounds", "quantiles"]

#: Flag bit: no pixel left to measure.
NO_GOOD_PIXELS = 1

#: Standard deviation of a Gaussian over its interquartile range.
_IQ_TO_STDEV = 0.741301109252802


@jit
def quantiles(
    values: NDArray[np.float32],
    fractions: NDArray[np.float64],
    work: NDArray[np.float32],
    out: NDArray[np.float64],
) -> None:
    """Find quantiles, linear between neighbouring ranks.

    Parameters
    ----------
    values
        Shape ``(n,)``, finite, n ≥ 1.
    fractions
        Shape ``(m,)``: 0.5 for the median.
    work
        Shape of ``values`` at least, overwritten.
    out
        Shape ``(m,)``, filled.
    """
    m, last = len(fractions), len(values) - 1
    ranks, found = np.empty(2 * m, np.int64), np.empty(2 * m, np.float32)
    for i in range(m):
        ranks[2 * i] = int(fractions[i] * last)
        ranks[2 * i + 1] = min(ranks[2 * i] + 1, last)
    order_statistics(values, ranks, work, found)
    for i in range(m):
        above = fractions[i] * last - ranks[2 * i]
        out[i] = (1.0 - above) * np.float64(found[2 * i]) + above * np.float64(found[2 * i + 1])


@jit_sum
def _sums_within(values: NDArray[np.float32], center: float, half: float) -> tuple[float, float, float]:
    """Number of values within ``half`` of a centre, sum of their distances from it, and sum of the squares."""
    n = first = second = 0.0
    for i in range(len(values)):
        distance = np.float64(values[i]) - center
        inside = abs(distance) <= half
        d = distance if inside else np.float64(0.0)
        n += 1.0 if inside else 0.0
        first += d
        second += d * d
    return n, first, second


@jit
def clipped_moments(
    values: NDArray[np.float32], num_sigma: float, num_iter: int, work: NDArray[np.float32]
) -> tuple[float, float]:
    """Return mean and standard deviation after iterated clipping, first about the median by the quartiles.

    Parameters
    ----------
    values
        Shape ``(n,)``, finite, n ≥ 1.
    num_sigma
        Half-width of the clipping [standard deviation].
    num_iter
        Number of clippings.
    work
        Shape of ``values`` at least, overwritten.

    Returns
    -------
    mean, stdev : float
        Both NaN if the clipping left too little; the latter NaN of a single value.
    """
    total = len(values)
    quartiles = np.empty(3)
    quantiles(values, np.array([0.25, 0.5, 0.75]), work, quartiles)
    center = quartiles[1]
    half = num_sigma * _IQ_TO_STDEV * (quartiles[2] - quartiles[0])
    mean = variance = math.nan
    for iteration in range(num_iter):
        if iteration > 0:
            center = mean
            if total > 1:
                half = num_sigma * math.sqrt(max(variance, 0.0)) if not math.isnan(variance) else math.nan
        n, first, second = _sums_within(values, center, half)
        if n == 0:
            return math.nan, math.nan
        mean = center + first / n
        variance = (second / n - (first / n) ** 2) * n / (n - 1) if n > 1 else math.nan
    return mean, math.sqrt(variance) if variance >= 0.0 else math.nan


@jit
def _gather(
    pixels: Pixels, i: int, begin: int, end: int, bad: int, values: NDArray[np.float32], n: int
) -> int:
    """Append the usable pixels ``begin`` to ``end`` of a row; return how many values there are then."""
    for j in range(max(begin, 0), min(end, pixels.image.shape[1] - 1) + 1):
        value = pixels.image[i, j]
        if pixels.mask[i, j] & bad == 0 and math.isfinite(value):
            values[n] = value
            n += 1
    return n


@jit
def _local_background(
    pixels: Pixels,
    x: float,
    y: float,
    inner: float,
    outer: float,
    bad: int,
    num_sigma: float,
    num_iter: int,
    values: NDArray[np.float32],
    work: NDArray[np.float32],
) -> tuple[int, float, float]:
    ny, nx = pixels.image.shape
    n = 0
    # clipped as floats: a centre far off the image does not fit an integer
    first, last = math.ceil(max(y - outer, 0.0)), math.floor(min(y + outer, ny - 1.0))
    for i in range(first, last + 1):
        begin, end = ellipse_row(i, x, y, outer * outer, outer * outer, 0.0)
        hole_begin, hole_end = ellipse_row(i, x, y, inner * inner, inner * inner, 0.0)
        hole_begin, hole_end = max(hole_begin, 0), min(hole_end, nx - 1)
        if hole_begin > hole_end:
            n = _gather(pixels, i, begin, end, bad, values, n)
        else:
            n = _gather(pixels, i, begin, hole_begin - 1, bad, values, n)
            n = _gather(pixels, i, hole_end + 1, end, bad, values, n)
    if n == 0:
        return NO_GOOD_PIXELS, math.nan, math.nan
    mean, stdev = clipped_moments(values[:n], num_sigma, num_iter, work)
    return 0, mean, stdev


@jit
def local_backgrounds(
    pixels: Pixels,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    inner: NDArray[np.float64],
    outer: NDArray[np.float64],
    bad: int,
    num_sigma: float,
    num_iter: int,
    mean: NDArray[np.float64],
    stdev: NDArray[np.float64],
    flags: NDArray[np.int64],
) -> None:
    """Measure the background around every source.

    Parameters
    ----------
    pixels
        The image.
    x, y
        Shape ``(n,)``: centres, array coordinates.
    inner, outer
        Shape ``(n,)``: radii of the rings [pixel]. Pixels whose centres are within the outer and not within the inner
        circle count.
    bad
        Mask value; pixels with any of its bits are left out.
    num_sigma, num_iter
        Half-width [standard deviation] and number of the clippings.
    mean, stdev
        Shape ``(n,)``: results; NaN where there are none.
    flags
        Shape ``(n,)``: receives 0 or `NO_GOOD_PIXELS`.
    """
    values = work = np.empty(0, np.float32)
    for k in range(len(x)):
        usable = math.isfinite(x[k]) and math.isfinite(y[k]) and 0.0 < outer[k] < 1e6
        if not usable:
            flags[k], mean[k], stdev[k] = NO_GOOD_PIXELS, math.nan, math.nan
            continue
        side = 2 * math.ceil(outer[k]) + 1
        if len(values) < side * side:
            values, work = np.empty(side * side, np.float32), np.empty(side * side, np.float32)
        show(pixels, k)
        flags[k], mean[k], stdev[k] = _local_background(
            pixels, x[k], y[k], inner[k], outer[k], bad, num_sigma, num_iter, values, work
        )
