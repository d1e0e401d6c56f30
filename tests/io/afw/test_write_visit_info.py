"""Descriptions of visits as cards and as records come back to the last bit."""

from dataclasses import fields
from math import nan, pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.exposures import full_exposure
from helpers.shared import needs_shared, realdata
from secondlight.io.afw.archive import Archive
from secondlight.io.afw.hdus import FitsFile
from secondlight.io.afw.visit_info import ROT_TYPES, read_visit_info, visit_info_from_header
from secondlight.io.afw.write_archive import write_standalone
from secondlight.io.afw.write_visit_info import save_visit_info, visit_info_cards
from secondlight.model.visit_info import VisitInfo

ANGLES = st.floats(-2 * pi, 2 * pi) | st.just(nan)
NUMBERS = st.floats(-1e6, 1e6) | st.just(nan)
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)
IN_RADIANS = {"era", "longitude", "latitude"} | {
    f"boresight_{n}" for n in ("ra", "dec", "az", "alt", "rot_angle")
}


@st.composite
def visit_infos(draw):
    values = {}
    for f in fields(VisitInfo):
        kind = {"int": st.integers(1, 2**62), "str": TEXTS, "bool": st.booleans(), "float": NUMBERS}[f.type]
        values[f.name] = draw(ANGLES if f.name in IN_RADIANS else kind)
    values["rot_type"] = draw(st.sampled_from(ROT_TYPES))
    values["date_tai"] = draw(st.floats(45000.0, 75000.0) | st.just(nan))
    return VisitInfo(**values)


def test_twelve_digits_are_not_blown_up_to_seventeen():
    """An angle that was 46.285272996912 degrees is that again."""
    info = VisitInfo(boresight_ra=np.radians(46.285272996912), date_tai=61000.25)
    cards = {key: value for key, value, _ in visit_info_cards(info)}
    assert repr(float(cards["BORE-RA"])) == "46.285272996912"
    assert (cards["DATE-AVG"], cards["TIMESYS"]) == ("2025-11-21T06:00:00.000000000", "TAI")
    assert "EXPTIME" not in cards and "OBJECT" not in cards and "IDNUM" not in cards


@settings(max_examples=60, deadline=None)
@given(visit_infos())
def test_cards_come_back(info):
    cards = list(visit_info_cards(info))
    assert len({key for key, _, _ in cards}) == len(cards)
    back = visit_info_from_header({key: value for key, value, _ in cards})
    for f in fields(VisitInfo):
        ours, theirs = getattr(info, f.name), getattr(back, f.name)
        if f.name in IN_RADIANS:
            # not every angle is that of a number of degrees
            assert theirs == pytest.approx(ours, rel=3e-16, abs=0, nan_ok=True), f.name
        elif f.name == "date_tai":
            assert theirs == pytest.approx(ours, rel=0, abs=1.5e-11, nan_ok=True)
        else:
            np.testing.assert_equal(theirs, ours, err_msg=f.name)


@settings(max_examples=30, deadline=None)
@given(info=visit_infos())
def test_records_come_back(tmp_path_factory, info):
    path = tmp_path_factory.mktemp("info") / "v.fits"
    write_standalone(path, info, save_visit_info)
    back = read_visit_info(Archive.standalone(FitsFile(path)), 1)
    for f in fields(VisitInfo):
        tolerance = {"rel": 0, "abs": 1.5e-11} if f.name == "date_tai" else {"rel": 0, "abs": 0}
        ours, theirs = getattr(info, f.name), getattr(back, f.name)
        if f.type == "float":
            assert theirs == pytest.approx(ours, nan_ok=True, **tolerance), f.name
        else:
            assert theirs == ours, f.name


def test_nothing_known(tmp_path):
    write_standalone(tmp_path / "v.fits", VisitInfo(), save_visit_info)
    assert str(read_visit_info(Archive.standalone(FitsFile(tmp_path / "v.fits")), 1)) == str(VisitInfo())
    assert [key for key, _, _ in visit_info_cards(VisitInfo())] == ["ROTTYPE", "HAS-SIMULATED-CONTENT"]


@needs_shared
def test_recorded_record(tmp_path):
    """A record of today's version, byte by byte."""
    path = realdata("lsst_files", "afw_tests", "visitInfo-version-5.fits")
    info = read_visit_info(Archive.standalone(FitsFile(path)), 1)
    write_standalone(tmp_path / "v.fits", info, save_visit_info)
    theirs, ours = FitsFile(path), FitsFile(tmp_path / "v.fits")
    assert [h.size for h in ours.hdus] == [h.size for h in theirs.hdus]
    for a, b in zip(theirs.hdus, ours.hdus, strict=True):
        assert theirs.data(a).tobytes() == ours.data(b).tobytes()


def test_order_is_the_references():
    keys = [key for key, _, _ in visit_info_cards(full_exposure().visit_info)]
    assert keys[:4] == ["EXPTIME", "DARKTIME", "DATE-AVG", "TIMESYS"] and len(keys) == 27
