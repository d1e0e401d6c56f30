"""base_SkyCoord and the local calibrations on a batch."""

import astropy.units as u
import numpy as np
import pytest
from astropy.wcs import WCS
from lsst.images import Box, GeneralFrame, SkyProjection

from helpers.measuring import gaussian_stars, measure, square_footprints
from secondlight.model.photo_calib import PhotoCalib

NAMES = ["base_SdssCentroid", "base_SkyCoord", "base_LocalWcs", "base_LocalPhotoCalib"]
SCALE = 0.2 / 3600


@pytest.fixture
def exposure():
    """North is rotated by 30 degrees from the y axis."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [50.0, -40.0], [31.0, 31.0]
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    wcs.wcs.cd = SCALE * np.array([[-c, s], [s, c]])
    exposure = gaussian_stars((60, 60), 30.0, 30.0, 3e3, noise=2.0)
    exposure.wcs = SkyProjection.from_fits_wcs(wcs, GeneralFrame(unit=u.pix))
    exposure.photo_calib = PhotoCalib.constant(3.5, 0.1, Box.factory[0:60, 0:60])
    return exposure


def test_values(exposure):
    """Twin: the propagation of two independent errors through the CD matrix."""
    catalog = measure(exposure, square_footprints([30.0], [30.0]), NAMES)
    assert np.rad2deg(catalog["coord_ra"][0]) == pytest.approx(50.0, abs=2e-5)
    assert np.rad2deg(catalog["coord_dec"][0]) == pytest.approx(-40.0, abs=2e-5)
    cd = np.array([[catalog[f"base_LocalWcs_CDMatrix_{i}_{j}"][0] for j in (1, 2)] for i in (1, 2)])
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    np.testing.assert_allclose(cd, np.deg2rad(SCALE) * np.array([[-c, s], [s, c]]), rtol=1e-7)
    sigma = [catalog["base_SdssCentroid_xErr"][0], catalog["base_SdssCentroid_yErr"][0]]
    covariance = cd @ np.diag(np.square(sigma, dtype=float)) @ cd.T
    assert catalog["coord_raErr"][0] == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-6)
    assert catalog["coord_decErr"][0] == pytest.approx(np.sqrt(covariance[1, 1]), rel=1e-6)
    assert catalog["coord_ra_dec_Cov"][0] == pytest.approx(covariance[0, 1], abs=1e-6 * covariance[0, 0])
    assert catalog["base_LocalPhotoCalib"][0] == 3.5
    assert catalog["base_LocalPhotoCalibErr"][0] == 0.1
    assert not catalog["base_LocalWcs_flag"][0]
    assert not catalog["base_LocalPhotoCalib_flag"][0]


def test_without_calibrations(exposure):
    """Nothing is made up: NaN, and flags where there are some."""
    exposure.wcs = exposure.photo_calib = None
    catalog = measure(exposure, square_footprints([30.0], [30.0]), NAMES)
    for name in ("coord_ra", "coord_raErr", "base_LocalWcs_CDMatrix_1_1", "base_LocalPhotoCalib"):
        assert np.isnan(catalog[name][0])
    assert catalog["base_LocalWcs_flag"][0]
    assert catalog["base_LocalPhotoCalib_flag"][0]
