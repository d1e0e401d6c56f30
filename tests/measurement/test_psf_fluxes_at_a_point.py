"""base_PeakLikelihoodFlux and base_ScaledApertureFlux on a batch."""

import math

import numpy as np
import pytest

from helpers.measuring import gaussian_stars, measure, square_footprints
from secondlight.model.psf.gaussian import GaussianPsf

X, Y = np.array([60.3, 120.8, 2.0]), np.array([60.2, 58.5, 60.0])
PEAK, APERTURE = "base_PeakLikelihoodFlux", "base_ScaledApertureFlux"
NAMES = ["base_SdssCentroid", PEAK, APERTURE]


def test_peak_likelihood():
    """Property: on an image convolved with its PSF, the peak times the PSF's area is the flux of a star."""
    exposure = gaussian_stars((120, 180), X, Y, [1e4, 1e4, 1e4], sigma=1.8 * math.sqrt(2), noise=1e-2)
    exposure.psf = GaussianPsf(1.8, 25, 25)
    catalog = measure(exposure, square_footprints(X, Y, 12), NAMES)
    np.testing.assert_allclose(catalog[f"{PEAK}_instFlux"][:2], 1e4, rtol=0.01)
    assert (catalog[f"{PEAK}_instFluxErr"][:2] < 1e-2 * 4 * math.pi * 1.8**2).all()
    # the kernel leaves the image
    assert catalog[f"{PEAK}_flag"].tolist() == [False, False, True]


def test_scaled_aperture():
    """Property: the circle grows with the PSF."""
    for scale in (1.0, 3.14):

        def settle(config, scale=scale):
            config.plugins[APERTURE].scale = scale

        exposure = gaussian_stars((120, 180), X, Y, [1e4, 1e4, 1e4])
        catalog = measure(exposure, square_footprints(X, Y), NAMES, settle)
        radius = scale * 2 * math.sqrt(2 * math.log(2))
        within = 1e4 * (1 - math.exp(-0.5 * radius**2))
        np.testing.assert_allclose(catalog[f"{APERTURE}_instFlux"][:2], within, rtol=5e-3)
        assert catalog[f"{APERTURE}_flag_apertureTruncated"].tolist() == [False, False, True]
        assert catalog[f"{APERTURE}_flag_sincCoeffsTruncated"].tolist() == [False, False, True]
        assert catalog[f"{APERTURE}_flag"].tolist() == [False, False, True]


def test_kernels_are_checked():
    from helpers.measuring import measurement_task

    config = measurement_task(["base_SdssCentroid"]).ConfigClass()
    for name, field in ((PEAK, "warpingKernelName"), (APERTURE, "shiftKernel")):
        with pytest.raises(ValueError, match="bilinear"):
            setattr(config.plugins[name], field, "bilinear")
