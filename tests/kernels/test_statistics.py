"""Twins of the selection kernels."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from secondlight.kernels.statistics import radix_select, selected_sums, selected_values

NO_MASK = np.zeros(0, np.int32)


def select(values, mask, bad, only_finite):
    good = (mask & bad) == 0
    if only_finite:
        good &= np.isfinite(values)
    return values[good]


pixels = arrays(np.float32, st.integers(1, 60), elements=st.floats(width=32))


@settings(max_examples=60)
@given(pixels, st.integers(0, 7), st.booleans())
def test_selected_values(values, bad, only_finite):
    mask = np.random.default_rng(1).integers(0, 8, len(values)).astype(np.int32)
    expected = select(values, mask, bad, only_finite)
    out = np.empty_like(values)
    n, n_nan = selected_values(values, mask, bad, only_finite, out)
    np.testing.assert_array_equal(out[:n], expected)
    assert n_nan == np.isnan(expected).sum()


@settings(max_examples=60)
@given(pixels, st.integers(0, 3))
def test_radix_select(values, bad):
    mask = np.random.default_rng(2).integers(0, 4, len(values)).astype(np.int32)
    ordered = np.sort(select(values, mask, bad, True))
    if len(ordered):
        ranks = np.array([0, len(ordered) // 3, len(ordered) // 2, len(ordered) - 1])
        # equality of values: zeros of either sign are one value
        np.testing.assert_array_equal(radix_select(values, mask, bad, True, ranks), ordered[ranks])


def test_selected_sums():
    rng = np.random.default_rng(3)
    values = rng.normal(100, 5, 500).astype(np.float32)
    values[7] = np.nan
    values[8] = np.inf
    mask = rng.integers(0, 8, 500).astype(np.int32)
    good = select(values, mask, 5, True).astype(np.float64)
    good = good[abs(good - 101) <= 4]
    expected = (len(good), (good - 101).sum(), ((good - 101) ** 2).sum(), good.min(), good.max())
    np.testing.assert_allclose(selected_sums(values, mask, 5, True, 101.0, 4.0), expected, rtol=1e-12)
    assert np.isnan(selected_sums(values, NO_MASK, 0, False, 0.0, np.inf)[1])
    assert selected_sums(values, NO_MASK, 0, True, 0.0, -1.0)[0] == 0
