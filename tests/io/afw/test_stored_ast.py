"""Dumps of AST objects: round trip, several in a row, and what is refused before the library sees it."""

import numpy as np
import pytest
import starlink.Ast
from astropy.wcs import WCS
from lsst.images import SkyFrame

from helpers.archives import write_archive
from secondlight.errors import InputError
from secondlight.io.afw.stored import read_stored
from secondlight.io.afw.stored_ast import dump_ast, make_transform, parse_ast, split_stored
from secondlight.io.afw.wcs import PIXELS, projection_from_header

HEADER = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 30.0, "CRVAL2": -20.0, "CRPIX1": 5.0, "CRPIX2": 7.0,
    "CD1_1": -5e-5, "CD1_2": 1e-6, "CD2_1": 0.0, "CD2_2": 5e-5, "RADESYS": "ICRS",
}  # fmt: skip
X, Y = np.array([0.0, 100.0, 30.5]), np.array([3.0, 50.0, 8.25])


def sky_mapping(scale=1.0):
    """A frame set from pixels to the sky, and the projection it is."""
    projection = projection_from_header(HEADER | {"CD1_1": -5e-5 * scale})
    text = projection.show()
    return text[text.index("Begin") :], projection


def stored_wcs(path, text):
    table = {"wcs": ("1QB", [np.frombuffer(text.encode(), np.uint8)])}
    return write_archive(path / "w.fits", [("SkyWcs", [table])])


def test_round_trip():
    mapping = starlink.Ast.WinMap([0, 0], [1, 1], [3, 4], [5, 8])
    (again,) = parse_ast(dump_ast(mapping))
    points = np.array([X, Y])
    np.testing.assert_array_equal(again.tran(points, True), mapping.tran(points, True))
    transform = make_transform(mapping, PIXELS, PIXELS)
    np.testing.assert_array_equal(transform.apply_forward(x=X, y=Y).x, 3 + 2 * X)


def test_sky_wcs_and_its_approximation(tmp_path):
    exact, projection = sky_mapping()
    rough, approximate = sky_mapping(1.01)
    read = read_stored(stored_wcs(tmp_path, f"1 SkyWcs 1  {exact}{rough}"))
    assert read.sky_frame is SkyFrame.ICRS
    assert read.pixel_to_sky(x=X, y=Y).separation(projection.pixel_to_sky(x=X, y=Y)).arcsec.max() == 0
    fits_like = read.fits_approximation
    assert fits_like.pixel_to_sky(x=X, y=Y).separation(approximate.pixel_to_sky(x=X, y=Y)).arcsec.max() == 0
    assert read_stored(stored_wcs_again(tmp_path, exact)).fits_approximation is None


def stored_wcs_again(path, exact):
    (path / "w.fits").unlink()
    return stored_wcs(path, f"1 SkyWcs 0  {exact}")


@pytest.mark.parametrize("ctype", ["TAN", "SIN", "STG", "ARC"])
@pytest.mark.parametrize("origin", [(0, 0), (100, -20)])
def test_header_as_astropy_reads_it(ctype, origin):
    header = HEADER | {
        "CTYPE1": f"RA---{ctype}",
        "CTYPE2": f"DEC--{ctype}",
        "RADESYS": "FK5",
        "EQUINOX": 2000.0,
    }
    projection = projection_from_header(header, PIXELS, *origin)
    twin = WCS(header).pixel_to_world(X, Y).icrs
    assert projection.pixel_to_sky(x=X + origin[0], y=Y + origin[1]).separation(twin).arcsec.max() < 1e-8


def test_header_without_coordinates():
    assert projection_from_header({"CTYPE1A": "LINEAR", "NAXIS": 2}) is None
    with pytest.raises(InputError, match=r"a.fits: WCS: the FITS WCS cannot be read"):
        projection_from_header(HEADER | {"CTYPE2": "RA---TAN"}, path="a.fits", part="WCS")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1 SkyWcs", "2 SkyWcs", "no AST dump of version 1"),
        ("Naxes =", "Nuxes =", "is incomplete"),
        ("End CmpMap", "End CapMap", "is incomplete"),
        ("IsA Mapping", "IsA Napping", "'Napping' is unknown"),
        ('Type = "TAN"', 'Type = "TAN', "has no name"),
        ("Frm1 =", "Frn1 =", "is incomplete"),
        ("MapB =", "MapC =", "is incomplete"),
        ("Nin = 2", "Nin : 2", "is no line of a dump"),
        ("End FrameSet", "", "does not end"),
    ],
)
def test_damaged_dump(tmp_path, old, new, message):
    """Each of these, but the first, would crash the library or be read as something else."""
    text = f"1 SkyWcs 0  {sky_mapping()[0]}"
    assert old in text
    path = stored_wcs(tmp_path, text.replace(old, new))
    with pytest.raises(InputError, match=rf"w.fits: SkyWcs \(id 1\): .*{message}"):
        read_stored(path)


def test_empty_dump():
    with pytest.raises(InputError, match="begins with"):
        split_stored(np.frombuffer(b"1 SkyWcs 0  ", np.uint8), where={"path": "a.fits"})
