"""The exponential function in a form that the compiler turns into vector instructions.

Gaussian weights are most of the cost of moments, and a call of the C library's ``exp`` keeps a loop from being vectorised.
Range reduction by powers of two (Cody & Waite 1980, "Software Manual for the Elementary Functions") and a polynomial on
what remains: no branch, no table, no call.
"""

from __future__ import annotations

import numpy as np

from ._jit import jit

__all__ = ["EXP_MIN", "exp"]

#: Below this argument the result is no longer right: 2 to the integer part leaves the range of normal numbers.
EXP_MIN = -708.0

_LOG2_E = 1.4426950408889634
# ln 2 in two parts, the first of which has so few digits that its multiples are exact
_LN2_HIGH = 0.693147180369123816490
_LN2_LOW = 1.90821492927058770002e-10
# adding 1.5 × 2⁵² rounds to an integer, which then stands in the lowest bits
_ROUND = 6755399441055744.0

# Chebyshev interpolation of exp over ±ln(2)/2, from degree 0 up: within 2.2e-16 of it, as is rounding itself.
_C0 = 1.0
_C1 = 1.0000000000000067
_C2 = 0.5000000000000006
_C3 = 0.16666666666554406
_C4 = 0.04166666666657314
_C5 = 0.008333333385667782
_C6 = 0.0013888888932488599
_C7 = 0.00019841170270440067
_C8 = 2.4801504346997686e-05
_C9 = 2.764018079620985e-06
_C10 = 2.7626357241447223e-07


@jit
def exp(x: float) -> float:
    """Return e to the power x, to 5e-16 of it.

    Parameters
    ----------
    x
        From `EXP_MIN` to 700; beyond, and for NaN, the result is arbitrary but the call is harmless.
    """
    t = x * _LOG2_E + _ROUND
    n = t - _ROUND
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    p = _C10
    p = p * r + _C9
    p = p * r + _C8
    p = p * r + _C7
    p = p * r + _C6
    p = p * r + _C5
    p = p * r + _C4
    p = p * r + _C3
    p = p * r + _C2
    p = p * r + _C1
    p = p * r + _C0
    exponent = np.float64(t).view(np.int64)
    power = np.int64((exponent << 52) + (np.int64(1023) << 52)).view(np.float64)
    return p * power
