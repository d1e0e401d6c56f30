"""A visit as files, read back by the readers that the run uses."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from secondlight.errors import UsageError
from secondlight.io.afw.background import read_background
from secondlight.io.afw.image import read_image, read_mask
from secondlight.io.read import read_exposure, read_photo_calib, read_visit_summary
from secondlight.simulate.files import run_arguments, write_visit
from secondlight.simulate.visit import simulate_visit


@pytest.fixture(scope="module")
def written(small_visit, tmp_path_factory):
    directory = tmp_path_factory.mktemp("visit") / "v"
    write_visit(directory, small_visit)
    return directory, small_visit


def test_exposure(written):
    directory, visit = written
    ours, back = visit.exposures[0], read_exposure(directory / "postISRCCD_0.fits")
    for name in ("image", "variance"):
        np.testing.assert_array_equal(getattr(back, name), getattr(ours, name))
    for name in ("SAT", "BAD", "INTRP", "SUSPECT"):
        np.testing.assert_array_equal(
            (back.mask & back.mask_planes.bits([name])) != 0, (ours.mask & ours.mask_planes.bits([name])) != 0
        )
    assert (back.unit, back.filter, back.detector.id) == ("electron", ours.filter, 94)
    assert back.visit_info.id == visit.visit and back.visit_info.exposure_time == 30.0
    assert back.visit_info.instrument == "LSSTCam"


def test_summary(written):
    directory, visit = written
    summary = read_visit_summary(directory / "finalVisitSummary.fits")
    assert summary.detectors == [94, 95]
    record = summary.find(94)
    x, y = np.array([30.2, 200.0]), np.array([99.0, 7.7])
    np.testing.assert_array_equal(
        record.psf.stellar_images(x, y).images, visit.psf.stellar_images(x, y).images
    )
    np.testing.assert_array_equal(record.photo_calib.local(x, y), visit.photo_calib.local(x, y))
    assert record.wcs == visit.wcs and set(record.ap_corr_map) == set(visit.ap_corr_map)
    missing = summary.find(95)
    assert missing.psf is missing.wcs is missing.photo_calib is missing.ap_corr_map is None


def test_masks_and_backgrounds(written):
    directory, visit = written
    mask = read_mask(directory / "preliminary_visit_mask.fits")
    np.testing.assert_array_equal(mask.array, visit.preliminary_mask)
    assert mask.planes["SPIKE"] == visit.preliminary_planes["SPIKE"]
    for name, background in (("background_1", visit.background_1), ("skyCorr", visit.sky_corr)):
        np.testing.assert_array_equal(read_background(directory / f"{name}.fits").image(), background.image())
    assert read_photo_calib(directory / "initial_photoCalib.json").mean == visit.initial_photo_calib.mean


def test_tables_and_truth(written):
    directory, visit = written
    calib = pq.read_table(directory / "finalized_src_table.parquet")
    assert [str(t) for t in calib.schema.types] == ["int16", "double", "double", "bool", "bool", "bool"]
    truth = pq.read_table(directory / "truth" / "truth.parquet")
    assert truth.column_names == visit.truth.colnames
    assert all(
        str(truth.schema.field(n).type) == ("string" if n == "kind" else "double") for n in truth.column_names
    )
    np.testing.assert_array_equal(np.load(directory / "truth" / "cr_truth.npz")["cr_truth"], visit.cr_truth)
    assert json.loads((directory / "truth" / "inputs.json").read_text())["seed"] == 3


def test_nothing_is_replaced_unasked(written):
    directory, visit = written
    with pytest.raises(UsageError, match="exists"):
        write_visit(directory, visit)
    write_visit(directory, visit, overwrite=True)


def test_snaps_and_ratio(tmp_path):
    visit = simulate_visit(128, 128, seed=1, snaps=2, flat_ratio=True)
    write_visit(tmp_path / "v", visit)
    ratio, x0, y0 = read_image(tmp_path / "v" / "background_to_photometric_ratio.fits")
    np.testing.assert_array_equal(ratio, visit.background_ratio)
    assert (x0, y0) == (0, 0)
    arguments = run_arguments(tmp_path / "v", visit, tmp_path / "out")
    paths = [a for a in arguments if a.startswith(str(tmp_path / "v"))]
    assert len(paths) == 8 and all((tmp_path / "v").joinpath(p).exists() for p in paths)
    assert "do_apply_flat_background_ratio=True" in arguments and arguments.count("--background") == 2
