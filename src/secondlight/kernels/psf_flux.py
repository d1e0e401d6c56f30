"""Flux of a point source: the PSF's amplitude that fits best with equal weights (spec 07.13)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .pixels import Pixels, show

__all__ = ["PSF_EDGE", "PSF_NOT_FINITE", "PSF_NO_PIXELS", "psf_fluxes"]

#: Flag bits: no usable pixel; PSF clipped by the image's edge; PSF, flux or error not finite.
PSF_NO_PIXELS = 1
PSF_EDGE = 2
PSF_NOT_FINITE = 4


@jit
def _sum_of_squares(values: NDArray[np.float64]) -> float:
    """Add up in four partial sums, as a processor with pairs of numbers does: the last digit is the reference's."""
    n = len(values)
    a = b = c = d = 0.0
    whole = n // 4 * 4
    for i in range(0, whole, 4):
        a += values[i] * values[i]
        b += values[i + 1] * values[i + 1]
        c += values[i + 2] * values[i + 2]
        d += values[i + 3] * values[i + 3]
    a += c
    b += d
    if n - whole >= 2:
        a += values[whole] * values[whole]
        b += values[whole + 1] * values[whole + 1]
    return a + b + values[n - 1] * values[n - 1] if n % 2 else a + b


@jit
def psf_fluxes(
    pixels: Pixels,
    bad: int,
    psf: NDArray[np.float64],
    first_x: NDArray[np.int64],
    first_y: NDArray[np.int64],
    out: NDArray[np.float64],
    flags: NDArray[np.int64],
) -> None:
    """Fit the amplitude of one PSF image a source.

    Parameters
    ----------
    pixels
        The image.
    bad
        Mask value; pixels with any of its bits are left out.
    psf
        PSF images, shape ``(n, h, w)``.
    first_x, first_y
        Shape ``(n,)``: where the PSF images begin, in the image's indices.
    out
        Shape ``(n, 5)``: receives flux, its error, effective area, χ² and number of pixels, as far as they exist.
    flags
        Shape ``(n,)``: receives bits of `PSF_NO_PIXELS`, `PSF_EDGE`, `PSF_NOT_FINITE`.
    """
    image, mask, variance = pixels.image, pixels.mask, pixels.variance
    ny, nx = image.shape
    n, h, w = psf.shape
    model = np.empty(h * w)
    for k in range(n):
        show(pixels, k)
        i_first, j_first = first_y[k], first_x[k]
        i0, i1 = max(i_first, 0), min(i_first + h, ny)
        j0, j1 = max(j_first, 0), min(j_first + w, nx)
        flags[k] = PSF_EDGE if i1 - i0 < h or j1 - j0 < w else 0
        used = 0
        total = signal = noise = 0.0
        for i in range(i0, i1):
            for j in range(j0, j1):
                if mask[i, j] & bad:
                    continue
                m = psf[k, i - i_first, j - j_first]
                model[used] = m
                used += 1
                total += m
                signal += m * image[i, j]
                noise += m * m * variance[i, j]
        if used == 0:
            flags[k] |= PSF_NO_PIXELS
            continue
        alpha = _sum_of_squares(model[:used])
        if not math.isfinite(alpha):
            flags[k] = PSF_NOT_FINITE
            continue
        flux = signal / alpha
        error = math.sqrt(noise) / alpha if noise >= 0.0 else math.nan
        out[k, 2] = total * total / alpha
        out[k, 4] = used
        if not (math.isfinite(flux) and math.isfinite(error)):
            flags[k] |= PSF_NOT_FINITE
            continue
        out[k, 0] = flux
        out[k, 1] = error
        chi2 = 0.0
        for i in range(i0, i1):
            for j in range(j0, j1):
                if mask[i, j] & bad:
                    continue
                residual = image[i, j] - flux * psf[k, i - i_first, j - j_first]
                chi2 += residual * residual / variance[i, j]
        out[k, 3] = chi2
