"""Sums under the difference of two Gaussians against a twin, and their blindness to a constant."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondlight.kernels.compensated_gaussian import compensated_gaussian_sums
from secondlight.kernels.pixels import Pixels

rng = np.random.default_rng(4)
SHAPE = 60, 70
PIXELS = Pixels.of(
    rng.normal(1, 10, SHAPE).astype(np.float32),
    np.zeros(SHAPE, np.int32),
    rng.uniform(50, 150, SHAPE).astype(np.float32),
)


def measure(x, y, half=16, inner=3.0, outer=6.0, pixels=PIXELS):
    out = np.empty((1, 2))
    compensated_gaussian_sums(pixels, np.array([0]), np.array([x]), np.array([y]), half, inner, outer, out)
    return out[0]


@given(x=st.floats(16, 53.9), y=st.floats(16, 43.9), inner=st.floats(1, 5), ratio=st.floats(1.2, 3))
@settings(max_examples=30)
def test_twin(x, y, inner, ratio):
    region = np.s_[int(y) - 16 : int(y) + 17, int(x) - 16 : int(x) + 17]
    gy, gx = np.mgrid[-16:17, -16:17]
    r2 = (gx - x % 1) ** 2 + (gy - y % 1) ** 2
    w = sum(s * np.exp(-0.5 * r2 / v**2) / (2 * np.pi * v**2) for s, v in ((1, inner), (-1, ratio * inner)))
    image, variance = PIXELS.image[region].astype(float), PIXELS.variance[region].astype(float)
    expected = (w * image).sum(), (w**2 * variance).sum() / (w**2).sum()
    np.testing.assert_allclose(measure(x, y, 16, inner, ratio * inner), expected, rtol=1e-9, atol=1e-9)


def test_constant_and_gaussian():
    """Property: a constant gives nearly nothing; a Gaussian of the inner width what an integral says."""
    flat = PIXELS._replace(image=np.full(SHAPE, 1000, np.float32))
    wide = measure(35.3, 30.2, 27, pixels=flat)[0]
    assert abs(wide) < 1000 * 2e-4
    gy, gx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    star = 1e4 / (2 * np.pi * 9) * np.exp(-0.5 * ((gx - 35.3) ** 2 + (gy - 30.2) ** 2) / 9)
    total = measure(35.3, 30.2, 25, pixels=PIXELS._replace(image=star.astype(np.float32)))[0]
    assert total == pytest.approx(1e4 / (4 * math.pi * 9) * 3 / 5, rel=1e-5)
