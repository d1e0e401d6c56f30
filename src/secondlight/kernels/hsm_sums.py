"""Sums over a stamp under an elliptical Gaussian weight, in double precision (spec 07d).

The weight exp(-ρ²/2) is a product of one factor a row, one a column, and exp(-p₁₂ dx dy), which from one row to the next
changes by a factor that each column keeps. Four rows go in one pass over columns, each column with sums of its own: the
passes have no sum to carry along, and the compiler makes vector instructions of them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit, jit_sum
from .exponential import EXP_MIN, exp

__all__ = [
    "HSM_DIVERGED",
    "HSM_EMPTY",
    "HSM_LONG",
    "HSM_NOT_CONVERGED",
    "HSM_OK",
    "HSM_SINGULAR",
    "fourth_moment",
    "panels_of",
    "weighted_sums",
    "workspace",
]

#: Status of one measurement: good; no pixels left; weight without area; moments or shift out of bounds; too many
#: iterations, or NaN; a weight too long for these sums.
HSM_OK, HSM_EMPTY, HSM_SINGULAR, HSM_DIVERGED, HSM_NOT_CONVERGED, HSM_LONG = range(6)

#: Squared correlation of x and y above which factors of a weight would leave the range of numbers: axes of 1 to 5.
_MAX_CORRELATION = 0.92
#: Rows in one pass; columns that a vector instruction takes, and columns of a panel, the most in one pass.
_ROWS, _LANES, _COLUMNS = 4, 8, 64
#: Where in the work array the columns' numbers are: the weight without the factor of its row, its ratio from one row to
#: the next, dx, and sums of 1, dy, dy². These distances are constants, as are those from row to row of a panel, so that
#: the compiler sees that none overlaps.
_RATIO, _DX, _SUM, _SUM_Y, _SUM_YY = (np.uint64(k * _COLUMNS) for k in range(1, 6))
_ROW1, _ROW2, _ROW3 = (np.uint64(k * _COLUMNS) for k in range(1, 4))


@jit
def workspace(h: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the two scratch arrays of `weighted_sums`.

    Parameters
    ----------
    h
        Rows of the part that is summed.
    """
    return np.empty(6 * _COLUMNS), np.empty(h + _ROWS - 1)


@jit
def panels_of(stamp: NDArray[np.float64], bounds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Copy a part of a stamp, 64 columns to a panel, with zeros beyond it for sums that go by four rows and eight columns.

    Parameters
    ----------
    stamp
        Shape ``(h, w)``.
    bounds
        Row start and stop, column start and stop of the part.

    Returns
    -------
    ndarray
        Panels of rows + 3 by 64 pixels, one after another.
    """
    h, w = bounds[1] - bounds[0], bounds[3] - bounds[2]
    n_panels = (w + _COLUMNS - 1) // _COLUMNS
    pixels = np.empty(n_panels * (h + _ROWS - 1) * _COLUMNS)
    panels = pixels.reshape(n_panels, h + _ROWS - 1, _COLUMNS)
    for p in range(n_panels):
        j0 = bounds[2] + p * _COLUMNS
        n = min(_COLUMNS, bounds[3] - j0)
        end = min(_COLUMNS, n + _LANES - 1)
        for i in range(h):
            _copy(stamp[bounds[0] + i, j0 : j0 + n], panels[p, i])
            for j in range(n, end):
                panels[p, i, j] = 0.0
        panels[p, h:, :end] = 0.0
    return pixels


@jit
def _copy(source: NDArray[np.float64], target: NDArray[np.float64]) -> None:
    for j in range(len(source)):
        target[j] = source[j]


@jit
def _begin_columns(
    n: int, x: float, dy: float, pxx: float, pxy: float, reach: float, work: NDArray[np.float64]
) -> None:
    """Set the numbers of the first ``n`` columns, at dx = -x, 1 - x, …, for a first row at ``dy``.

    Columns beyond ``reach``, where no weight counts, have weights of zero: others might leave the range of numbers.
    """
    for j in range(np.uint64(n)):
        d = j - x
        weight = exp(max(-0.5 * pxx * d * d - pxy * dy * d, EXP_MIN))
        work[j] = weight if abs(d) <= reach else 0.0
        work[_RATIO + j] = exp(max(min(-pxy * d, -EXP_MIN), EXP_MIN))
        work[_DX + j] = d
        work[_SUM + j] = 0.0
        work[_SUM_Y + j] = 0.0
        work[_SUM_YY + j] = 0.0


@jit
def _begin_rows(n: int, dy: float, pyy: float, factor: NDArray[np.float64]) -> None:
    """Set the factors of ``n`` rows' weights, the first at ``dy``, and zeros for rows that fill up the last pass."""
    for k in range(n):
        d = dy + k
        factor[k] = exp(max(-0.5 * pyy * d * d, EXP_MIN))
    for k in range(n, (n + _ROWS - 1) // _ROWS * _ROWS):
        factor[k] = 0.0


@jit
def _add_rows(
    pixels: NDArray[np.float64],
    first: int,
    m: int,
    n: int,
    factor: NDArray[np.float64],
    first_dy: float,
    least: float,
    work: NDArray[np.float64],
) -> None:
    """Add ``m`` rows of a panel, from pixel ``first`` on, to the sums of ``n`` columns; no weights less than ``least``."""
    for k in range(0, m, _ROWS):
        f0, f1, f2, f3 = factor[k], factor[k + 1], factor[k + 2], factor[k + 3]
        dy = first_dy + k
        two_dy, dy_dy = 2.0 * dy, dy * dy
        # unsigned, so that no index could be counted from the end
        begin = np.uint64(first + k * _COLUMNS)
        for j in range(np.uint64(n)):
            p = begin + j
            g0, ratio = work[j], work[_RATIO + j]
            g1 = g0 * ratio
            g2 = g1 * ratio
            g3 = g2 * ratio
            work[j] = g3 * ratio
            w0, w1, w2, w3 = g0 * f0, g1 * f1, g2 * f2, g3 * f3
            v0 = w0 * pixels[p] if w0 >= least else 0.0
            v1 = w1 * pixels[_ROW1 + p] if w1 >= least else 0.0
            v2 = w2 * pixels[_ROW2 + p] if w2 >= least else 0.0
            v3 = w3 * pixels[_ROW3 + p] if w3 >= least else 0.0
            # rows are one apart: sums of 1, k and k² over them, and those of dy, dy² from these
            s23, s13 = v2 + v3, v1 + v3
            s, sk, skk = v0 + v1 + s23, s13 + (s23 + s23), s13 + 4.0 * (s23 + v3)
            work[_SUM + j] += s
            work[_SUM_Y + j] += dy * s + sk
            work[_SUM_YY + j] += dy_dy * s + (two_dy * sk + skk)


@jit_sum
def _add_columns(n: int, work: NDArray[np.float64], sums: NDArray[np.float64]) -> None:
    """Add the sums of ``n`` columns to those of all."""
    a = bx = by = cxx = cxy = cyy = 0.0
    for j in range(np.uint64(n)):
        d, s, sy = work[_DX + j], work[_SUM + j], work[_SUM_Y + j]
        a += s
        bx += s * d
        cxx += s * d * d
        by += sy
        cxy += sy * d
        cyy += work[_SUM_YY + j]
    sums[0] += a
    sums[1] += bx
    sums[2] += by
    sums[3] += cxx
    sums[4] += cxy
    sums[5] += cyy


@jit
def weighted_sums(
    pixels: NDArray[np.float64],
    h: int,
    w: int,
    x: float,
    y: float,
    mxx: float,
    mxy: float,
    myy: float,
    cut: tuple[float, float],
    columns: NDArray[np.float64],
    factor: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> int:
    """Sum pixels under the weight exp(-ρ²/2), ρ² = dᵀM⁻¹d, up to a largest ρ².

    Parameters
    ----------
    pixels
        From `panels_of`.
    h, w
        Rows and columns of the part that they are.
    x, y
        Centre of the weight [pixel], in the part's indices.
    mxx, mxy, myy
        M [pixel²].
    cut
        ρ² where the weight ends, 100 at most, and the weight there.
    columns, factor
        Scratch, from `workspace`.
    sums
        Shape ``(6,)``: receives Σ1, Σdx, Σdy, Σdx², Σdxdy, Σdy².

    Returns
    -------
    int
        `HSM_OK`, `HSM_EMPTY`, `HSM_SINGULAR`, or `HSM_LONG` if the weight's axes are too different.
    """
    det = mxx * myy - mxy * mxy
    if not (det > 0.0 and mxx > 0.0 and myy > 0.0):
        return HSM_SINGULAR
    max_rho2, least = cut
    i0, i1 = _within(y, math.sqrt(max_rho2 * myy), h)
    if i0 >= i1:
        return HSM_EMPTY
    if mxy * mxy > _MAX_CORRELATION * mxx * myy:
        return HSM_LONG
    pxx, pxy, pyy = myy / det, -mxy / det, mxx / det
    _begin_rows(i1 - i0, i0 - y, pyy, factor)
    sums[:] = 0.0
    reach = math.sqrt(max_rho2 * mxx)
    j0, j1 = _within(x, reach, w)
    for p in range(j0 // _COLUMNS, (j1 + _COLUMNS - 1) // _COLUMNS):
        # whole vectors, of which none reaches into another panel
        first, stop = max(j0 - p * _COLUMNS, 0), min(j1 - p * _COLUMNS, _COLUMNS)
        n = (stop - first + _LANES - 1) // _LANES * _LANES
        start = min(first, _COLUMNS - n)
        _begin_columns(n, x - (p * _COLUMNS + start), i0 - y, pxx, pxy, reach, columns)
        begin = (p * (h + _ROWS - 1) + i0) * _COLUMNS + start
        _add_rows(pixels, begin, i1 - i0, n, factor, i0 - y, least, columns)
        _add_columns(n, columns, sums)
    return HSM_OK


@jit
def _within(centre: float, reach: float, n: int) -> tuple[int, int]:
    """Start and stop of the pixels that are not farther than ``reach`` from ``centre``."""
    # clipped as floats: the reach of a hopeless weight does not fit an integer
    first = max(np.ceil(centre - reach), 0.0)
    return int(first), int(max(min(np.floor(centre + reach) + 1.0, float(n)), first))


@jit
def fourth_moment(
    pixels: NDArray[np.float64],
    h: int,
    w: int,
    x: float,
    y: float,
    mxx: float,
    mxy: float,
    myy: float,
    cut: tuple[float, float],
) -> float:
    """Sum pixels times ρ⁴ under the weight of `weighted_sums`, for which the parameters must be good.

    Parameters
    ----------
    pixels, h, w, x, y, mxx, mxy, myy, cut
        As in `weighted_sums`.
    """
    det = mxx * myy - mxy * mxy
    pxx, pxy, pyy = myy / det, -mxy / det, mxx / det
    max_rho2 = cut[0]
    i0, i1 = _within(y, math.sqrt(max_rho2 * myy), h)
    j0, j1 = _within(x, math.sqrt(max_rho2 * mxx), w)
    total = 0.0
    for p in range(j0 // _COLUMNS, (j1 + _COLUMNS - 1) // _COLUMNS):
        left = p * _COLUMNS
        for i in range(i0, i1):
            begin = (p * (h + _ROWS - 1) + i) * _COLUMNS
            dy = i - y
            tilt, base = 2.0 * pxy * dy, pyy * dy * dy
            for j in range(max(j0 - left, 0), min(j1 - left, _COLUMNS)):
                d = j + left - x
                rho2 = (pxx * d + tilt) * d + base
                if rho2 <= max_rho2:
                    total += exp(-0.5 * rho2) * pixels[begin + j] * rho2 * rho2
    return total
