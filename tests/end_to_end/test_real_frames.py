"""End to end: real cut-outs of three other cameras through the command line, against Gaia and the stack's own masks."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from lsst.images import VisitImage

from helpers.command import secondlight
from helpers.invariants import broken, load
from helpers.shared import needs_shared
from secondlight.io.native import read_visit_image

pytestmark = needs_shared

DECAM = ("171113_060340", "131122_030338", "141029_043225", "141029_043420")
SUBARU = ("HSC-0908120-056-small.fits", "suprimecam-act-img.fits")


def run(arguments, out, *more):
    """Run in both formats; the outputs must be whole."""
    ended = secondlight("run", *arguments, "--out", out, *more)
    assert ended.status == 0, ended.err
    assert broken(out) == []
    ended = secondlight("run", *arguments, "--out", out.with_name("afw"), "--format", "afw", *more)
    assert ended.status == 0, ended.err
    return load(out / "sources.parquet"), read_visit_image(out / "pvi.fits")


@pytest.fixture(scope="module", params=DECAM)
def decam(request, tmp_path_factory):
    from helpers.decam import read_frame, write_frame

    folder = tmp_path_factory.mktemp("decam")
    # a bright galaxy and a bright star are one blend of 50,000 pixels
    rows, image = run(
        write_frame(request.param, folder), folder / "out", "--config", "deblend.maxFootprintArea=0"
    )
    return request.param, read_frame(request.param), rows, image, folder / "out"


def test_decam_stars_of_gaia(decam):
    """What Gaia measured well has a source within a fifth of a pixel, and about that magnitude."""
    from helpers.decam import gaia_stars

    name, frame, rows, image, _ = decam
    ra, dec, pmra, _, magnitude = gaia_stars(name).T
    x, y = image.wcs.sky_to_pixel(SkyCoord(ra * u.deg, dec * u.deg))
    ny, nx = frame.exposure.image.shape
    near = SkyCoord(ra * u.deg, dec * u.deg)
    second = near.match_to_catalog_sky(near, nthneighbor=2)[1].arcsec
    pick = (x > 5) & (x < nx - 6) & (y > 5) & (y < ny - 6) & (magnitude < 20.8) & (second > 5)
    assert pick.any()
    leaf = (rows["deblend_nChild"] == 0) & np.isfinite(rows["slot_Centroid_x"])
    for k in np.flatnonzero(pick).tolist():
        distance = np.hypot(rows["slot_Centroid_x"] - x[k], rows["slot_Centroid_y"] - y[k])
        i = int(np.argmin(np.where(leaf, distance, np.inf)))
        flux = rows["ext_photometryKron_KronFlux_flux"][i]
        assert distance[i] < 0.2
        if np.isfinite(pmra[k]) and magnitude[k] > 17:  # a star, and not the middle of the bright galaxy
            assert abs(31.4 - 2.5 * np.log10(flux) - magnitude[k]) < 0.3


def test_decam_calibrated_image(decam):
    """nJy a pixel, from the survey's zero point; without the sky."""
    _, frame, _, image, _ = decam
    quiet = (image.mask & image.mask_planes.bits(["DETECTED", "BAD", "SAT", "CR", "NO_DATA"])) == 0
    expected = (frame.exposure.image - frame.sky) * frame.photo_calib.mean
    np.testing.assert_allclose(
        image.image[quiet], expected[quiet], rtol=0, atol=0.01 * np.std(expected[quiet])
    )
    assert image.unit == "nJy"


def test_decam_instrumental_unit(decam):
    """The file says what the image was in before it was calibrated."""
    _, frame, _, _, out = decam
    scaling = VisitImage.read(out / "pvi.fits").photometric_scaling
    assert scaling.unit == u.nJy / u.adu
    np.testing.assert_allclose(
        scaling(x=np.array([50.0]), y=np.array([50.0])), frame.photo_calib.mean, rtol=1e-6
    )


def test_decam_cosmic_rays(decam):
    """Those that the survey's pipeline found in one frame, and hardly any where it found none."""
    _, frame, _, image, _ = decam
    found = (image.mask & image.mask_planes.bits(["CR"])) != 0
    # theirs are grown by a pixel, and all of ours lie in them
    assert found.sum() >= 0.3 * frame.cosmic_rays.sum()
    assert not (found & ~frame.cosmic_rays).any()


@pytest.mark.parametrize("name", SUBARU)
def test_subaru(name, tmp_path):
    """What the stack detected is detected, in the coordinates of the cut-out's parent."""
    from helpers.hsc import read_cut_out, write_calibrations

    rows, image = run(write_calibrations(name, tmp_path), tmp_path / "out")
    theirs = read_cut_out(name)
    assert image.bbox == theirs.bbox and image.x0 > 0
    was = (theirs.mask & theirs.mask_planes.bits(["DETECTED"])) != 0
    now = (image.mask & image.mask_planes.bits(["DETECTED"])) != 0
    assert (now & was).sum() > 0.95 * was.sum()
    # the others are found anew
    kept = [p for p in theirs.mask_planes if not p.startswith("DETECTED") and p not in ("EDGE", "CR")]
    for plane in kept:
        before = (theirs.mask & theirs.mask_planes.bits([plane])) != 0
        after = (image.mask & image.mask_planes.bits([plane])) != 0
        assert not (before & ~after).any(), plane
    sky = theirs.wcs.pixel_to_sky(x=rows["slot_Centroid_x"], y=rows["slot_Centroid_y"])
    np.testing.assert_allclose(rows["coord_ra"], sky.ra.rad, rtol=0, atol=1e-10)
    np.testing.assert_allclose(rows["coord_dec"], sky.dec.rad, rtol=0, atol=1e-10)


def test_no_detector_described(tmp_path):
    """An image of lsst.images must have one, afw's need not: that is said before the work begins."""
    from helpers.hsc import write_calibrations

    arguments = [
        *write_calibrations(SUBARU[0], tmp_path, describe=False),
        "--quiet",
        "--out",
        tmp_path / "out",
    ]
    ended = secondlight("run", *arguments)
    assert ended.status == 3 and ended.err.count("\n") == 1
    assert SUBARU[0] in ended.err and "detector" in ended.err and "--format afw" in ended.err
    assert secondlight("run", *arguments, "--format", "afw").status == 0
