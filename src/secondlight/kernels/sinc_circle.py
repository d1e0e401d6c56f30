"""Fluxes within small circles whose weights are made where the circle lies, between the pixels.

See `secondlight.kernels.sinc_aperture` for the method. There weights are made for a circle on a pixel's centre and shifted
with a Lanczos kernel, which costs up to two percent. The weights are a sum of few waves: between pixels they are that sum,
exactly. As a matrix they have few eigenvectors that matter (6 to 16 of 15 to 63), all even; shifting these along each axis,
with values from a table, shifts the weights.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .pixels import Pixels, show
from .sinc_aperture import (
    APERTURE_TRUNCATED,
    SINC_COEFFS_TRUNCATED,
    outside,
    sinc_transform,
    somewhere,
    weighted_row,
)

__all__ = ["CircleWeights", "circle_weights", "exact_sinc_fluxes"]

#: Intervals of the table over one pixel. Cubic interpolation errs by (π/32)⁴/384 ≈ 2e-7 of the fastest wave, and by 2e-10 of
#: those that a star of σ 2 pixels has.
_STEPS = 32
#: Eigenvalues below this, of a largest of 5 to 20, are left out: weights change by less than this.
_NEGLIGIBLE = 1e-7
#: Eigenvectors are added up so many at a time, and their number is filled up to a multiple of it.
_TOGETHER = 4
#: Eigenvectors are filled up to a multiple of this, which leaves no loop a remainder.
_LANES = 32


class CircleWeights(NamedTuple):
    """The weights of one circle, as eigenvectors at any fraction of a pixel."""

    #: Pixels that the weights cover, a side.
    width: int

    #: Shape ``(rank,)``.
    eigenvalues: NDArray[np.float32]
    #: Shape ``(_STEPS + 1, 2, rank, padded width)``: eigenvectors and their derivatives, times the step, for shifts from
    #: -1/2 to 1/2; zero beyond the width.
    table: NDArray[np.float32]


@lru_cache(maxsize=64)
def circle_weights(radius: float) -> CircleWeights:
    """Return the weights of a circle, made once a radius.

    Parameters
    ----------
    radius
        [pixel].
    """
    transform = sinc_transform(radius, radius, 0.0)
    width = len(transform)
    k = np.arange(width) - width // 2
    centred = np.cos(2.0 * np.pi / width * np.outer(k, k))
    values, vectors = np.linalg.eigh(centred @ transform @ centred.T / width**2)
    some = np.flatnonzero(np.abs(values) > _NEGLIGIBLE)
    filled = -len(some) % _TOGETHER
    values = np.append(values[some], np.zeros(filled))
    # amplitudes of the waves; the eigenvectors are even
    waves = np.pad(centred @ vectors[:, some] / width, ((0, 0), (0, filled))).T
    table = np.zeros((_STEPS + 1, 2, len(values), -(-width // _LANES) * _LANES))
    for step, shift in enumerate(np.linspace(-0.5, 0.5, _STEPS + 1)):
        phase = 2.0 * np.pi / width * np.outer(k, k - shift)
        table[step, 0, :, :width] = waves @ np.cos(phase)
        table[step, 1, :, :width] = (waves * (2.0 * np.pi / width / _STEPS * k)) @ np.sin(phase)
    weights = CircleWeights(width, values.astype(np.float32), table.astype(np.float32))
    for array in weights[1:]:
        array.setflags(write=False)
    return weights


@jit
def _shift(table: NDArray[np.float32], shift: float, out: NDArray[np.float32]) -> None:
    """Fill the eigenvectors, shifted by a fraction of a pixel in [-1/2, 1/2], by cubic interpolation."""
    place = (shift + 0.5) * _STEPS
    step = min(int(place), _STEPS - 1)
    t = place - step
    u = 1.0 - t
    value0, value1 = np.float32((1.0 + 2.0 * t) * u * u), np.float32(t * t * (3.0 - 2.0 * t))
    slope0, slope1 = np.float32(t * u * u), np.float32(-t * t * u)
    for r in range(out.shape[0]):
        v0, d0, v1, d1 = table[step, 0, r], table[step, 1, r], table[step + 1, 0, r], table[step + 1, 1, r]
        row = out[r]
        for j in range(len(row)):
            row[j] = value0 * v0[j] + slope0 * d0[j] + value1 * v1[j] + slope1 * d1[j]


@jit
def _fill_row(
    eigenvalues: NDArray[np.float32],
    along_y: NDArray[np.float32],
    along_x: NDArray[np.float32],
    i: int,
    row: NDArray[np.float32],
) -> None:
    """Fill one row of the weights."""
    row[:] = np.float32(0.0)
    for r in range(0, len(eigenvalues), _TOGETHER):
        a, b = eigenvalues[r] * along_y[r, i], eigenvalues[r + 1] * along_y[r + 1, i]
        c, d = eigenvalues[r + 2] * along_y[r + 2, i], eigenvalues[r + 3] * along_y[r + 3, i]
        first, second, third, fourth = along_x[r], along_x[r + 1], along_x[r + 2], along_x[r + 3]
        for j in range(len(row)):
            row[j] += (a * first[j] + b * second[j]) + (c * third[j] + d * fourth[j])


@jit
def exact_sinc_fluxes(
    pixels: Pixels,
    x0: int,
    y0: int,
    width: int,
    eigenvalues: NDArray[np.float32],
    table: NDArray[np.float32],
    radius: float,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    out: NDArray[np.float64],
    flags: NDArray[np.int64],
) -> None:
    """Measure one circular aperture on many sources.

    Parameters
    ----------
    pixels
        The image.
    x0, y0
        Parent coordinates of the first pixel.
    width, eigenvalues, table
        `CircleWeights` of the circle.
    radius
        [pixel].
    x, y
        Centres [pixel], parent coordinates, shape ``(n,)``.
    out
        Shape ``(n, 2)``: receives fluxes and errors where the aperture is not truncated.
    flags
        Shape ``(n,)``: receives bits of ``APERTURE_TRUNCATED``, ``SINC_COEFFS_TRUNCATED``.
    """
    image, variance = pixels.image, pixels.variance
    ny, nx = image.shape
    rank, padded = table.shape[2], table.shape[3]
    along_x, along_y = np.empty((rank, padded), np.float32), np.empty((rank, padded), np.float32)
    row = np.empty(padded, np.float32)
    for k in range(len(x)):
        if not somewhere(x[k], y[k]):
            flags[k] = APERTURE_TRUNCATED | SINC_COEFFS_TRUNCATED
            continue
        ix, iy = math.floor(x[k] + 0.5), math.floor(y[k] + 0.5)
        # first pixel of the weights, in the image's indices
        j_first, i_first = ix - width // 2 - x0, iy - width // 2 - y0
        j0, j1 = max(j_first, 0), min(j_first + width, nx)
        i0, i1 = max(i_first, 0), min(i_first + width, ny)
        flags[k] = 0
        if j1 - j0 < width or i1 - i0 < width:
            flags[k] = SINC_COEFFS_TRUNCATED
            if outside(x[k] - x0, y[k] - y0, radius, radius, i0, i1, j0, j1):
                flags[k] |= APERTURE_TRUNCATED
                continue
        show(pixels, k)
        _shift(table, x[k] - ix, along_x)
        _shift(table, y[k] - iy, along_y)
        flux = noise = 0.0
        for i in range(i0, i1):
            _fill_row(eigenvalues, along_y, along_x, i - i_first, row)
            weights = row[j0 - j_first : j1 - j_first]
            row_flux, row_noise = weighted_row(weights, image[i, j0:j1], variance[i, j0:j1])
            flux += row_flux
            noise += row_noise
        out[k, 0] = flux
        out[k, 1] = math.sqrt(noise) if noise >= 0.0 else math.nan
