"""The median variance in an ellipse: kernel against its NumPy twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from secondlight.kernels import variance as k
from secondlight.kernels.pixels import Pixels

NY, NX = 40, 50


def run(pixels, x, y, xx, yy, xy, scale=5.0, bad=1):
    value, flags = np.empty(1), np.empty(1, np.int32)
    k.variances(pixels, *(np.array([v], float) for v in (x, y, xx, yy, xy)), scale, bad, value, flags)
    return value[0], flags[0]


def scene(seed=1):
    rng = np.random.default_rng(seed)
    return Pixels(
        np.zeros((NY, NX), np.float32),
        rng.choice([0, 0, 1, 2], (NY, NX)).astype(np.int32),
        rng.uniform(1, 100, (NY, NX)).astype(np.float32),
    )


@given(
    x=st.floats(-20, 70),
    y=st.floats(-20, 60),
    a=st.floats(0.1, 8.0),
    q=st.floats(0.1, 1.0),
    theta=st.floats(0, np.pi),
    seed=st.integers(0, 99),
)
@settings(max_examples=80)
def test_twin(x, y, a, q, theta, seed):
    """Twin: an ellipse holds the pixels where dᵀQ⁻¹d ≤ 1."""
    c, s = np.cos(theta), np.sin(theta)
    xx, yy, xy = a * a * (c * c + q * q * s * s), a * a * (s * s + q * q * c * c), a * a * (1 - q * q) * s * c
    pixels = scene(seed)
    gy, gx = np.mgrid[:NY, :NX]
    inverse = np.linalg.inv(25 * np.array([[xx, xy], [xy, yy]]))
    d = np.stack([gx - x, gy - y])
    radius = np.einsum("iyx,ij,jyx->yx", d, inverse, d)
    chosen = (radius <= 1) & (pixels.mask & 1 == 0)
    value, flags = run(pixels, x, y, xx, yy, xy)
    if np.any(np.abs(radius - 1) < 1e-9):
        return  # rounding decides about a pixel on the rim
    if chosen.any():
        assert flags == 0
        assert value == np.median(pixels.variance[chosen])
    else:
        assert flags == k.FAILURE | k.EMPTY
        assert np.isnan(value)


@given(hnp.arrays(np.float32, st.integers(1, 60), elements=st.floats(-1e6, 1e6, width=32)))
def test_median(values):
    """Twin: NumPy's median of float32, to the bit."""
    assert np.float32(k.median_float32(values.copy())) == np.median(values)


def test_median_of_nan_is_nan():
    assert np.isnan(k.median_float32(np.array([1, np.nan, 3], np.float32)))


@pytest.mark.parametrize(
    ("x", "xx", "xy", "expected"),
    [
        (np.nan, 2.0, 0.0, k.FAILURE),
        (20.0, np.nan, 0.0, k.FAILURE | k.EMPTY),
        (20.0, 2.0, 3.0, k.FAILURE),
        (20.0, -2.0, 0.0, k.FAILURE),
        (500.0, 2.0, 0.0, k.FAILURE | k.EMPTY),
    ],
)
def test_failures(x, xx, xy, expected):
    """No position, no shape, no ellipse, a negative size, off the image."""
    value, flags = run(scene(), x, 20.0, xx, 2.0, xy)
    assert np.isnan(value)
    assert flags == expected


def test_huge_ellipse_costs_no_more_than_the_image():
    """An absurd shape takes the median of the whole image."""
    pixels = scene()
    value, flags = run(pixels, 20.0, 20.0, 1e12, 1e12, 0.0)
    assert flags == 0
    assert value == np.median(pixels.variance[pixels.mask & 1 == 0])
