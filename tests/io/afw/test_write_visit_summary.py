"""Visit summaries written in afw's layout: recorded ones come back, and are laid out as they were."""

import numpy as np
import pytest
from astropy.io import fits

from helpers.exposures import full_exposure
from helpers.shared import needs_shared, realdata, reference
from secondlight.errors import InputError, UsageError
from secondlight.io.afw.visit_summary import read_visit_summary
from secondlight.io.afw.write_table import StoredField
from secondlight.io.afw.write_visit_summary import user_fields, write_visit_summary
from secondlight.io.native_summary import VisitRecord
from secondlight.io.read import read_visit_summary as read_any_summary

FILES = {
    "piff": lambda: reference("small", "inputs", "finalVisitSummary.fits"),
    "pca": lambda: reference("sdss_r", "inputs", "finalVisitSummary.fits"),
    "hsc": lambda: realdata("lsst_files", "drp_tasks_hsc", "visitSummary_1176.fits"),
    "cfht": lambda: realdata("lsst_files", "jointcal_cfht", "visitSummary-849375.fits"),
}
#: Tables that hold more in the reference's files (see `test_write_exposure`) or that are of an older version there.
UNLIKE = {"Detector", "TransformMap", "TransformPoint2ToPoint2", "ARCHIVE_INDEX"}


@needs_shared
@pytest.mark.parametrize("which", FILES)
def test_recorded_summaries(tmp_path, which):
    theirs = read_visit_summary(FILES[which]())
    write_visit_summary(tmp_path / "s.fits", theirs, fields=user_fields(theirs), columns=theirs.columns)
    ours = read_any_summary(tmp_path / "s.fits")
    assert ours.detectors == theirs.detectors
    assert list(ours.columns) == list(theirs.columns)
    for name, values in theirs.columns.items():
        np.testing.assert_equal(ours.columns[name], values, err_msg=name)
    for a, b in list(zip(theirs, ours, strict=True))[:4]:
        for name in ("wcs", "photo_calib", "ap_corr_map", "bbox"):
            assert getattr(b, name) == getattr(a, name), name
        assert str(b.visit_info) == str(a.visit_info)
        np.testing.assert_array_equal(b.valid_polygon, a.valid_polygon)
        assert (b.psf is None, b.detector is None) == (a.psf is None, a.detector is None)
        if a.psf is not None:
            x, y = np.array([10.0, 900.0]), np.array([900.0, 10.0])
            np.testing.assert_array_equal(b.psf.kernel_images(x, y), a.psf.kernel_images(x, y))
    # the record of a visit has grown since those of HSC and CFHT were written
    unlike = UNLIKE | ({"VisitInfo"} if which in ("hsc", "cfht") else set())
    with fits.open(theirs.path) as a, fits.open(tmp_path / "s.fits") as b:
        b.verify("exception")
        assert [h.name for h in b] == [h.name for h in a]
        for there, here in zip(a, b, strict=True):
            if there.data is not None and there.name not in unlike:
                assert here.data.tobytes() == there.data.tobytes(), there.name
                assert here.columns.names == there.columns.names
        # the table itself: every card but comments
        cards = [
            {(c.keyword, str(c.value)) for c in h[1].header.cards if c.keyword != "COMMENT"} for h in (a, b)
        ]
        assert cards[0] == cards[1]
        rows = [[tuple(r) for r in h["ARCHIVE_INDEX"].data if r["name"] not in UNLIKE] for h in (a, b)]
        assert [r[-2:] for r in rows[0]] == [r[-2:] for r in rows[1]]


def records():
    exposure = full_exposure()
    shared = exposure.visit_info
    full = VisitRecord(
        42, exposure.bbox, exposure.psf, exposure.wcs, exposure.photo_calib, exposure.ap_corr_map, shared,
        exposure.detector, exposure.valid_polygon,
    )  # fmt: skip
    return [VisitRecord(43, visit_info=shared), full, VisitRecord(7)]


def test_native_records(tmp_path):
    """In any order; what is shared is stored once; what is missing is missing."""
    extra = (
        StoredField("visit", "L", "", "Visit number"),
        StoredField("band", "String", "", "Name of band", 32),
    )
    columns = {"visit": [1, 2, 3], "band": ["g", "r", "i"]}
    write_visit_summary(tmp_path / "s.fits", records(), fields=extra, columns=columns)
    summary = read_visit_summary(tmp_path / "s.fits")
    assert summary.detectors == [7, 42, 43]
    assert summary.columns["visit"].tolist() == [3, 2, 1] and list(summary.columns["band"]) == ["i", "r", "g"]
    with fits.open(tmp_path / "s.fits") as hdus:
        assert hdus[1].header["EXPTABLE_VER"] == 5
        assert list(hdus["ARCHIVE_INDEX"].data["name"]).count("VisitInfo") == 1
    assert summary.find(7).psf is None and summary.find(7).wcs is None and summary.find(7).bbox is None
    assert summary.find(43).photo_calib is None and summary.find(43).visit_info == records()[0].visit_info
    ours, full = summary.find(42), records()[1]
    assert (ours.bbox, ours.photo_calib, ours.ap_corr_map) == (full.bbox, full.photo_calib, full.ap_corr_map)
    x, y = np.array([10.0, 900.0]), np.array([900.0, 10.0])
    assert ours.wcs.pixel_to_sky(x=x, y=y).separation(full.wcs.pixel_to_sky(x=x, y=y)).arcsec.max() < 1e-9
    np.testing.assert_allclose(ours.psf.kernel_images(x, y), full.psf.kernel_images(x, y), rtol=0, atol=1e-14)
    assert ours.detector._attributes == full.detector._attributes
    np.testing.assert_array_equal(ours.valid_polygon, full.valid_polygon)


def test_no_records_and_refusals(tmp_path):
    write_visit_summary(tmp_path / "s.fits", [])
    assert len(read_visit_summary(tmp_path / "s.fits")) == 0
    with pytest.raises(UsageError, match="exists already"):
        write_visit_summary(tmp_path / "s.fits", [])
    with pytest.raises(InputError, match="WrappedPsf"):
        from helpers.psfs import every_psf

        record = VisitRecord(1, psf=every_psf()["wrapped"])
        write_visit_summary(tmp_path / "t.fits", [record])
