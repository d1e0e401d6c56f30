"""Statistics against their definitions."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from secondlight.model.statistics import ImageStatistics


def clip(values, sigma, n_iter):
    center = np.median(values)
    quartiles = np.percentile(values, [25, 75])
    half = sigma * 0.741301109252802 * (quartiles[1] - quartiles[0])
    for _ in range(n_iter):
        inside = values[abs(values - center) <= half]
        center, half = inside.mean(), sigma * inside.std(ddof=1)
    return inside


@pytest.mark.parametrize("shape", [(30, 41), (400, 401)])
def test_definitions(shape):
    rng = np.random.default_rng(5)
    image = rng.normal(1000, 30, shape).astype(np.float32)
    image[rng.random(shape) < 0.05] += 5000
    image[3, 4] = np.nan
    mask = (rng.random(shape) < 0.1).astype(np.int32) * 4
    good = image[(mask == 0) & np.isfinite(image)].astype(np.float64)
    stats = ImageStatistics(image, mask, and_mask=4)
    assert stats.n == len(good)
    assert stats.mean == pytest.approx(good.mean(), rel=1e-13)
    assert stats.variance == pytest.approx(good.var(ddof=1), rel=1e-12)
    assert stats.quartiles == pytest.approx(np.percentile(good, [25, 50, 75]), rel=1e-14)
    inside = clip(good, 3, 3)
    assert stats.mean_clip == pytest.approx(inside.mean(), rel=1e-13)
    assert stats.stdev_clip == pytest.approx(inside.std(ddof=1), rel=1e-12)
    assert stats.n_clipped == len(good) - len(inside) > 0
    assert stats.sum == pytest.approx(good.sum(), rel=1e-13)
    assert stats.mean_square == pytest.approx((good**2).mean(), rel=1e-12)
    assert (stats.moments.minimum, stats.moments.maximum) == (good.min(), good.max())


def test_errors_of_statistics():
    values = np.random.default_rng(6).normal(5, 2, 1000).astype(np.float32)
    stats = ImageStatistics(values)
    n, var = len(values), float(values.astype(np.float64).var(ddof=1))
    assert stats.value("MEAN")[1] == pytest.approx(scipy.stats.sem(values.astype(np.float64)))
    assert stats.value("MEDIAN")[1] == pytest.approx(math.sqrt(math.pi / 2 * var / n))
    assert stats.value("VARIANCE")[1] == pytest.approx(math.sqrt(2 * (n - 1) * var**2 / n**2))
    assert stats.value("STDEV")[1] == pytest.approx(0.5 * stats.value("VARIANCE")[1] / math.sqrt(var))
    assert stats.value("MEANCLIP") == (stats.mean_clip, stats.clipped.mean_error)


def test_every_name_gives_its_value():
    stats = ImageStatistics(np.arange(11, dtype=np.float32))
    five = dict.fromkeys(["MEAN", "MEANCLIP", "MEDIAN", "IQRANGE"], 5)
    stdev = dict.fromkeys(["STDEV", "STDEVCLIP"], math.sqrt(11))
    variance = dict.fromkeys(["VARIANCE", "VARIANCECLIP"], 11)
    others = {"SUM": 55, "MEANSQUARE": 35, "MIN": 0, "MAX": 10, "NPOINT": 11, "NCLIPPED": 0}
    expected = five | stdev | variance | others
    assert {name: stats.value(name)[0] for name in expected} == pytest.approx(expected)
    with pytest.raises(ValueError, match="MODE"):
        stats.value("MODE")


@settings(max_examples=50)
@given(arrays(np.float32, st.integers(1, 40), elements=st.floats(-1e6, 1e6, width=32)))
def test_median_is_numpys(values):
    assert ImageStatistics(values).median == pytest.approx(
        np.median(values.astype(np.float64)), rel=1e-6, abs=1e-30
    )


def test_degenerate():
    one = ImageStatistics(np.array([4.0], np.float32))
    assert one.median == one.mean == one.mean_clip == 4
    assert math.isnan(one.variance)
    none = ImageStatistics(np.array([np.nan], np.float32))
    assert none.n == 0
    assert math.isnan(none.median)
    assert math.isnan(none.mean_clip)
    assert none.n_clipped == 0
    unsafe = ImageStatistics(np.array([1, 2, np.nan], np.float32), nan_safe=False)
    assert math.isnan(unsafe.median)
    assert math.isnan(unsafe.mean_clip)
    with pytest.raises(ValueError, match="no statistics"):
        ImageStatistics(np.zeros((0, 3), np.float32))
    with pytest.raises(ValueError, match="does not fit"):
        ImageStatistics(np.zeros((2, 3), np.float32), np.zeros((3, 2), np.int32))


def test_constant_image():
    stats = ImageStatistics(np.full((20, 20), 0.1, np.float32))
    assert stats.mean_clip == pytest.approx(0.1)
    assert stats.stdev_clip == pytest.approx(0, abs=1e-9)
