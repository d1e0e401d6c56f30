"""The sums of `secondlight.kernels.hsm_sums`, one pixel at a time, to the last digit of GalSim's ``find_ellipmom_1``.

They are slower, and for the few objects whose last digits matter.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .hsm_sums import HSM_EMPTY, HSM_OK, HSM_SINGULAR

__all__ = ["slow_weighted_sums"]

_CUT = -2.0 * math.log(1e-6 / 10.0)


@jit
def slow_weighted_sums(
    stamp: NDArray[np.float64],
    bounds: NDArray[np.int64],
    first_x: int,
    first_y: int,
    x: float,
    y: float,
    mxx: float,
    mxy: float,
    myy: float,
    sums: NDArray[np.float64],
) -> int:
    """Sum the pixels of a part of a stamp under a Gaussian weight; see `~secondlight.kernels.hsm_sums.weighted_sums`.

    Parameters
    ----------
    stamp, bounds
        Of the pixels.
    first_x, first_y
        Where the stamp begins in its image.
    x, y
        Centre of the weight [pixel], in the image's indices.
    mxx, mxy, myy
        M [pixel²].
    sums
        Shape ``(6,)``: receives Σ1, Σdx, Σdy, Σdx², Σdxdy, Σdy².

    Returns
    -------
    int
        `HSM_OK`, `HSM_EMPTY` or `HSM_SINGULAR`.
    """
    det = mxx * myy - mxy * mxy
    if not (det > 0.0 and mxx > 0.0 and myy > 0.0):
        return HSM_SINGULAR
    pxx, twice_pxy, pyy = myy / det, -mxy / det * 2.0, mxx / det
    half_over_pxx = 0.5 / pxx
    reach = math.sqrt(_CUT * myy)
    row0 = max(math.ceil(-reach + y), bounds[0] + first_y)
    row1 = min(math.floor(reach + y), bounds[1] - 1 + first_y)
    if row0 > row1:
        return HSM_EMPTY
    a = bx = by = cxx = cxy = cyy = 0.0
    for i in range(row0, row1 + 1):
        dy = i - y
        tilt, base = twice_pxy * dy, pyy * dy * dy
        discriminant = tilt * tilt - 4.0 * pxx * (base - _CUT)
        if discriminant < 0.0:
            return HSM_SINGULAR
        root = math.sqrt(discriminant)
        col0 = max(math.ceil(half_over_pxx * (-tilt - root) + x), bounds[2] + first_x)
        col1 = min(math.floor(half_over_pxx * (-tilt + root) + x), bounds[3] - 1 + first_x)
        # counted up, as the rounding of the steps is part of the sums
        dx = col0 - x
        for j in range(col0, col1 + 1):
            rho2 = base + tilt * dx + pxx * (j - x) * (j - x)
            v = math.exp(-0.5 * rho2) * stamp[i - first_y, j - first_x]
            vx, vy = v * dx, v * dy
            a += v
            bx += vx
            by += vy
            cxx += vx * dx
            cxy += vx * dy
            cyy += vy * dy
            dx += 1.0
    sums[0], sums[1], sums[2] = a, bx, by
    sums[3], sums[4], sums[5] = cxx, cxy, cyy
    return HSM_OK
