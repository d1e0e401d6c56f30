"""What the iterations of HSM moments share: when they end, how far they step, which pixels they look at (spec 07d)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = ["CONVERGED", "MAX_ITERATIONS", "clip", "nonzero_bounds"]

# The field's long-standing parameters of this algorithm (spec 07d, "HSMParams defaults").
CONVERGED = 1e-6  # largest change of a parameter, in units of the weight's size, that ends the iteration
MAX_ITERATIONS = 400
_MAX_STEP = 0.25  # no step is longer than this: keeps the first iterations from overshooting


@jit
def clip(step: float) -> float:
    """Return a step that is no longer than allowed; NaN stays NaN.

    Parameters
    ----------
    step
        In units of the weight's size.
    """
    if step > _MAX_STEP:
        return _MAX_STEP
    if step < -_MAX_STEP:
        return -_MAX_STEP
    return step


@jit
def _any(pixels: NDArray[np.float64] | NDArray[np.bool_], i0: int, i1: int, j0: int, j1: int) -> bool:
    for i in range(i0, i1):
        for j in range(j0, j1):
            if pixels[i, j] != 0:
                return True
    return False


@jit
def _filled(pixels: NDArray[np.float64] | NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Row start and stop, column start and stop of what is not zero; looked for from outside, so mostly found at once."""
    h, w = pixels.shape
    i0, i1, j0, j1 = 0, h, 0, w
    while i0 < h and not _any(pixels, i0, i0 + 1, 0, w):
        i0 += 1
    while i1 > i0 and not _any(pixels, i1 - 1, i1, 0, w):
        i1 -= 1
    while j0 < w and not _any(pixels, i0, i1, j0, j0 + 1):
        j0 += 1
    while j1 > j0 and not _any(pixels, i0, i1, j1 - 1, j1):
        j1 -= 1
    return i0, i1, j0, j1


@jit
def nonzero_bounds(stamp: NDArray[np.float64], good: NDArray[np.bool_], bounds: NDArray[np.int64]) -> bool:
    """Find the rows and columns that both the non-zero pixels and the good pixels span, and zero the bad pixels.

    Parameters
    ----------
    stamp
        Shape ``(h, w)``. Bad pixels are set to zero in place.
    good
        Shape ``(h, w)``: pixels to use.
    bounds
        Receives row start and stop, column start and stop.

    Returns
    -------
    bool
        Whether anything is left.
    """
    h, w = stamp.shape
    some, both = _filled(stamp), _filled(good)
    for i in range(h):
        row, usable = stamp[i], good[i]
        for j in range(w):
            row[j] = row[j] if usable[j] else 0.0
    bounds[0] = max(some[0], both[0])
    bounds[1] = min(some[1], both[1])
    bounds[2] = max(some[2], both[2])
    bounds[3] = min(some[3], both[3])
    return bool(bounds[0] < bounds[1] and bounds[2] < bounds[3])
