"""Clipped mean and standard deviation of the pixels in a ring around a source (spec 07.12, 2.1)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .pixels import Pixels, show
from .variance import ellipse_row, select

__all__ = ["NO_GOOD_PIXELS", "clipped_moments", "local_backgrounds", "quantile"]

#: Flag bit: no pixel left to measure.
NO_GOOD_PIXELS = 1

#: Standard deviation of a Gaussian over its interquartile range.
_IQ_TO_STDEV = 0.741301109252802


@jit
def quantile(values: NDArray[np.float32], fraction: float) -> float:
    """Return a quantile, linear between neighbouring ranks.

    Parameters
    ----------
    values
        Shape ``(n,)``, no NaN, n ≥ 1; reordered.
    fraction
        0.5 for the median.
    """
    place = fraction * (len(values) - 1)
    k = int(place)
    select(values, k)
    lower = np.float64(values[k])
    if k + 1 >= len(values):
        return lower
    upper = values[k + 1]
    for value in values[k + 2 :]:
        upper = min(upper, value)
    return (k + 1 - place) * lower + (place - k) * np.float64(upper)


@jit
def clipped_moments(values: NDArray[np.float32], num_sigma: float, num_iter: int) -> tuple[float, float]:
    """Return mean and standard deviation after iterated clipping, first about the median by the quartiles.

    Parameters
    ----------
    values
        Shape ``(n,)``, finite, n ≥ 1; reordered.
    num_sigma
        Half-width of the clipping [standard deviation].
    num_iter
        Number of clippings.

    Returns
    -------
    mean, stdev : float
        Both NaN if the clipping left too little; the latter NaN of a single value.
    """
    total = len(values)
    center = quantile(values, 0.5)
    half = num_sigma * _IQ_TO_STDEV * (quantile(values, 0.75) - quantile(values, 0.25))
    mean = variance = math.nan
    for iteration in range(num_iter):
        if iteration > 0:
            center = mean
            if total > 1:
                half = num_sigma * math.sqrt(max(variance, 0.0)) if not math.isnan(variance) else math.nan
        n = 0
        first = second = 0.0
        for value in values:
            d = np.float64(value) - center
            if abs(d) <= half:
                n += 1
                first += d
                second += d * d
        if n == 0:
            return math.nan, math.nan
        mean = center + first / n
        variance = (second / n - (first / n) ** 2) * n / (n - 1) if n > 1 else math.nan
    return mean, math.sqrt(variance) if variance >= 0.0 else math.nan


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
) -> tuple[int, float, float]:
    ny, nx = pixels.image.shape
    n = 0
    # clipped as floats: a centre far off the image does not fit an integer
    first, last = math.ceil(max(y - outer, 0.0)), math.floor(min(y + outer, ny - 1.0))
    for i in range(first, last + 1):
        begin, end = ellipse_row(i, x, y, outer * outer, outer * outer, 0.0)
        hole_begin, hole_end = ellipse_row(i, x, y, inner * inner, inner * inner, 0.0)
        for j in range(max(begin, 0), min(end, nx - 1) + 1):
            if hole_begin <= j <= hole_end or pixels.mask[i, j] & bad:
                continue
            value = pixels.image[i, j]
            if math.isfinite(value):
                values[n] = value
                n += 1
    if n == 0:
        return NO_GOOD_PIXELS, math.nan, math.nan
    mean, stdev = clipped_moments(values[:n], num_sigma, num_iter)
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
    values = np.empty(0, np.float32)
    for k in range(len(x)):
        usable = math.isfinite(x[k]) and math.isfinite(y[k]) and 0.0 < outer[k] < 1e6
        if not usable:
            flags[k], mean[k], stdev[k] = NO_GOOD_PIXELS, math.nan, math.nan
            continue
        side = 2 * math.ceil(outer[k]) + 1
        if len(values) < side * side:
            values = np.empty(side * side, np.float32)
        show(pixels, k)
        flags[k], mean[k], stdev[k] = _local_background(
            pixels, x[k], y[k], inner[k], outer[k], bad, num_sigma, num_iter, values
        )
