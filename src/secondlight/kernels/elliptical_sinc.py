"""Weights of small elliptical apertures, many at once; see `secondlight.kernels.sinc_aperture` for the method.

`sinc_coefficients` there makes one ellipse's weights from the Bessel function itself. Here the transform of the
aperture is interpolated in a table, and transforms of one size go through the inverse FFT together.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.special import j0, j1

from ._jit import jit
from .pixels import Pixels, show
from .sinc_aperture import sinc_flux

__all__ = ["elliptical_sinc_fluxes", "elliptical_sinc_weights", "weights_size"]

#: Intervals a unit of the table's argument. Cubic interpolation errs by (2π/256)⁴/384 ≈ 1e-9 of the transform's peak.
_PER_UNIT = 256

#: Fluxes are measured for as many apertures at once as this number of weights allows (8 MB in double precision).
_WEIGHTS_AT_ONCE = 1 << 20


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


@jit
def _transforms(axes: NDArray[np.float64], table: NDArray[np.float64], out: NDArray[np.complex128]) -> None:
    """Fill the Fourier transforms of ellipses for an inverse real FFT: shape ``(n, w, w // 2 + 1)``."""
    n, width, columns = out.shape
    for k in range(n):
        a, b, theta = axes[k, 0], axes[k, 1], axes[k, 2]
        ratio = b / a
        # equal to float precision: a circle has no angle
        if abs(a - b) <= 1.1920928955078125e-07 * a:
            ratio, theta = 1.0, 0.0
        cos, sin = math.cos(theta), math.sin(theta)
        for i in range(width):
            ky = (i if i < columns else i - width) / width
            for j in range(columns):
                kx = j / width
                u = kx * cos + ky * sin
                v = ratio * (ky * cos - kx * sin)
                place = a * math.sqrt(u * u + v * v) * _PER_UNIT
                m = int(place)
                f = place - m
                g = 1.0 - f
                out[k, i, j] = (
                    ratio
                    * a
                    * a
                    * (
                        table[m, 0] * g * g * (1.0 + 2.0 * f)
                        + table[m + 1, 0] * f * f * (1.0 + 2.0 * g)
                        + (table[m, 1] * g - table[m + 1, 1] * f) * f * g / _PER_UNIT
                    )
                )


def weights_size(a: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many pixels a side the weights of ellipses have.

    Parameters
    ----------
    a
        Semi-major axes [pixel], finite and positive.
    """
    half = 2 ** np.maximum(3, np.ceil(np.log2(2.0 * a))).astype(np.int64)
    return np.asarray(2 * half - 1, np.int64)


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
    transforms = np.empty((len(axes), width, width // 2 + 1), np.complex128)
    # the modulus of the frequency is at most 1/√2
    units = math.ceil(0.71 * float(axes[:, 0].max()) / 16.0) * 16
    _transforms(axes, _table(units), transforms)
    weights = scipy.fft.irfft2(transforms, s=(width, width), overwrite_x=True)
    return np.fft.fftshift(weights, axes=(1, 2)).astype(np.float32)


@jit
def _fluxes(
    pixels: Pixels,
    x0: int,
    y0: int,
    weights: NDArray[np.float32],
    axes: NDArray[np.float64],
    rows: NDArray[np.int64],
    order: int,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    out: NDArray[np.float64],
    flags: NDArray[np.int64],
) -> None:
    work = np.empty((2, weights.shape[1], weights.shape[2]), np.float32)
    for m in range(len(rows)):
        k = rows[m]
        show(pixels, k)
        a, b, cos, sin = axes[m, 0], axes[m, 1], math.cos(axes[m, 2]), math.sin(axes[m, 2])
        half_x = math.sqrt((a * cos) ** 2 + (b * sin) ** 2)
        half_y = math.sqrt((a * sin) ** 2 + (b * cos) ** 2)
        flags[k] = sinc_flux(
            pixels.image,
            pixels.variance,
            x0,
            y0,
            weights[m],
            0,
            order,
            half_x,
            half_y,
            x[k],
            y[k],
            work,
            out[k],
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
    order: int = 5,
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
        n of the Lanczos-n kernel that shifts the weights.
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
        step = max(1, _WEIGHTS_AT_ONCE // int(width) ** 2)
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            weights = elliptical_sinc_weights(axes[part], int(width))
            _fluxes(pixels, x0, y0, weights, axes[part], part, order, x, y, out, flags)
