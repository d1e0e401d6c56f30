"""Adaptive moments with a round Gaussian weight, by projection on harmonic-oscillator functions (spec 07d, "Round moments").

Hirata & Seljak 2003 (MNRAS 343, 459); Bernstein & Jarvis 2002 (AJ 123, 583).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .hsm_iteration import CONVERGED, MAX_ITERATIONS, clip, nonzero_bounds
from .hsm_sums import HSM_EMPTY, HSM_NOT_CONVERGED, HSM_OK

__all__ = ["round_moments"]

_ROUND_CUT = (
    9.5  # half-width in sigma within which the round weight is summed: exp(-9.5²/2) is below rounding
)


@jit
def _oscillator(first: int, stop: int, centre: float, sigma: float, psi: NDArray[np.float64]) -> None:
    """Fill ``psi[0:3, first:stop]`` with the harmonic-oscillator functions of orders 0, 1, 2."""
    norm = 1.0 / math.sqrt(math.sqrt(math.pi) * sigma)
    for j in range(first, stop):
        t = (j - centre) / sigma
        p0 = norm * math.exp(-0.5 * t * t)
        p1 = math.sqrt(2.0) * t * p0
        psi[0, j] = p0
        psi[1, j] = p1
        psi[2, j] = t * p1 - math.sqrt(0.5) * p0


@jit
def _round_sums(
    stamp: NDArray[np.float64],
    bounds: NDArray[np.int64],
    x: float,
    y: float,
    sigma: float,
    psi_x: NDArray[np.float64],
    psi_y: NDArray[np.float64],
    rows: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    """Project the stamp on products of oscillator functions: ``sums`` receives orders (x, y) 00, 10, 01, 20, 11, 02."""
    reach = _ROUND_CUT * sigma
    # clipped as floats: the reach of a hopeless sigma does not fit an integer
    i0 = int(max(y - reach, float(bounds[0])))
    i1 = int(min(y + reach + 1.0, float(bounds[1])))
    j0 = int(max(x - reach, float(bounds[2])))
    j1 = int(min(x + reach + 1.0, float(bounds[3])))
    _oscillator(i0, i1, y, sigma, psi_y)
    _oscillator(j0, j1, x, sigma, psi_x)
    rows[:, j0:j1] = 0.0
    for i in range(i0, i1):
        p0, p1, p2 = psi_y[0, i], psi_y[1, i], psi_y[2, i]
        for j in range(j0, j1):
            v = stamp[i, j]
            rows[0, j] += p0 * v
            rows[1, j] += p1 * v
            rows[2, j] += p2 * v
    sums[:] = 0.0
    for j in range(j0, j1):
        sums[0] += psi_x[0, j] * rows[0, j]
        sums[1] += psi_x[1, j] * rows[0, j]
        sums[2] += psi_x[0, j] * rows[1, j]
        sums[3] += psi_x[2, j] * rows[0, j]
        sums[4] += psi_x[1, j] * rows[1, j]
        sums[5] += psi_x[0, j] * rows[2, j]


@jit
def round_moments(
    stamp: NDArray[np.float64],
    good: NDArray[np.bool_],
    x: float,
    y: float,
    sigma: float,
    out: NDArray[np.float64],
) -> int:
    """Measure one object with a round Gaussian weight (spec 07d, "Round moments").

    Parameters
    ----------
    stamp
        Shape ``(h, w)``. Bad pixels are set to zero in place.
    good
        Shape ``(h, w)``: pixels to use.
    x, y
        First guess of the centre [pixel] in the stamp's own indices.
    sigma
        First guess of the weight's width [pixel].
    out
        Receives x, y, sigma [pixel], e1, e2, iterations, flux [unit of the stamp].

    Returns
    -------
    int
        `HSM_OK`, or why there is no result.
    """
    bounds = np.empty(4, np.int64)
    if not nonzero_bounds(stamp, good, bounds):
        return HSM_EMPTY
    h, w = stamp.shape
    psi_x, psi_y = np.empty((3, w)), np.empty((3, h))
    rows, sums = np.empty((3, w)), np.empty(6)
    sigma0 = sigma
    iterations = 0
    change = 1.0
    while change > CONVERGED:
        _round_sums(stamp, bounds, x, y, sigma, psi_x, psi_y, rows, sums)
        dx = clip(math.sqrt(2.0) * sums[1] / sums[0])
        dy = clip(math.sqrt(2.0) * sums[2] / sums[0])
        ds = clip((sums[3] + sums[5]) / (math.sqrt(2.0) * sums[0]))
        if math.isnan(dx + dy + ds):
            return HSM_NOT_CONVERGED
        change = max(abs(dx), abs(dy), abs(ds))
        if sigma < sigma0:
            change *= sigma0 / sigma
        x += dx * sigma
        y += dy * sigma
        sigma += ds * sigma
        iterations += 1
        if iterations > MAX_ITERATIONS:
            return HSM_NOT_CONVERGED
    _round_sums(stamp, bounds, x, y, sigma, psi_x, psi_y, rows, sums)
    out[0] = x
    out[1] = y
    out[2] = sigma
    out[3] = (sums[3] - sums[5]) / (math.sqrt(2.0) * sums[0])
    out[4] = sums[4] / sums[0]
    out[5] = iterations
    # a Gaussian of that width has half its flux under its own weight
    out[6] = 2.0 * math.sqrt(math.pi) * sigma * sums[0]
    return HSM_OK
