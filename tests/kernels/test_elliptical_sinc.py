"""Weights of elliptical apertures from a table against those from the Bessel function itself."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.apertures import gaussian, integral, pixels
from secondlight.kernels.elliptical_sinc import elliptical_sinc_fluxes, elliptical_sinc_weights, weights_size
from secondlight.kernels.pixels import Pixels
from secondlight.kernels.sinc_aperture import (
    APERTURE_TRUNCATED,
    SINC_COEFFS_TRUNCATED,
    circular_sinc_coefficients,
    sinc_coefficients,
    sinc_fluxes,
    sinc_transform,
)
from secondlight.kernels.sinc_circle import circle_weights, exact_sinc_fluxes

rng = np.random.default_rng(7)
SHAPE = 80, 90
PIXELS = Pixels.of(
    rng.normal(10, 3, SHAPE).astype(np.float32),
    np.zeros(SHAPE, np.int32),
    rng.uniform(5, 15, SHAPE).astype(np.float32),
)


def measure(axes, x, y, order=0):
    axes = np.array(axes, float)
    out, flags = np.full((len(axes), 2), np.nan), np.zeros(len(axes), np.int64)
    elliptical_sinc_fluxes(PIXELS, 5, 7, axes, np.add(x, 5.0), np.add(y, 7.0), out, flags, order=order)
    return out, flags


@given(a=st.floats(0.5, 14.9), q=st.floats(0.1, 1), theta=st.floats(-math.pi, math.pi))
@settings(max_examples=25)
def test_twin(a, q, theta):
    """Twin: the interpolation and the real transform change a weight by less than float32 resolves of one."""
    expected = sinc_coefficients(a, a * q, theta)
    axes = np.array([[a, a * q, theta]])
    size = int(weights_size(axes[:, 0])[0])
    weights = elliptical_sinc_weights(axes, size)[0]
    assert weights.shape == expected.shape
    np.testing.assert_allclose(weights, expected, atol=2e-7)


def test_circles():
    """Equal axes are the circle of the other modules, whatever their angle: between the pixels, or shifted."""
    x, y = np.array([40.2, 33.9]), np.array([41.6, 30.0])
    expected, bits = np.full((2, 2), np.nan), np.zeros(2, np.int64)
    exact_sinc_fluxes(PIXELS, 5, 7, *circle_weights(6.0), 6.0, x + 5, y + 7, expected, bits)
    out, flags = measure([[6, 6, 0.3], [6, 6, -1.0]], x, y)
    np.testing.assert_allclose(out, expected, rtol=3e-6)
    assert flags.tolist() == bits.tolist()
    sinc_fluxes(PIXELS, 5, 7, circular_sinc_coefficients(6.0), 5, 6.0, x + 5, y + 7, expected, bits, True)
    out, flags = measure([[6, 6, 0.3], [6, 6, -1.0]], x, y, order=5)
    np.testing.assert_allclose(out, expected, rtol=3e-6)
    assert flags.tolist() == bits.tolist()


@given(
    a=st.floats(4.1, 14.9),
    q=st.floats(0.2, 1),
    theta=st.floats(-math.pi, math.pi),
    x=st.floats(39.5, 40.5),
    y=st.floats(39.5, 40.5),
)
@settings(max_examples=50)
def test_integrates_a_band_limited_image(a, q, theta, x, y):
    """To 1e-5, wherever between the pixels the ellipse lies."""
    image = gaussian(81, 81, 40.3, 39.8)
    out, flags = np.full((1, 2), np.nan), np.zeros(1, np.int64)
    elliptical_sinc_fluxes(
        pixels(image, np.ones_like(image)),
        0,
        0,
        np.array([[a, a * q, theta]]),
        np.array([x]),
        np.array([y]),
        out,
        flags,
    )
    assert flags[0] == 0
    assert out[0, 0] == pytest.approx(integral(40.3, 39.8, x, y, a, a * q, theta), rel=1e-5)


@pytest.mark.parametrize("x, y", [(40.0, 41.0), (40.21, 40.63), (39.5, 41.49)])
def test_shifted_weights_twin(x, y):
    """Twin: the sum of all waves of an ellipse's transform, at pixels that lie a fraction beside its centre."""
    a, b, theta = 6.0, 2.5, 0.7
    transform = sinc_transform(a, b, theta)
    n = len(transform)
    k = np.arange(n) - n // 2
    ix, iy = round(x), round(y)
    along_x, along_y = (np.exp(2j * math.pi * np.outer(k - f, k) / n) for f in (x - ix, y - iy))
    weights = (along_y @ transform @ along_x.T).real / n**2
    box = np.s_[iy - n // 2 : iy + n // 2 + 1, ix - n // 2 : ix + n // 2 + 1]
    out, _ = measure([[a, b, theta]], np.array([x]), np.array([y]))
    terms = PIXELS.image[box] * weights
    assert out[0, 0] == pytest.approx(terms.sum(), abs=1e-6 * np.abs(terms).sum())
    assert out[0, 1] == pytest.approx(math.sqrt((PIXELS.variance[box] * weights**2).sum()), rel=1e-6)


def test_sizes_mixed():
    """Property: many at once are as each alone."""
    axes = [[3, 2, 0.3], [9, 5, 1.3], [4, 4, 0], [12, 3, -0.7], [math.nan] * 3, [5, 2, 2.0]]
    x, y = rng.uniform(38, 42, 6), rng.uniform(38, 42, 6)
    together, _ = measure(axes, x, y)
    alone = np.concatenate([measure([e], x[i : i + 1], y[i : i + 1])[0] for i, e in enumerate(axes)])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(np.isnan(together[:, 0]), [False] * 4 + [True, False])


def test_area_of_a_flat_image():
    """Property: in a flat image the flux is the area times the level."""
    flat = PIXELS._replace(image=np.full(SHAPE, 2, np.float32))
    out, flags = np.full((1, 2), np.nan), np.zeros(1, np.int64)
    elliptical_sinc_fluxes(
        flat, 0, 0, np.array([[8.0, 4.0, 0.5]]), np.array([40.3]), np.array([38.8]), out, flags
    )
    assert out[0, 0] == pytest.approx(2 * math.pi * 32, rel=2e-3)


def test_truncated():
    out, flags = measure([[6, 3, 0.0], [6, 3, 0.0], [100, 5, 0.0]], [3.0, 10.0, 40.0], [40.0, 40.0, 40.0])
    assert flags[0] == APERTURE_TRUNCATED | SINC_COEFFS_TRUNCATED
    assert flags[1] == SINC_COEFFS_TRUNCATED
    # wider than the image: not even tried
    np.testing.assert_array_equal(np.isnan(out[:, 0]), [True, False, True])
