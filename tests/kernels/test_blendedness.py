"""Gaussian-weighted moments and dot products against twins in whole arrays."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import erfc

from secondlight.kernels.blendedness import N_MOMENTS, dot_products, noise_bias_table, weighted_moments
from secondlight.kernels.pixels import Pixels

rng = np.random.default_rng(4)
SHAPE = 40, 50
PIXELS = Pixels.of(
    rng.normal(1, 10, SHAPE).astype(np.float32),
    np.zeros(SHAPE, np.int32),
    rng.uniform(50, 150, SHAPE).astype(np.float32),
)


def measure(x, y, xx, yy, xy, pixels=PIXELS):
    out = np.empty((1, N_MOMENTS))
    with np.errstate(all="ignore"):
        weighted_moments(
            pixels, *(np.array([v], float) for v in (x, y, xx, yy, xy)), 3.0, noise_bias_table(), out
        )
    return out[0]


def denoised(value, variance):
    """Absolute value less its bias, of the expected true value (Bosch et al. 2018)."""
    sigma = np.sqrt(variance)
    mu = value + sigma / math.sqrt(2 * math.pi) * np.exp(-0.5 * value**2 / variance) / (
        0.5 * erfc(-value / sigma / math.sqrt(2))
    )
    bias = math.sqrt(2 / math.pi) * sigma * np.exp(-0.5 * mu**2 / variance)
    return np.abs(value) - bias + mu * erfc(mu / sigma / math.sqrt(2))


@given(
    x=st.floats(-2, 52), y=st.floats(-2, 42), a=st.floats(1, 5), q=st.floats(0.5, 1), theta=st.floats(0, 3)
)
@settings(max_examples=40)
def test_twin(x, y, a, q, theta):
    b, cos, sin = a * q, math.cos(theta), math.sin(theta)
    xx, yy = (a * cos) ** 2 + (b * sin) ** 2, (a * sin) ** 2 + (b * cos) ** 2
    xy = (a * a - b * b) * cos * sin
    gy, gx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    dx, dy = gx - x, gy - y
    rho2 = (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / (xx * yy - xy * xy)
    # whether a pixel on the very edge counts is a matter of rounding
    assume(np.abs(rho2 - 9).min() > 1e-9)
    use = rho2 <= 9
    w = np.exp(-0.5 * rho2[use])
    found = measure(x, y, xx, yy, xy)
    image, variance = PIXELS.image[use].astype(float), PIXELS.variance[use].astype(float)
    for i, values in ((0, image), (4, denoised(image, variance))):
        f = w * values
        flux = w.sum() * f.sum() / (w**2).sum()
        assert found[i] == pytest.approx(flux if i == 0 else max(flux, 0), abs=1e-6)
        moments = [2 * (f * d)[...].sum() for d in (dx[use] ** 2, dy[use] ** 2, (dx * dy)[use])]
        np.testing.assert_allclose(found[i + 1 : i + 4] * f.sum(), moments, atol=1e-5)


def test_gaussian_has_its_flux_and_shape():
    """Property: of a Gaussian weighted by itself, up to three sigma."""
    gy, gx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    dx, dy = gx - 25.3, gy - 20.4
    image = 5e5 / (2 * np.pi * np.sqrt(32 - 4)) * np.exp(-0.5 * (4 * dx**2 - 4 * dx * dy + 8 * dy**2) / 28)
    found = measure(25.3, 20.4, 8, 4, 2, PIXELS._replace(image=image.astype(np.float32)))
    # of the weight a fraction exp(-4.5) is cut off
    np.testing.assert_allclose(found[[0, 4]], 5e5 * (1 - math.exp(-4.5)), rtol=2e-3)
    np.testing.assert_allclose(found[1:4], [8, 4, 2], rtol=0.08)
    np.testing.assert_allclose(found[5:8], found[1:4], rtol=1e-3)


@pytest.mark.parametrize(
    "signal_to_noise", [-60.0, -16.001, -15.99, -3.3, -1e-3, 0.0, 1e-3, 0.7, 2.01, 5.999, 6.001]
)
def test_absolute_value_of_any_pixel(signal_to_noise):
    """Twin: the formula itself, within and beyond the table's range."""
    value, variance = np.float32(10.0 * signal_to_noise), np.float32(100.0)
    pixels = Pixels.of(np.full((9, 9), value), np.zeros((9, 9), np.int32), np.full((9, 9), variance))
    # the weighted mean of pixels that are all the same, by the first two results
    found = measure(4, 4, 0.1, 0.1, 0, pixels)
    expected = (
        denoised(np.float64(value), np.float64(variance))
        if signal_to_noise > -37
        else 600 - 10 * math.sqrt(2 / math.pi)
    )
    assert found[4] == pytest.approx(max(expected, 0.0), rel=1e-8, abs=1e-7)


def test_pure_noise_has_less_absolute_flux():
    """Property: a third of what noise adds to absolute values is taken off again."""
    noise = np.random.default_rng(1).normal(0, 10, (300, 300)).astype(np.float32)
    pixels = Pixels.of(noise, np.zeros_like(noise, np.int32), np.full_like(noise, 100))
    found = measure(150, 150, 900, 900, 0, pixels)
    assert 0.6 < found[4] / (np.abs(noise).mean() * 4 * np.pi * 900) < 0.75


@pytest.mark.parametrize(
    "arguments",
    [
        (math.nan, 20, 4, 4, 0),
        (20, 1e300, 4, 4, 0),
        (20, 20, 4, 4, 4),
        (20, 20, math.nan, 4, 0),
        (20, 20, -4, -4, 0),
    ],
)
def test_nothing_to_measure(arguments):
    assert np.isnan(measure(*arguments)).all()


def test_off_the_image():
    """No pixel under the weight: no flux, no shape."""
    assert np.isnan(measure(200, 20, 4, 4, 0)[[0, 1, 5]]).all()


def test_dot_products():
    """A child with half of the light, one without pixels, one of zeros, and one partly off the image."""
    spans = np.array([[12, 13, 16], [13, 12, 15], [9, 10, 11], [9, 10, 12], [10, 7, 12]], np.int32)
    span_offsets, heavy_offsets = np.array([0, 2, 3, 4, 5]), np.array([0, 8, 8, 11, 17])
    image = PIXELS.image
    child = np.r_[image[2, 3:7], image[3, 2:6]] / np.float32(2)
    edge = np.arange(1, 7, dtype=np.float32)
    heavy = np.concatenate([child, np.zeros(3, np.float32), edge])
    out = np.empty(4)
    dot_products(image, 10, 10, span_offsets, spans, heavy_offsets, heavy, out)
    assert out[:3].tolist() == [pytest.approx(1, rel=1e-6), 0, 0]
    p, c = image[0, :3].astype(float), edge[3:].astype(float)
    assert out[3] == pytest.approx((c * (p - c)).sum() / (c * c).sum(), rel=1e-9)
