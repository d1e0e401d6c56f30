"""From counts to nJy: pixels, catalogues, their inverses, and their edges."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import Box
from lsst.images.fields import ChebyshevField

from helpers.shared import needs_shared, reference
from helpers.summarized import summarized
from secondlight.io.afw.exposure import read_exposure
from secondlight.model.catalog import SourceCatalog
from secondlight.model.exposure import Exposure
from secondlight.model.photo_calib import PhotoCalib
from secondlight.model.schema import Column, Schema
from secondlight.tasks.photometric_calibration import (
    calibrate_catalog,
    calibrate_image,
    declare_calibrated,
    divide_by_mean,
)

F4 = np.float32


def exposure(shape=(6, 7), x0=0, y0=0, seed=1):
    rng = np.random.default_rng(seed)
    image = rng.normal(100, 300, shape).astype(F4)
    mask = rng.integers(0, 8, shape).astype(np.int32)
    return Exposure(image, mask, (900 + np.abs(image)).astype(F4), x0=x0, y0=y0, unit="adu")


def varying(box):
    return PhotoCalib.from_field(ChebyshevField(box, np.array([[0.5, 0.1], [-0.05, 0.02]])), err=0.01)


def twin_field(before, calibration, box):
    """One pixel at a time, with the reference's roundings."""
    image, variance = before.image.copy(), before.variance.copy()
    for j in range(image.shape[0]):
        for i in range(image.shape[1]):
            x, y = i + before.x0, j + before.y0
            if box.x.start <= x < box.x.stop and box.y.start <= y < box.y.stop:
                value = float(calibration.local([x], [y])[0])
                image[j, i] = F4(float(image[j, i]) * value)
                variance[j, i] = F4(float(F4(float(variance[j, i]) * value)) * value)
    return image, variance


@pytest.mark.parametrize(
    "box",
    [
        Box.factory[0:400, 0:400],
        Box.factory[202:205, 100:104],  # inside the image
        Box.factory[0:203, 103:900],  # over one corner
    ],
)
def test_field(box):
    before, after = (exposure(x0=100, y0=200) for _ in range(2))
    calibration = varying(box)
    calibrate_image(after, calibration)
    image, variance = twin_field(before, calibration, box)
    np.testing.assert_array_equal(after.image, image)
    np.testing.assert_array_equal(after.variance, variance)
    np.testing.assert_array_equal(after.mask, before.mask)
    assert after.unit == "nJy"


@pytest.mark.parametrize("orders", [(0, 0), (1, 0), (0, 3), (2, 2), (6, 5)])
def test_polynomials_are_those_of_the_field_to_the_last_bit(orders):
    rng = np.random.default_rng(4)
    before = exposure((40, 50), x0=-7, y0=12)
    box = Box.factory[5:60, -20:70]
    calibration = PhotoCalib.from_field(
        ChebyshevField(box, rng.normal(1.0, 0.3, (orders[1] + 1, orders[0] + 1)))
    )
    after = before.copy()
    calibrate_image(after, calibration)
    yy, xx = np.mgrid[12:52, -7:43].astype(float)
    value = calibration.field(x=xx, y=yy)
    assert np.array_equal(after.image, (before.image * value).astype(F4))
    once = (before.variance * value).astype(F4)
    assert np.array_equal(after.variance, (once * value).astype(F4))


def test_field_that_misses_the_image():
    before, after = (exposure(x0=100, y0=200) for _ in range(2))
    calibrate_image(after, varying(Box.factory[0:50, 0:50]))
    np.testing.assert_array_equal(after.image, before.image)
    np.testing.assert_array_equal(after.variance, before.variance)


def test_constant():
    before, after = (exposure() for _ in range(2))
    calibrate_image(after, PhotoCalib.constant(0.3, 0.1))
    mean = F4(0.3)
    np.testing.assert_array_equal(after.image, before.image * mean)
    # the square of the mean is rounded to float32 first
    np.testing.assert_array_equal(after.variance, before.variance * F4(mean * mean))


def test_pixels_that_are_not_finite_stay_so():
    e = exposure()
    e.image[0, :3], e.variance[0, :3] = [np.nan, np.inf, -np.inf], np.inf
    calibrate_image(e, varying(Box.factory[0:10, 0:10]))
    assert np.isnan(e.image[0, 0]) and e.image[0, 1] == np.inf and e.image[0, 2] == -np.inf
    assert (e.variance[0, :3] == np.inf).all() and np.isfinite(e.image[1:]).all()


def test_threads_change_nothing():
    from secondlight import threads

    one, three = (exposure((700, 30)) for _ in range(2))
    calibration = varying(Box.factory[0:700, 0:30])
    calibrate_image(one, calibration)
    with threads.use(3):
        calibrate_image(three, calibration)
    np.testing.assert_array_equal(one.image, three.image)
    np.testing.assert_array_equal(one.variance, three.variance)


def test_divide_by_mean_undoes_a_constant():
    before, after = (exposure() for _ in range(2))
    calibration = PhotoCalib.constant(0.3)
    calibrate_image(after, calibration)
    divide_by_mean(after, calibration)
    np.testing.assert_allclose(after.image, before.image, rtol=3e-7)
    np.testing.assert_allclose(after.variance, before.variance, rtol=3e-7)


@needs_shared
@pytest.mark.parametrize("scene", ["small", "snaps"])
def test_recorded_image(scene):
    recorded = summarized(scene).exposure.copy()
    calibrate_image(recorded, recorded.photo_calib)
    pvi = read_exposure(reference(scene, "outputs", "pvi.fits"), psf=False)
    np.testing.assert_allclose(recorded.image, pvi.image, rtol=1e-6)
    np.testing.assert_allclose(recorded.variance, pvi.variance, rtol=1e-6)


# ---------------------------------------------------------------- catalogues


def catalogue(flux, error=None, names=("base_PsfFlux",)):
    schema = Schema.minimal()
    for axis in "xy":
        schema.add(Column(f"slot_Centroid_{axis}", "D"))
    for name in names:
        schema.add(Column(f"{name}_instFlux", "D"))
        if error is not None:
            schema.add(Column(f"{name}_instFluxErr", "D"))
    declare_calibrated(schema)
    catalog = SourceCatalog(schema, len(flux))
    catalog["slot_Centroid_x"], catalog["slot_Centroid_y"] = 10.0, 20.0
    for name in names:
        catalog[f"{name}_instFlux"] = flux
        if error is not None:
            catalog[f"{name}_instFluxErr"] = error
    return catalog


def test_declared():
    """In the order of the letters of the flux columns, after everything else; no error, no error of the magnitude."""
    schema = Schema.minimal()
    for name in ("psf", "psf_2", "ap_3_5", "ap_12_0", "", "x"):
        schema.add(Column(f"{name}_instFlux", "D"))
    for name in ("psf_instFluxErr", "ap_instFluxRatio"):
        schema.add(Column(name, "D"))
    declare_calibrated(schema)
    assert schema.names[12:] == [
        *("ap_12_0_flux", "ap_12_0_mag", "ap_3_5_flux", "ap_3_5_mag"),
        *("psf_2_flux", "psf_2_mag", "psf_flux", "psf_mag", "psf_fluxErr", "psf_magErr"),
    ]
    assert (schema["psf_fluxErr"].unit, schema["psf_magErr"].unit) == ("nJy", "mag(AB)")


@settings(max_examples=50)
@given(st.floats(1e-3, 1e9), st.floats(1e-3, 1e6), st.floats(1e-4, 1e3))
def test_flux_and_magnitude(flux, error, mean):
    catalog = catalogue([flux, -flux], error)
    calibrate_catalog(catalog, PhotoCalib.constant(mean))
    assert catalog["base_PsfFlux_flux"] == pytest.approx([flux * mean, -flux * mean], rel=1e-14)
    assert catalog["base_PsfFlux_fluxErr"] == pytest.approx([error * mean] * 2, rel=1e-14)
    # 31.4 is the magnitude of 1 nJy
    assert catalog["base_PsfFlux_mag"][0] == pytest.approx(31.4 - 2.5 * math.log10(flux * mean), abs=1e-9)
    assert math.isnan(catalog["base_PsfFlux_mag"][1])
    expected = 2.5 / math.log(10) * error / flux
    assert catalog["base_PsfFlux_magErr"] == pytest.approx([expected, -expected], rel=1e-12)


def test_fluxes_without_a_magnitude():
    catalog = catalogue([0.0, np.nan, np.inf], 1.0)
    calibrate_catalog(catalog, PhotoCalib.constant(1.0))
    assert catalog["base_PsfFlux_flux"].tolist()[0] == 0.0
    np.testing.assert_array_equal(catalog["base_PsfFlux_mag"], [np.inf, np.nan, -np.inf])
    np.testing.assert_array_equal(catalog["base_PsfFlux_magErr"], [np.inf, np.nan, 0.0])


def test_calibration_at_each_centroid():
    catalog = catalogue([1.0, 1.0, 1.0])
    catalog["slot_Centroid_x"], catalog["slot_Centroid_y"] = [0.0, 99.0, np.nan], [0.0, 50.0, 0.0]
    calibration = varying(Box.factory[0:100, 0:100])
    calibrate_catalog(catalog, calibration)
    at = calibration.local([0.0, 99.0], [0.0, 50.0])
    np.testing.assert_array_equal(catalog["base_PsfFlux_flux"][:2], at)
    assert np.isnan(catalog["base_PsfFlux_flux"][2])
    assert "base_PsfFlux_fluxErr" not in catalog


@needs_shared
@pytest.mark.parametrize("scene", ["small", "snaps", "sdss_r"])
def test_recorded_catalogue(scene):
    recorded = summarized(scene)
    table = recorded.sources
    bases = sorted(
        n.removesuffix("_instFlux") for n in table.schema.names if n.endswith("_instFlux") and "slot" not in n
    )
    schema = Schema.minimal()
    schema.aliases["slot_Centroid"] = "base_SdssCentroid"
    columns = [f"base_SdssCentroid_{axis}" for axis in "xy"]
    columns += [f"{b}_{c}" for b in bases for c in ("instFlux", "instFluxErr") if f"{b}_{c}" in table]
    for name in columns:
        schema.add(Column(name, "D"))
    declare_calibrated(schema)
    catalog = SourceCatalog(schema, len(table))
    for name in columns:
        catalog[name] = table[name]
    calibrate_catalog(catalog, recorded.exposure.photo_calib)
    calibrated = schema.names[4 + len(columns) :]
    assert len(calibrated) == 78
    for name in calibrated:
        np.testing.assert_allclose(catalog[name], table[name], rtol=1e-12, atol=1e-13, err_msg=name)
