"""Sums under a Gaussian less a wider one, which are blind to a constant background (spec 07c, CompensatedGaussianFlux)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .pixels import Pixels, show

__all__ = ["compensated_gaussian_sums"]


@jit
def _fill(centre: float, half: int, sigma: float, out: NDArray[np.float64]) -> None:
    """Fill a Gaussian of unit integral, in one dimension, at -half … half."""
    norm = 1.0 / (math.sqrt(2.0 * math.pi) * sigma)
    for i in range(2 * half + 1):
        d = (i - half - centre) / sigma
        out[i] = norm * math.exp(-0.5 * d * d)


@jit
def compensated_gaussian_sums(
    pixels: Pixels,
    sources: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    half: int,
    inner: float,
    outer: float,
    out: NDArray[np.float64],
) -> None:
    """Sum the image under the difference of two Gaussians, and average the variance under its square.

    Parameters
    ----------
    pixels
        The image.
    sources
        Shape ``(n,)``: places of the sources in the batch, ascending.
    x, y
        Shape ``(n,)``: centres, array coordinates.
    half
        The squares over which is summed, around the pixels of the truncated positions, have ``2 * half + 1`` pixels a
        side; they must be inside the image.
    inner, outer
        Widths of the Gaussians [pixel].
    out
        Shape ``(n, 2)``: receives the sum, and the average of the variance.
    """
    size = 2 * half + 1
    g = np.empty((4, size))
    for k in range(len(x)):
        show(pixels, sources[k])
        i_centre, j_centre = math.floor(y[k]), math.floor(x[k])
        _fill(x[k] - j_centre, half, inner, g[0])
        _fill(y[k] - i_centre, half, inner, g[1])
        _fill(x[k] - j_centre, half, outer, g[2])
        _fill(y[k] - i_centre, half, outer, g[3])
        total = noise = squares = 0.0
        for i in range(size):
            for j in range(size):
                weight = g[1, i] * g[0, j] - g[3, i] * g[2, j]
                total += weight * pixels.image[i_centre - half + i, j_centre - half + j]
                noise += weight * weight * pixels.variance[i_centre - half + i, j_centre - half + j]
                squares += weight * weight
        out[k, 0] = total
        out[k, 1] = noise / squares
