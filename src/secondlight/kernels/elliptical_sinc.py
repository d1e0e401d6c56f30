"""Weights of small elliptical apertures; see `secondlight.kernels.sinc_aperture` for the method.

`sinc_coefficients` there makes one ellipse's weights from the Bessel function itself. Here the transform of the
aperture is interpolated in a table. It is real and the same at k and -k, so that its Fourier transform comes down to sums of
cosines and of sines over a quarter of the plane, which for these sizes take less than a fast transform of the whole.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import j0, j1

from ._jit import jit
from .hermite import interpolate
from .pixels import Pixels, show
from .sinc_aperture import APERTURE_TRUNCATED, SINC_COEFFS_TRUNCATED, placed_flux, sinc_flux, somewhere

__all__ = ["elliptical_sinc_fluxes", "elliptical_sinc_weights", "weights_size"]

#: Intervals a unit of the table's argument. Cubic interpolation errs by (2π/256)⁴/384 ≈ 1e-9 of the transform's peak.
_PER_UNIT = 256


@lru_cache(maxsize=16)
def _table(units: int) -> NDArray[np.float64]:
    """Values and derivatives of J1(2πt)/t at t = 0, 1/256, … ``units``: shape ``(m, 2)``."""
    t = np.arange(units * _PER_UNIT + 2) / _PER_UNIT
    t[0] = 1.0
    z = 2.0 * np.pi * t
    # d/dt J1(z)/t with J1' = J0 - J1/z
    table = np.stack([j1(z) / t, (2.0 * np.pi * j0(z) - 2.0 * j1(z) / t) / t], axis=1)
    table[0] = np.pi, 0.0
    table.setflags(write=False)
    return table


@lru_cache(maxsize=16)
def _waves(half: int) -> NDArray[np.float64]:
    """Cos and sin of 2πkx/w, w = 2 half - 1, for k and x from 0 to half - 1: shape ``(2, half, half)``."""
    width = 2 * half - 1
    angle = 2.0 * np.pi / width * (np.outer(np.arange(half), np.arange(half)) % width)
    waves = np.stack([np.cos(angle), np.sin(angle)])
    waves.setflags(write=False)
    return waves


@jit
def _fill_transform(
    a: float,
    b: float,
    theta: float,
    table: NDArray[np.float64],
    even: NDArray[np.float64],
    odd: NDArray[np.float64],
) -> None:
    """Fill the Fourier transform of an ellipse at kx, ky ≥ 0: F(kx, ky) ± F(kx, -ky), each wave once; rows are ky."""
    half = len(even)
    width = 2 * half - 1
    ratio = b / a
    # equal to float precision: a circle has no angle
    if abs(a - b) <= 1.1920928955078125e-07 * a:
        ratio, theta = 1.0, 0.0
    cos, sin = math.cos(theta), math.sin(theta)
    for i in range(half):
        for j in range(half):
            kx, ky = j / width, i / width
            plus = _transform(ratio * a * a, a, ratio, kx * cos + ky * sin, ky * cos - kx * sin, table)
            if i == 0:
                even[i, j], odd[i, j] = plus, 0.0
                continue
            minus = _transform(ratio * a * a, a, ratio, kx * cos - ky * sin, -ky * cos - kx * sin, table)
            even[i, j], odd[i, j] = plus + minus, plus - minus


@jit
def _turn(shift_x: float, shift_y: float, work: NDArray[np.float64]) -> None:
    """Multiply a transform by the cosine of a shift's phase, in ``work[:2]``, and by its sine, into ``work[2:4]``."""
    half = work.shape[1]
    turn = 2.0 * math.pi / (2 * half - 1)
    waves = np.empty((2, half))
    for j in range(half):
        waves[0, j], waves[1, j] = math.cos(turn * j * shift_x), math.sin(turn * j * shift_x)
    for i in range(half):
        cos_y, sin_y = math.cos(turn * i * shift_y), math.sin(turn * i * shift_y)
        for j in range(half):
            cos_x, sin_x, even, odd = waves[0, j], waves[1, j], work[0, i, j], work[1, i, j]
            # F(kx, ky) cos(kx x + ky y) ± F(kx, -ky) cos(kx x - ky y), and so with the sines
            work[0, i, j] = even * cos_x * cos_y - odd * sin_x * sin_y
            work[1, i, j] = odd * cos_x * cos_y - even * sin_x * sin_y
            work[2, i, j] = even * sin_x * cos_y + odd * cos_x * sin_y
            work[3, i, j] = odd * sin_x * cos_y + even * cos_x * sin_y


@jit
def _transform(area: float, a: float, ratio: float, u: float, v: float, table: NDArray[np.float64]) -> float:
    """Transform of an ellipse at a frequency along its axes, by cubic interpolation."""
    v *= ratio
    return area * interpolate(table, a * math.sqrt(u * u + v * v) * _PER_UNIT, _PER_UNIT)


@jit
def _multiply(left: NDArray[np.float64], right: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Matrix product of two square matrices."""
    n = len(out)
    for i in range(n):
        row = out[i]
        row[:] = 0.0
        for k in range(n):
            factor, terms = left[i, k], right[k]
            for j in range(n):
                row[j] += factor * terms[j]


@jit
def _fill_weights(
    a: float,
    b: float,
    theta: float,
    shift_x: float,
    shift_y: float,
    table: NDArray[np.float64],
    waves: NDArray[np.float64],
    work: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    """Fill the weights of one ellipse, its centre a fraction of a pixel from the middle; ``work``: ``(8, half, half)``."""
    half = waves.shape[1]
    width = 2 * half - 1
    _fill_transform(a, b, theta, table, work[0], work[1])
    # of an ellipse on a pixel's centre the weights are even: there are no sines
    parts = 2
    if shift_x != 0.0 or shift_y != 0.0:
        parts = 4
        _turn(shift_x, shift_y, work)
    for part in range(parts):
        along_y, along_x = waves[part % 2], waves[1 - part % 2 if part >= 2 else part]
        _multiply(along_y, work[part], work[4 + part])
        # waves of kx > 0 stand for those of -kx as well
        for y in range(half):
            for j in range(1, half):
                work[4 + part, y, j] *= 2.0
        _multiply(work[4 + part], along_x, work[part])
    if parts == 2:
        work[2:4] = 0.0
    scale = 1.0 / (width * width)
    middle = half - 1
    for y in range(half):
        for x in range(half):
            same, opposite = work[0, y, x] - work[1, y, x], work[0, y, x] + work[1, y, x]
            with_x, with_y = work[2, y, x], work[3, y, x]
            out[middle + y, middle + x] = (same + (with_x + with_y)) * scale
            out[middle - y, middle - x] = (same - (with_x + with_y)) * scale
            out[middle + y, middle - x] = (opposite - (with_x - with_y)) * scale
            out[middle - y, middle + x] = (opposite + (with_x - with_y)) * scale


def weights_size(a: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many pixels a side the weights of ellipses have.

    Parameters
    ----------
    a
        Semi-major axes [pixel], finite and positive.
    """
    half = 2 ** np.maximum(3, np.ceil(np.log2(2.0 * a))).astype(np.int64)
    return np.asarray(2 * half - 1, np.int64)


def _tables(axes: NDArray[np.float64], width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The table of the transform, long enough for these ellipses, and the waves."""
    # the modulus of the frequency is at most 1/√2
    units = math.ceil(0.71 * float(axes[:, 0].max()) / 16.0) * 16
    return _table(units), _waves((width + 1) // 2)


def elliptical_sinc_weights(axes: NDArray[np.float64], width: int) -> NDArray[np.float32]:
    """Return the weights of ellipses centred on a pixel.

    Parameters
    ----------
    axes
        Shape ``(n, 3)``: semi-axes a ≥ b [pixel], and angle of the major axis from x towards y [rad].
    width
        The common `weights_size` of the ellipses.

    Returns
    -------
    ndarray
        Shape ``(n, width, width)``, the ellipses' centres in the middle.
    """
    weights = np.empty((len(axes), width, width), np.float32)
    table, waves = _tables(axes, width)
    work = np.empty((8, *waves.shape[1:]))
    for (a, b, theta), out in zip(axes.tolist(), weights, strict=True):
        _fill_weights(a, b, theta, 0.0, 0.0, table, waves, work, out)
    return weights


@jit
def _fluxes(
    pixels: Pixels,
    x0: int,
    y0: int,
    table: NDArray[np.float64],
    waves: NDArray[np.float64],
    axes: NDArray[np.float64],
    rows: NDArray[np.int64],
    order: int,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    out: NDArray[np.float64],
    flags: NDArray[np.int64],
) -> None:
    half = waves.shape[1]
    width = 2 * half - 1
    work = np.empty((8, half, half))
    weights = np.empty((width, width), np.float32)
    shifted = np.empty((2, width, width), np.float32)
    image, variance = pixels.image, pixels.variance
    for m in range(len(rows)):
        k = rows[m]
        if not somewhere(x[k], y[k]):
            flags[k] = APERTURE_TRUNCATED | SINC_COEFFS_TRUNCATED
            continue
        show(pixels, k)
        a, b, theta = axes[m, 0], axes[m, 1], axes[m, 2]
        half_x = math.sqrt((a * math.cos(theta)) ** 2 + (b * math.sin(theta)) ** 2)
        half_y = math.sqrt((a * math.sin(theta)) ** 2 + (b * math.cos(theta)) ** 2)
        if order > 0:
            _fill_weights(a, b, theta, 0.0, 0.0, table, waves, work, weights)
            flags[k] = sinc_flux(
                image, variance, x0, y0, weights, order, half_x, half_y, x[k], y[k], shifted, out[k], True
            )
            continue
        ix, iy = math.floor(x[k] + 0.5), math.floor(y[k] + 0.5)
        _fill_weights(a, b, theta, x[k] - ix, y[k] - iy, table, waves, work, weights)
        flags[k] = placed_flux(
            image, variance, x0, y0, weights, ix, iy, half_x, half_y, x[k], y[k], out[k], False
        )


def elliptical_sinc_fluxes(
    pixels: Pixels,
    x0: int,
    y0: int,
    axes: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    out: NDArray[np.float64],
    flags: NDArray[np.int64],
    *,
    order: int = 0,
) -> None:
    """Measure one elliptical aperture a source; see `secondlight.kernels.sinc_aperture.sinc_flux`.

    Parameters
    ----------
    pixels
        The image.
    x0, y0
        Parent coordinates of the first pixel.
    axes
        Shape ``(n, 3)``: semi-axes a ≥ b [pixel] and angle [rad]. Those with NaN, and those larger than the image,
        are passed over.
    x, y
        Centres [pixel], parent coordinates, shape ``(n,)``.
    out
        Shape ``(n, 2)``: receives fluxes and errors where the aperture is not truncated.
    flags
        Shape ``(n,)``: receives bits of ``APERTURE_TRUNCATED``, ``SINC_COEFFS_TRUNCATED``.
    order
        n of the Lanczos-n kernel that shifts weights made for a pixel's centre, as the reference does, with sums in single
        precision; weights are made where the aperture lies if 0.
    """
    a, b, theta = axes.T
    with np.errstate(invalid="ignore"):
        half_x = np.hypot(a * np.cos(theta), b * np.sin(theta))
        half_y = np.hypot(a * np.sin(theta), b * np.cos(theta))
        ny, nx = pixels.image.shape
        usable = np.flatnonzero((a > 0.0) & (2.0 * half_x < nx) & (2.0 * half_y < ny))
    sizes = weights_size(axes[usable, 0])
    for width in np.unique(sizes):
        rows = usable[sizes == width]
        table, waves = _tables(axes[rows], int(width))
        _fluxes(pixels, x0, y0, table, waves, axes[rows], rows, order, x, y, out, flags)
