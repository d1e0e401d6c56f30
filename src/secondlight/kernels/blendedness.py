"""Gaussian-weighted fluxes and shapes of a source, alone and among its neighbours (spec 07c, Blendedness).

Bosch et al. 2018 (PASJ 70, S5), section 4.9.11: the same weight on the deblended and on the original image tells which
part of the light is the source's own. Fluxes of absolute values cannot cancel; what the noise adds to them is
subtracted by its expectation.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc, ndtr

from ._jit import jit
from .exponential import EXP_MIN, exp
from .hermite import interpolate
from .pixels import Pixels, show
from .variance import ellipse_row

__all__ = ["N_MOMENTS", "dot_products", "noise_bias_table", "weighted_moments"]

#: Results a source: flux, xx, yy, xy of the pixels as they are, then of their absolute values.
N_MOMENTS = 8

#: From this signal-to-noise on, noise does not change a pixel's absolute value: its bias is 1e-10 of it.
_CERTAIN = 6.0


#: The table of the bias begins at this signal-to-noise, and has this many intervals a unit: cubic interpolation errs
#: by (1/64)⁴/384 = 2e-10 of the noise.
_TABLE_BEGIN, _PER_UNIT = -16.0, 64


@cache
def noise_bias_table() -> NDArray[np.float64]:
    """Return what noise adds to absolute values, for pixels of unit noise from -16 to 6: shape ``(n, 2)``.

    Values and derivatives; of the expected true value m, given that it is not negative, noise makes an absolute value
    that is larger by √(2/π) exp(-m²/2) - m erfc(m/√2).
    """
    t = _TABLE_BEGIN + np.arange(int((_CERTAIN - _TABLE_BEGIN) * _PER_UNIT) + 2) / _PER_UNIT
    hazard = np.exp(-0.5 * t * t) / math.sqrt(2.0 * math.pi) / ndtr(t)
    m = t + hazard
    tail = erfc(m / math.sqrt(2.0))
    bias = math.sqrt(2.0 / math.pi) * np.exp(-0.5 * m * m) - m * tail
    table = np.stack([bias, -tail * (1.0 - hazard * m)], axis=1)
    table.setflags(write=False)
    return table


@jit
def _noise_bias(value: float, variance: float) -> float:
    """What noise adds to the absolute value of a pixel on average; see `noise_bias_table`."""
    # the true value, given that it is not negative
    norm = 0.5 * math.erfc(-value / math.sqrt(2.0 * variance))
    mu = 0.0
    if norm > 0.0:
        mu = value + math.sqrt(0.5 * variance / math.pi) * math.exp(-0.5 * value * value / variance) / norm
    bias = math.sqrt(2.0 * variance / math.pi) * math.exp(-0.5 * mu * mu / variance)
    return bias - mu * math.erfc(mu / math.sqrt(2.0 * variance))


@jit
def _absolute(value: float, variance: float, table: NDArray[np.float64]) -> float:
    """Absolute value of a pixel, less what noise adds to it on average."""
    if value > 0.0 and value * value > _CERTAIN * _CERTAIN * variance:
        return value
    sigma = math.sqrt(variance)
    place = (value / sigma - _TABLE_BEGIN) * _PER_UNIT
    # beyond the table, or no number
    if not (variance > 0.0 and 0.0 <= place < len(table) - 1):
        return abs(value) - _noise_bias(value, variance)
    return abs(value) - sigma * interpolate(table, place, _PER_UNIT)


@jit
def weighted_moments(
    pixels: Pixels,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    xx: NDArray[np.float64],
    yy: NDArray[np.float64],
    xy: NDArray[np.float64],
    n_sigma: float,
    table: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Measure every source under a Gaussian of its own shape.

    Parameters
    ----------
    pixels
        The image.
    x, y
        Shape ``(n,)``: centres, array coordinates.
    xx, yy, xy
        Shape ``(n,)``: second moments of the weights [pixel²].
    n_sigma
        The weights end at this many sigma.
    table
        `noise_bias_table`.
    out
        Shape ``(n, N_MOMENTS)``: receives the results; NaN where there is no position or the moments are none.
    """
    ny, nx = pixels.image.shape
    for k in range(len(x)):
        out[k] = math.nan
        det = xx[k] * yy[k] - xy[k] * xy[k]
        # compared as floats: a centre far off the image does not fit an integer
        if not (det > 0.0 and xx[k] > 0.0 and abs(x[k]) < 1e9 and abs(y[k]) < 1e9):
            continue
        show(pixels, k)
        pxx, pyy, pxy = yy[k] / det, xx[k] / det, -xy[k] / det
        s2 = n_sigma * n_sigma
        reach = math.sqrt(s2 * yy[k])
        w = ww = np.float64(0.0)
        d = dxx = dyy = dxy = np.float64(0.0)
        a = axx = ayy = axy = np.float64(0.0)
        for i in range(max(math.ceil(y[k] - reach), 0), min(math.floor(y[k] + reach), ny - 1) + 1):
            dy = i - y[k]
            j0, j1 = ellipse_row(i, x[k], y[k], s2 * xx[k], s2 * yy[k], s2 * xy[k])
            for j in range(max(j0, 0), min(j1, nx - 1) + 1):
                dx = j - x[k]
                rho2 = pxx * dx * dx + 2.0 * pxy * dx * dy + pyy * dy * dy
                weight = exp(max(-0.5 * rho2, EXP_MIN))
                value = np.float64(pixels.image[i, j])
                w += weight
                ww += weight * weight
                v = weight * value
                d += v
                dxx += v * dx * dx
                dyy += v * dy * dy
                dxy += v * dx * dy
                u = weight * _absolute(value, np.float64(pixels.variance[i, j]), table)
                a += u
                axx += u * dx * dx
                ayy += u * dy * dy
                axy += u * dx * dy
        # a Gaussian under a weight of its own shape looks half as large
        out[k, 0] = w * d / ww
        out[k, 1] = 2.0 * dxx / d
        out[k, 2] = 2.0 * dyy / d
        out[k, 3] = 2.0 * dxy / d
        flux = w * a / ww
        # written so that NaN stays NaN
        out[k, 4] = 0.0 if flux < 0.0 else flux
        out[k, 5] = 2.0 * axx / a
        out[k, 6] = 2.0 * ayy / a
        out[k, 7] = 2.0 * axy / a


@jit
def dot_products(
    image: NDArray[np.float32],
    x0: int,
    y0: int,
    span_offsets: NDArray[np.int64],
    spans: NDArray[np.int32],
    heavy_offsets: NDArray[np.int64],
    heavy: NDArray[np.float32],
    out: NDArray[np.float64],
) -> None:
    """Compare the pixels that sources own with the image: Σ c(p - c) / Σ c².

    Parameters
    ----------
    image
        Shape ``(ny, nx)``: the image with all sources in place.
    x0, y0
        Parent coordinates of its first pixel.
    span_offsets, spans, heavy_offsets, heavy
        The footprints and their pixels.
    out
        Shape ``(n,)``: receives the results; 0 for a source that owns no pixels, or nothing but zeros.
    """
    ny, nx = image.shape
    for k in range(len(out)):
        out[k] = 0.0
        at = heavy_offsets[k]
        if heavy_offsets[k + 1] == at:
            continue
        cp = cc = 0.0
        for s in range(span_offsets[k], span_offsets[k + 1]):
            i = spans[s, 0] - y0
            for j in range(spans[s, 1] - x0, spans[s, 2] - x0 + 1):
                c = np.float64(heavy[at])
                at += 1
                if 0 <= i < ny and 0 <= j < nx:
                    cp += c * (np.float64(image[i, j]) - c)
                    cc += c * c
        if cc > 0.0:
            out[k] = cp / cc
