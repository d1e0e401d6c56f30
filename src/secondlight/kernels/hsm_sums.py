"""Sums over a stamp under an elliptical Gaussian weight, in double precision (spec 07d).

The weight of a row's pixels follows from its first by products, as exp of a quadratic has a constant second ratio. Four
neighbouring pixels have chains of their own, which do not wait for one another.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .exponential import EXP_MIN, exp

__all__ = [
    "HSM_DIVERGED",
    "HSM_EMPTY",
    "HSM_NOT_CONVERGED",
    "HSM_OK",
    "HSM_SINGULAR",
    "fourth_moment",
    "weighted_sums",
]

#: Status of one measurement: good; no pixels left; weight without area; moments or shift out of bounds; too many
#: iterations, or NaN.
HSM_OK, HSM_EMPTY, HSM_SINGULAR, HSM_DIVERGED, HSM_NOT_CONVERGED = range(5)

#: ρ² at which the weight is cut off: a weight of 1e-7, a tenth of the threshold at which the moments have converged.
_CUT = -2.0 * math.log(1e-7)

#: What `_begin_rows` finds of each row: first and last column, weight of the first, and its ratio to the second.
_FIRST, _LAST, _WEIGHT, _RATIO = range(4)


@jit
def _begin_rows(
    row0: int,
    row1: int,
    j0: int,
    j1: int,
    x: float,
    y: float,
    pxx: float,
    pxy: float,
    pyy: float,
    det: float,
    rows: NDArray[np.float64],
) -> None:
    """Find where each row meets the weight, within the columns j0 ≤ j < j1, and the weight there."""
    for k in range(row1 - row0 + 1):
        dy = row0 + k - y
        room = _CUT * pxx - dy * dy / det
        half = math.sqrt(max(room, 0.0)) / pxx
        middle = x - pxy * dy / pxx
        first = max(np.ceil(middle - half), float(j0))
        last = min(np.floor(middle + half), float(j1 - 1))
        rows[_FIRST, k] = first
        rows[_LAST, k] = last if room >= 0.0 else -1.0
        d = first - x
        tilt = 2.0 * pxy * dy
        rows[_WEIGHT, k] = exp(max(-0.5 * ((pxx * d + tilt) * d + pyy * dy * dy), EXP_MIN))
        rows[_RATIO, k] = exp(min(max(-0.5 * (pxx * (2.0 * d + 1.0) + tilt), EXP_MIN), -EXP_MIN))


@jit
def weighted_sums(
    stamp: NDArray[np.float64],
    bounds: NDArray[np.int64],
    x: float,
    y: float,
    mxx: float,
    mxy: float,
    myy: float,
    rows: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> int:
    """Sum the pixels of a part of a stamp under the weight exp(-ρ²/2), ρ² = dᵀM⁻¹d, where that is above 1e-7.

    Parameters
    ----------
    stamp
        Shape ``(h, w)``.
    bounds
        Row start and stop, column start and stop of the part.
    x, y
        Centre of the weight [pixel], in the stamp's indices.
    mxx, mxy, myy
        M [pixel²].
    rows
        Shape ``(4, h)``, scratch.
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
    pxx, pxy, pyy = myy / det, -mxy / det, mxx / det
    reach = math.sqrt(_CUT * myy)
    row0 = max(math.ceil(y - reach), bounds[0])
    row1 = min(math.floor(y + reach), bounds[1] - 1)
    if row0 > row1:
        return HSM_EMPTY
    _begin_rows(row0, row1, bounds[2], bounds[3], x, y, pxx, pxy, pyy, det, rows)
    q = math.exp(-pxx)
    q2 = q * q
    q4 = q2 * q2
    q6 = q4 * q2
    q16 = (q4 * q4) * (q4 * q4)
    a = bx = by = cxx = cxy = cyy = 0.0
    for k in range(row1 - row0 + 1):
        if not rows[_FIRST, k] <= rows[_LAST, k]:
            continue
        i, j, last = row0 + k, int(rows[_FIRST, k]), int(rows[_LAST, k])
        dy = i - y
        d0 = j - x
        d1, d2, d3 = d0 + 1.0, d0 + 2.0, d0 + 3.0
        r = rows[_RATIO, k]
        g0 = rows[_WEIGHT, k]
        g1 = g0 * r
        g2 = g1 * (r * q)
        s0 = s1 = s2 = 0.0
        if j + 3 <= last:
            g3 = g2 * (r * q2)
            # ratios of the weights four pixels on, in each of the chains
            r0 = (r * r) * (r * r) * q6
            r1 = r0 * q4
            r2 = r1 * q4
            r3 = r2 * q4
            a0 = a1 = a2 = a3 = 0.0
            b0 = b1 = b2 = b3 = 0.0
            c0 = c1 = c2 = c3 = 0.0
            while j + 3 <= last:
                v0, v1, v2, v3 = (
                    g0 * stamp[i, j],
                    g1 * stamp[i, j + 1],
                    g2 * stamp[i, j + 2],
                    g3 * stamp[i, j + 3],
                )
                w0, w1, w2, w3 = v0 * d0, v1 * d1, v2 * d2, v3 * d3
                a0 += v0
                a1 += v1
                a2 += v2
                a3 += v3
                b0 += w0
                b1 += w1
                b2 += w2
                b3 += w3
                c0 += w0 * d0
                c1 += w1 * d1
                c2 += w2 * d2
                c3 += w3 * d3
                g0 *= r0
                g1 *= r1
                g2 *= r2
                g3 *= r3
                r0 *= q16
                r1 *= q16
                r2 *= q16
                r3 *= q16
                d0 += 4.0
                d1 += 4.0
                d2 += 4.0
                d3 += 4.0
                j += 4
            s0 = (a0 + a1) + (a2 + a3)
            s1 = (b0 + b1) + (b2 + b3)
            s2 = (c0 + c1) + (c2 + c3)
        # up to three that are left
        if j <= last:
            v = g0 * stamp[i, j]
            s0 += v
            s1 += v * d0
            s2 += v * d0 * d0
        if j + 1 <= last:
            v = g1 * stamp[i, j + 1]
            s0 += v
            s1 += v * d1
            s2 += v * d1 * d1
        if j + 2 <= last:
            v = g2 * stamp[i, j + 2]
            s0 += v
            s1 += v * d2
            s2 += v * d2 * d2
        a += s0
        bx += s1
        by += s0 * dy
        cxx += s2
        cxy += s1 * dy
        cyy += s0 * dy * dy
    sums[0] = a
    sums[1] = bx
    sums[2] = by
    sums[3] = cxx
    sums[4] = cxy
    sums[5] = cyy
    return HSM_OK


@jit
def fourth_moment(
    stamp: NDArray[np.float64],
    bounds: NDArray[np.int64],
    x: float,
    y: float,
    mxx: float,
    mxy: float,
    myy: float,
    rows: NDArray[np.float64],
) -> float:
    """Sum the pixels times ρ⁴ under the weight of `weighted_sums`, for which the parameters must be good.

    Parameters
    ----------
    stamp, bounds, x, y, mxx, mxy, myy, rows
        As in `weighted_sums`.
    """
    det = mxx * myy - mxy * mxy
    pxx, pxy, pyy = myy / det, -mxy / det, mxx / det
    reach = math.sqrt(_CUT * myy)
    row0 = max(math.ceil(y - reach), bounds[0])
    row1 = min(math.floor(y + reach), bounds[1] - 1)
    _begin_rows(row0, row1, bounds[2], bounds[3], x, y, pxx, pxy, pyy, det, rows)
    q = math.exp(-pxx)
    total = 0.0
    for k in range(row1 - row0 + 1):
        if not rows[_FIRST, k] <= rows[_LAST, k]:
            continue
        i = row0 + k
        dy = i - y
        tilt, base = 2.0 * pxy * dy, pyy * dy * dy
        g, r = rows[_WEIGHT, k], rows[_RATIO, k]
        for j in range(int(rows[_FIRST, k]), int(rows[_LAST, k]) + 1):
            d = j - x
            rho2 = (pxx * d + tilt) * d + base
            total += g * stamp[i, j] * rho2 * rho2
            g *= r
            r *= q
    return total
