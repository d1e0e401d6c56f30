"""Inputs and outputs of the recorded runs, against what else is known of them."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from helpers.by_hand import chebyshev, opened, planes
from helpers.shared import needs_shared, reference
from secondlight.io.afw.background import read_background
from secondlight.io.afw.exposure import read_exposure
from secondlight.io.afw.image import read_image, read_mask
from secondlight.io.afw.photo_calib import read_photo_calib
from secondlight.io.afw.source_catalog import read_source_catalog
from secondlight.io.afw.visit_summary import read_visit_summary

pytestmark = needs_shared
SCENES = ("small", "snaps", "sdss_r")


def inputs(scene):
    return json.loads(reference(scene, "truth", "inputs.json").read_text())


@pytest.mark.parametrize("scene", SCENES)
def test_post_isr_exposure(scene):
    path = reference(scene, "inputs", "postISRCCD_0.fits")
    exposure = read_exposure(path)
    for ours, theirs in zip((exposure.image, exposure.mask, exposure.variance), planes(path), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (exposure.detector.id, exposure.psf, exposure.photo_calib) == (42, None, None)
    assert exposure.unit == ("adu" if scene == "sdss_r" else "electron")
    assert exposure.filter.band == "r"
    assert exposure.wcs.pixel_frame.visit == exposure.visit_info.id == exposure.detector.visit
    assert exposure.detector.amplifiers[0].nominal_calibrations.gain > 0
    assert set(exposure.metadata) == {"DETNAME", "DETSER"}


def test_visit_info_of_header_and_record_agree():
    """The same visit, as cards in degrees and as a record in radians."""
    header = read_exposure(reference("small", "inputs", "postISRCCD_0.fits")).visit_info
    record = read_visit_summary(reference("small", "inputs", "finalVisitSummary.fits")).find(42).visit_info
    for name in header.__slots__:
        ours, theirs = getattr(header, name), getattr(record, name)
        if isinstance(ours, float):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, err_msg=name)
        else:
            assert ours == theirs, name
    assert header.date_tai == pytest.approx(61000.25)


@pytest.mark.parametrize("scene", SCENES)
def test_visit_summary(scene):
    summary = read_visit_summary(reference(scene, "inputs", "finalVisitSummary.fits"))
    assert summary.detectors == [42, 43]
    record, empty = summary
    ny, nx = record.bbox.shape
    assert (ny, nx) == read_exposure(reference(scene, "inputs", "postISRCCD_0.fits")).image.shape
    assert (empty.wcs, empty.psf, empty.photo_calib, empty.ap_corr_map, empty.visit_info, empty.detector) == (
        None,
    ) * 6
    assert summary.find(7) is None
    assert record.psf is not None and record.psf is record.psf
    assert record.valid_polygon is None
    assert record.detector.id == 42
    assert {n.removesuffix("Err") for n in record.ap_corr_map} >= {
        "base_PsfFlux_instFlux",
        "base_GaussianFlux_instFlux",
    }


@pytest.mark.parametrize("scene", SCENES)
def test_wcs_gives_the_recorded_coordinates(scene):
    """The recorded run found positions on the sky with the visit summary's coordinates."""
    table = pq.read_table(reference(scene, "outputs", "sources.parquet"))
    x, y, ra, dec = (
        table[n].to_numpy() for n in ("slot_Centroid_x", "slot_Centroid_y", "coord_ra", "coord_dec")
    )
    record = read_visit_summary(reference(scene, "inputs", "finalVisitSummary.fits")).find(42)
    sky = record.wcs.pixel_to_sky(x=x, y=y)
    np.testing.assert_allclose(sky.ra.rad, ra, rtol=0, atol=1e-14)
    np.testing.assert_allclose(sky.dec.rad, dec, rtol=0, atol=1e-14)


@pytest.mark.parametrize("scene", SCENES)
def test_photo_calib_gives_the_recorded_calibration(scene):
    """The recorded run evaluated the calibration at each source, and stored it."""
    table = pq.read_table(reference(scene, "outputs", "sources.parquet"))
    x, y, local = (
        table[n].to_numpy() for n in ("slot_Centroid_x", "slot_Centroid_y", "base_LocalPhotoCalib")
    )
    record = read_visit_summary(reference(scene, "inputs", "finalVisitSummary.fits")).find(42)
    np.testing.assert_allclose(record.photo_calib.local(x, y), local, rtol=1e-14)


@pytest.mark.parametrize("scene", ["small", "snaps"])
def test_fields_are_those_that_were_made(scene):
    """The scene's maker wrote down the polynomials of calibration and aperture corrections."""
    made = inputs(scene)
    record = read_visit_summary(reference(scene, "inputs", "finalVisitSummary.fits")).find(42)
    x, y = np.array([3.0, 1000.5, 512.25]), np.array([999.0, 14.5, 500.0])
    box = (0, 0, made["nx"] - 1, made["ny"] - 1)
    for name, coefficients in made["ap_corr"].items():
        twin = chebyshev(np.ravel(coefficients), 2, box, x, y)
        np.testing.assert_allclose(record.ap_corr_map[f"{name}_instFlux"](x=x, y=y), twin, rtol=1e-12)
        error = record.ap_corr_map[f"{name}_instFluxErr"]
        np.testing.assert_allclose(error(x=x, y=y), made["ap_corr_err"][name], rtol=1e-12)
    twin = made["calibration_mean"] * chebyshev(np.ravel(made["photo_field"]), 2, box, x, y)
    np.testing.assert_allclose(record.photo_calib.local(x, y), twin, rtol=1e-12)


@pytest.mark.parametrize("scene", SCENES)
def test_backgrounds_and_mask(scene):
    for name in ("background_1", "skyCorr"):
        path = reference(scene, "inputs", f"{name}.fits")
        (model,) = read_background(path)
        for ours, theirs in zip(
            (model.stats_image, model.stats_mask, model.stats_variance), planes(path), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
    path = reference(scene, "inputs", "preliminary_visit_mask.fits")
    mask = read_mask(path)
    np.testing.assert_array_equal(mask.array, planes(path)[0])
    with opened(path) as hdus:
        assert mask.planes == {k[3:]: v for k, v in hdus[0].header.items() if k.startswith("MP_")}


def test_initial_photo_calib_and_ratio():
    assert (
        read_photo_calib(reference("small", "inputs", "initial_photoCalib.fits")).mean == 0.5282977308203725
    )
    path = reference("variants", "flat_ratio", "background_to_photometric_ratio.fits")
    image, x0, y0 = read_image(path)
    np.testing.assert_array_equal(image, planes(path)[0])
    assert (x0, y0, image.dtype) == (0, 0, np.float32)
    models = read_background(reference("variants", "detection", "pvi_background.fits"))
    assert [m.stats_image.shape for m in models] == [(8, 8), (4, 4), (8, 8)]


@pytest.mark.parametrize("scene", ["small", "snaps"])
def test_final_exposure(scene):
    """The calibrated image that the run wrote, with its summary."""
    exposure = read_exposure(reference(scene, "outputs", "pvi.fits"))
    assert exposure.unit == "nJy"
    assert (exposure.photo_calib.mean, exposure.photo_calib.is_constant) == (1.0, True)
    stats = json.loads(reference(scene, "outputs", "summary_stats.json").read_text())
    compared = 0
    for name, value in exposure.summary_stats.items():
        if name in stats and stats[name] is not None:
            np.testing.assert_allclose(np.asarray(value, float), np.asarray(stats[name], float), rtol=1e-12)
            compared += 1
    assert compared > 35
    assert "NOT_DEBLENDED" in exposure.mask_planes or exposure.mask_planes["SPIKE"] == 11
    assert exposure.psf is not None and len(exposure.ap_corr_map) == 8


@pytest.mark.parametrize("scene", SCENES)
def test_source_catalog(scene):
    """Columns as in the parquet table of the same run; footprints as in the recorded stage."""
    catalog = read_source_catalog(reference(scene, "outputs", "sources_footprints.fits"))
    table = pq.read_table(reference(scene, "outputs", "sources.parquet"))
    assert len(catalog) == table.num_rows
    for name in table.column_names:
        if name in catalog.schema:
            np.testing.assert_array_equal(catalog[name], table[name].to_numpy(), err_msg=name)
    assert set(catalog.schema.names) <= set(table.column_names)
    stage = {r["id"]: r for r in pq.read_table(reference(scene, "outputs", "deblend.parquet")).to_pylist()}
    heavy = 0
    for i, key in enumerate(catalog["id"]):
        footprint, row = catalog.footprints[i], stage[key]
        np.testing.assert_array_equal(footprint.spans.ravel(), row["spans"])
        peaks = np.reshape(row["peaks"], (-1, 3))
        np.testing.assert_array_equal(footprint.peaks["i_x"], peaks[:, 0])
        np.testing.assert_array_equal(footprint.peaks["i_y"], peaks[:, 1])
        np.testing.assert_allclose(footprint.peaks["peakValue"], peaks[:, 2], rtol=1e-6)
        if row["heavy"]:
            np.testing.assert_allclose(footprint.heavy.image, row["heavy"], rtol=1e-6, atol=0)
            heavy += 1
        else:
            assert footprint.heavy is None
    assert heavy > 50
