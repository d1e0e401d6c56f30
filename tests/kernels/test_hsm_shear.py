"""PSF-corrected shapes against GalSim, and the composition of shears as such."""

import math

import galsim
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from secondlight.kernels.hsm_ksb import ksb_shapes
from secondlight.kernels.hsm_moments import HSM_EMPTY, HSM_OK
from secondlight.kernels.hsm_regauss import regaussianise
from secondlight.kernels.hsm_shear import (
    N_FOUND,
    bernstein_jarvis_correction,
    compose_shears,
    corrected_shapes,
    cut_sources,
    linear_correction,
    shear_moments,
)
from secondlight.kernels.pixels import Pixels

METHODS = ["REGAUSS", "BJ", "LINEAR", "KSB"]
SKY = 9.0
#: Images of 90 × 110 with one source in a box of it.
SHAPE, BOX = (90, 110), np.array([[20, 67, 31, 84]])


def scene(seed, noise=1.0, bright=1.0):
    """A galaxy of Sérsic profile, its PSF image, and a mask with a few bad pixels."""
    rng = np.random.default_rng(seed)
    psf = galsim.Moffat(beta=rng.uniform(2.2, 5), fwhm=rng.uniform(2.5, 4)).shear(
        g1=rng.uniform(-0.1, 0.1), g2=rng.uniform(-0.1, 0.1)
    )
    galaxy = galsim.Sersic(
        rng.uniform(0.8, 3), half_light_radius=rng.uniform(1.5, 4), flux=3e4 * bright
    ).shear(g1=rng.uniform(-0.3, 0.3), g2=rng.uniform(-0.3, 0.3))
    x, y = 57 + rng.uniform(-0.5, 0.5), 43 + rng.uniform(-0.5, 0.5)
    image = galsim.ImageD(SHAPE[1], SHAPE[0], xmin=0, ymin=0)
    galsim.Convolve(galaxy, psf).drawImage(image, center=galsim.PositionD(x, y), scale=1.0)
    image = (image.array + rng.normal(0, noise, SHAPE)).astype(np.float32)
    n = int(rng.choice([25, 41]))
    stamp = psf.drawImage(nx=n, ny=n, scale=1.0, offset=(rng.uniform(-0.5, 0.5), 0.2), dtype=float).array
    mask = (rng.random(SHAPE) < 0.01).astype(np.int32)
    pixels = Pixels.of(image, mask, np.full(SHAPE, SKY, np.float32))
    return pixels, stamp, x, y


def ours(method, pixels, psf, x, y, sigma=5.0, psf_sigma=2.0):
    box = BOX
    offsets = np.array([0, (box[0, 1] - box[0, 0]) * (box[0, 3] - box[0, 2])])
    stamps, bounds = np.empty(offsets[1]), np.empty((1, 4), np.int64)
    sky, status = np.empty(1), np.empty(1, np.int64)
    cut_sources(pixels, np.array([0]), 1, box, offsets, stamps, bounds, sky, status)
    assert sky[0] == SKY
    found, psf_found = np.full((1, N_FOUND), np.nan), np.full((1, N_FOUND), np.nan)
    at = np.array([x - box[0, 2]]), np.array([y - box[0, 0]])
    shear_moments(
        stamps, offsets, box, bounds, *at, np.array([sigma]), psf[None], np.array([psf_sigma]), method != "KSB",
        found, psf_found, status,
    )  # fmt: skip
    out = np.full((1, 4), np.nan)
    sources = stamps, offsets, box, bounds, found, psf[None].copy(), psf_found, sky
    if method == "REGAUSS":
        regaussianise(*sources, out, status)
    elif method == "KSB":
        ksb_shapes(*sources, out, status)
    else:
        corrected_shapes(method == "LINEAR", found, psf_found, sky, out, status)
    return out[0], status[0]


def galsims(method, pixels, psf, x, y, sigma=5.0, psf_sigma=2.0):
    region = np.s_[BOX[0, 0] : BOX[0, 1], BOX[0, 2] : BOX[0, 3]]
    image = galsim.Image(pixels.image[region].astype(float), xmin=int(BOX[0, 2]), ymin=int(BOX[0, 0]))
    good = galsim.Image((pixels.mask[region] == 0).astype(np.int32), bounds=image.bounds)
    shape = galsim.hsm.EstimateShear(
        image, galsim.Image(psf.copy(), xmin=0, ymin=0), good, sky_var=SKY, shear_est=method, recompute_flux="FIT",
        guess_sig_gal=sigma, guess_sig_PSF=psf_sigma, guess_centroid=galsim.PositionD(x, y), strict=False,
    )  # fmt: skip
    if shape.error_message:
        return None
    e = (
        (shape.corrected_g1, shape.corrected_g2)
        if method == "KSB"
        else (shape.corrected_e1, shape.corrected_e2)
    )
    return [*e, shape.corrected_shape_err, shape.resolution_factor]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(8))
def test_galsim(method, seed):
    """Twin: GalSim's EstimateShear, whose results are float32."""
    galaxy = scene(seed)
    expected = galsims(method, *galaxy)
    assert expected is not None
    found, status = ours(method, *galaxy)
    assert status == HSM_OK
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2e-7)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(100, 110))
def test_galsim_on_faint_sources(method, seed):
    """Twin, where it may fail: at a signal-to-noise of a few, both fail or both agree."""
    galaxy = scene(seed, noise=3.0, bright=0.02)
    expected = galsims(method, *galaxy)
    found, status = ours(method, *galaxy)
    if expected is None:
        assert status != HSM_OK or math.isnan(found[3])
    else:
        assert status == HSM_OK
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_shear_is_recovered(method):
    """Property: a round galaxy that was sheared gives its shear back (a distortion is twice that), to some percent."""
    psf = galsim.Gaussian(sigma=1.6).shear(g1=0.05)
    image = galsim.ImageF(SHAPE[1], SHAPE[0], xmin=0, ymin=0)
    galsim.Convolve(galsim.Gaussian(sigma=3.0, flux=1e5).shear(g1=0.1, g2=-0.05), psf).drawImage(
        image, center=galsim.PositionD(57.2, 43.1), scale=1.0
    )
    pixels = Pixels.of(image.array, np.zeros(SHAPE, np.int32), np.full(SHAPE, SKY, np.float32))
    stamp = psf.drawImage(nx=25, ny=25, scale=1.0, dtype=float).array
    found, status = ours(method, pixels, stamp, 57.2, 43.1)
    shear = galsim.Shear(g1=0.1, g2=-0.05)
    expected = (shear.g1, shear.g2) if method == "KSB" else (shear.e1, shear.e2)
    assert status == HSM_OK
    np.testing.assert_allclose(found[:2], expected, rtol=0.03)


def test_nothing_but_bad_pixels():
    pixels, psf, x, y = scene(1)
    for method in METHODS:
        found, status = ours_masked(method, pixels, psf, x, y)
        assert status == HSM_EMPTY and np.isnan(found).all()


def ours_masked(method, pixels, psf, x, y):
    offsets = np.array([0, 47 * 53])
    stamps, bounds = np.empty(offsets[1]), np.empty((1, 4), np.int64)
    sky, status = np.empty(1), np.empty(1, np.int64)
    bad = pixels._replace(mask=np.ones(SHAPE, np.int32))
    cut_sources(bad, np.array([0]), 1, BOX, offsets, stamps, bounds, sky, status)
    assert math.isnan(sky[0])
    found, psf_found, out = (
        np.full((1, N_FOUND), np.nan),
        np.full((1, N_FOUND), np.nan),
        np.full((1, 4), np.nan),
    )
    arrays = np.array([x]), np.array([y]), np.array([5.0]), psf[None], np.array([2.0])
    shear_moments(stamps, offsets, BOX, bounds, *arrays, True, found, psf_found, status)
    sources = stamps, offsets, BOX, bounds, found, psf[None].copy(), psf_found, sky
    if method == "REGAUSS":
        regaussianise(*sources, out, status)
    elif method == "KSB":
        ksb_shapes(*sources, out, status)
    else:
        corrected_shapes(method == "LINEAR", found, psf_found, sky, out, status)
    return out[0], status[0]


SMALL = st.floats(-0.6, 0.6)


@given(SMALL, SMALL, SMALL, SMALL)
@settings(max_examples=60)
def test_composition(a1, a2, b1, b2):
    """Twin: GalSim's addition of shears, in distortions."""
    assume(math.hypot(a1, a2) < 0.9 and math.hypot(b1, b2) < 0.9)
    both = galsim.Shear(e1=b1, e2=b2) + galsim.Shear(e1=a1, e2=a2)
    np.testing.assert_allclose(compose_shears(a1, a2, b1, b2), (both.e1, both.e2), atol=1e-12)


@given(SMALL, SMALL, st.floats(0.05, 0.8))
@settings(max_examples=60)
def test_round_gaussian_psf(o1, o2, ratio):
    """Property: a round Gaussian PSF dilutes a Gaussian source by the resolution, and nothing else."""
    assume(math.hypot(o1, o2) < min(0.9, 0.9 * (1 - ratio)))
    for correction in (bernstein_jarvis_correction, linear_correction):
        e = correction(ratio, 0.0, 0.0, 0.0, o1, o2, 0.0)
        np.testing.assert_allclose(e, np.array([o1, o2]) / (1 - ratio), rtol=1e-9, atol=1e-12)
