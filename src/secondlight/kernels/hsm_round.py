"""Adaptive moments with a round Gaussian weight, matched by its moments (spec 07d, "Round moments").

The projections on harmonic-oscillator functions, in which the method is written, are combinations of them.

Hirata & Seljak 2003 (MNRAS 343, 459); Bernstein & Jarvis 2002 (AJ 123, 583).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .hsm_iteration import CONVERGED, MAX_ITERATIONS, clip, nonzero_bounds
from .hsm_sums import HSM_EMPTY, HSM_NOT_CONVERGED, HSM_OK, panels_of, weighted_sums, workspace

__all__ = ["round_moments"]

#: ρ² at which the weight is cut off, 7.5 times its width away, and the weight there, 6e-13.
_CUT = (7.5**2, math.exp(-0.5 * 7.5**2))


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
    h, w = bounds[1] - bounds[0], bounds[3] - bounds[2]
    panels, sums = panels_of(stamp, bounds), np.empty(6)
    columns, factor = workspace(h)
    x -= bounds[2]
    y -= bounds[0]
    sigma0 = sigma
    iterations = 0
    change = 1.0
    while change > CONVERGED:
        m = sigma * sigma
        status = weighted_sums(panels, h, w, x, y, m, 0.0, m, _CUT, columns, factor, sums)
        if status != HSM_OK:
            return HSM_NOT_CONVERGED
        dx = clip(2.0 * sums[1] / (sums[0] * sigma))
        dy = clip(2.0 * sums[2] / (sums[0] * sigma))
        ds = clip((sums[3] + sums[5]) / (sums[0] * m) - 1.0)
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
    m = sigma * sigma
    status = weighted_sums(panels, h, w, x, y, m, 0.0, m, _CUT, columns, factor, sums)
    if status != HSM_OK:
        return HSM_NOT_CONVERGED
    out[0] = x + bounds[2]
    out[1] = y + bounds[0]
    out[2] = sigma
    out[3] = (sums[3] - sums[5]) / (sums[0] * m)
    out[4] = 2.0 * sums[4] / (sums[0] * m)
    out[5] = iterations
    # a Gaussian of that width has half its flux under its own weight
    out[6] = 2.0 * sums[0]
    return HSM_OK
