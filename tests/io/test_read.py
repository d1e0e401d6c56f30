"""Exposures of either format, told apart by their content."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
from lsst.images.serialization import write_archive

from helpers.exposures import full_exposure
from helpers.shared import needs_shared, realdata
from secondlight.errors import InputError
from secondlight.io.native import write_visit_image
from secondlight.io.read import read_exposure
from secondlight.model.visit_image import to_visit_image


def test_native_files_whatever_their_names(tmp_path: Path) -> None:
    exposure = full_exposure((12, 9))
    write_visit_image(tmp_path / "a.fits", exposure)
    write_archive(to_visit_image(exposure), tmp_path / "a.json")
    shutil.copy(tmp_path / "a.fits", tmp_path / "fits")
    shutil.copy(tmp_path / "a.json", tmp_path / "json")
    (tmp_path / "b.fits.gz").write_bytes(gzip.compress((tmp_path / "a.fits").read_bytes()))
    for name in ("a.fits", "a.json", "fits", "json", "b.fits.gz"):
        np.testing.assert_array_equal(read_exposure(tmp_path / name).image, exposure.image)
    assert read_exposure(tmp_path / "a.json", psf=False).psf is None


@needs_shared
def test_files_of_the_reference() -> None:
    exposure = read_exposure(realdata("lsst_files", "obs_base", "calexp.fits"), psf=False)
    assert exposure.visit_info is not None
    assert exposure.psf is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is neither a FITS file nor JSON"),
        (b"PAR1 something", "is neither a FITS file nor JSON"),
        (b"\x1f\x8b not gzip", "cannot be read"),
        (gzip.compress(b"SIMPLE  = " * 1000, mtime=0)[:-20], "cannot be read"),
        (b'{"a": 1}', "cannot be read as an image of lsst.images"),
        (b"SIMPLE  =                    T" + b" " * 50 + b"END" + b" " * 2797, ""),
        (None, r"cannot be read (No such file or directory)"),
    ],
)
def test_files_that_are_no_exposures(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "x"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_exposure(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
