"""Errors of adaptive moments, against the Fisher matrix as it stands, and against noise itself."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondlight.kernels.pixels import Pixels
from secondlight.kernels.sdss_moments import (
    FAILURE,
    N_OUT,
    OUT_AMPLITUDE,
    OUT_X,
    OUT_XX,
    OUT_XY,
    OUT_Y,
    OUT_YY,
    UNWEIGHTED_BAD,
    adaptive_moments,
)
from secondlight.kernels.sdss_shape import (
    MOMENT_COLUMNS,
    gaussian_errors,
    rounded_gaussian_errors,
    sdss_shapes,
)


def covariance_twin(amplitude, xx, yy, xy, variance):
    """The Fisher matrix as spec 07b writes it, inverted."""
    a = float(np.float32(amplitude))
    det = xx * yy - xy * xy
    f = math.pi * math.sqrt(det) / variance
    g = 3 * f * a * a / (16 * det * det)
    fisher = np.zeros((4, 4))
    fisher[0] = [f, f * a * yy / (4 * det), f * a * xx / (4 * det), -2 * f * a * xy / (4 * det)]
    fisher[1, 1], fisher[2, 2] = g * yy * yy, g * xx * xx
    fisher[3, 3] = 4 * g * (xy * xy + det / 3)
    fisher[1, 2] = fisher[3, 3] / 4
    fisher[1, 3], fisher[2, 3] = -2 * g * yy * xy, -2 * g * xx * xy
    return np.linalg.inv(fisher + np.triu(fisher, 1).T)


@given(st.floats(1, 1e5), st.floats(0.5, 100), st.floats(0.5, 100), st.floats(-0.9, 0.9), st.floats(0.1, 1e4))
def test_errors_twin(amplitude, xx, yy, correlation, variance):
    xy = correlation * math.sqrt(xx * yy)
    errors = np.empty(7)
    assert gaussian_errors(amplitude, xx, yy, xy, variance, errors)
    assert_errors(errors, covariance_twin(amplitude, xx, yy, xy, variance), 1e-9)


def assert_errors(errors, covariance, tolerance):
    np.testing.assert_allclose(errors[:4], np.sqrt(np.diag(covariance)), rtol=tolerance)
    scale = errors[0] * errors[1:4]
    np.testing.assert_allclose(errors[4:] / scale, covariance[0, 1:] / scale, rtol=tolerance, atol=tolerance)


@given(st.floats(1, 1e5), st.floats(0.5, 100), st.floats(0.5, 100), st.floats(-0.9, 0.9), st.floats(0.1, 1e4))
def test_rounding_the_matrix_changes_the_errors_of_round_sources_little(
    amplitude, xx, yy, correlation, variance
):
    xy = correlation * math.sqrt(xx * yy)
    errors = np.empty(7)
    assert rounded_gaussian_errors(amplitude, xx, yy, xy, variance, errors)
    assert_errors(errors, covariance_twin(amplitude, xx, yy, xy, variance), 3e-5)


def test_rounding_the_matrix_changes_the_errors_of_long_sources():
    """A source of the recorded scene ``sdss_r``, with its recorded errors: 5e-4 away from the true ones."""
    xx, yy, xy, variance = 51.80202930549815, 11.145098703615185, -23.942209049830836, 1.0
    exact, rounded = np.empty(7), np.empty(7)
    gaussian_errors(1.0, xx, yy, xy, variance, exact)
    rounded_gaussian_errors(1.0, xx, yy, xy, variance, rounded)
    np.testing.assert_allclose(exact[1:4] / rounded[1:4] - 1.0, 23.29657 / 23.308739 - 1.0, atol=1e-5)
    np.testing.assert_allclose(exact[4:] / rounded[4:] - 1.0, 486.53674 / 487.04028 - 1.0, atol=1e-5)


def test_singular_moments_have_no_errors():
    assert not gaussian_errors(1.0, 2.0, 2.0, 2.0, 1.0, np.empty(7))
    assert not gaussian_errors(1.0, math.nan, 2.0, 0.0, 1.0, np.empty(7))
    assert not rounded_gaussian_errors(1.0, 2.0, 2.0, 2.0, 1.0, np.empty(7))
    assert not rounded_gaussian_errors(1.0, math.nan, 2.0, 0.0, 1.0, np.empty(7))


def image_of(x, y, noise, seed=0):
    gy, gx = np.mgrid[:50, :60]
    image = np.zeros((50, 60))
    for cx, cy in zip(x, y, strict=True):
        dx, dy = gx - cx, gy - cy
        image += 300 * np.exp(-0.5 * (dx * dx / 4 + dy * dy / 5 - 0.1 * dx * dy))
    return (image + np.random.default_rng(seed).normal(0, noise, image.shape)).astype(np.float32)


def measure(image, variance, x, y, negative=False):
    out, flags = np.full((len(x), len(MOMENT_COLUMNS)), np.nan), np.full(len(x), -1)
    x, y = np.array(x, float), np.array(y, float)
    sdss_shapes(
        Pixels.of(image, np.zeros(image.shape, np.int32), variance),
        x,
        y,
        0.0,
        100,
        2.0,
        1e-5,
        1e-4,
        False,
        np.full(len(x), negative),
        out,
        flags,
    )
    return {c: out[:, i] for i, c in enumerate(MOMENT_COLUMNS)}, flags


def test_batch_equals_single():
    x, y = [15.3, 44.8], [20.1, 31.6]
    image = image_of(x, y, 1.0)
    got, flags = measure(image, np.full_like(image, 4.0), x, y)
    for k in range(2):
        one = np.empty(N_OUT)
        assert flags[k] == adaptive_moments(image, x[k], y[k], 0.0, 100, 2.0, 1e-5, 1e-4, False, one) == 0
        xx, yy, xy = one[[OUT_XX, OUT_YY, OUT_XY]]
        scale = 2 * math.pi * math.sqrt(xx * yy - xy * xy)
        covariance = covariance_twin(one[OUT_AMPLITUDE], xx, yy, xy, 4.0)
        errors = np.sqrt(np.diag(covariance))
        expected = {
            **{"xx": xx, "yy": yy, "xy": xy, "x": one[OUT_X], "y": one[OUT_Y]},
            **{"instFlux": one[OUT_AMPLITUDE] * scale, "instFluxErr": errors[0] * scale},
            **{"xxErr": errors[1], "yyErr": errors[2], "xyErr": errors[3]},
            **{f"instFlux_{m}_Cov": covariance[0, i + 1] * scale for i, m in enumerate(("xx", "yy", "xy"))},
        }
        assert {c: v[k] for c, v in got.items()} == pytest.approx(expected, rel=1e-9)


def test_error_is_the_scatter():
    """The Fisher error predicts the scatter of the moments over noise realisations (which it does to about a tenth)."""
    n = 150
    moments = []
    for seed in range(n):
        image = image_of([30.0], [25.0], 5.0, seed)
        got, _ = measure(image, np.full_like(image, 25.0), [30.0], [25.0])
        moments.append([got["xx"][0], got["instFlux"][0], got["xxErr"][0], got["instFluxErr"][0]])
    xx, flux, xx_error, flux_error = np.array(moments).T
    assert np.std(xx) == pytest.approx(np.mean(xx_error), rel=0.3)
    assert np.std(flux) == pytest.approx(np.mean(flux_error), rel=0.3)


def test_failures():
    image = np.zeros((50, 60), np.float32)
    got, flags = measure(image, np.ones_like(image), [20.0, math.nan, 500.0], [20.0, 20.0, 20.0])
    assert (flags & FAILURE != 0).all()
    assert flags[0] & UNWEIGHTED_BAD
    assert all(np.isnan(v).all() for v in got.values())


@pytest.mark.parametrize("variance", [0.0, -1.0, math.nan])
def test_no_error_without_variance(variance):
    image = image_of([30.0], [25.0], 1.0)
    got, flags = measure(image, np.full_like(image, variance), [30.0], [25.0])
    assert flags[0] == 0
    assert np.isfinite(got["instFlux"][0]) and np.isnan(got["instFluxErr"][0]) and np.isnan(got["xxErr"][0])


def test_holes():
    """A hole's flux is negative, and so is the sign of its covariances with the moments turned; errors are the same."""
    image = image_of([30.0], [25.0], 1.0)
    variance = np.full_like(image, 25.0)
    star, flags = measure(image, variance, [30.0], [25.0])
    hole, hole_flags = measure(-image, variance, [30.0], [25.0], negative=True)
    assert flags[0] == hole_flags[0] == 0
    for name, value in star.items():
        sign = -1 if name == "instFlux" or name.endswith("Cov") else 1
        assert hole[name][0] == sign * value[0], name
