"""ext_photometryKron_KronFlux on a batch."""

import math

import numpy as np
import pytest

from helpers.measuring import gaussian_stars, measure, square_footprints

NAME = "ext_photometryKron_KronFlux"
NAMES = ["base_SdssCentroid", "ext_shapeHSM_HsmSourceMoments", NAME]


def column(catalog, name):
    return catalog[f"{NAME}_{name}"]


def wide(sigma, x=60.3, y=58.8, shape=(120, 120), **kwargs):
    """A round Gaussian galaxy of some width, seen through a PSF of 1.8 pixels that is in its width."""
    exposure = gaussian_stars(shape, x, y, 1e5, sigma=sigma, **kwargs)
    exposure.psf = gaussian_stars((9, 9), 4, 4, 1).psf
    return exposure, square_footprints(x, y, 25)


@pytest.mark.parametrize("sigma", [2.5, 3.0, 6.0])
def test_galaxy(sigma):
    """Property: a Gaussian has a Kron radius of √(π/2) sigma, and nearly all its flux within 2.5 of them."""
    catalog = measure(*wide(sigma), NAMES)
    assert column(catalog, "radius")[0] == pytest.approx(math.sqrt(math.pi / 2) * sigma, rel=0.01)
    assert column(catalog, "radius_for_radius")[0] == pytest.approx(6 * sigma, rel=0.01)
    assert column(catalog, "psf_radius")[0] == pytest.approx(math.sqrt(math.pi / 2) * 1.8, rel=1e-6)
    within = 1 - math.exp(-0.5 * 2.5**2 * math.pi / 2)
    # sinc weights up to a minor axis of ten pixels, sums of pixels above
    assert column(catalog, "instFlux")[0] == pytest.approx(1e5 * within, rel=2e-3)
    assert not any(column(catalog, f)[0] for f in ("flag", "flag_small_radius", "flag_bad_radius"))


def test_error_follows_the_noise():
    catalog = measure(*wide(3.0, noise=2.0), NAMES)
    area = math.pi * (2.5 * column(catalog, "radius")[0]) ** 2
    assert column(catalog, "instFluxErr")[0] == pytest.approx(2 * math.sqrt(area), rel=0.02)


def test_smaller_than_the_psf():
    """No radius is below the PSF's, unless so configured."""
    catalog = measure(*wide(1.2), NAMES)
    assert column(catalog, "radius")[0] == pytest.approx(math.sqrt(math.pi / 2) * 1.8, rel=1e-6)
    assert column(catalog, "flag_small_radius")[0] and column(catalog, "flag_used_psf_radius")[0]
    assert not column(catalog, "flag")[0]

    def free(config):
        config.plugins[NAME].enforceMinimumRadius = False

    def five(config):
        config.plugins[NAME].minimumRadius = 5.0

    assert column(measure(*wide(1.2), NAMES, free), "radius")[0] < 2
    catalog = measure(*wide(1.2), NAMES, five)
    assert column(catalog, "radius")[0] == pytest.approx(5, rel=1e-6)
    assert column(catalog, "flag_used_minimum_radius")[0] and not column(catalog, "flag_used_psf_radius")[0]


def test_edge():
    """An aperture of whole pixels that leaves the image is an error; one of weights gives nothing."""
    catalog = measure(*wide(6.0, x=12.0), NAMES)
    assert column(catalog, "flag_edge")[0] and column(catalog, "flag")[0]
    assert np.isnan([column(catalog, c)[0] for c in ("instFlux", "radius", "psf_radius")]).all()


def test_bad_shape():
    """No light has no shape: not even the PSF's gives a radius, and flags are set."""
    exposure, footprints = wide(3.0)
    exposure.image[:] = 0
    catalog = measure(exposure, footprints, NAMES)
    for flag in ("flag", "flag_bad_shape", "flag_bad_radius"):
        assert column(catalog, flag)[0]
    assert np.isnan(column(catalog, "instFlux")[0])


def test_options():
    """fixed takes the shape as it is; the footprint may widen where the radius is measured."""

    def fixed(config):
        config.plugins[NAME].fixed = True

    catalog = measure(*wide(3.0), NAMES, fixed)
    assert column(catalog, "radius")[0] == pytest.approx(3, rel=0.01)
    assert np.isnan(column(catalog, "radius_for_radius")[0])

    def footprint(config):
        config.plugins[NAME].useFootprintRadius = True

    exposure, footprints = wide(3.0)
    catalog = measure(exposure, footprints, NAMES, footprint)
    # of a square of 51 pixels a side √2 times the moments' size is 20.8 pixels, of six sigma 18
    assert column(catalog, "radius_for_radius")[0] == pytest.approx(51 / math.sqrt(6), rel=0.01)
    small = square_footprints(60.3, 58.8, 12)
    assert column(measure(exposure, small, NAMES, footprint), "radius_for_radius")[0] == pytest.approx(
        18, rel=0.05
    )


def test_alias():
    from helpers.measuring import measurement_task

    aliases = measurement_task(NAMES).schema.aliases
    assert aliases[f"{NAME}_flag_badInitialCentroid"] == "base_SdssCentroid_flag"
