"""Values between pixels: against the sum of the kernel, on a smooth image, and at the edge."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondlight.kernels.peak_likelihood import OFF_IMAGE, interpolated_values
from secondlight.kernels.pixels import Pixels

GY, GX = np.mgrid[:40, :50]
PIXELS = Pixels.of(
    (100 * np.exp(-0.5 * ((GX - 25.3) ** 2 + (GY - 20.4) ** 2) / 6)).astype(np.float32),
    np.zeros(GX.shape, np.int32),
    np.random.default_rng(2).uniform(1, 9, GX.shape).astype(np.float32),
)


def measure(x, y, order=4):
    out, flags = np.empty((1, 2)), np.empty(1, np.int64)
    interpolated_values(PIXELS, np.array([x], float), np.array([y], float), order, out, flags)
    return out[0, 0], out[0, 1], flags[0]


@given(x=st.floats(5, 44), y=st.floats(5, 34), order=st.sampled_from([2, 3, 4, 5]))
@settings(max_examples=40)
def test_twin(x, y, order):
    """Twin: the Lanczos function at all pixels, normalised along each axis."""

    def weights(at, n):
        u = np.arange(n) - at
        reach = math.floor(at + 0.5) + np.arange(1 - order, order + 1) - (at < math.floor(at + 0.5))
        w = np.where(np.isin(np.arange(n), reach), np.sinc(u) * np.sinc(u / order), 0)
        return w / w.sum()

    wx, wy = weights(x, 50), weights(y, 40)
    value, variance, flag = measure(x, y, order)
    assert flag == 0
    assert value == pytest.approx(wy @ PIXELS.image.astype(float) @ wx, rel=1e-7, abs=1e-7)
    assert variance == pytest.approx(wy**2 @ PIXELS.variance.astype(float) @ wx**2, rel=1e-7)


def test_smooth_image():
    """Property: a well-sampled image is known between its pixels."""
    value, _, _ = measure(25.3, 20.4)
    assert value == pytest.approx(100, rel=3e-3)
    value, variance, _ = measure(25, 20)
    assert value == PIXELS.image[20, 25] and variance == pytest.approx(PIXELS.variance[20, 25])


@pytest.mark.parametrize(("x", "y"), [(1, 20), (48.6, 20), (25, 38), (-1, 20), (math.nan, 20), (25, 1e300)])
def test_off_the_image(x, y):
    value, variance, flag = measure(x, y)
    assert flag == OFF_IMAGE and np.isnan([value, variance]).all()
