"""Coordinate systems written in afw's layout: the frames it asks for, and the same sky."""

import warnings

import astropy.units as u
import numpy as np
import pytest
import starlink.Ast
from astropy.io import fits
from astropy.wcs import WCS
from lsst.images import GeneralFrame, SkyFrame, SkyProjection

from helpers.exposures import full_exposure
from secondlight.io.afw.archive import Archive
from secondlight.io.afw.hdus import FitsFile
from secondlight.io.afw.stored_ast import make_transform, parse_ast
from secondlight.io.afw.wcs import read_wcs
from secondlight.io.afw.write_archive import write_standalone
from secondlight.io.afw.write_wcs import fits_wcs_cards, save_wcs

X, Y = np.array([0.0, 1023.0, 512.3, 7.0]), np.array([0.0, 999.0, 77.0, 500.0])
PIXELS = GeneralFrame(unit=u.pix)
HEADER = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 512.5, "CRPIX2": 500.5, "CRVAL1": 359.99, "CRVAL2": 60.0,
    "CD1_1": -5.5e-5, "CD1_2": 1e-6, "CD2_1": 1e-6, "CD2_2": 5.5e-5, "RADESYS": "ICRS",
}  # fmt: skip


def tangent():
    """A projection as `lsst.images` makes it: other names of frames, another order."""
    return SkyProjection.from_fits_wcs(WCS(fits.Header(HEADER)), PIXELS)


def bare_mapping():
    """The same sky from a mapping that has no frames at all."""
    frames = parse_ast(tangent().show())[0]
    return SkyProjection(
        make_transform(frames.getmapping(frames.Base, frames.Current), PIXELS, SkyFrame.ICRS)
    )


def no_plane():
    """Frames of pixels and of the sky, and nothing between."""
    frames = parse_ast(tangent().show())[0]
    plain = starlink.Ast.FrameSet(starlink.Ast.Frame(2, "Domain=PIXELS"))
    plain.addframe(1, frames.getmapping(frames.Base, frames.Current), frames.getframe(frames.Current))
    return SkyProjection(make_transform(plain, PIXELS, SkyFrame.ICRS))


def wavy(approximation=False):
    """Nothing that FITS has a name for; perhaps with an approximation."""
    wave = starlink.Ast.MathMap(2, 2, ["a=x+sin(y/50)", "b=y"], ["x=a-sin(b/50)", "y=b"])
    frames = parse_ast(tangent().show())[0]
    whole = starlink.Ast.CmpMap(wave, frames.getmapping(frames.Base, frames.Current), True)
    exact = make_transform(whole, PIXELS, SkyFrame.ICRS)
    return SkyProjection(exact, tangent().pixel_to_sky_transform if approximation else None)


PROJECTIONS = {
    "of lsst.images": tangent,
    "simulated": lambda: full_exposure().wcs,
    "bare mapping": bare_mapping,
    "no plane": no_plane,
    "wavy": wavy,
    "wavy, approximated": lambda: wavy(approximation=True),
}


def there_and_back(path, projection):
    write_standalone(path, projection, save_wcs)
    archive = Archive.standalone(FitsFile(path))
    return archive.table(1, "SkyWcs")["wcs"][0].tobytes().decode(), read_wcs(archive, 1)


@pytest.mark.parametrize("kind", PROJECTIONS)
def test_the_same_sky(tmp_path, kind):
    projection = PROJECTIONS[kind]()
    text, back = there_and_back(tmp_path / "w.fits", projection)
    here, there = projection.pixel_to_sky(x=X, y=Y), back.pixel_to_sky(x=X, y=Y)
    assert there.separation(here).arcsec.max() < 1e-9
    inverse = back.sky_to_pixel(here)
    np.testing.assert_allclose([inverse.x, inverse.y], [X, Y], rtol=0, atol=1e-6)
    approximated = kind.endswith("approximated")
    assert text.startswith(f"1 SkyWcs {int(approximated)} ")
    assert (back.fits_approximation is not None) == approximated
    for item in parse_ast(text.split(" ", 3)[3]):
        names = [item.getframe(i).Domain for i in range(1, item.Nframe + 1)]
        assert names == ["PIXELS", "IWC", "SKY"]
        assert (item.Base, item.Current) == (1, 3)
        assert item.getframe(3).isaskyframe() and item.getframe(3).System == "ICRS"
        # the plane's origin is where the sky frame says that it touches
        ra, dec = item.getmapping(2, 3).tran([[0.0], [0.0]], True)
        reference = item.getframe(3)
        np.testing.assert_allclose(
            [np.remainder(ra[0], 2 * np.pi), dec[0]],
            [np.remainder(float(reference.SkyRef_1), 2 * np.pi), float(reference.SkyRef_2)], rtol=1e-12,
        )  # fmt: skip


def test_writing_again_changes_nothing(tmp_path):
    text, back = there_and_back(tmp_path / "one.fits", tangent())
    assert there_and_back(tmp_path / "two.fits", back)[0] == text


@pytest.mark.parametrize(("kind", "named"), [(k, k != "wavy") for k in PROJECTIONS])
def test_cards(kind, named):
    """What FITS can say is said, for the image as it lies in its parent."""
    projection = PROJECTIONS[kind]()
    cards = fits_wcs_cards(projection, 100, 200, (300, 400))
    assert bool(cards) == named
    if named:
        assert not {key for key, _, _ in cards} & {"NAXIS1", "MJD-OBS", "DATE-OBS"}
        assert len({key for key, _, _ in cards}) == len(cards)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wcs = WCS(fits.Header([fits.Card(*card) for card in cards]))
        there = wcs.pixel_to_world([0.0, 399.0], [0.0, 299.0])
        exact = projection.fits_approximation or projection
        here = exact.pixel_to_sky(x=[100.0, 499.0], y=[200.0, 499.0])
        assert there.separation(here).arcsec.max() < 1e-7
