"""Adaptive moments of many sources of one image, with their errors (spec 07b, SdssShape)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .pixels import Pixels, show
from .sdss_moments import (
    FAILURE,
    N_OUT,
    OUT_AMPLITUDE,
    OUT_X,
    OUT_XX,
    OUT_XY,
    OUT_Y,
    OUT_YY,
    UNWEIGHTED,
    UNWEIGHTED_BAD,
    adaptive_moments,
)

__all__ = ["MOMENT_COLUMNS", "gaussian_errors", "rounded_gaussian_errors", "sdss_shapes"]

#: What `sdss_shapes` puts where in its output.
MOMENT_COLUMNS = (
    "xx",
    "yy",
    "xy",
    "x",
    "y",
    "instFlux",
    "instFluxErr",
    "xxErr",
    "yyErr",
    "xyErr",
    "instFlux_xx_Cov",
    "instFlux_yy_Cov",
    "instFlux_xy_Cov",
)

_DBL_EPSILON = 2.220446049250313e-16


@jit
def gaussian_errors(
    amplitude: float, xx: float, yy: float, xy: float, variance: float, errors: NDArray[np.float64]
) -> bool:
    """Fill the errors of a matched Gaussian in white noise.

    The inverse of the Fisher matrix of A exp(-dᵀM⁻¹d/2) in (A, M) has a closed form, seen from the case M = 1 and
    the way M changes with the axes: with F = π√det M / variance, Var A = 2/F, Cov(A, Mij) = -2 Mij/(F A) and
    Cov(Mij, Mkl) = 4 (Mik Mjl + Mil Mjk)/(F A²).

    Parameters
    ----------
    amplitude
        A [count]; used as float32.
    xx, yy, xy
        M [pixel²].
    variance
        Of a pixel [count²].
    errors
        Shape ``(7,)``, filled: error of A, of xx, yy, xy, and covariance of A with xx, yy, xy.

    Returns
    -------
    bool
        False if the moments are singular: no errors then.
    """
    det = xx * yy - xy * xy
    if not det > _DBL_EPSILON:
        return False
    a = np.float64(np.float32(amplitude))
    f = math.pi * math.sqrt(det) / variance
    unit = 2.0 / (math.sqrt(f) * abs(a))
    errors[0] = math.sqrt(2.0 / f)
    errors[1] = unit * math.sqrt(2.0) * xx
    errors[2] = unit * math.sqrt(2.0) * yy
    errors[3] = unit * math.sqrt(xx * yy + xy * xy)
    errors[4] = -2.0 * xx / (f * a)
    errors[5] = -2.0 * yy / (f * a)
    errors[6] = -2.0 * xy / (f * a)
    return True


@jit
def _invert(matrix: NDArray[np.float64]) -> None:
    """Invert a positive definite matrix in place (Gauss-Jordan; it needs no pivots)."""
    n = len(matrix)
    for k in range(n):
        pivot = 1.0 / matrix[k, k]
        matrix[k, k] = 1.0
        for j in range(n):
            matrix[k, j] *= pivot
        for i in range(n):
            if i != k:
                factor = matrix[i, k]
                matrix[i, k] = 0.0
                for j in range(n):
                    matrix[i, j] -= factor * matrix[k, j]


@jit
def rounded_gaussian_errors(
    amplitude: float, xx: float, yy: float, xy: float, variance: float, errors: NDArray[np.float64]
) -> bool:
    """Fill the errors of a matched Gaussian as `gaussian_errors` does, from a Fisher matrix that the reference has rounded.

    Of its factors the determinant, xy², yy·xy and xx·xy are products in single precision, the others are not: the matrix
    of a long object is then nearly singular in another way, and its inverse differs from the true one by up to 1e-3.

    Parameters
    ----------
    amplitude, xx, yy, xy, variance, errors
        As for `gaussian_errors`.

    Returns
    -------
    bool
        False if the moments are singular: no errors then.
    """
    xx32, yy32, xy32 = np.float32(xx), np.float32(yy), np.float32(xy)
    det = np.float64(xx32 * yy32 - xy32 * xy32)
    if not det > _DBL_EPSILON:
        return False
    xx, yy, xy, a = np.float64(xx32), np.float64(yy32), np.float64(xy32), np.float64(np.float32(amplitude))
    f = math.pi * math.sqrt(det) / variance
    fisher = np.empty((4, 4))
    cross = f * a / (4.0 * det)
    fisher[0, 0] = f
    fisher[0, 1], fisher[0, 2], fisher[0, 3] = cross * yy, cross * xx, -cross * 2.0 * xy
    g = 3.0 * f * a * a / (16.0 * det * det)
    fisher[1, 1], fisher[2, 2] = g * yy * yy, g * xx * xx
    fisher[3, 3] = g * 4.0 * (np.float64(xy32 * xy32) + det / 3.0)
    fisher[1, 2] = fisher[3, 3] / 4.0
    fisher[1, 3], fisher[2, 3] = -2.0 * g * np.float64(yy32 * xy32), -2.0 * g * np.float64(xx32 * xy32)
    for i in range(1, 4):
        for j in range(i):
            fisher[i, j] = fisher[j, i]
    _invert(fisher)
    for i in range(4):
        errors[i] = math.sqrt(fisher[i, i]) if fisher[i, i] >= 0.0 else math.nan
    for i in range(3):
        errors[4 + i] = fisher[0, 1 + i]
    return True


@jit
def sdss_shapes(
    pixels: Pixels,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    background: float,
    max_iter: int,
    max_shift: float,
    tol1: float,
    tol2: float,
    rounded: bool,
    negative: NDArray[np.bool_],
    out: NDArray[np.float64],
    flags: NDArray[np.int64],
) -> None:
    """Measure sources.

    Parameters
    ----------
    pixels
        The image.
    x, y
        Shape ``(n,)``: centres [pixel], in the image's indices.
    background, max_iter, max_shift, tol1, tol2
        As for `~secondlight.kernels.sdss_moments.adaptive_moments`.
    rounded
        Whether errors are those of `rounded_gaussian_errors`.
    negative
        Shape ``(n,)``: which sources are holes in the background.
    out
        Shape ``(n, len(MOMENT_COLUMNS))``: receives what `MOMENT_COLUMNS` names, as far as it exists.
    flags
        Shape ``(n,)``: receives flag bits of `secondlight.kernels.sdss_moments`.
    """
    image, variance = pixels.image, pixels.variance
    ny, nx = image.shape
    found = np.empty(N_OUT)
    errors = np.empty(7)
    for k in range(len(x)):
        show(pixels, k)
        flag = adaptive_moments(
            image, x[k], y[k], background, max_iter, max_shift, tol1, tol2, negative[k], found
        )
        xx, yy, xy, amplitude = found[OUT_XX], found[OUT_YY], found[OUT_XY], found[OUT_AMPLITUDE]
        out[k, 0] = xx
        out[k, 1] = yy
        out[k, 2] = xy
        out[k, 3] = found[OUT_X]
        out[k, 4] = found[OUT_Y]
        det = xx * yy - xy * xy
        if not det > 0.0:
            flags[k] = flag | FAILURE
            continue
        scale = 2.0 * math.pi * math.sqrt(det)
        out[k, 5] = amplitude * scale
        i, j = math.floor(y[k] + 0.5), math.floor(x[k] + 0.5)
        if not flag & (UNWEIGHTED | UNWEIGHTED_BAD) and 0 <= i < ny and 0 <= j < nx and variance[i, j] > 0.0:
            noise = np.float64(variance[i, j])
            if rounded:
                good = rounded_gaussian_errors(amplitude, xx, yy, xy, noise, errors)
            else:
                good = gaussian_errors(amplitude, xx, yy, xy, noise, errors)
            if good:
                out[k, 6] = errors[0] * scale
                for i in range(1, 4):
                    out[k, 6 + i] = errors[i]
                    out[k, 9 + i] = errors[3 + i] * scale
            else:
                flag |= FAILURE
        flags[k] = flag
