"""Flux under a fixed Gaussian weight: twice the weighted sum (spec 07.14).

A Gaussian object under a weight of its own shape gives half its flux.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .gaussian_sums import weighted_sums
from .pixels import Pixels, show
from .sdss_moments import invert_symmetric, is_excessive, is_small, set_box

__all__ = ["GAUSSIAN_FAILED", "gaussian_fluxes"]

#: Flag bit: a shape that is none, or a centre off the image.
GAUSSIAN_FAILED = 1


@jit
def _gaussian_flux(
    pixels: Pixels,
    x: float,
    y: float,
    xx: float,
    xy: float,
    yy: float,
    background: np.float32,
    work: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> tuple[int, float, float]:
    ny, nx = pixels.image.shape
    good, w11, w12, w22 = invert_symmetric(xx, xy, yy)
    # the pixel whose variance counts is that of the truncated position
    if not good or is_excessive(w11, w12, w22) or not (-1.0 < x < nx and -1.0 < y < ny):
        return GAUSSIAN_FAILED, math.nan, math.nan
    box, sums = work
    set_box(box, x, y, xx, yy, nx, ny)
    weighted_sums(
        pixels.image, box, np.float32(x), np.float32(y), background, is_small(xx, xy, yy), w11, w12, w22, sums
    )
    variance = np.float64(pixels.variance[int(y), int(x)])
    error = (
        2.0 * math.sqrt(variance * math.pi * math.sqrt(xx * yy - xy * xy)) if variance >= 0.0 else math.nan
    )
    return 0, 2.0 * sums[0], error


@jit
def gaussian_fluxes(
    pixels: Pixels,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    xx: NDArray[np.float64],
    yy: NDArray[np.float64],
    xy: NDArray[np.float64],
    background: float,
    flux: NDArray[np.float64],
    error: NDArray[np.float64],
    flags: NDArray[np.int64],
) -> None:
    """Measure the flux of every source.

    Parameters
    ----------
    pixels
        The image.
    x, y
        Shape ``(n,)``: centres, array coordinates.
    xx, yy, xy
        Shape ``(n,)``: second moments of the weight [pixel²]; NaN where there are none.
    background
        Subtracted from every pixel.
    flux, error
        Shape ``(n,)``: results, NaN where they could not be had.
    flags
        Shape ``(n,)``: receives 0 or `GAUSSIAN_FAILED`.
    """
    work = (np.empty(4, np.int64), np.empty(6))
    level = np.float32(background)
    for k in range(len(x)):
        show(pixels, k)
        flags[k], flux[k], error[k] = _gaussian_flux(pixels, x[k], y[k], xx[k], xy[k], yy[k], level, work)
