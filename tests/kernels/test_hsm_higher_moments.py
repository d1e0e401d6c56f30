"""Moments of higher order against a twin in whole arrays, and of a Gaussian, where they are known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondlight.kernels.hsm_higher_moments import higher_moments, moment_orders, stack_higher_moments
from secondlight.kernels.pixels import Pixels

rng = np.random.default_rng(6)
SHAPE = 40, 50
GY, GX = np.mgrid[: SHAPE[0], : SHAPE[1]]
PIXELS = Pixels.of(
    (1000 * np.exp(-np.hypot(GX - 25.2, GY - 19.6) / 3) + rng.normal(0, 3, SHAPE)).astype(np.float32),
    rng.choice([0] * 9 + [2], SHAPE).astype(np.int32),
    np.ones(SHAPE, np.float32),
)
ORDERS = moment_orders(3, 4)


def measure(x, y, shape, box=(5, 36, 8, 44), bad=0, zero=False, orders=(3, 4)):
    out = np.empty((1, len(moment_orders(*orders))))
    with np.errstate(all="ignore"):
        higher_moments(
            PIXELS, np.array([0]), bad, zero, np.array([box]), np.array([x]), np.array([y]), np.array([shape]),
            *orders, out,
        )  # fmt: skip
    return out[0]


def twin(image, masked, x, y, shape, orders, zero):
    """Standardise by the inverse root of the matrix of moments, from its eigenvectors."""
    gy, gx = np.mgrid[: image.shape[0], : image.shape[1]]
    values, vectors = np.linalg.eigh([[shape[0], shape[2]], [shape[2], shape[1]]])
    root = vectors @ np.diag(values**-0.5) @ vectors.T
    sx, sy = np.einsum("ij,jyx->iyx", root, np.stack([gx - x, gy - y]))
    weight = np.exp(-0.5 * (sx**2 + sy**2))
    f = weight * image
    if masked.any():
        f[masked] = 0 if zero else weight[masked] ** 2 * image[~masked].sum() / weight[~masked].sum()
    return [(sx**p * sy**q * f).sum() / f.sum() for p, q in orders]


def test_orders():
    """In the order of the columns: 03, 12, 21, 30, 04 …"""
    assert " ".join(f"{p}{q}" for p, q in ORDERS) == "03 12 21 30 04 13 22 31 40"


@given(
    x=st.floats(23, 27), y=st.floats(18, 22), a=st.floats(1.5, 5), q=st.floats(0.5, 1), theta=st.floats(0, 3),
    bad=st.sampled_from([0, 2]), zero=st.booleans(),
)  # fmt: skip
@settings(max_examples=40)
def test_twin(x, y, a, q, theta, bad, zero):
    b, cos, sin = a * q, math.cos(theta), math.sin(theta)
    shape = (a * cos) ** 2 + (b * sin) ** 2, (a * sin) ** 2 + (b * cos) ** 2, (a * a - b * b) * cos * sin
    region = np.s_[5:36, 8:44]
    image, masked = PIXELS.image[region].astype(float), PIXELS.mask[region] & bad != 0
    expected = twin(image, masked, x - 8, y - 5, shape, ORDERS, zero)
    np.testing.assert_allclose(measure(x, y, shape, bad=bad, zero=zero), expected, rtol=1e-7, atol=1e-9)


def test_other_orders():
    shape = 8.0, 6.0, 1.0
    expected = twin(PIXELS.image.astype(float), PIXELS.mask < 0, 25, 20, shape, moment_orders(0, 6), False)
    found = measure(25.0, 20.0, shape, (0, 40, 0, 50), orders=(0, 6))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
    assert found[0] == 1


def test_gaussian():
    """Property: of a Gaussian under its own weight, odd moments vanish, M40 = 3/4, M22 = 1/4."""
    gy, gx = np.mgrid[:41, :41]
    dx, dy = gx - 20.3, gy - 19.8
    images = np.exp(-0.5 * (5 * dx**2 - 2 * dx * dy + 4 * dy**2) / 19)[None]
    out = np.empty((1, 9))
    stack_higher_moments(images, np.array([20.3]), np.array([19.8]), np.array([[4.0, 5.0, 1.0]]), 3, 4, out)
    np.testing.assert_allclose(out[0], [0, 0, 0, 0, 0.75, 0, 0.25, 0, 0.75], atol=1e-6)


@pytest.mark.parametrize(
    ("x", "shape"),
    [
        (25.0, (math.nan, 1.0, 0.0)),
        (25.0, (1.0, 1.0, 1.0)),
        (math.nan, (4.0, 4.0, 0.0)),
        (1e300, (4.0, 4.0, 0.0)),
    ],
)
def test_no_shape(x, shape):
    assert np.isnan(measure(x, 20.0, shape)).all()


def test_far_off():
    """Nothing under the weight: no moments."""
    assert np.isnan(measure(300.0, 20.0, (4.0, 4.0, 0.0))).all()
