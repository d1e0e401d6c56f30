"""Clipped means in rings against the statistics of the whole package, and rings without pixels."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from secondlight.kernels.local_background import NO_GOOD_PIXELS, clipped_moments, local_backgrounds, quantiles
from secondlight.kernels.pixels import Pixels
from secondlight.model.statistics import ImageStatistics

rng = np.random.default_rng(5)
SHAPE = 60, 70
PIXELS = Pixels.of(
    np.where(rng.random(SHAPE) < 0.05, 500, rng.normal(3, 10, SHAPE)).astype(np.float32),
    rng.choice([0, 0, 0, 1, 4], SHAPE).astype(np.int32),
    np.ones(SHAPE, np.float32),
)


def measure(x, y, inner=5.0, outer=12.0, pixels=PIXELS, bad=1):
    arguments = [np.array([v], float) for v in (x, y, inner, outer)]
    mean, stdev, flags = np.empty(1), np.empty(1), np.empty(1, np.int64)
    with np.errstate(all="ignore"):
        local_backgrounds(pixels, *arguments, bad, 3.0, 3, mean, stdev, flags)
    return mean[0], stdev[0], flags[0]


@given(hnp.arrays(np.float32, st.integers(1, 60), elements=st.floats(-100, 100, width=32), unique=True))
@settings(max_examples=60)
def test_clipping(values):
    """Twin: the statistics of images. (Among equal values the scatter may be zero, and rounding decides what is within it.)"""
    statistics = ImageStatistics(values).clipped
    with np.errstate(all="ignore"):
        mean, stdev = clipped_moments(values, 3.0, 3, np.empty_like(values))
        expected = statistics.mean, math.sqrt(statistics.variance) if statistics.variance >= 0 else math.nan
    np.testing.assert_allclose((mean, stdev), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", [2, 7, 100])
def test_clipping_of_equal_values(n):
    values = np.full(n, 3.25, np.float32)
    assert clipped_moments(values, 3.0, 3, np.empty_like(values)) == (3.25, 0.0)


@given(hnp.arrays(np.float32, st.integers(1, 40), elements=st.floats(-9, 9, width=32)), st.floats(0, 1))
@settings(max_examples=60)
def test_quantile(values, fraction):
    """Twin: NumPy's linear quantile."""
    expected = np.quantile(values.astype(float), fraction)
    found = np.empty(1)
    quantiles(values, np.array([fraction]), np.empty_like(values), found)
    assert found[0] == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("x", "y"), [(30.2, 31.7), (3.0, 55.5), (-8.0, 20.0)])
def test_twin(x, y):
    """Twin: pixels whose centres are in the ring, clipped."""
    gy, gx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    r2 = (gx - x) ** 2 + (gy - y) ** 2
    use = (r2 <= 144) & ~(r2 <= 25) & (PIXELS.mask & 1 == 0)
    expected = ImageStatistics(PIXELS.image[use]).clipped
    mean, stdev, flag = measure(x, y)
    assert flag == 0
    assert mean == pytest.approx(expected.mean, rel=1e-9)
    assert stdev == pytest.approx(math.sqrt(expected.variance), rel=1e-9)


def test_nothing_left():
    nowhere = [(200.0, 20.0), (math.nan, 20.0), (1e30, 20.0)]
    for x, y in nowhere:
        assert measure(x, y)[2] == NO_GOOD_PIXELS
    assert measure(30, 30, bad=-1, pixels=PIXELS._replace(mask=np.ones(SHAPE, np.int32)))[2] == NO_GOOD_PIXELS
    assert measure(30, 30, outer=math.nan)[2] == NO_GOOD_PIXELS
    mean, stdev, _ = measure(30, 30, inner=12, outer=5)
    assert np.isnan([mean, stdev]).all()


def test_pixels_that_are_not_finite_are_left_out():
    image = PIXELS.image.copy()
    image[30, 40] = math.nan
    assert measure(30, 30, pixels=PIXELS._replace(image=image))[2] == 0
    assert math.isfinite(measure(30, 30, pixels=PIXELS._replace(image=image))[0])
