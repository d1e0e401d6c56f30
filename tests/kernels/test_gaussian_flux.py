"""Gaussian-weighted fluxes against a twin in whole arrays, and where there is none."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondlight.kernels.gaussian_flux import GAUSSIAN_FAILED, gaussian_fluxes
from secondlight.kernels.pixels import Pixels

rng = np.random.default_rng(4)
SHAPE = 40, 50
PIXELS = Pixels.of(
    rng.normal(10, 30, SHAPE).astype(np.float32),
    np.zeros(SHAPE, np.int32),
    rng.uniform(5, 15, SHAPE).astype(np.float32),
)


def measure(x, y, xx, yy, xy, pixels=PIXELS, background=0.0):
    arguments = [np.array([v], float) for v in (x, y, xx, yy, xy)]
    flux, error, flags = np.empty(1), np.empty(1), np.empty(1, np.int64)
    with np.errstate(all="ignore"):
        gaussian_fluxes(pixels, *arguments, background, flux, error, flags)
    return flux[0], error[0], flags[0]


def twin(x, y, xx, yy, xy, background):
    """Twice the weighted sum of the pixels with ρ² ≤ 14 in a box of four standard deviations."""
    gy, gx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    dx, dy = gx - x, gy - y
    rho2 = (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / (xx * yy - xy * xy)
    half = 4 * math.sqrt(max(xx, yy))
    box = (gx >= np.ceil(x - half - 0.5)) & (gx <= np.floor(x + half + 0.5))
    box &= (gy >= np.ceil(y - half - 0.5)) & (gy <= np.floor(y + half + 0.5))
    use = box & (rho2 <= 14)
    return 2 * (np.exp(-0.5 * rho2) * (PIXELS.image - background))[use].sum()


@given(
    x=st.floats(0, 49),
    y=st.floats(0, 39),
    a=st.floats(0.8, 5),
    q=st.floats(0.7, 1),
    theta=st.floats(0, math.pi),
    background=st.floats(-10, 10),
)
@settings(max_examples=40)
def test_twin(x, y, a, q, theta, background):
    """Twin: to the rounding of float32."""
    b, cos, sin = a * q, math.cos(theta), math.sin(theta)
    xx, yy = (a * cos) ** 2 + (b * sin) ** 2, (a * sin) ** 2 + (b * cos) ** 2
    xy = (a * a - b * b) * cos * sin
    flux, error, flag = measure(x, y, xx, yy, xy, background=background)
    assert flag == 0
    assert flux == pytest.approx(twin(x, y, xx, yy, xy, background), abs=2e-2)
    variance = float(PIXELS.variance[int(y), int(x)])
    assert error == pytest.approx(2 * math.sqrt(variance * math.pi * a * b), rel=1e-9)


def test_gaussian_has_its_flux():
    """Property: the flux of a Gaussian object is found, less what the cut at ρ² = 14 leaves out."""
    gy, gx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = 500 / (2 * np.pi * 4) * np.exp(-0.5 * ((gx - 25.3) ** 2 + (gy - 20.4) ** 2) / 4)
    flux, _, _ = measure(25.3, 20.4, 4, 4, 0, PIXELS._replace(image=image.astype(np.float32)))
    assert flux == pytest.approx(500, rel=1e-4)


@pytest.mark.parametrize(
    "arguments",
    [
        (20, 20, 4, 4, 4),  # a line
        (20, 20, math.nan, 4, 0),
        (20, 20, -4, -4, 0),
        (-1.5, 20, 4, 4, 0),
        (20, 40.5, 4, 4, 0),
        (math.nan, 20, 4, 4, 0),
    ],
)
def test_no_flux(arguments):
    flux, error, flag = measure(*arguments)
    assert flag == GAUSSIAN_FAILED
    assert np.isnan([flux, error]).all()


def test_negative_variance():
    """A variance that is none costs the error, not the flux."""
    flux, error, flag = measure(20, 20, 4, 4, 0, PIXELS._replace(variance=np.full(SHAPE, -1, np.float32)))
    assert flag == 0 and math.isfinite(flux) and math.isnan(error)
