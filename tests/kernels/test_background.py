"""Interpolation and approximation kernels against SciPy and NumPy."""

import numpy as np
import pytest
from numpy.polynomial import chebyshev
from scipy.interpolate import Akima1DInterpolator, CubicSpline

from secondlight.kernels.background import (
    chebyshev_rows,
    interpolate_columns,
    interpolate_rows,
    max_style,
    min_points,
)

CONSTANT, LINEAR, NATURAL, CUBIC, CUBIC_PERIODIC, AKIMA, AKIMA_PERIODIC = range(7)


def interpolate(style, x, y, size, reduce=True):
    out = np.full((size, 1), -1.0)
    ok = interpolate_columns(style, reduce, np.asarray(x, float), np.asarray(y, float)[:, None], out)
    rows = np.full((1, size), -1, np.float32)
    assert ok == interpolate_rows(style, reduce, np.asarray(x, float), np.asarray(y, float)[None, :], rows)
    if ok:
        np.testing.assert_array_equal(rows[0], out[:, 0].astype(np.float32))
    return out[:, 0] if ok else None


def extrapolate(inside, x, at):
    """Second-order Taylor series about the end knots, outside them."""
    out = inside(np.clip(at, x[0], x[-1]))
    # the derivatives at the last knot are those of the last interval
    ends = [(at < x[0], x[0], x[0]), (at > x[-1], x[-1], np.nextafter(x[-1], x[0]))]
    for outside, knot, where in ends:
        d = at[outside] - knot
        out[outside] = inside(knot) + d * inside(where, 1) + d**2 / 2 * inside(where, 2)
    return out


X = np.array([9.5, 28.0, 45.5, 66.0, 82.5, 101.0, 121.5])
Y = np.random.default_rng(0).normal(1000, 20, len(X))
AT = np.arange(130.0)


@pytest.mark.parametrize("style", [NATURAL, CUBIC])
def test_natural_spline(style):
    expected = extrapolate(CubicSpline(X, Y, bc_type="natural"), X, AT)
    np.testing.assert_allclose(interpolate(style, X, Y, 130), expected, rtol=1e-12)


@pytest.mark.parametrize("n", [3, 4, 7])
def test_periodic_spline(n):
    y = np.append(Y[: n - 1], Y[0])
    expected = extrapolate(CubicSpline(X[:n], y, bc_type="periodic"), X[:n], AT)
    np.testing.assert_allclose(interpolate(CUBIC_PERIODIC, X[:n], y, 130), expected, rtol=1e-12)


def test_akima():
    expected = extrapolate(Akima1DInterpolator(X, Y), X, AT)
    np.testing.assert_allclose(interpolate(AKIMA, X, Y, 130), expected, rtol=1e-12)


def test_akima_periodic():
    y = np.append(Y[:-1], Y[0])
    # three periods side by side: the middle one knows of no ends
    period = X[-1] - X[0]
    x3 = np.concatenate([X[:-1] - period, X[:-1], X + period])
    y3 = np.concatenate([y[:-1], y[:-1], y])
    inside = (X[0] <= AT) & (X[-1] >= AT)
    got = interpolate(AKIMA_PERIODIC, X, y, 130)
    np.testing.assert_allclose(got[inside], Akima1DInterpolator(x3, y3)(AT[inside]), rtol=1e-12)


def test_akima_of_a_straight_line_and_a_step():
    np.testing.assert_allclose(interpolate(AKIMA, X, 3 * X - 7, 130), 3 * AT - 7, rtol=1e-12)
    step = interpolate(AKIMA, X, [1, 1, 1, 1, 2, 2, 2], 130)
    assert (step[:66] == 1).all()
    np.testing.assert_allclose(step[83:], 2, rtol=1e-14)


def test_linear():
    inside = np.interp(AT, X, Y)
    got = interpolate(LINEAR, X, Y, 130)
    within = (X[0] <= AT) & (X[-1] >= AT)
    np.testing.assert_allclose(got[within], inside[within], rtol=1e-13)
    assert got[0] == pytest.approx(Y[0] - X[0] * (Y[1] - Y[0]) / (X[1] - X[0]))


def test_constant():
    edges = np.concatenate([[(3 * X[0] - X[1]) / 2], (X[:-1] + X[1:]) / 2, [(3 * X[-1] - X[-2]) / 2]])
    levels = np.concatenate([[Y[0]], (Y[:-1] + Y[1:]) / 2, [Y[-1]]])
    expected = [levels[max(np.searchsorted(edges, x, side="right") - 1, 0)] for x in AT]
    np.testing.assert_allclose(interpolate(CONSTANT, X, Y, 130), expected, rtol=1e-14)
    np.testing.assert_array_equal(interpolate(CONSTANT, [4.0], [7.0], 9), 7)


def test_nan_knots_are_dropped_and_the_style_reduced():
    y = Y.copy()
    y[[1, 4]] = np.nan
    good = np.isfinite(y)
    np.testing.assert_array_equal(interpolate(AKIMA, X, y, 130), interpolate(AKIMA, X[good], Y[good], 130))
    y[2] = np.nan
    good = np.isfinite(y)
    np.testing.assert_array_equal(interpolate(AKIMA, X, y, 130), interpolate(CUBIC, X[good], Y[good], 130))
    assert interpolate(AKIMA, X, y, 130, reduce=False) is None
    np.testing.assert_array_equal(interpolate(AKIMA, X, np.full(7, np.nan), 130), np.nan)
    assert [max_style(n) for n in (1, 2, 3, 4, 5, 9)] == [CONSTANT, LINEAR, CUBIC, CUBIC, AKIMA, AKIMA]
    assert [min_points(style) for style in range(7)] == [1, 2, 3, 3, 3, 5, 5]


@pytest.mark.parametrize("order", [0, 1, 6])
def test_chebyshev(order):
    coefficients = np.random.default_rng(1).normal(size=(order + 1, order + 1))
    height, width = 23, 31
    out = np.empty((10, width), np.float32)
    chebyshev_rows(coefficients, height, 5, out)
    y = 2 * (np.arange(5, 15) - 11) / height
    x = 2 * (np.arange(width) - 15) / width
    np.testing.assert_allclose(out, chebyshev.chebgrid2d(y, x, coefficients), rtol=1e-5, atol=1e-6)
