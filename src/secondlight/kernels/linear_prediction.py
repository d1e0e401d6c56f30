"""Replacing pixels by what their good neighbours along four lines predict.

Linear prediction in the sense of Rybicki & Press 1992 (ApJ 398, 169): an image of point sources seen through a PSF
is a random field whose covariance is the PSF's autocorrelation, and the noise adds to its diagonal. The weights of
the neighbours come from tables (`secondlight.tasks.cosmic_ray_repair`).
"""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = ["LINES", "OFFSETS", "predict_pixels"]

#: Steps (dx, dy) of the four lines.
LINES = np.array([(1, 0), (0, 1), (1, 1), (1, -1)])

#: Where on a line the neighbours are that may be used, in steps.
OFFSETS = np.array([-3, -2, -1, 1, 2, 3])

#: Half sizes of the windows whose median serves where no line does.
_WINDOWS = (3, 6, 12, 24)

#: Good pixels a window must hold.
_ENOUGH = 5


@jit
def _usable(image: NDArray[np.float32], mask: NDArray[np.int32], unusable: int, x: int, y: int) -> bool:
    height, width = image.shape
    return 0 <= x < width and 0 <= y < height and not mask[y, x] & unusable and np.isfinite(image[y, x])


@jit
def _noise_to_signal(
    image: NDArray[np.float32],
    mask: NDArray[np.int32],
    variance: NDArray[np.float32],
    unusable: int,
    x: int,
    y: int,
) -> float:
    """Ratio of noise to the sources' own variance among the good pixels around; infinite where none is seen."""
    n = 0
    total = 0.0
    squares = 0.0
    noise = 0.0
    reference = np.nan
    for j in range(y - 3, y + 4):
        for i in range(x - 3, x + 4):
            if _usable(image, mask, unusable, i, j):
                if n == 0:
                    reference = np.float64(image[j, i])
                difference = image[j, i] - reference
                n += 1
                total += difference
                squares += difference * difference
                noise += variance[j, i]
    if n < _ENOUGH:
        return np.inf
    noise /= n
    signal = (squares - total * total / n) / (n - 1) - noise
    return noise / signal if signal > 0.0 else np.inf


@jit
def _insert(value: float, values: NDArray[np.float64], n: int) -> None:
    """Insert a value among ``n`` that are sorted."""
    while n > 0 and values[n - 1] > value:
        values[n] = values[n - 1]
        n -= 1
    values[n] = value


@jit
def _window_median(
    image: NDArray[np.float32], mask: NDArray[np.int32], unusable: int, x: int, y: int, otherwise: float
) -> float:
    """Median of the good pixels in the smallest window that holds enough of them."""
    for half in _WINDOWS:
        values = np.empty((2 * half + 1) ** 2)
        n = 0
        for j in range(y - half, y + half + 1):
            for i in range(x - half, x + half + 1):
                if _usable(image, mask, unusable, i, j):
                    _insert(np.float64(image[j, i]), values, n)
                    n += 1
        if n >= _ENOUGH:
            return float(0.5 * (values[(n - 1) // 2] + values[n // 2]))
    return otherwise


@jit
def predict_pixels(
    image: NDArray[np.float32],
    mask: NDArray[np.int32],
    variance: NDArray[np.float32],
    unusable: int,
    pixels: NDArray[np.int64],
    lines: NDArray[np.int64],
    offsets: NDArray[np.int64],
    levels: NDArray[np.float64],
    weights: NDArray[np.float64],
    errors: NDArray[np.float64],
    smallest_below: float,
    worst: float,
    otherwise: float,
) -> int:
    """Replace pixels, each from neighbours that are good and not themselves replaced.

    Parameters
    ----------
    image, mask, variance
        Shape ``(ny, nx)``; ``image`` is changed.
    unusable
        Mask bits of neighbours that must not be used. The pixels to replace must have one of them.
    pixels
        Flat indices of the pixels to replace.
    lines, offsets
        `LINES` and `OFFSETS`.
    levels
        Ratios of noise to signal that the tables are for, ascending.
    weights
        Shape ``(level, line, pattern, offset)``: of the neighbours, for every pattern of good ones (bit k set if
        the neighbour at ``offsets[k]`` is good).
    errors
        Shape ``(level, line, pattern)``: expected squared error of the prediction; infinite if there is none.
    smallest_below
        Ratio of noise to signal below which the smallest prediction is taken, which unrecognised charge beside the
        pixel disturbs least, instead of their mean weighted by the inverse squares of ``errors``. A prediction then
        counts as no less than the least neighbour it is made from: beside a star's steep flank it can fall far
        below.
    worst
        Only lines whose expected error is at most this many times that of the best can give the smallest.
    otherwise
        Value for a pixel without good pixels anywhere near.

    Returns
    -------
    int
        How many pixels no line could predict; they are the median of the good pixels around.
    """
    width = image.shape[1]
    values = np.empty(len(lines))
    expected = np.empty(len(lines))
    without = 0
    for p in range(len(pixels)):
        y, x = pixels[p] // width, pixels[p] % width
        ratio = _noise_to_signal(image, mask, variance, unusable, x, y)
        level = 0
        while (
            level < len(levels) - 1
            and ratio > 0.0
            and 2.0 * log(ratio) > log(levels[level] * levels[level + 1])
        ):
            level += 1
        total = 0.0
        norm = 0.0
        for line in range(len(lines)):
            pattern = 0
            for k in range(len(offsets)):
                i, j = x + offsets[k] * lines[line, 0], y + offsets[k] * lines[line, 1]
                if _usable(image, mask, unusable, i, j):
                    pattern |= 1 << k
            error = errors[level, line, pattern]
            expected[line] = error
            if not error < np.inf:
                continue
            value = 0.0
            floor = np.inf
            for k in range(len(offsets)):
                if pattern >> k & 1:
                    i, j = x + offsets[k] * lines[line, 0], y + offsets[k] * lines[line, 1]
                    value += weights[level, line, pattern, k] * image[j, i]
                    floor = min(floor, image[j, i])
            total += value / (error * error)
            norm += 1.0 / (error * error)
            values[line] = max(value, floor)
        if norm == 0.0:
            without += 1
            image[y, x] = np.float32(_window_median(image, mask, unusable, x, y, otherwise))
        elif ratio > smallest_below:
            image[y, x] = np.float32(total / norm)
        else:
            best = lowest = np.inf
            for line in range(len(lines)):
                best = min(best, expected[line])
            for line in range(len(lines)):
                if expected[line] < np.inf and expected[line] <= worst * best:
                    lowest = min(lowest, values[line])
            image[y, x] = np.float32(lowest)
    return without
