"""Order statistics against sorting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from secondlight.kernels.order_statistics import order_statistics, select

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


def check(values):
    n = len(values)
    ranks = np.array([n // 4, min(n // 4 + 1, n - 1), n // 2, n - 1, 0, 3 * n // 4])
    out, before = np.empty(len(ranks), np.float32), values.copy()
    order_statistics(values, ranks, np.empty(n, np.float32), out)
    np.testing.assert_array_equal(out, np.sort(values)[ranks])
    np.testing.assert_array_equal(values, before)


@given(arrays(np.float32, st.integers(1, 400), elements=FINITE))
def test_any_values(values):
    check(values)


@pytest.mark.parametrize("n", [1, 2, 127, 128, 1590, 5000])
def test_noise_with_a_bright_star(n):
    rng = np.random.default_rng(n)
    values = rng.normal(0, 30, n).astype(np.float32)
    values[::17] += 1e5
    check(values)


def test_few_distinct_values():
    check(np.full(500, 3.5, np.float32))
    check(np.repeat(np.float32([1, 2, -7]), 200))
    check(np.float32([-3e38, 3e38] * 100))
    check(np.float32([0.0, 1e-45] * 100))


@given(arrays(np.float32, st.integers(1, 60), elements=FINITE), st.data())
def test_select(values, data):
    k = data.draw(st.integers(0, len(values) - 1))
    ordered = np.sort(values)
    select(values, k)
    assert values[k] == ordered[k]
    assert (values[:k] <= values[k]).all()
