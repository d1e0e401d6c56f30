"""End to end: what is wrong with an input is told in one line, with its exit status, and nothing is written."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from astropy.io import fits

from helpers.command import scene_arguments, secondlight
from helpers.shared import needs_shared, reference
from secondlight.io.afw.exposure import read_exposure

pytestmark = needs_shared

EXPOSURE = "postISRCCD_0.fits"


@pytest.fixture
def arguments(tmp_path):
    """Arguments of a run on a copy of the scene's exposure, which a test may spoil."""
    copy = tmp_path / EXPOSURE
    shutil.copy(reference("small", "inputs", EXPOSURE), copy)
    rest = scene_arguments("small", out=tmp_path / "out")[1:]
    return [copy, *rest]


def refused(arguments, status, *words):
    """Run; check status, that there is one line with these words, and that there is no output."""
    ended = secondlight("run", *arguments, "--quiet")
    assert ended.status == status, ended.err
    lines = ended.err.strip().splitlines()
    assert len(lines) == 1, ended.err
    for word in words:
        assert word in lines[0]
    print(f"{status}: {lines[0]}")  # docs/errors.md quotes these: pytest -rP shows them
    out = arguments[arguments.index("--out") + 1]
    assert not out.exists() or not list(out.iterdir())


def replaced(arguments, option, value):
    i = arguments.index(option)
    return [*arguments[: i + 1], value, *arguments[i + 2 :]]


def test_missing_file(arguments, tmp_path):
    refused([tmp_path / "no.fits", *arguments[1:]], 3, "no.fits", "No such file")


@pytest.mark.parametrize(
    "option", ["--visit-summary", "--background", "--preliminary-mask", "--calib-sources"]
)
def test_missing_option_file(arguments, tmp_path, option):
    refused(replaced(arguments, option, tmp_path / "gone"), 3, "gone")


@pytest.mark.parametrize("keep", [0, 1000, 2880, 100_000, 6_000_000])
def test_truncated_file(arguments, keep):
    with arguments[0].open("r+b") as stream:
        stream.truncate(keep)
    refused(arguments, 3, EXPOSURE)


def test_not_an_exposure(arguments):
    refused([reference("small", "inputs", "background_1.fits"), *arguments[1:]], 3, "background_1.fits")


def test_mask_of_another_shape(arguments):
    mask = reference("sdss_r", "inputs", "preliminary_visit_mask.fits")
    refused(replaced(arguments, "--preliminary-mask", mask), 3, mask.name, "preliminary mask", "(1361, 2048)")


def test_background_of_another_shape(arguments):
    i = arguments.index("--background")
    other = reference("sdss_r", "inputs", "background_1.fits")
    refused([*arguments[:i], "--background", other], 3, other.name, "(1361, 2048)")


def test_ratio_of_another_shape(arguments):
    other = reference("sdss_r", "inputs", "preliminary_visit_mask.fits")
    refused([*arguments, "--background-ratio", other], 3, other.name)


@pytest.mark.parametrize(
    ("field", "option"),
    [
        ("do_apply_flat_background_ratio", "--background-ratio"),
        ("remove_initial_photo_calib", "--initial-photo-calib"),
    ],
)
def test_configuration_that_needs_an_input(arguments, field, option):
    refused([*arguments, "--config", f"{field}=True"], 2, field, option)


def test_planes_of_different_shapes(arguments):
    with fits.open(arguments[0], mode="update") as hdus:
        hdus["VARIANCE"].data = hdus["VARIANCE"].data[:-1]
    refused(arguments, 3, EXPOSURE)


def test_all_nan(arguments):
    with fits.open(arguments[0], mode="update") as hdus:
        hdus["IMAGE"].data[:] = np.nan
    refused(arguments, 4, EXPOSURE, "finite")


def test_everything_masked(arguments):
    with fits.open(arguments[0], mode="update") as hdus:
        hdus["MASK"].data[:] |= 1 << hdus["MASK"].header["MP_NO_DATA"]
    refused(arguments, 4, EXPOSURE, "masked")


def test_detector_absent_from_the_summary(arguments):
    # the exposure must be of that detector, too
    with fits.open(arguments[0], mode="update") as hdus:
        table = next(h for h in hdus if "serial" in getattr(h, "columns", fits.ColDefs([])).names)
        table.data["id"][:] = 7
    refused(replaced(arguments, "--detector", 7), 4, "finalVisitSummary.fits", "detector 7")


def test_detector_of_another_exposure(arguments):
    refused(replaced(arguments, "--detector", 43), 3, EXPOSURE, "42", "43")


def test_no_psf_in_the_summary(arguments, tmp_path):
    summary = tmp_path / "summary.fits"
    shutil.copy(reference("small", "inputs", "finalVisitSummary.fits"), summary)
    with fits.open(summary, mode="update") as hdus:
        hdus[1].data["psf"][:] = 0
    refused(replaced(arguments, "--visit-summary", summary), 4, "summary.fits", "no PSF")


def test_unit_that_is_not_known(arguments):
    fits.setval(arguments[0], "BUNIT", value="furlong", extname="IMAGE")
    refused(arguments, 3, EXPOSURE, "furlong")


def test_image_that_is_calibrated_already(arguments):
    fits.setval(arguments[0], "BUNIT", value="nJy", extname="IMAGE")
    refused(arguments, 3, EXPOSURE, "calibrated already")


def test_snaps_of_different_units(arguments, tmp_path):
    second = tmp_path / "second.fits"
    shutil.copy(arguments[0], second)
    fits.setval(second, "BUNIT", value="adu", extname="IMAGE")
    refused([arguments[0], second, *arguments[1:]], 3, "second.fits", "adu", "electron")


def test_too_many_cosmic_rays(arguments):
    refused([*arguments, "--config", "repair.cosmicray.nCrPixelMax=10"], 4, "cosmic")


def test_partial_output_is_kept_on_request(arguments):
    out = arguments[arguments.index("--out") + 1]
    ended = secondlight(
        "run", *arguments, "--quiet", "--keep-partial", "--config", "repair.cosmicray.nCrPixelMax=10"
    )
    print(f"{ended.status}: {ended.err.strip()}")
    assert ended.status == 4
    assert sorted(p.name for p in out.iterdir()) == ["metadata.json", "pvi.fits"]
    assert "cosmic" in (out / "metadata.json").read_text()


@pytest.mark.parametrize("formats", ["native", "afw", "both"])
def test_partial_output_without_calibrations_is_what_was_said(arguments, formats):
    """Stopped before the calibrations were attached: there is no image to keep that could be read back."""
    with fits.open(arguments[0], mode="update") as hdus:
        hdus["IMAGE"].data[:] = np.nan
    out = arguments[arguments.index("--out") + 1]
    ended = secondlight("run", *arguments, "--quiet", "--keep-partial", "--format", formats)
    assert ended.status == 4 and ended.err.count("\n") == 1
    assert sorted(p.name for p in out.iterdir()) == ["metadata.json"]
    assert "finite" in (out / "metadata.json").read_text()


@pytest.mark.parametrize("formats", ["afw", "both"])
def test_partial_output_in_the_layouts_of_afw(arguments, formats):
    out = arguments[arguments.index("--out") + 1]
    more = ("--keep-partial", "--config", "repair.cosmicray.nCrPixelMax=10", "--format", formats)
    assert secondlight("run", *arguments, "--quiet", *more).status == 4
    both = ["pvi_afw.fits"] if formats == "both" else []
    assert sorted(p.name for p in out.iterdir()) == ["metadata.json", "pvi.fits", *both]
    image = read_exposure(out / (both or ["pvi.fits"])[0])
    assert image.unit == "electron" and any("cosmic" in str(v) for v in image.metadata.values()), dict(
        image.metadata
    )


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--config", "detection.thresholdValues=5"], ["thresholdValues"]),
        (["--config", "detection.thresholdValue=high"], ["thresholdValue"]),
        (["--config", "detection"], ["KEY=VALUE"]),
        (["--config-file", "nowhere.py"], ["nowhere.py", "reference"]),
        (["--config", "measurement.plugins.names=['base_Nothing']"], ["base_Nothing"]),
    ],
)
def test_wrong_configuration(arguments, extra, words):
    refused([*arguments, *extra], 2, *words)


def test_only_what_is_wrong_with_a_value(arguments):
    """Nothing of where the field is defined."""
    ended = secondlight("run", *arguments, "--config", "detection.thresholdValue=high")
    assert "definition" not in ended.err and len(ended.err) < 250


def test_override_file_that_raises(arguments, tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("config.detection.thresholdValue = -undefined\n")
    refused([*arguments, "--config-file", bad], 2, "bad.py", "undefined")


def test_outputs_are_not_overwritten_unasked(arguments):
    out = arguments[arguments.index("--out") + 1]
    out.mkdir()
    (out / "sources.parquet").write_text("precious")
    ended = secondlight("run", *arguments, "--quiet")
    assert ended.status == 2 and "sources.parquet" in ended.err and "--overwrite" in ended.err
    assert [p.name for p in out.iterdir()] == ["sources.parquet"]
    assert (out / "sources.parquet").read_text() == "precious"


def test_outputs_in_a_file(arguments, tmp_path):
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        ended = secondlight("run", *replaced(arguments, "--out", out), "--quiet")
        # said before anything is read
        assert ended.status == 2 and ended.err.count("\n") == 1 and "is a file" in ended.err


def test_negative_release(arguments):
    refused([*arguments, "--release-id", "-1"], 2, "--release-id -1")


def test_three_snaps(arguments):
    refused([arguments[0], arguments[0], *arguments], 2, "3 exposures")


def test_unknown_option(arguments):
    ended = secondlight("run", *arguments, "--nonsense")
    assert ended.status == 2 and "--nonsense" in ended.err
