"""Moments of higher order under a Gaussian weight of the object's own shape (spec 07d, HigherOrderMoments).

Zhang et al. 2023 (MNRAS 520, 2328): positions are standardised, s = M^(-1/2) (x - centre), so that the weight is
exp(-|s|²/2) whatever the object's size and shape.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .pixels import Pixels, show

__all__ = ["higher_moments", "moment_orders", "stack_higher_moments"]

#: Where the sums end, |s|²: the weight is 4e-18 there.
_CUT = 80.0


def moment_orders(lowest: int, highest: int) -> list[tuple[int, int]]:
    """Return the powers (of x, of y) of all moments of some orders.

    Parameters
    ----------
    lowest, highest
        The orders, both included.
    """
    return [(p, order - p) for order in range(lowest, highest + 1) for p in range(order + 1)]


@jit
def _root(xx: float, yy: float, xy: float) -> tuple[float, float, float]:
    """Elements xx, xy, yy of M^(-1/2); NaN if M is not positive definite."""
    det = xx * yy - xy * xy
    if not (det > 0.0 and xx > 0.0):
        return math.nan, math.nan, math.nan
    root = math.sqrt(det)
    eta = math.sqrt(det * (xx + yy + 2.0 * root))
    return (yy + root) / eta, -xy / eta, (xx + root) / eta


@jit
def _add(
    sx: float,
    sy: float,
    value: float,
    lowest: int,
    highest: int,
    powers: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    """Add one pixel to the moments, whose order is that of `moment_orders`; the last sum is that of the values."""
    powers[0, 0] = 1.0
    powers[1, 0] = value
    for p in range(highest):
        powers[0, p + 1] = powers[0, p] * sx
        powers[1, p + 1] = powers[1, p] * sy
    m = 0
    for order in range(lowest, highest + 1):
        for p in range(order + 1):
            sums[m] += powers[0, p] * powers[1, order - p]
            m += 1
    sums[m] += value


@jit
def _scale(
    pixels: Pixels, bad: int, box: NDArray[np.int64], x: float, y: float, root: tuple[float, float, float]
) -> float:
    """Return Σ image / Σ weight over the good pixels of a box: what a masked pixel is worth under the weight."""
    total = weights = np.float64(0.0)
    rxx, rxy, ryy = root
    for i in range(box[0], box[1]):
        for j in range(box[2], box[3]):
            if pixels.mask[i, j] & bad:
                continue
            sx, sy = rxx * (j - x) + rxy * (i - y), rxy * (j - x) + ryy * (i - y)
            total += pixels.image[i, j]
            weights += math.exp(-0.5 * (sx * sx + sy * sy))
    return total / weights


@jit
def higher_moments(
    pixels: Pixels,
    sources: NDArray[np.int64],
    bad: int,
    zero_masked: bool,
    boxes: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    shape: NDArray[np.float64],
    lowest: int,
    highest: int,
    out: NDArray[np.float64],
) -> None:
    """Measure sources, each within its own box of the image.

    Parameters
    ----------
    pixels
        The image.
    sources
        Shape ``(n,)``: places of the sources in the batch, ascending.
    bad
        Mask value; pixels with any of its bits are masked.
    zero_masked
        Whether masked pixels count as zero; else they are filled with the weight, scaled to the other pixels.
    boxes
        Shape ``(n, 4)``: row start and stop, column start and stop, in the arrays' indices, within the image.
    x, y
        Shape ``(n,)``: centres [pixel], in the arrays' indices.
    shape
        Shape ``(n, 3)``: moments xx, yy, xy [pixel²].
    lowest, highest
        Orders of the moments.
    out
        Shape ``(n, m)``: receives the moments in the order of `moment_orders`; NaN where there is no shape.
    """
    m = out.shape[1]
    powers, sums = np.empty((2, highest + 1)), np.empty(m + 1)
    for k in range(len(x)):
        root = _root(shape[k, 0], shape[k, 1], shape[k, 2])
        out[k] = math.nan
        if not (math.isfinite(root[0]) and abs(x[k]) < 1e9 and abs(y[k]) < 1e9):
            continue
        show(pixels, sources[k])
        rxx, rxy, ryy = root
        reach_x, reach_y = math.sqrt(_CUT * shape[k, 0]), math.sqrt(_CUT * shape[k, 1])
        # clipped as floats: a hopeless shape's reach does not fit an integer
        i0, i1 = (
            int(max(y[k] - reach_y, float(boxes[k, 0]))),
            int(min(y[k] + reach_y + 1.0, float(boxes[k, 1]))),
        )
        j0, j1 = (
            int(max(x[k] - reach_x, float(boxes[k, 2]))),
            int(min(x[k] + reach_x + 1.0, float(boxes[k, 3]))),
        )
        scale = math.nan
        sums[:] = 0.0
        for i in range(i0, i1):
            dy = i - y[k]
            for j in range(j0, j1):
                dx = j - x[k]
                sx, sy = rxx * dx + rxy * dy, rxy * dx + ryy * dy
                s2 = sx * sx + sy * sy
                if s2 > _CUT:
                    continue
                weight = math.exp(-0.5 * s2)
                if pixels.mask[i, j] & bad == 0:
                    value = weight * np.float64(pixels.image[i, j])
                elif zero_masked:
                    continue
                else:
                    if math.isnan(scale):
                        scale = _scale(pixels, bad, boxes[k], x[k], y[k], root)
                    value = np.float64(weight * weight * scale)
                _add(sx, sy, value, lowest, highest, powers, sums)
        for n in range(m):
            out[k, n] = sums[n] / sums[m]


@jit
def stack_higher_moments(
    images: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    shape: NDArray[np.float64],
    lowest: int,
    highest: int,
    out: NDArray[np.float64],
) -> None:
    """Measure one object an image, all pixels being good.

    Parameters
    ----------
    images
        Shape ``(n, h, w)``.
    x, y
        Shape ``(n,)``: centres [pixel], in the images' indices.
    shape
        Shape ``(n, 3)``: moments xx, yy, xy [pixel²].
    lowest, highest
        Orders of the moments.
    out
        Shape ``(n, m)``: receives the moments in the order of `moment_orders`; NaN where there is no shape.
    """
    m = out.shape[1]
    powers, sums = np.empty((2, highest + 1)), np.empty(m + 1)
    for k in range(len(x)):
        rxx, rxy, ryy = _root(shape[k, 0], shape[k, 1], shape[k, 2])
        sums[:] = 0.0
        for i in range(images.shape[1]):
            dy = i - y[k]
            for j in range(images.shape[2]):
                dx = j - x[k]
                sx, sy = rxx * dx + rxy * dy, rxy * dx + ryy * dy
                value = math.exp(-0.5 * (sx * sx + sy * sy)) * images[k, i, j]
                _add(sx, sy, value, lowest, highest, powers, sums)
        for n in range(m):
            out[k, n] = sums[n] / sums[m]
