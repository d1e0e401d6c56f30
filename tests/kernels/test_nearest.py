"""The distance to the nearest of some points, against a loop a person can read."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondlight.kernels.nearest import greatest_distance


def twin(good, xs, ys, points):
    """The definition."""
    distances = [
        min(math.hypot(x - px, y - py) for px, py in points)
        for j, y in enumerate(ys)
        for i, x in enumerate(xs)
        if good[j, i]
    ]
    return max(distances)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_twin(seed, n):
    rng = np.random.default_rng(seed)
    good = rng.random((4, 5)) < 0.5
    good[rng.integers(4), rng.integers(5)] = True
    xs, ys = 8.0 * np.arange(5), 3.0 + 8.0 * np.arange(4)
    points = rng.uniform(-5, 45, (n, 2))
    found = greatest_distance(good, xs, ys, points[:, 0].copy(), points[:, 1].copy())
    assert found == pytest.approx(twin(good, xs, ys, points), rel=1e-14)


def test_a_place_that_does_not_count_is_left_out():
    xs, ys = np.array([0.0, 100.0]), np.array([0.0])
    star = np.array([1.0]), np.array([0.0])
    assert greatest_distance(np.array([[True, True]]), xs, ys, *star) == 99.0
    assert greatest_distance(np.array([[True, False]]), xs, ys, *star) == 1.0


@pytest.mark.parametrize(("good", "n"), [(False, 1), (True, 0)])
def test_nothing_to_measure(good, n):
    zeros = np.zeros(1)
    assert math.isnan(greatest_distance(np.array([[good]]), zeros, zeros, np.zeros(n), np.zeros(n)))
