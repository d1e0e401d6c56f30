"""Sums of pixels in circles, against a twin, a peer, and at edges."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.apertures import pixels
from secondlight.kernels.circle_sums import circle_fluxes
from secondlight.kernels.sinc_aperture import APERTURE_TRUNCATED


def circles(image, variance, radii, x, y, x0=0, y0=0):
    x, y = np.atleast_1d(np.asarray(x, float)), np.atleast_1d(np.asarray(y, float))
    out, flags = np.full((len(x), len(radii), 2), np.nan), np.full((len(x), len(radii)), -1)
    circle_fluxes(
        pixels(image, variance),
        x0,
        y0,
        np.array(radii, float),
        x,
        y,
        out,
        flags,
    )
    return out, flags


@settings(max_examples=20)
@given(st.floats(5, 35), st.floats(5, 35), st.lists(st.floats(0.3, 12), min_size=1, max_size=4, unique=True))
def test_circles_twin(x, y, radii):
    rng = np.random.default_rng(1)
    image = rng.normal(0, 1, (40, 41)).astype(np.float32)
    variance = rng.uniform(1, 2, image.shape).astype(np.float32)
    radii = sorted(radii)
    out, flags = circles(image, variance, radii, x + 100, y - 50, 100, -50)
    gy, gx = np.mgrid[:40, :41]
    x, y = x + 100 - 100, y - 50 + 50
    for r, radius in enumerate(radii):
        room = radius**2 - (gy - y) ** 2
        inside = (room >= 0) & (np.abs(gx - x) <= np.sqrt(np.maximum(room, 0.0)))
        # every pixel that the bounding box touches must be on the image; one on its border it may touch or not
        low, high = np.array([x, y]) - radius, np.array([x, y]) + radius
        if np.abs((np.array([low, high]) - 0.5) % 1.0).min() < 1e-9:
            continue
        fits = (low > -0.5).all() and (high < [40.5, 39.5]).all()
        assert flags[0, r] == (0 if fits else APERTURE_TRUNCATED)
        if fits:
            assert out[0, r, 0] == pytest.approx(image[inside].sum(dtype=float), rel=1e-12, abs=1e-12)
            assert out[0, r, 1] == pytest.approx(math.sqrt(variance[inside].sum(dtype=float)), rel=1e-12)
        else:
            assert np.isnan(out[0, r]).all()


def test_circles_hold_pixels_whose_centres_are_inside():
    ones = np.ones((50, 50), np.float32)
    out, _ = circles(ones, ones, [1.0, 1.5, 5.0, 20.0], 25, 25)
    # Gauss's circle problem
    assert out[0, :, 0].tolist() == [5, 9, 81, 1257]


def test_nan_outside_a_circle_does_not_reach_it():
    image = np.ones((60, 60), np.float32)
    image[30, 42] = math.nan
    out, _ = circles(image, np.ones_like(image), [5.0, 10.0, 15.0], 30, 30)
    assert np.isfinite(out[0, :2]).all()
    assert np.isnan(out[0, 2, 0]) and np.isfinite(out[0, 2, 1])


@pytest.mark.parametrize("x", [math.nan, math.inf, -1e300, 1e12])
def test_no_position(x):
    image = np.ones((30, 30), np.float32)
    out, flags = circles(image, image, [2.0, 3.0], x, 15)
    assert np.isnan(out).all()
    assert (flags & APERTURE_TRUNCATED != 0).all()


def test_negative_variance_gives_no_error():
    image = np.ones((60, 60), np.float32)
    out, _ = circles(image, -image, [5.0], 30, 30)
    assert np.isfinite(out[0, 0, 0]) and np.isnan(out[0, 0, 1])


def test_circles_are_photutils():
    """Peer: the sums of photutils over pixels whose centres are inside, and their errors."""
    aperture = pytest.importorskip("photutils.aperture")
    rng = np.random.default_rng(8)
    image = rng.normal(100, 10, (90, 110)).astype(np.float32)
    variance = rng.uniform(50, 150, image.shape).astype(np.float32)
    x, y, radii = rng.uniform(36, 74, 20), rng.uniform(36, 54, 20), [17.0, 25.0, 35.0]
    ours, flags = circles(image, variance, radii, x, y)
    assert not flags.any()
    found = aperture.aperture_photometry(
        image.astype(float),
        [aperture.CircularAperture(np.column_stack([x, y]), r) for r in radii],
        error=np.sqrt(variance.astype(float)),
        method="center",
    )
    for i in range(len(radii)):
        np.testing.assert_allclose(ours[:, i, 0], found[f"aperture_sum_{i}"], rtol=1e-12)
        np.testing.assert_allclose(ours[:, i, 1], found[f"aperture_sum_err_{i}"], rtol=1e-12)
