"""Every file that an afw writer makes, looked over by astropy and by HEASARC's fitsverify: no errors, no warnings but the layout's."""

from __future__ import annotations

import re
import shutil
import subprocess
import warnings

import numpy as np
import pytest
from astropy.io import fits

from helpers.exposures import full_exposure
from helpers.measuring import gaussian_stars, measure, square_footprints
from helpers.shared import needs_shared, reference
from secondlight.io.afw.write_exposure import write_exposure
from secondlight.io.afw.write_fields import write_photo_calib
from secondlight.io.afw.write_image import write_image, write_mask
from secondlight.io.afw.write_source_catalog import write_source_catalog
from secondlight.io.afw.write_visit_summary import write_visit_summary
from secondlight.io.native import write_background
from secondlight.io.native_summary import VisitRecord
from secondlight.model.background import BackgroundList
from secondlight.model.mask_planes import Mask
from secondlight.simulate import simulate_visit

needs_fitsverify = pytest.mark.skipif(
    shutil.which("fitsverify") is None, reason="fitsverify is not installed (Debian: fitsverify)"
)

#: What fitsverify says of the stack's own files, too: afw's names of columns, repeated keywords, long strings.
OF_THE_LAYOUT = re.compile(
    r'Column #\d+: Name "(cat\.archive|cat\.persistable)" contains character'
    r"|Keyword (AR_NAME|ALIAS) is duplicated in card"
    r"|The OGIP long string keyword convention is used without"
    r"|Columns #\d+, \w+ and #\d+, \w+ are not unique"
)


def summary_of(exposure):
    return [
        VisitRecord(
            42,
            exposure.bbox,
            exposure.psf,
            exposure.wcs,
            exposure.photo_calib,
            exposure.ap_corr_map,
            exposure.visit_info,
            exposure.detector,
            exposure.valid_polygon,
        ),
        VisitRecord(43, visit_info=exposure.visit_info),
    ]


def sources():
    x, y = [30.0, 60.0, 90.0], [30.0, 30.0, 30.0]
    exposure = gaussian_stars((60, 120), x, y, [1e4, 2e4, 3e4], noise=1.0)
    return measure(exposure, square_footprints(x, y), ["base_SdssCentroid", "base_PixelFlags"])


def make(kind, path):
    """Write the file of a kind."""
    exposure = full_exposure()
    if kind.startswith("exposure"):
        write_exposure(path, exposure, compression=kind.partition("-")[2])
    elif kind == "image":
        write_image(path, exposure.image)
    elif kind == "mask":
        write_mask(path, Mask(exposure.mask, exposure.mask_planes, exposure.x0, exposure.y0))
    elif kind == "photo_calib":
        write_photo_calib(path, exposure.photo_calib)
    elif kind == "visit_summary":
        write_visit_summary(path, summary_of(exposure))
    elif kind == "source_catalog":
        write_source_catalog(path, sources())
    elif kind == "background":
        visit = simulate_visit(128, 128, density=0.3)
        write_background(path, BackgroundList([*visit.background_1, *visit.sky_corr]))


KINDS = (
    "exposure-none",
    "exposure-gzip",
    "image",
    "mask",
    "photo_calib",
    "visit_summary",
    "source_catalog",
    "background",
)


@pytest.mark.parametrize("kind", KINDS)
def test_astropy_has_nothing_to_say(tmp_path, kind):
    make(kind, tmp_path / "out.fits")
    with warnings.catch_warnings():
        # long keywords are written as HIERARCH cards on purpose
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        with fits.open(tmp_path / "out.fits", checksum=True) as hdus:
            hdus.verify("exception")
            for hdu in hdus:
                assert hdu.data is None or np.size(hdu.data) >= 0


def complaints(path):
    """Warnings and errors of fitsverify on a file, one line each."""
    ended = subprocess.run(["fitsverify", path], capture_output=True, text=True, check=False)
    counted = re.search(r"found (\d+) warning\(s\) and (\d+) error\(s\)", ended.stdout)
    assert counted is not None, ended.stdout
    said = re.findall(r"\*\*\* (?:Warning|Error): *(.*)", ended.stdout)
    return said, int(counted[2])


@needs_fitsverify
@pytest.mark.parametrize("kind", KINDS)
def test_fitsverify_finds_no_error(tmp_path, kind):
    make(kind, tmp_path / "out.fits")
    said, errors = complaints(tmp_path / "out.fits")
    assert errors == 0
    assert [line for line in said if not OF_THE_LAYOUT.match(line)] == []


@needs_fitsverify
@needs_shared
@pytest.mark.parametrize("name", ["pvi.fits", "sources_footprints.fits", "pvi_background.fits"])
def test_it_says_the_same_of_the_stacks_files(name):
    said, errors = complaints(reference("small", "outputs", name))
    # besides, a mask's BUNIT without a value, which is the one error and is not written here
    said = [line for line in said if "BUNIT has a null value" not in line]
    assert errors == (name == "pvi.fits")
    assert all(OF_THE_LAYOUT.match(line) for line in said)
