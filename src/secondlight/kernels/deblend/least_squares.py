"""Least squares by Householder reflections (Golub & Van Loan, Matrix Computations, 5.2 and 5.3).

The columns of the matrix are the rows of the array, and the last row is the right-hand side, so that every loop runs over
neighbours in memory. After `triangularise` the leading k columns give the fit of those columns alone: several nested models
cost one factorisation.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .._jit import jit

__all__ = ["has_full_rank", "residual", "triangularise"]

#: Columns count as dependent where a diagonal element of R is below this times the longest column: a few roundings of a
#: double, as LAPACK's gelsd has it for singular values.
_TOLERANCE = 1e-15


@jit
def _dot(a: NDArray[np.float64], b: NDArray[np.float64], first: int) -> float:
    """Inner product from index ``first`` on, in four running sums that the processor can add side by side."""
    s0 = s1 = s2 = s3 = 0.0
    n = a.size
    i = first
    while i + 3 < n:
        s0 += a[i] * b[i]
        s1 += a[i + 1] * b[i + 1]
        s2 += a[i + 2] * b[i + 2]
        s3 += a[i + 3] * b[i + 3]
        i += 4
    while i < n:
        s0 += a[i] * b[i]
        i += 1
    return (s0 + s1) + (s2 + s3)


@jit
def triangularise(
    a: NDArray[np.float64], diagonal: NDArray[np.float64], lengths: NDArray[np.float64]
) -> None:
    """Reflect the columns of a matrix into triangular form, and the right-hand side with them.

    Parameters
    ----------
    a
        Shape ``(n + 1, m)``: n columns and the right-hand side. On return the upper triangle is R's, without its diagonal:
        R of row i and column k is ``a[k, i]``, and ``a[n]`` is Qᵀ times the right-hand side.
    diagonal
        Shape ``(n,)``: receives R's diagonal, 0 for columns beyond the number of rows.
    lengths
        Shape ``(n,)``: receives the lengths of the columns.
    """
    n = a.shape[0] - 1
    m = a.shape[1]
    for k in range(n):
        lengths[k] = math.sqrt(_dot(a[k], a[k], 0))
    for k in range(n):
        diagonal[k] = 0.0
        if k >= m:
            continue
        v = a[k]
        length = math.sqrt(_dot(v, v, k))
        if length == 0.0:
            continue
        head = v[k]
        diagonal[k] = -length if head > 0.0 else length
        v[k] = head - diagonal[k]
        scale = 1.0 / (-diagonal[k] * v[k])  # 2 / vᵀv
        for j in range(k + 1, n + 1):
            column = a[j]
            factor = scale * _dot(v, column, k)
            for i in range(k, m):
                column[i] -= factor * v[i]


@jit
def has_full_rank(diagonal: NDArray[np.float64], lengths: NDArray[np.float64], n: int, m: int) -> bool:
    """Tell whether the leading ``n`` columns of a matrix with ``m`` rows are independent, and fewer than the rows."""
    if m <= n:
        return False
    longest = 0.0
    for k in range(n):
        longest = max(longest, lengths[k])
    independent = True
    for k in range(n):
        independent = independent and abs(diagonal[k]) > _TOLERANCE * longest
    return independent


@jit
def residual(a: NDArray[np.float64], n: int) -> float:
    """Return the sum of squared residuals of the fit with the leading ``n`` columns."""
    return _dot(a[a.shape[0] - 1], a[a.shape[0] - 1], n)
