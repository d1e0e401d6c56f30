"""From afw files to afw files: a simulated visit, through the command line."""

import json
import shutil

import numpy as np
import pytest
from astropy.io import fits

from helpers.command import secondlight
from helpers.psfs import LopsidedPsf
from secondlight import runner
from secondlight.io.afw.background import read_background
from secondlight.io.afw.exposure import read_exposure
from secondlight.io.afw.source_catalog import read_source_catalog
from secondlight.io.afw.visit_summary import read_visit_summary
from secondlight.io.native import read_visit_image
from secondlight.io.tables import read_footprints, read_sources
from secondlight.model.psf import WrappedPsf
from secondlight.runner import AFW_OUTPUTS, BOTH_OUTPUTS, OUTPUTS


@pytest.fixture(scope="module")
def visit(tmp_path_factory):
    """The same visit in both formats: for each the arguments of its run."""
    arguments = {}
    for name in ("native", "afw"):
        folder = tmp_path_factory.mktemp(name)
        ended = secondlight("simulate", folder, "--format", name, "--size", 240, 220, "--density", 2)
        assert ended.status == 0, ended.err
        command = ended.out.split()
        at = command.index("--out")
        arguments[name] = [*command[1:at], *command[at + 2 :], "--quiet"]
    return arguments


@pytest.fixture(scope="module")
def outputs(visit, tmp_path_factory):
    folders = {}
    for inputs, formats in (("afw", "both"), ("afw", "afw"), ("native", "both")):
        folder = tmp_path_factory.mktemp("out") / "outputs"
        ended = secondlight(*visit[inputs], "--out", folder, "--format", formats)
        assert ended.status == 0, ended.err
        folders[inputs, formats] = folder
    return folders


def test_inputs_are_afw(visit):
    """The files that the simulation wrote are those of the layouts."""
    folder = visit["afw"][1].rsplit("/", 1)[0]
    with fits.open(visit["afw"][1]) as hdus:
        assert hdus[0].header["EXPINFO_V"] == 2
    summary = read_visit_summary(visit["afw"][visit["afw"].index("--visit-summary") + 1])
    assert summary.detectors == [94, 95] and summary.find(95).psf is None
    assert fits.getheader(f"{folder}/initial_photoCalib.fits", 1)["EXTNAME"] == "ARCHIVE_INDEX"


def test_which_files(outputs):
    for (_, formats), folder in outputs.items():
        names = {"afw": AFW_OUTPUTS, "both": BOTH_OUTPUTS}[formats]
        assert sorted(p.name for p in folder.iterdir()) == sorted(names)


def test_afw_image_is_the_native_one(outputs):
    """Pixels bit by bit; calibrations and descriptions as far as the native file has them."""
    folder = outputs["afw", "both"]
    native, afw = read_visit_image(folder / "pvi.fits"), read_exposure(folder / "pvi_afw.fits")
    for name in ("image", "mask", "variance"):
        assert getattr(afw, name).tobytes() == getattr(native, name).tobytes(), name
    assert afw.unit == native.unit == "nJy"
    assert afw.mask_planes == native.mask_planes
    assert afw.photo_calib.mean == 1.0 and afw.photo_calib.is_constant
    assert afw.ap_corr_map.keys() == native.ap_corr_map.keys()
    x, y = np.array([10.0, 290.0, 150.5]), np.array([20.0, 250.0, 99.0])
    for name, field in afw.ap_corr_map.items():
        np.testing.assert_allclose(field(x=x, y=y), native.ap_corr_map[name](x=x, y=y), rtol=1e-12)
    assert afw.wcs.pixel_to_sky(x=x, y=y).separation(native.wcs.pixel_to_sky(x=x, y=y)).arcsec.max() < 1e-9
    np.testing.assert_allclose(
        afw.psf.kernel_images(x, y), native.psf.kernel_images(x, y), rtol=0, atol=1e-12
    )
    assert (afw.filter, afw.detector.id, afw.visit_info.id) == (native.filter, 94, native.visit_info.id)
    # lsst.images names more statistics, which nobody has computed
    assert afw.summary_stats["nPsfStar"] > 0 and len(afw.summary_stats) > 40
    assert afw.summary_stats.pop("version") == 0
    for name, value in afw.summary_stats.items():
        np.testing.assert_allclose(native.summary_stats[name], value, rtol=1e-12, err_msg=name)


def test_afw_catalogue_is_the_native_one(outputs):
    folder = outputs["afw", "both"]
    catalog, table = (
        read_source_catalog(folder / "sources_footprints.fits"),
        read_sources(folder / "sources.parquet"),
    )
    assert len(catalog) == len(table) > 50
    for column in catalog.schema:
        np.testing.assert_array_equal(catalog[column.name], table[column.name], err_msg=column.name)
    native = read_footprints(folder / "sources_footprints.parquet")
    footprints = native if hasattr(native, "spans") else native.footprints
    np.testing.assert_array_equal(catalog.footprints.spans, footprints.spans)
    np.testing.assert_array_equal(catalog.footprints.heavy.image, footprints.heavy.image)


def test_formats_do_not_change_results(outputs):
    one, two = outputs["afw", "both"], outputs["afw", "afw"]
    assert (one / "pvi_afw.fits").read_bytes() == (two / "pvi.fits").read_bytes()
    for name in ("sources_footprints.fits", "pvi_background.fits", "sources.parquet"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    assert len(read_background(two / "pvi_background.fits")) == 2
    assert json.loads((two / "metadata.json").read_text())["counts"]["sources"] > 10


def test_inputs_in_either_format_give_the_same_sources(outputs):
    """The pickled PSF and the AST dumps hand on what the native files do."""
    one, two = (read_sources(outputs[i, "both"] / "sources.parquet") for i in ("afw", "native"))
    assert len(one) == len(two)
    for name in ("id", "base_SdssCentroid_x", "base_PsfFlux_instFlux", "coord_ra", "calib_psf_used"):
        np.testing.assert_allclose(one[name], two[name], rtol=1e-9, err_msg=name)


def test_an_afw_image_is_an_input(visit, outputs, tmp_path):
    """An image that we wrote is recognised as afw's: refused because it is calibrated, processed if it says otherwise."""
    arguments = list(visit["afw"])
    arguments[1] = tmp_path / "pvi.fits"
    shutil.copy(outputs["afw", "afw"] / "pvi.fits", arguments[1])
    ended = secondlight(*arguments, "--out", tmp_path / "again")
    assert ended.status == 3 and "calibrated already" in ended.err
    fits.setval(arguments[1], "BUNIT", value="electron", extname="IMAGE")
    ended = secondlight(*arguments, "--out", tmp_path / "again")
    assert ended.status == 0, ended.err
    assert sorted(p.name for p in (tmp_path / "again").iterdir()) == sorted(OUTPUTS)


def test_overwriting_leaves_no_file_of_another_run(visit, outputs, tmp_path):
    folder = tmp_path / "outputs"
    for formats, names in (("both", BOTH_OUTPUTS), ("afw", AFW_OUTPUTS), ("native", OUTPUTS)):
        ended = secondlight(*visit["afw"], "--out", folder, "--format", formats, "--overwrite")
        assert ended.status == 0, ended.err
        assert sorted(p.name for p in folder.iterdir()) == sorted(names)
    ended = secondlight(*visit["afw"], "--out", folder, "--format", "both")
    assert ended.status == 2 and "pvi.fits exists" in ended.err


def test_a_psf_without_a_class_is_refused_before_the_work(visit, tmp_path, monkeypatch):
    read, stages = runner.read_inputs, []

    def with_other_psf(*args):
        return read(*args) | {"psf": WrappedPsf(LopsidedPsf())}

    monkeypatch.setattr(runner, "read_inputs", with_other_psf)
    monkeypatch.setattr(runner, "ReprocessVisitImageTask", lambda *a, **k: stages.append("task"))
    ended = secondlight(*visit["afw"], "--out", tmp_path / "o", "--format", "afw")
    assert ended.status == 3 and "WrappedPsf has no counterpart in afw" in ended.err
    assert not stages and not (tmp_path / "o").exists()
