"""Positions on the sky and local linear approximations."""

from concurrent.futures import ThreadPoolExecutor

import astropy.units as u
import numpy as np
import pytest
from astropy.wcs import WCS
from lsst.images import GeneralFrame, SkyProjection

from helpers.recorded import scene
from helpers.shared import needs_shared
from secondlight.model.wcs import local_linear, pixel_to_sky


def tan(ra=150.0, dec=2.0, cd=((-5e-5, 1e-5), (2e-5, 6e-5))):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [501.0, 401.0]
    wcs.wcs.cd = cd
    return wcs, SkyProjection.from_fits_wcs(wcs, GeneralFrame(unit=u.pix))


@pytest.mark.parametrize(("ra", "dec"), [(150.0, 2.0), (0.001, -30.0), (359.999, 70.0), (10.0, 89.0)])
def test_pixel_to_sky(ra, dec):
    """Twin: astropy's own transform; right ascension does not leave [0, 2π)."""
    wcs, projection = tan(ra, dec)
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-100, 1100, (2, 50))
    got_ra, got_dec = pixel_to_sky(projection, x, y)
    expected = wcs.pixel_to_world(x, y)
    np.testing.assert_allclose(got_ra, expected.ra.rad, rtol=0, atol=1e-13 / np.cos(np.deg2rad(dec)))
    np.testing.assert_allclose(got_dec, expected.dec.rad, rtol=0, atol=1e-13)
    assert ((got_ra >= 0) & (got_ra < 2 * np.pi)).all()


@pytest.mark.parametrize(("ra", "dec"), [(150.0, 2.0), (0.001, -30.0), (10.0, 89.9)])
def test_local_linear_at_the_reference_pixel(ra, dec):
    """At CRPIX the derivative of a TAN projection is its CD matrix, to 1e-9."""
    wcs, projection = tan(ra, dec)
    linear = local_linear(projection, [500.0], [400.0])[0]
    np.testing.assert_allclose(linear, 3600 * wcs.wcs.cd, rtol=1e-9, atol=1e-10)


def test_local_linear_away_from_it():
    """Away from it by θ, the tangent plane is tilted: areas shrink as cos³θ."""
    _, projection = tan(cd=((5e-4, 0.0), (0.0, 5e-4)))
    x, y = np.array([500.0, 2500.0, -1500.0]), np.array([400.0, 1400.0, 3400.0])
    xi, eta = np.deg2rad(5e-4 * (x - 500)), np.deg2rad(5e-4 * (y - 400))
    cos = 1 / np.sqrt(1 + xi**2 + eta**2)
    area = np.linalg.det(local_linear(projection, x, y)) / (3600 * 5e-4) ** 2
    np.testing.assert_allclose(area, cos**3, rtol=1e-9)


def test_nan():
    """A position that is none gives none, and leaves the others alone."""
    _, projection = tan()
    x, y = np.array([1.0, np.nan, 3.0]), np.array([1.0, 2.0, 3.0])
    assert np.isnan(pixel_to_sky(projection, x, y)).tolist() == [[False, True, False]] * 2
    linear = local_linear(projection, x, y)
    assert np.isnan(linear[1]).all()
    np.testing.assert_array_equal(linear[[0, 2]], local_linear(projection, x[[0, 2]], y[[0, 2]]))
    assert local_linear(projection, [], []).shape == (0, 2, 2)


def test_threads():
    """Many threads at once get what one gets."""
    _, projection = tan()
    x, y = np.random.default_rng(1).uniform(0, 1000, (2, 200))
    alone = local_linear(projection, x, y)
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(lambda _: local_linear(projection, x, y), range(16)):
            np.testing.assert_array_equal(result, alone)


@needs_shared
def test_recorded_wcs():
    """Parity: sky positions to rounding, the linear approximation to the 1e-8 that the reference's derivative has."""
    recorded = scene("small")
    t = recorded.table
    x, y = t["base_SdssCentroid_x"], t["base_SdssCentroid_y"]
    ra, dec = pixel_to_sky(recorded.exposure.wcs, x, y)
    np.testing.assert_allclose(ra, t["coord_ra"], rtol=0, atol=1e-14)
    np.testing.assert_allclose(dec, t["coord_dec"], rtol=0, atol=1e-14)
    linear = np.deg2rad(local_linear(recorded.exposure.wcs, x, y) / 3600)
    expected = np.array([[t[f"base_LocalWcs_CDMatrix_{i}_{j}"] for j in (1, 2)] for i in (1, 2)]).transpose(
        2, 0, 1
    )
    np.testing.assert_allclose(linear, expected, rtol=0, atol=3e-8 * np.abs(expected).max())
