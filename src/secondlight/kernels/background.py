"""Evaluation of a background from the values at the centres of a coarse grid (spec 02.3, 02.4).

Every one-dimensional interpolator is turned into pieces: a start and the coefficients of a cubic about it.
The first and the last piece also serve outside the knots, there without the cubic term.

Akima 1970 (J. ACM 17, 589) for the Akima splines; natural and periodic cubic splines from the continuity of
the second derivative.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = ["chebyshev_rows", "interpolate_columns", "interpolate_rows", "max_style", "min_points"]

# the reference's numbers of the styles
_CONSTANT = 0
_LINEAR = 1
_NATURAL = 2
_CUBIC = 3
_CUBIC_PERIODIC = 4
_AKIMA = 5
_AKIMA_PERIODIC = 6


@jit
def min_points(style: int) -> int:
    """Return how many knots a style needs."""
    if style == _CONSTANT:
        return 1
    if style == _LINEAR:
        return 2
    return 5 if style >= _AKIMA else 3


@jit
def max_style(n: int) -> int:
    """Return the best style for ``n`` knots; n is at least 1."""
    if n == 1:
        return _CONSTANT
    if n == 2:
        return _LINEAR
    return _CUBIC if n < 5 else _AKIMA


@jit
def _solve_tridiagonal(
    diagonal: NDArray[np.float64], off: NDArray[np.float64], rhs: NDArray[np.float64], m: int
) -> None:
    """Solve ``m`` symmetric tridiagonal equations; ``diagonal`` is used up, ``rhs`` becomes the answer."""
    for i in range(1, m):
        factor = off[i - 1] / diagonal[i - 1]
        diagonal[i] -= factor * off[i - 1]
        rhs[i] -= factor * rhs[i - 1]
    rhs[m - 1] /= diagonal[m - 1]
    for i in range(m - 2, -1, -1):
        rhs[i] = (rhs[i] - off[i] * rhs[i + 1]) / diagonal[i]


@jit
def _half_curvatures(
    x: NDArray[np.float64], y: NDArray[np.float64], n: int, periodic: bool, half: NDArray[np.float64]
) -> None:
    """Fill ``half`` with half the second derivatives of the cubic spline at its knots."""
    diagonal = np.empty(n)
    off = np.empty(n)
    if not periodic:
        for i in range(1, n - 1):
            left = x[i] - x[i - 1]
            right = x[i + 1] - x[i]
            diagonal[i - 1] = 2.0 * (left + right)
            off[i - 1] = right
            half[i] = 3.0 * ((y[i + 1] - y[i]) / right - (y[i] - y[i - 1]) / left)
        half[0] = 0.0
        half[n - 1] = 0.0
        _solve_tridiagonal(diagonal, off, half[1:], n - 2)
        return
    # the matrix has corners: Sherman and Morrison's formula makes two tridiagonal solutions of it
    m = n - 1
    corner = x[n - 1] - x[n - 2]
    correction = np.zeros(m)
    for i in range(m):
        before = m - 1 if i == 0 else i - 1
        left = x[before + 1] - x[before]
        right = x[i + 1] - x[i]
        diagonal[i] = 2.0 * (left + right)
        off[i] = right
        half[i] = 3.0 * ((y[i + 1] - y[i]) / right - (y[before + 1] - y[before]) / left)
    gamma = -diagonal[0]
    diagonal[0] -= gamma
    diagonal[m - 1] -= corner * corner / gamma
    correction[0] = gamma
    correction[m - 1] += corner
    again = diagonal.copy()
    _solve_tridiagonal(diagonal, off, half, m)
    _solve_tridiagonal(again, off, correction, m)
    factor = (half[0] + corner * half[m - 1] / gamma) / (
        1.0 + correction[0] + corner * correction[m - 1] / gamma
    )
    for i in range(m):
        half[i] -= factor * correction[i]
    half[n - 1] = half[0]


@jit
def _akima_pieces(
    x: NDArray[np.float64], y: NDArray[np.float64], n: int, periodic: bool, pieces: NDArray[np.float64]
) -> None:
    """Fill the slope, quadratic and cubic coefficients of Akima's spline."""
    # slopes of the intervals, with two more at either end: slope[i + 2] belongs to interval i
    slope = np.empty(n + 3)
    for i in range(n - 1):
        slope[i + 2] = (y[i + 1] - y[i]) / (x[i + 1] - x[i])
    if periodic:
        slope[0], slope[1] = slope[n - 1], slope[n]
        slope[n + 1], slope[n + 2] = slope[2], slope[3]
    else:
        slope[1] = 2.0 * slope[2] - slope[3]
        slope[0] = 3.0 * slope[2] - 2.0 * slope[3]
        slope[n + 1] = 2.0 * slope[n] - slope[n - 1]
        slope[n + 2] = 3.0 * slope[n] - 2.0 * slope[n - 1]
    for i in range(n - 1):
        m = slope[i + 2]
        width = x[i + 1] - x[i]
        before = abs(slope[i + 1] - slope[i])
        norm = abs(slope[i + 3] - m) + before
        if norm == 0.0:
            pieces[i, 1], pieces[i, 2], pieces[i, 3] = m, 0.0, 0.0
            continue
        alpha = before / norm
        b = (1.0 - alpha) * slope[i + 1] + alpha * m
        before = abs(m - slope[i + 1])
        norm = abs(slope[i + 4] - slope[i + 3]) + before
        end = m
        if norm != 0.0:
            alpha = before / norm
            end = (1.0 - alpha) * m + alpha * slope[i + 3]
        pieces[i, 1] = b
        pieces[i, 2] = (3.0 * m - 2.0 * b - end) / width
        pieces[i, 3] = (b + end - 2.0 * m) / (width * width)


@jit
def _make_pieces(
    style: int,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    n: int,
    starts: NDArray[np.float64],
    pieces: NDArray[np.float64],
) -> int:
    """Turn ``n`` knots into pieces and return their number."""
    if style == _CONSTANT:
        pieces[: n + 1, 1:] = 0.0
        if n == 1:
            starts[0] = x[0]
            pieces[0, 0] = y[0]
            return 1
        starts[0] = 0.5 * (3.0 * x[0] - x[1])
        pieces[0, 0] = y[0]
        for i in range(1, n):
            starts[i] = 0.5 * (x[i - 1] + x[i])
            pieces[i, 0] = 0.5 * (y[i - 1] + y[i])
        starts[n] = 0.5 * (3.0 * x[n - 1] - x[n - 2])
        pieces[n, 0] = y[n - 1]
        return n + 1
    for i in range(n):
        starts[i] = x[i]
        pieces[i, 0] = y[i]
    if style >= _AKIMA:
        _akima_pieces(x, y, n, style == _AKIMA_PERIODIC, pieces)
    elif style == _LINEAR:
        for i in range(n - 1):
            pieces[i, 1] = (y[i + 1] - y[i]) / (x[i + 1] - x[i])
            pieces[i, 2] = 0.0
            pieces[i, 3] = 0.0
    else:
        half = np.empty(n)
        _half_curvatures(x, y, n, style == _CUBIC_PERIODIC, half)
        for i in range(n - 1):
            width = x[i + 1] - x[i]
            pieces[i, 1] = (y[i + 1] - y[i]) / width - width * (half[i + 1] + 2.0 * half[i]) / 3.0
            pieces[i, 2] = half[i]
            pieces[i, 3] = (half[i + 1] - half[i]) / (3.0 * width)
    width = x[n - 1] - x[n - 2]
    b, c, d = pieces[n - 2, 1], pieces[n - 2, 2], pieces[n - 2, 3]
    pieces[n - 1, 1] = b + width * (2.0 * c + 3.0 * width * d)
    pieces[n - 1, 2] = c + 3.0 * width * d
    pieces[n - 1, 3] = 0.0
    return n


@jit
def _interpolate(
    style: int,
    reduce: bool,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    good_x: NDArray[np.float64],
    good_y: NDArray[np.float64],
    starts: NDArray[np.float64],
    pieces: NDArray[np.float64],
    out: NDArray[np.float64],
) -> bool:
    """Evaluate at 0, 1, 2 …; return False if the knots that are not NaN are too few for the style."""
    n = 0
    for i in range(len(x)):
        if not np.isnan(y[i]):
            good_x[n] = x[i]
            good_y[n] = y[i]
            n += 1
    if n < min_points(style):
        if not reduce:
            return False
        if n == 0:
            out[:] = np.nan
            return True
        style = max_style(n)
    n_pieces = _make_pieces(style, good_x, good_y, n, starts, pieces)
    size = len(out)
    stop = 0
    for piece in range(-1, n_pieces):
        # piece -1 is what lies before the first start
        begin = stop
        stop = size
        if piece + 1 < n_pieces:
            stop = max(begin, min(size, int(np.ceil(starts[piece + 1]))))
        origin = starts[max(piece, 0)]
        a, b, c = pieces[max(piece, 0), 0], pieces[max(piece, 0), 1], pieces[max(piece, 0), 2]
        d = pieces[piece, 3] if piece >= 0 else 0.0
        for i in range(begin, stop):
            delta = i - origin
            out[i] = a + delta * (b + delta * (c + delta * d))
    return True


@jit
def interpolate_columns(
    style: int,
    reduce: bool,
    y_centers: NDArray[np.float64],
    values: NDArray[np.float64],
    out: NDArray[np.float64],
) -> bool:
    """Interpolate every column of the grid to every row of the image.

    Parameters
    ----------
    style
        Number of the interpolation style.
    reduce
        Whether a simpler style may be taken where knots are missing.
    y_centers
        Rows of the knots, shape ``(ny,)``.
    values
        The grid, shape ``(ny, nx)``; NaN knots are left out.
    out
        Shape ``(height, nx)``.

    Returns
    -------
    bool
        False if a column has too few knots and ``reduce`` is not set.
    """
    n = len(y_centers)
    good_x, good_y, starts, pieces = np.empty(n), np.empty(n), np.empty(n + 1), np.empty((n + 1, 4))
    knots = np.empty(n)
    column = np.empty(out.shape[0])
    for ix in range(values.shape[1]):
        for iy in range(n):
            knots[iy] = values[iy, ix]
        if not _interpolate(style, reduce, y_centers, knots, good_x, good_y, starts, pieces, column):
            return False
        for iy in range(len(column)):
            out[iy, ix] = column[iy]
    return True


@jit
def interpolate_rows(
    style: int,
    reduce: bool,
    x_centers: NDArray[np.float64],
    columns: NDArray[np.float64],
    out: NDArray[np.float32],
) -> bool:
    """Interpolate every row between the columns.

    Parameters
    ----------
    style, reduce
        As in `interpolate_columns`.
    x_centers
        Columns of the knots, shape ``(nx,)``.
    columns
        Shape ``(rows, nx)``; NaN knots are left out.
    out
        Shape ``(rows, width)``.

    Returns
    -------
    bool
        False if a row has too few knots and ``reduce`` is not set.
    """
    n = len(x_centers)
    good_x, good_y, starts, pieces = np.empty(n), np.empty(n), np.empty(n + 1), np.empty((n + 1, 4))
    row = np.empty(out.shape[1])
    for y in range(out.shape[0]):
        if not _interpolate(style, reduce, x_centers, columns[y], good_x, good_y, starts, pieces, row):
            return False
        for x in range(len(row)):
            out[y, x] = np.float32(row[x])
    return True


@jit
def chebyshev_rows(
    coefficients: NDArray[np.float64], height: int, first_row: int, out: NDArray[np.float32]
) -> None:
    """Evaluate a sum of products of Chebyshev polynomials on some rows of an image.

    The polynomials' range is the whole image including the outer halves of its pixels. Clenshaw's recurrence
    runs over x, for a row at a time.

    Parameters
    ----------
    coefficients
        Shape ``(order + 1, order + 1)``; element ``[j, i]`` multiplies T_i(x) T_j(y).
    height
        Rows of the whole image.
    first_row
        Which row ``out`` begins with.
    out
        Shape ``(rows, width)``.
    """
    n = coefficients.shape[0]
    width = out.shape[1]
    in_x = np.empty(n)
    at_x = np.empty(width)
    for x in range(width):
        at_x[x] = 2.0 * (x - 0.5 * (width - 1)) / width
    one, two = np.empty(width), np.empty(width)
    for row in range(out.shape[0]):
        at_y = 2.0 * (first_row + row - 0.5 * (height - 1)) / height
        in_x[:] = 0.0
        before, now = 0.0, 1.0
        for j in range(n):
            for i in range(n):
                in_x[i] += coefficients[j, i] * now
            following = at_y if j == 0 else 2.0 * at_y * now - before
            before, now = now, following
        one[:] = 0.0
        two[:] = 0.0
        for i in range(n - 1, 0, -1):
            for x in range(width):
                value = in_x[i] + 2.0 * at_x[x] * one[x] - two[x]
                two[x] = one[x]
                one[x] = value
        for x in range(width):
            out[row, x] = np.float32(in_x[0] + at_x[x] * one[x] - two[x])
