"""Adaptive moments, against a twin in double precision and on Gaussians whose moments are known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondlight.kernels.sdss_moments import (
    FAILURE,
    MAX_ITER,
    N_OUT,
    OUT_AMPLITUDE,
    OUT_X,
    OUT_XX,
    OUT_XY,
    OUT_Y,
    OUT_YY,
    SHIFT,
    UNWEIGHTED,
    UNWEIGHTED_BAD,
    adaptive_moments,
    adaptive_moments_stack,
)


def gaussian(size, xx, yy, xy, x=None, y=None):
    x = size // 2 if x is None else x
    y = size // 2 if y is None else y
    dy, dx = np.mgrid[:size, :size] - np.array([y, x])[:, None, None]
    inverse = np.linalg.inv([[xx, xy], [xy, yy]])
    return np.exp(-0.5 * (dx * dx * inverse[0, 0] + 2 * dx * dy * inverse[0, 1] + dy * dy * inverse[1, 1]))


def measure(image, x, y, background=0.0, max_iter=100, negative=False):
    out = np.empty(N_OUT)
    flags = adaptive_moments(image, x, y, background, max_iter, 2.0, 1e-5, 1e-4, negative, out)
    return flags, out


def twin(image, x, y):
    """The iteration with matrices, in double precision, for objects wider than a pixel."""
    dy, dx = np.mgrid[: image.shape[0], : image.shape[1]] - np.array([y, x])[:, None, None]
    cov = np.eye(2) * 1.5
    last = None
    for _ in range(100):
        weight = np.linalg.inv(cov)
        exponent = dx * dx * weight[0, 0] + 2 * dx * dy * weight[0, 1] + dy * dy * weight[1, 1]
        f = np.where(exponent <= 14, image * np.exp(-0.5 * exponent), 0.0)
        total = f.sum()
        seen = (
            np.array([[(dx * dx * f).sum(), (dx * dy * f).sum()], [(dx * dy * f).sum(), (dy * dy * f).sum()]])
            / total
        )
        trace = seen[0, 0] + seen[1, 1]
        now = np.array([(seen[0, 0] - seen[1, 1]) / trace, 2 * seen[0, 1] / trace, seen[0, 0]])
        if (
            last is not None
            and np.all(np.abs(now[:2] - last[:2]) < 1e-5)
            and abs(now[2] / last[2] - 1) < 1e-4
        ):
            break
        last = now
        cov = np.linalg.inv(np.linalg.inv(seen) - weight)
    return (
        cov,
        total / (math.pi * math.sqrt(np.linalg.det(cov))),
        (f * dx).sum() / total + x,
        (f * dy).sum() / total + y,
    )


@settings(max_examples=12)
@given(
    st.floats(1.5, 3.0),
    st.floats(0.6, 1.0),
    st.floats(0, math.pi),
    st.floats(-0.5, 0.5),
    st.integers(0, 2**31),
)
def test_twin(a, ratio, angle, shift, seed):
    c, s = math.cos(angle), math.sin(angle)
    xx, yy, xy = (
        (a * c) ** 2 + (a * ratio * s) ** 2,
        (a * s) ** 2 + (a * ratio * c) ** 2,
        a * a * (1 - ratio**2) * c * s,
    )
    image = gaussian(25, xx, yy, xy, 12 + shift, 12 - shift)
    image += np.random.default_rng(seed).normal(0, 0.01, image.shape)
    flags, out = measure(image.astype(np.float32), 12.25, 12.0)
    cov, amplitude, x, y = twin(image, 12.25, 12.0)
    assert flags == 0
    trace = cov[0, 0] + cov[1, 1]
    assert out[[OUT_XX, OUT_YY, OUT_XY]] == pytest.approx([cov[0, 0], cov[1, 1], cov[0, 1]], abs=3e-6 * trace)
    assert out[OUT_AMPLITUDE] == pytest.approx(amplitude, rel=1e-5)
    assert out[[OUT_X, OUT_Y]] == pytest.approx([x, y], abs=1e-5)


@pytest.mark.parametrize("xx, yy, xy", [(2.0, 2.0, 0.0), (6.0, 3.0, 1.5), (4.0, 9.0, -2.0)])
def test_gaussian_is_measured_exactly(xx, yy, xy):
    image = 100.0 * gaussian(51, xx, yy, xy)
    flags, out = measure(image, 25, 25)
    assert flags == 0
    # what is left is the weight's cut-off at exponent 14
    assert out[[OUT_XX, OUT_YY, OUT_XY]] == pytest.approx([xx, yy, xy], rel=2e-4)
    flux = 2 * math.pi * math.sqrt(out[OUT_XX] * out[OUT_YY] - out[OUT_XY] ** 2) * out[OUT_AMPLITUDE]
    assert flux == pytest.approx(image.sum(), rel=2e-4)
    assert out[[OUT_X, OUT_Y]] == pytest.approx([25, 25], abs=1e-6)


def test_double_and_single_pixels_give_the_same():
    image = gaussian(25, 3, 4, 0.5) + np.random.default_rng(1).normal(0, 0.01, (25, 25))
    np.testing.assert_array_equal(measure(image, 12, 12)[1], measure(image.astype(np.float32), 12, 12)[1])


def test_background_is_subtracted():
    image = gaussian(31, 3, 3, 0)
    plain, raised = measure(image, 15, 15)[1], measure(image + 0.5, 15, 15, background=0.5)[1]
    np.testing.assert_allclose(raised, plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("variance", [0.08, 0.2])
def test_undersampled_object_uses_subpixels(variance):
    image = gaussian(21, variance, variance, 0)
    flags, out = measure(image, 10, 10)
    assert flags == 0
    # where weight and object match, the weighted moments are half the weight's
    size = out[OUT_XX]
    steps = np.arange(-0.375, 0.5, 0.25)
    dy, dx = np.mgrid[-10:11, -10:11].astype(float)
    total = moment = 0.0
    for sy in steps:
        for sx in steps:
            radius2 = (dx + sx) ** 2 + (dy + sy) ** 2
            corner2 = (np.abs(dx) + 0.375) ** 2 + (np.abs(dy) + 0.375) ** 2
            f = np.where(corner2 / size <= 9, image * np.exp(-0.5 * radius2 / size), 0.0)
            total += f.sum()
            moment += ((dx + sx) ** 2 * f).sum()
    assert moment / total == pytest.approx(0.5 * size, rel=1e-4)


def test_shift_is_flagged():
    flags, out = measure(gaussian(61, 25, 25, 0), 25, 30)
    assert flags == FAILURE | SHIFT
    assert out[OUT_X] > 27


def test_no_convergence_gives_unweighted_moments():
    image = gaussian(25, 6, 5, 1)
    flags, out = measure(image, 12, 12, max_iter=2)
    assert flags == FAILURE | UNWEIGHTED | MAX_ITER
    assert math.isnan(out[OUT_AMPLITUDE])
    dx = np.arange(-12, 13)
    assert out[OUT_XX] == pytest.approx((image * dx * dx).sum() / image.sum(), rel=0.01)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_nothing_to_measure(value):
    flags, out = measure(np.full((15, 15), value, np.float32), 7, 7)
    assert flags == FAILURE | UNWEIGHTED_BAD
    assert np.isnan(out[OUT_XX])


def test_second_moments_that_are_not_positive():
    image = np.full((15, 15), -1.0, np.float32)
    image[7, 7] = 1000.0
    flags, out = measure(image, 7, 7)
    assert flags == FAILURE | UNWEIGHTED_BAD
    # there is light, in one pixel
    assert out[[OUT_XX, OUT_YY, OUT_XY]] == pytest.approx([1 / 12, 1 / 12, 0])


@pytest.mark.parametrize("x", [math.nan, math.inf, 1e9, -30.0])
def test_centre_without_pixels(x):
    flags, out = measure(np.ones((15, 15), np.float32), x, 7)
    assert flags & FAILURE
    assert np.isnan(out[OUT_XX])


def test_nan_pixels_fail():
    image = gaussian(15, 2, 2, 0)
    image[7, 6] = math.nan
    flags, _ = measure(image, 7, 7)
    assert flags & FAILURE


def test_stack_equals_single():
    images = np.stack([gaussian(21, a, a + 0.5, 0.2) for a in (1.0, 2.0, 3.0)])
    out, flags = np.empty((3, N_OUT)), np.empty(3, np.int64)
    adaptive_moments_stack(images, 10, 10, out, flags)
    for i in range(3):
        one_flags, one = measure(images[i], 10, 10)
        assert flags[i] == one_flags
        np.testing.assert_array_equal(out[i], one)


def test_holes():
    """A hole has the moments of the star that it is the negative of, and a negative amplitude; a star is no hole."""
    image = (100 * gaussian(41, 4.0, 3.0, 0.5)).astype(np.float32)
    star, hole = measure(image, 20.0, 20.0), measure(-image, 20.0, 20.0, negative=True)
    assert star[0] == hole[0] == 0
    star[1][OUT_AMPLITUDE] *= -1
    np.testing.assert_array_equal(star[1], hole[1])
    assert measure(image, 20.0, 20.0, negative=True)[0] & FAILURE
    assert measure(-image, 20.0, 20.0)[0] & FAILURE
