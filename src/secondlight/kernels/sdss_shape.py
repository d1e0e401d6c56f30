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

__all__ = ["MOMENT_COLUMNS", "gaussian_errors", "sdss_shapes"]

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
def sdss_shapes(
    pixels: Pixels,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    background: float,
    max_iter: int,
    max_shift: float,
    tol1: float,
    tol2: float,
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
        flag = adaptive_moments(image, x[k], y[k], background, max_iter, max_shift, tol1, tol2, found)
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
            if gaussian_errors(amplitude, xx, yy, xy, np.float64(variance[i, j]), errors):
                out[k, 6] = errors[0] * scale
                out[k, 7:10] = errors[1:4]
                out[k, 10:13] = errors[4:7] * scale
            else:
                flag |= FAILURE
        flags[k] = flag
