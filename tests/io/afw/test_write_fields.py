"""Fields, aperture corrections and calibrations written in afw's layout come back."""

import numpy as np
import pytest
import starlink.Ast
from astropy.io import fits
from lsst.images import Box
from lsst.images.fields import ChebyshevField, ProductField, SumField

from helpers.exposures import DETECTOR_BOX, full_exposure
from helpers.shared import needs_shared, realdata, reference
from secondlight.errors import InputError
from secondlight.io.afw.archive import Archive
from secondlight.io.afw.fields import StoredFunction, read_ap_corr_map, read_field
from secondlight.io.afw.hdus import FitsFile
from secondlight.io.afw.write_archive import write_standalone
from secondlight.io.afw.write_fields import save_ap_corr_map, save_field, write_photo_calib
from secondlight.io.read import read_photo_calib
from secondlight.model.fields import PixelAreaField, TransformField
from secondlight.model.photo_calib import PhotoCalib

BOX = Box.factory[10:60, -5:95]
X, Y = np.array([-5.0, 94.0, 12.5, 60.0]), np.array([10.0, 59.0, 30.25, 17.0])


def polynomial_field(factor=1.0):
    """x² + 3y."""
    mapping = starlink.Ast.PolyMap(np.array([[1.0, 1, 2, 0], [3.0, 1, 0, 1]]), np.zeros((0, 3)))
    return TransformField(BOX, StoredFunction(mapping), factor=factor)


FIELDS = {
    "constant": lambda: ChebyshevField(BOX, np.array([[2.5]])),
    "chebyshev": lambda: ChebyshevField(BOX, np.array([[1.5, 0.2, -0.1], [0.05, 0.03, 0.0]])),
    "product": lambda: ProductField([FIELDS["chebyshev"](), FIELDS["constant"]()]),
    "transform": polynomial_field,
    "scaled transform": lambda: polynomial_field(0.125),
    "pixel area": lambda: PixelAreaField(BOX, full_exposure().wcs, 1.25e13),
    "product of all": lambda: ProductField(
        [ChebyshevField(BOX, np.array([[1.0, 0.5]])), polynomial_field(2.0), FIELDS["pixel area"]()]
    ),
}


@pytest.mark.parametrize("kind", FIELDS)
def test_every_kind(tmp_path, kind):
    field = FIELDS[kind]()
    write_standalone(tmp_path / "f.fits", field, save_field)
    archive = Archive.standalone(FitsFile(tmp_path / "f.fits"))
    back = read_field(archive, 1)
    assert type(back) is type(field)
    assert back.bounds.bbox == field.bounds.bbox
    np.testing.assert_allclose(
        back(x=X, y=Y), field(x=X, y=Y), rtol=1e-12 if "area" in kind or "all" in kind else 1e-14
    )


def test_a_shared_factor_is_stored_once(tmp_path):
    factor = FIELDS["chebyshev"]()
    corrections = {"b_instFlux": ProductField([factor, factor]), "a_instFlux": factor}
    write_standalone(tmp_path / "m.fits", corrections, save_ap_corr_map)
    archive = Archive.standalone(FitsFile(tmp_path / "m.fits"))
    assert sorted(map(archive.name, archive.ids)) == [
        "ApCorrMap", "ChebyshevBoundedField", "ProductBoundedField",
    ]  # fmt: skip
    back = read_ap_corr_map(archive, 1)
    assert list(back) == ["a_instFlux", "b_instFlux"]
    for name, field in corrections.items():
        np.testing.assert_array_equal(back[name](x=X, y=Y), field(x=X, y=Y))


@pytest.mark.parametrize(
    "field",
    [
        lambda: SumField([FIELDS["constant"](), FIELDS["chebyshev"]()]),
        lambda: TransformField(BOX, lambda x, y: x),
    ],
)
def test_kinds_unknown_to_afw(tmp_path, field):
    with pytest.raises(InputError, match=r"(SumField|TransformField) has no counterpart in afw"):
        write_standalone(tmp_path / "f.fits", field(), save_field)


@pytest.mark.parametrize(
    "calib",
    [
        PhotoCalib.constant(0.5, 1e-3),
        PhotoCalib.constant(2.0, 0.0, DETECTOR_BOX),
        PhotoCalib.from_field(ChebyshevField(DETECTOR_BOX, np.array([[0.5, 0.01], [0.02, 0.0]])), 1e-4),
    ],
)
def test_photo_calib(tmp_path, calib):
    write_photo_calib(tmp_path / "c.fits", calib)
    assert read_photo_calib(tmp_path / "c.fits") == calib


def test_a_constant_without_a_box_has_an_empty_one(tmp_path):
    """The stack's own, not one of a pixel."""
    write_photo_calib(tmp_path / "c.fits", PhotoCalib.constant(0.5))
    with fits.open(tmp_path / "c.fits") as hdus:
        row = hdus["ChebyshevBoundedField"].data[0]
        assert [row[f"bbox_{end}_{axis}"] for end in ("min", "max") for axis in "xy"] == [0, 0, -1, -1]


@needs_shared
@pytest.mark.parametrize(
    "path",
    [
        lambda: reference("small", "inputs", "initial_photoCalib.fits"),
        lambda: realdata("lsst_files", "afw_tests", "photoCalib-version1.fits"),
    ],
)
def test_recorded_photo_calib(tmp_path, path):
    """The recorded file, card by card and byte by byte."""
    write_photo_calib(tmp_path / "c.fits", read_photo_calib(path()))
    with fits.open(path()) as theirs, fits.open(tmp_path / "c.fits") as ours:
        assert len(ours) == len(theirs)
        for a, b in zip(theirs, ours, strict=True):
            if a.data is not None:
                assert a.data.tobytes() == b.data.tobytes()
                assert a.columns.names == b.columns.names and a.columns.formats == b.columns.formats
            # in 2019 tables had no names, and other comments
            here, there = ({(c.keyword, str(c.value)) for c in h.header.cards} for h in (b, a))
            assert {k for k, _ in there ^ here} <= {"EXTNAME", "COMMENT", *(f"TDOC{i}" for i in range(2, 6))}
