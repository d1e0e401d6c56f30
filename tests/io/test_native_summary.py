"""Visit summaries and photometric calibrations in files of lsst.images: round trips."""

import dataclasses
import math

import numpy as np
import pytest
from lsst.images import Box
from lsst.images.fields import ChebyshevField

from helpers.shared import needs_shared, reference
from secondlight.errors import InputError
from secondlight.io.native_summary import (
    VisitRecord,
    VisitSummary,
    read_photo_calib,
    read_visit_summary,
    write_photo_calib,
    write_visit_summary,
)
from secondlight.model.fields import constant_field
from secondlight.model.photo_calib import PhotoCalib
from secondlight.model.psf import GaussianPsf
from secondlight.simulate.camera import Pointing, make_detector, make_sky_projection, make_visit_info

BOX = Box.factory[0:300, 0:200]
FIELD = ChebyshevField(BOX, np.array([[0.5, 0.01], [0.02, 0.0]]))


@pytest.fixture
def record():
    detector = make_detector(42, BOX, 7)
    return VisitRecord(
        42,
        BOX,
        GaussianPsf(1.7, 25, 25),
        make_sky_projection(detector, Pointing()),
        PhotoCalib.from_field(FIELD, err=0.001),
        {"base_PsfFlux_instFlux": FIELD, "base_PsfFlux_instFluxErr": constant_field(0.1, BOX)},
        make_visit_info(7, Pointing(), 30.0),
        detector,
        np.array([[0.0, 0.0], [199.0, 0.0], [100.0, 250.5]]),
    )


@pytest.mark.parametrize("suffix", [".fits", ".json"])
def test_round_trip(tmp_path, record, suffix):
    path = tmp_path / f"summary{suffix}"
    write_visit_summary(path, VisitSummary([record, VisitRecord(43, BOX)]))
    summary = read_visit_summary(path)
    assert summary.detectors == [42, 43] and len(summary) == 2
    back = summary.find(42)
    assert back is not None and back.bbox == BOX
    x, y = np.array([10.3, 150.0]), np.array([200.0, 44.4])
    np.testing.assert_array_equal(back.psf.kernel_images(x, y), record.psf.kernel_images(x, y))
    assert back.wcs == record.wcs and back.detector == record.detector
    np.testing.assert_array_equal(back.photo_calib.local(x, y), record.photo_calib.local(x, y))
    assert (back.photo_calib.mean, back.photo_calib.err, back.photo_calib.is_constant) == (
        record.photo_calib.mean,
        0.001,
        False,
    )
    assert set(back.ap_corr_map) == set(record.ap_corr_map)
    for name, field in record.ap_corr_map.items():
        np.testing.assert_array_equal(back.ap_corr_map[name](x=x, y=y), field(x=x, y=y))
    np.testing.assert_array_equal(back.valid_polygon, record.valid_polygon)
    for name, value in dataclasses.asdict(record.visit_info).items():
        stored = getattr(back.visit_info, name)
        assert type(stored) is type(value)
        assert stored == value or (math.isnan(stored) and math.isnan(value))


def test_parts_that_are_missing_stay_missing(tmp_path):
    write_visit_summary(tmp_path / "s.json", VisitSummary([VisitRecord(3)]))
    summary = read_visit_summary(tmp_path / "s.json")
    assert summary.find(3) == VisitRecord(3) and summary.find(4) is None


def test_one_record_a_detector():
    with pytest.raises(ValueError, match="two records"):
        VisitSummary([VisitRecord(3), VisitRecord(3)])


@pytest.mark.parametrize("suffix", [".fits", ".json"])
@pytest.mark.parametrize("calib", [PhotoCalib.constant(0.3, 0.01, BOX), PhotoCalib.from_field(FIELD)])
def test_photo_calib_round_trip(tmp_path, calib, suffix):
    path = tmp_path / f"calib{suffix}"
    write_photo_calib(path, calib)
    back = read_photo_calib(path)
    assert (back.mean, back.err, back.is_constant) == (calib.mean, calib.err, calib.is_constant)
    np.testing.assert_array_equal(back.local([3.0, 90.0], [5.0, 7.0]), calib.local([3.0, 90.0], [5.0, 7.0]))


def test_other_files_are_refused_by_name(tmp_path):
    text = tmp_path / "text.fits"
    text.write_text("no archive")
    write_photo_calib(tmp_path / "calib.json", PhotoCalib.constant(0.3))
    for path in (text, tmp_path / "missing.fits", tmp_path / "calib.json"):
        with pytest.raises(InputError, match=path.name):
            read_visit_summary(path)


@pytest.mark.parametrize("suffix", [".fits", ".json"])
def test_damaged_files_are_read_or_refused(tmp_path, record, suffix):
    """Bits turned, cards and blocks gone: never an error but ours, and the file is named."""
    path = tmp_path / f"summary{suffix}"
    write_visit_summary(path, VisitSummary([record]))
    data = path.read_bytes()
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(60):
        spoiled = bytearray(data)
        at = int(rng.integers(len(data)))
        match rng.integers(4):
            case 0:
                spoiled = spoiled[:at]
            case 1:
                spoiled[at] ^= 1 << int(rng.integers(8))
            case 2:
                spoiled[at : at + 700] = bytes(len(spoiled[at : at + 700]))
            case _:
                # the value of a card
                at -= at % 80
                spoiled[at + 10 : at + 20] = b"         7"
        path.write_bytes(bytes(spoiled))
        try:
            read_visit_summary(path)
        except InputError as error:
            assert path.name in str(error)
            refused += 1
    assert refused > 10


@needs_shared
def test_holds_what_the_reference_wrote(tmp_path):
    from secondlight.io.afw.visit_summary import read_visit_summary as read_afw

    theirs = read_afw(reference("small", "inputs", "finalVisitSummary.fits")).find(42)
    names = ("bbox", "psf", "wcs", "photo_calib", "ap_corr_map", "visit_info", "detector", "valid_polygon")
    record = VisitRecord(42, **{n: getattr(theirs, n) for n in names})
    write_visit_summary(tmp_path / "s.fits", VisitSummary([record]))
    back = read_visit_summary(tmp_path / "s.fits").find(42)
    x, y = np.array([10.3, 700.0]), np.array([900.0, 44.4])
    peak = theirs.psf.kernel_images(x, y).max()
    # a Piff model on the sky is stored by an approximation, see secondlight.model.native_psf
    assert np.abs(back.psf.kernel_images(x, y) - theirs.psf.kernel_images(x, y)).max() < 1e-3 * peak
    np.testing.assert_allclose(back.photo_calib.local(x, y), theirs.photo_calib.local(x, y), rtol=1e-12)
    ours, sky = back.wcs.pixel_to_sky(x=x, y=y), theirs.wcs.pixel_to_sky(x=x, y=y)
    assert ours.separation(sky).arcsec.max() < 1e-9
