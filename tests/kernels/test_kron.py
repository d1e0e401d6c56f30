"""Kron radii and elliptical sums against twins in whole arrays; edges, fallbacks and minimum radii."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondlight.kernels import kron as k
from secondlight.kernels.pixels import Pixels

SHAPE = 90, 100


def galaxy(x, y, a, b, theta, exponent=1.0):
    """An image exp(-r**exponent) with elliptical r, of semi-axes a and b."""
    gy, gx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    u = (gx - x) * math.cos(theta) + (gy - y) * math.sin(theta)
    v = (gy - y) * math.cos(theta) - (gx - x) * math.sin(theta)
    image = 1000 * np.exp(-(np.hypot(u / a, v / b) ** exponent))
    return Pixels.of(image.astype(np.float32), np.zeros(SHAPE, np.int32), np.full(SHAPE, 4, np.float32))


def quadrupole(a, b, theta):
    cos, sin = math.cos(theta), math.sin(theta)
    return (a * cos) ** 2 + (b * sin) ** 2, (a * sin) ** 2 + (b * cos) ** 2, (a * a - b * b) * cos * sin


def apertures(pixels, x, y, shape, psf_radius=1.0, fallback=(4.0, 4.0, 0.0), **options):
    defaults = {"fixed": False, "n_sigma": 6.0, "n_iter": 1, "smoothing": -1.0}
    options = defaults | {"enforce_minimum": True, "minimum": 0.0, "last_digit": False} | options
    axes, used, flags = np.empty((1, 3)), np.empty(1), np.empty(1, np.int64)
    with np.errstate(all="ignore"):
        k.kron_apertures(
            pixels, np.array([x]), np.array([y]), np.array([shape]), np.array([fallback]),
            np.array([psf_radius]), *options.values(), axes, used, flags,
        )  # fmt: skip
    return axes[0], used[0], flags[0]


def twin(pixels, x, y, a, b, theta):
    """The first moment of the elliptical radius in an ellipse of six times the size, as √(ab)."""
    gy, gx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    dx, dy = gx - x, gy - y
    u, v = dx * math.cos(theta) + dy * math.sin(theta), dy * math.cos(theta) - dx * math.sin(theta)
    inside = (u / (6 * a)) ** 2 + (v / (6 * b)) ** 2 <= 1
    r, d = np.hypot(u, v * a / b), np.hypot(dx, dy)
    r = np.where(d < 0.5, np.hypot(r, 0.38259771140356325 * (1 + d / math.sqrt(2))), r)
    image = pixels.image.astype(float)
    return (r * image)[inside].sum() / image[inside].sum() * math.sqrt(b / a)


@given(
    dx=st.floats(-0.5, 0.5),
    dy=st.floats(-0.5, 0.5),
    a=st.floats(1.5, 4),
    q=st.floats(0.5, 1),
    theta=st.floats(-1.5, 1.5),
)
@settings(max_examples=30)
def test_radius(dx, dy, a, q, theta):
    """Twin, of an exponential profile, whose moment is larger than the size given."""
    x, y = 50 + dx, 45 + dy
    pixels = galaxy(x, y, a, a * q, theta)
    axes, used, flags = apertures(pixels, x, y, quadrupole(a, a * q, theta))
    assert flags == 0
    assert used == pytest.approx(6 * a * math.sqrt(q), rel=1e-12)
    assert math.sqrt(axes[0] * axes[1]) == pytest.approx(twin(pixels, x, y, a, a * q, theta), rel=1e-9)
    assert axes[1] / axes[0] == pytest.approx(q, rel=1e-9)
    if q < 0.99:
        assert math.sin(axes[2] - theta) == pytest.approx(0, abs=1e-6)


@given(
    x=st.floats(20, 80),
    y=st.floats(20, 70),
    a=st.floats(0.5, 15),
    q=st.floats(0.2, 1),
    theta=st.floats(-2, 2),
)
@settings(max_examples=30)
def test_ellipse_fluxes(x, y, a, q, theta):
    """Twin: the pixels whose centres are in the ellipse."""
    pixels = galaxy(50, 45, 5, 3, 0.4)
    out, flags = np.empty((1, 2)), np.empty(1, np.int64)
    k.ellipse_fluxes(
        pixels, np.array([0]), np.array([x]), np.array([y]), np.array([[a, a * q, theta]]), out, flags
    )
    gy, gx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    dx, dy = gx - x, gy - y
    xx, yy, xy = quadrupole(a, a * q, theta)
    rho2 = (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / (xx * yy - xy * xy)
    sure, perhaps = rho2 <= 1 - 1e-9, rho2 <= 1 + 1e-9
    assert flags[0] == 0
    for use in (sure, perhaps):
        flux, error = pixels.image[use].astype(float).sum(), math.sqrt(4 * use.sum())
        if np.allclose(out[0], [flux, error], rtol=1e-9):
            break
    else:
        pytest.fail(f"{out[0]} is not {flux} ± {error}")


def test_off_the_image():
    """An ellipse that leaves the image is not measured, but is the aperture; one that leaves it has no sum."""
    pixels = galaxy(10, 45, 3, 3, 0)
    axes, used, flags = apertures(pixels, 10.0, 45.0, (9.0, 9.0, 0.0))
    assert flags == 0
    assert axes[0] == axes[1] == used == 18
    out, bits = np.empty((1, 2)), np.empty(1, np.int64)
    for x, y in ((10.0, 45.0), (math.nan, 45.0), (1e300, 45.0)):
        arguments = np.array([x]), np.array([y]), np.array([[18.0, 18.0, 0.0]])
        k.ellipse_fluxes(pixels, np.array([0]), *arguments, out, bits)
        assert bits[0] == k.KRON_EDGE and np.isnan(out).all()


def test_radius_no_larger_than_the_shape():
    """The reference's behaviour: the ellipse that was measured in, six times the shape, stays."""
    axes, used, flags = apertures(galaxy(50, 45, 2, 2, 0, exponent=8), 50.0, 45.0, (9.0, 9.0, 0.0))
    assert flags == 0
    assert axes[0] == used == 18


def test_no_first_moment():
    """Negative light: the fallback's shape at the PSF's radius, or at the configured minimum, or nothing."""
    pixels = galaxy(50, 45, 3, 3, 0)
    dark = pixels._replace(image=-pixels.image)
    shape, other = (9.0, 9.0, 0.0), quadrupole(4, 2, 0.3)
    axes, used, flags = apertures(dark, 50.0, 45.0, shape, 2.5, other)
    assert flags == k.KRON_BAD_RADIUS | k.KRON_USED_PSF
    assert math.sqrt(axes[0] * axes[1]) == pytest.approx(2.5) and axes[0] / axes[1] == pytest.approx(2)
    assert math.isnan(used)
    axes, _, flags = apertures(dark, 50.0, 45.0, shape, 2.5, other, minimum=3.5)
    assert flags == k.KRON_BAD_RADIUS | k.KRON_USED_MINIMUM
    assert math.sqrt(axes[0] * axes[1]) == pytest.approx(3.5)
    axes, _, flags = apertures(dark, 50.0, 45.0, shape, math.nan, other)
    assert flags == k.KRON_BAD | k.KRON_BAD_RADIUS | k.KRON_NO_FALLBACK and np.isnan(axes).all()
    _, _, flags = apertures(dark, 50.0, 45.0, shape, 2.5, (math.nan,) * 3)
    assert flags == k.KRON_BAD_RADIUS | k.KRON_USED_PSF | k.KRON_SMALL_RADIUS


def test_minimum_radius():
    pixels, shape = galaxy(50, 45, 1, 1, 0), (1.0, 1.0, 0.0)
    free, _, flags = apertures(pixels, 50.0, 45.0, shape, 9.0, enforce_minimum=False)
    assert flags == 0 and free[0] < 9
    held, _, flags = apertures(pixels, 50.0, 45.0, shape, 9.0)
    assert flags == k.KRON_SMALL_RADIUS | k.KRON_USED_PSF and held[0] == pytest.approx(9)
    held, _, flags = apertures(pixels, 50.0, 45.0, shape, 9.0, minimum=5.0)
    assert flags == k.KRON_SMALL_RADIUS | k.KRON_USED_MINIMUM and held[0] == pytest.approx(5)


def test_options():
    """Fixed: the shape itself. More iterations: a larger radius. Smoothing: a larger one, too."""
    pixels, shape = galaxy(50, 45, 2, 2, 0), (4.0, 4.0, 0.0)
    fixed, used, flags = apertures(pixels, 50.0, 45.0, shape, fixed=True)
    assert fixed[0] == pytest.approx(2) and math.isnan(used) and flags == 0
    once = apertures(pixels, 50.0, 45.0, shape)[0][0]
    assert apertures(pixels, 50.0, 45.0, shape, n_iter=2)[0][0] > once
    smoothed = apertures(pixels, 50.0, 45.0, shape, smoothing=1.5)
    # variances add: a Gaussian of 1.5 pixels, cut at two sigma, widens an exponential by some tenths of a pixel
    assert once < smoothed[0][0] < once + 0.5
    # the smoothing kernel leaves the image before the ellipse does: no radius
    near = galaxy(14, 45, 2, 2, 0)
    assert apertures(near, 14.0, 45.0, shape)[2] == 0
    assert apertures(near, 14.0, 45.0, shape, smoothing=3.0)[2] & k.KRON_BAD_RADIUS


def test_last_digit():
    """Ellipses scaled to the least radius are all large enough, or those are small that rounding left below it."""
    dark = galaxy(50, 45, 3, 3, 0)
    dark = dark._replace(image=-dark.image)
    small = {False: 0, True: 0}
    for i in range(40):
        fallback = quadrupole(2 + 0.1 * i, 1.5, 0.1 * i)
        for last_digit in small:
            axes, _, flags = apertures(
                dark, 50.0, 45.0, (9.0, 9.0, 0.0), 2.5 + 0.01 * i, fallback, last_digit=last_digit
            )
            assert math.sqrt(axes[0] * axes[1]) == pytest.approx(2.5 + 0.01 * i, rel=1e-15)
            small[last_digit] += bool(flags & k.KRON_SMALL_RADIUS)
    assert small[False] == 0 < small[True] < 40
