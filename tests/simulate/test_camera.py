"""Detector geometry, sky projection and visit description."""

import numpy as np
import pytest
from lsst.images import Box

from secondlight.simulate.camera import Pointing, make_detector, make_sky_projection, make_visit_info

BBOX = Box.factory[0:4000, 0:4072]


@pytest.fixture(scope="module")
def detector():
    return make_detector(94, BBOX, 42)


def test_detector_names_itself(detector):
    assert (detector.id, detector.visit, detector.instrument) == (94, 42, "LSSTCam")
    assert detector.bbox == BBOX


def test_focal_plane_is_in_millimetres(detector):
    corner = detector.to_focal_plane.apply_forward(x=np.array([0.0]), y=np.array([0.0]))
    np.testing.assert_allclose([corner.x[0], corner.y[0]], [-20.355, -19.995])


def test_field_angle_has_the_pixel_scale(detector):
    angle = detector.to_field_angle.apply_forward(x=np.array([0.0, 1.0]), y=np.array([0.0, 0.0]))
    assert np.degrees(np.diff(angle.x)[0]) * 3600 == pytest.approx(0.2)


def test_wcs_round_trip(detector):
    wcs = make_sky_projection(detector, Pointing())
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 4072, 50), rng.uniform(0, 4000, 50)
    back = wcs.sky_to_pixel(wcs.pixel_to_sky(x=x, y=y))
    np.testing.assert_allclose(back.x, x, atol=1e-4)
    np.testing.assert_allclose(back.y, y, atol=1e-4)


def test_wcs_points_where_told_at_the_pixel_scale(detector):
    wcs = make_sky_projection(detector, Pointing(ra=150.0, dec=2.2, rotation=0.0))
    x, y = 2035.5, 1999.5
    middle, right, up = wcs.pixel_to_sky(x=np.array([x, x + 1, x]), y=np.array([y, y, y + 1]))
    assert middle.ra.deg == pytest.approx(150.0) and middle.dec.deg == pytest.approx(2.2)
    assert middle.separation(right).arcsec == pytest.approx(0.2, rel=1e-4)
    # north is up and east is left
    assert up.dec > middle.dec and right.ra < middle.ra


def test_wcs_is_distorted(detector):
    wcs = make_sky_projection(detector, Pointing())
    x = np.array([0.0, 1.0, 2035.0, 2036.0])
    sky = wcs.pixel_to_sky(x=x, y=np.full(4, 2000.0))
    edge, middle = sky[0].separation(sky[1]), sky[2].separation(sky[3])
    assert 1e-4 < abs(edge / middle - 1) < 1e-2


def test_visit_info_is_consistent():
    pointing = Pointing()
    info = make_visit_info(7, pointing, 30.0)
    assert info.exposure_time == 30.0 and info.has_simulated_content
    # spherical law of cosines: altitude and azimuth must lead back to the declination
    sin_dec = np.sin(info.boresight_alt) * np.sin(info.latitude) + np.cos(info.boresight_alt) * np.cos(
        info.latitude
    ) * np.cos(info.boresight_az)
    assert np.degrees(np.arcsin(sin_dec)) == pytest.approx(pointing.dec, abs=1e-9)
    assert info.boresight_airmass == pytest.approx(1 / np.sin(info.boresight_alt))
