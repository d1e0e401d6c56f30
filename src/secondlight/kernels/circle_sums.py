"""Fluxes within large circles: sums of the pixels whose centres they hold (spec 07c, Naive)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit, jit_sum
from .pixels import Pixels, show
from .sinc_aperture import APERTURE_TRUNCATED, outside

__all__ = ["circle_fluxes"]


@jit_sum
def _sums(image: NDArray[np.float32], variance: NDArray[np.float32]) -> tuple[float, float]:
    """Sum pixels of a row of the image, and of the variance."""
    flux = noise = 0.0
    for j in range(len(image)):
        flux += np.float64(image[j])
        noise += np.float64(variance[j])
    return flux, noise


@jit
def circle_fluxes(
    pixels: Pixels,
    x0: int,
    y0: int,
    radii: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    out: NDArray[np.float64],
    flags: NDArray[np.int64],
) -> None:
    """Sum the pixels whose centres lie in circles, all radii in one pass over a source.

    Parameters
    ----------
    pixels
        The image.
    x0, y0
        Parent coordinates of the first pixel.
    radii
        Shape ``(m,)`` [pixel], ascending.
    x, y
        Centres [pixel], parent coordinates, shape ``(n,)``.
    out
        Shape ``(n, m, 2)``: receives fluxes and errors where the aperture is not truncated.
    flags
        Shape ``(n, m)``: receives 0 or `APERTURE_TRUNCATED`.
    """
    image, variance = pixels.image, pixels.variance
    ny, nx = image.shape
    m = len(radii)
    rings = np.empty((m, 2))
    for k in range(len(x)):
        show(pixels, k)
        cx, cy = x[k] - x0, y[k] - y0
        # beyond this a centre is off any image, and may not fit an integer (NaN included)
        usable = abs(cx) < 1e9 and abs(cy) < 1e9
        fit = 0
        for r in range(m):
            if usable and not outside(cx, cy, radii[r], radii[r], 0, ny, 0, nx):
                flags[k, r] = 0
                fit = r + 1
            else:
                flags[k, r] = APERTURE_TRUNCATED
        if fit == 0:
            continue
        rings[:] = 0.0
        largest = radii[fit - 1]
        for i in range(math.ceil(cy - largest), math.floor(cy + largest) + 1):
            dy = i - cy
            # what the smaller circles cover of this row, [j0, j1)
            j0 = j1 = 0
            for r in range(fit):
                room = radii[r] * radii[r] - dy * dy
                if room < 0.0:
                    continue
                half = math.sqrt(room)
                left, right = math.ceil(cx - half), math.floor(cx + half) + 1
                if right <= left:
                    continue
                if j1 == j0:
                    # nothing covered yet: all of this row's span is left of nothing
                    j0 = j1 = right
                flux_left, noise_left = _sums(image[i, left:j0], variance[i, left:j0])
                flux_right, noise_right = _sums(image[i, j1:right], variance[i, j1:right])
                rings[r, 0] += flux_left + flux_right
                rings[r, 1] += noise_left + noise_right
                j0, j1 = left, right
        flux = 0.0
        noise = 0.0
        for r in range(fit):
            flux += rings[r, 0]
            noise += rings[r, 1]
            out[k, r, 0] = flux
            out[k, r, 1] = math.sqrt(noise) if noise >= 0.0 else math.nan
