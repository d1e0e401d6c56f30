"""Stored fields that no file at hand has, in archives made here; each against its formula."""

import numpy as np
import pytest
import starlink.Ast
from lsst.images.fields import ChebyshevField, ProductField

from helpers.archives import chebyshev_table, write_archive
from helpers.by_hand import chebyshev
from secondlight.errors import InputError
from secondlight.io.afw.archive import Archive
from secondlight.io.afw.fields import read_ap_corr_map, read_field
from secondlight.io.afw.hdus import FitsFile
from secondlight.io.afw.photo_calib import read_photo_calib
from secondlight.io.afw.stored_ast import dump_ast
from secondlight.model.fields import PixelAreaField, TransformField

BOX = {
    "bbox_min_x": ("1J", [0]),
    "bbox_min_y": ("1J", [0]),
    "bbox_max_x": ("1J", [99]),
    "bbox_max_y": ("1J", [49]),
}
X, Y = np.array([0.0, 99.0, 12.5, 60.0]), np.array([0.0, 49.0, 30.25, 7.0])
FIRST, SECOND = [1.5, 0.2, -0.1, 0.05, 0.03, 0.01], [2.0, 0.0, 0.25, -0.5]


def stored(text: str):
    return np.frombuffer(text.encode(), np.uint8)


def open_archive(path, objects):
    return Archive(FitsFile(write_archive(path / "a.fits", objects)))


def test_chebyshev(tmp_path):
    archive = open_archive(tmp_path, [("ChebyshevBoundedField", [chebyshev_table(FIRST, 2)])])
    field = read_field(archive, 1)
    assert isinstance(field, ChebyshevField)
    np.testing.assert_allclose(field(x=X, y=Y), chebyshev(FIRST, 2, (0, 0, 99, 49), X, Y), rtol=1e-13)


def test_product_of_shared_factors(tmp_path):
    objects = [
        ("ProductBoundedField", [{"id": ("1J", [2, 3, 2])}]),
        ("ChebyshevBoundedField", [chebyshev_table(FIRST, 2)]),
        ("ChebyshevBoundedField", [chebyshev_table(SECOND, 1)]),
    ]
    field = read_field(open_archive(tmp_path, objects), 1)
    assert isinstance(field, ProductField)
    a, b = (chebyshev(c, o, (0, 0, 99, 49), X, Y) for c, o in ((FIRST, 2), (SECOND, 1)))
    np.testing.assert_allclose(field(x=X, y=Y), a * b * a, rtol=1e-13)


def test_transform(tmp_path):
    """A mapping from the plane to one number: x² + 3y."""
    mapping = starlink.Ast.PolyMap(np.array([[1.0, 1, 2, 0], [3.0, 1, 0, 1]]), np.zeros((0, 3)))
    frames = starlink.Ast.FrameSet(starlink.Ast.Frame(2))
    frames.addframe(1, mapping, starlink.Ast.Frame(1))
    table = BOX | {"frameSet": ("1QB", [stored(dump_ast(frames))])}
    field = read_field(open_archive(tmp_path, [("TransformBoundedField", [table])]), 1)
    assert isinstance(field, TransformField) and not field.is_constant
    np.testing.assert_allclose(field(x=X, y=Y), X**2 + 3 * Y, rtol=1e-13)
    np.testing.assert_allclose((2 * field)(x=X, y=Y), 2 * X**2 + 6 * Y, rtol=1e-13)
    assert isinstance(field(x=1.0, y=2.0), float)
    image = field.render()
    assert image.bbox == field.bounds.bbox
    assert image.array[2, 5] == pytest.approx(5**2 + 3 * 2)


def test_pixel_area(tmp_path):
    """Gnomonic projection: the solid angle of a pixel falls as cos³ of the distance from the tangent point."""
    scale = np.radians(0.2 / 3600)
    wcs = {
        "crval_x": ("1D", [30.0]),
        "crval_y": ("1D", [-20.0]),
        "crpix_x": ("1D", [-20000.0]),
        "crpix_y": ("1D", [0.0]),
        "cd": ("4D", [[-0.2 / 3600, 0, 0, 0.2 / 3600]]),
        **{n: ("72A", [v]) for n, v in (("ctype1", "RA---TAN"), ("ctype2", "DEC--TAN"), ("radesys", "ICRS"))},
        **{n: ("72A", ["deg"]) for n in ("cunit1", "cunit2")},
        "equinox": ("1D", [9.8e107]),
    }
    table = BOX | {"wcs": ("1J", [2]), "scaling": ("1D", [1e10])}
    field = read_field(open_archive(tmp_path, [("PixelAreaBoundedField", [table]), ("TanWcs", [wcs])]), 1)
    assert isinstance(field, PixelAreaField)
    r = np.hypot(X + 0.5 + 20000, Y + 0.5) * scale
    np.testing.assert_allclose(field(x=X, y=Y), 1e10 * scale**2 * (1 + r**2) ** -1.5, rtol=1e-8)
    np.testing.assert_allclose((field / 2)(x=X, y=Y), field(x=X, y=Y) / 2)


def test_ap_corr_map_shares_fields_and_keeps_the_first_of_a_name(tmp_path):
    objects = [
        ("ApCorrMap", [{"name": ("64A", ["a", "b", "a"]), "field": ("1J", [2, 2, 3])}]),
        ("ChebyshevBoundedField", [chebyshev_table(FIRST, 2)]),
        ("ChebyshevBoundedField", [chebyshev_table(SECOND, 1)]),
    ]
    corrections = read_ap_corr_map(open_archive(tmp_path, objects), 1)
    assert list(corrections) == ["a", "b"] and corrections["a"] is corrections["b"]


def photo_calib_table(**values):
    columns = {"calibrationMean": 2.0, "calibrationErr": 0.1, "field": 2, "version": 1} | values
    return {n: ("1J" if n in ("field", "version") else "1D", [v]) for n, v in columns.items()} | {
        "isConstant": ("1L", [False])
    }


def test_photo_calib_that_varies(tmp_path):
    objects = [("PhotoCalib", [photo_calib_table()]), ("ChebyshevBoundedField", [chebyshev_table(FIRST, 2)])]
    calibration = read_photo_calib(write_archive(tmp_path / "p.fits", objects))
    assert (calibration.mean, calibration.err) == (2.0, 0.1)
    np.testing.assert_allclose(calibration.local(X, Y), chebyshev(FIRST, 2, (0, 0, 99, 49), X, Y), rtol=1e-13)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"version": 2}, r"PhotoCalib \(id 1\): stored in version 2; only version 1"),
        ({"calibrationMean": -1.0}, r"calibration mean -1.0 must not be negative"),
        ({"field": 1}, r"id 1: the stored object is of class 'PhotoCalib'; expected ChebyshevBoundedField"),
        ({"field": 5}, r"no object with id 5"),
    ],
)
def test_photo_calib_refused(tmp_path, values, message):
    objects = [
        ("PhotoCalib", [photo_calib_table(**values)]),
        ("ChebyshevBoundedField", [chebyshev_table(FIRST, 2)]),
    ]
    path = write_archive(tmp_path / "p.fits", objects)
    with pytest.raises(InputError, match=rf"p.fits: .*{message}"):
        read_photo_calib(path)


def test_coefficients_that_fill_no_rectangle(tmp_path):
    archive = open_archive(tmp_path, [("ChebyshevBoundedField", [chebyshev_table(FIRST[:5], 2)])])
    with pytest.raises(InputError, match=r"5 coefficients are no multiple of order_x \+ 1 = 3"):
        read_field(archive, 1)
