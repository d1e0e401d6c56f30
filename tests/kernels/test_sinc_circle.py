"""Circles whose weights are made between the pixels: against a twin, against fine integration, at edges, and centred."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.apertures import gaussian, integral, pixels
from secondlight.kernels.sinc_aperture import (
    APERTURE_TRUNCATED,
    SINC_COEFFS_TRUNCATED,
    circular_sinc_coefficients,
    sinc_fluxes,
    sinc_transform,
)
from secondlight.kernels.sinc_circle import circle_weights, exact_sinc_fluxes

RADII = [3.0, 4.5, 6.0, 9.0, 12.0]


def measure(image, variance, radius, x, y, x0=0, y0=0):
    x, y = np.atleast_1d(np.asarray(x, float)), np.atleast_1d(np.asarray(y, float))
    out, flags = np.full((len(x), 2), np.nan), np.full(len(x), -1)
    exact_sinc_fluxes(pixels(image, variance), x0, y0, *circle_weights(radius), radius, x, y, out, flags)
    return out, flags


def twin(radius, fx, fy):
    """The sum of all waves of a circle's transform, at pixels that lie a fraction beside its centre."""
    transform = sinc_transform(radius, radius, 0.0)
    n = len(transform)
    k = np.arange(n) - n // 2
    along_x, along_y = (np.exp(2j * math.pi * np.outer(k - f, k) / n) for f in (fx, fy))
    return (along_y @ transform @ along_x.T).real / n**2


@pytest.mark.parametrize("radius", [0.7, 2.5, *RADII, 20.0])
@pytest.mark.parametrize("fx, fy", [(0.0, 0.0), (-0.5, 0.499), (0.21, -0.37)])
def test_twin(radius, fx, fy):
    rng = np.random.default_rng(3)
    image = rng.normal(0, 1, (131, 133)).astype(np.float32)
    variance = rng.uniform(1, 2, image.shape).astype(np.float32)
    out, flags = measure(image, variance, radius, 1066 + fx, 65 + fy, x0=1000)
    weights = twin(radius, fx, fy)
    half = len(weights) // 2
    box = np.s_[65 - half : 66 + half, 66 - half : 67 + half]
    assert flags[0] == 0
    assert out[0, 0] == pytest.approx(
        (image[box] * weights).sum(), abs=1e-6 * np.abs(image[box] * weights).sum()
    )
    assert out[0, 1] == pytest.approx(math.sqrt((variance[box] * weights**2).sum()), rel=1e-6)


@pytest.mark.parametrize("radius", RADII)
@given(x=st.floats(39.5, 40.5), y=st.floats(39.5, 40.5))
def test_integrates_a_band_limited_image(radius, x, y):
    """To 1e-5, wherever between the pixels the circle lies."""
    # weights of radius 3 reach 7 pixels: a star of σ 2 has 2e-4 of its light beyond
    sigma = 1.5 if radius == 3.0 else 2.0
    image = gaussian(81, 81, 40.3, 39.8, sigma=sigma)
    out, flags = measure(image, np.ones_like(image), radius, x, y)
    assert flags[0] == 0
    assert out[0, 0] == pytest.approx(integral(40.3, 39.8, x, y, radius, radius, 0.0, sigma), rel=1e-5)


@pytest.mark.parametrize("sigma, error", [(1.5, 1e-6), (2.0, 3e-5), (2.5, 2e-4)])
def test_light_beyond_the_weights(sigma, error):
    """Of the smallest radius, whose weights are the first to end before a star does."""
    for dx, dy in np.random.default_rng(1).uniform(-0.5, 0.5, (20, 2)):
        image = gaussian(81, 81, 40 + dx, 40 + dy, sigma=sigma)
        out, _ = measure(image, np.ones_like(image), 3.0, 40 + dx, 40 + dy)
        assert out[0, 0] == pytest.approx(integral(0, 0, 0, 0, 3.0, 3.0, 0.0, sigma), rel=error)


@pytest.mark.parametrize("radius", RADII)
def test_better_than_a_shift(radius):
    """The reference's way errs more, by what docs/deviations.md says."""
    worst = np.zeros(2)
    for dx, dy in np.random.default_rng(1).uniform(-0.5, 0.5, (20, 2)):
        image = gaussian(81, 81, 40 + dx, 40 + dy)
        expected = integral(0, 0, 0, 0, radius, radius, 0.0)
        out, _ = measure(image, np.ones_like(image), radius, 40 + dx, 40 + dy)
        shifted, flags = np.empty((1, 2)), np.empty(1, np.int64)
        sinc_fluxes(
            pixels(image, np.ones_like(image)), 0, 0, circular_sinc_coefficients(radius), 5, radius,
            np.array([40 + dx]), np.array([40 + dy]), shifted, flags,
        )  # fmt: skip
        worst = np.maximum(worst, np.abs([out[0, 0] / expected - 1, shifted[0, 0] / expected - 1]))
    assert worst[0] < 0.1 * worst[1] < 0.1 * 0.03


@pytest.mark.parametrize("radius", RADII)
def test_centred_weights_are_those_of_the_reference(radius):
    image = np.random.default_rng(2).normal(0, 1, (81, 83)).astype(np.float32)
    variance = np.ones_like(image)
    ours, bits = measure(image, variance, radius, [40, 12], [40, 39])
    out, flags = np.empty((2, 2)), np.empty(2, np.int64)
    sinc_fluxes(
        pixels(image, variance), 0, 0, circular_sinc_coefficients(radius), 5, radius,
        np.array([40.0, 12.0]), np.array([40.0, 39.0]), out, flags,
    )  # fmt: skip
    np.testing.assert_allclose(ours, out, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(bits, flags)


def test_edge():
    image = gaussian(60, 60, 10, 30)
    variance = np.ones_like(image)
    # weights of radius 6 reach 15 pixels from the centre, the aperture itself 6
    x = [30, 15, 14, 6, 5, -40, math.nan, math.inf, -1e300]
    out, flags = measure(image, variance, 6.0, x, [30.0] * 9)
    clipped = SINC_COEFFS_TRUNCATED
    assert flags.tolist() == [0, 0, clipped, clipped, *[clipped | APERTURE_TRUNCATED] * 5]
    assert np.isfinite(out[:4]).all() and np.isnan(out[4:]).all()
    # of the weights that are left, the flux is the sum
    c = circular_sinc_coefficients(6.0)
    assert out[2, 0] == pytest.approx((image[15:46, :30] * c[:, 1:].astype(float)).sum(), rel=1e-5)


def test_negative_variance_gives_no_error():
    image = np.ones((60, 60), np.float32)
    out, _ = measure(image, -image, 6.0, 30.2, 30.4)
    assert np.isfinite(out[0, 0]) and np.isnan(out[0, 1])
