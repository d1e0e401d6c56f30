"""The normalized calibration flux: the definition, missing parts, and the recorded runs row by row."""

import numpy as np
import pytest
from lsst.images import Box
from lsst.images.fields import ChebyshevField

from helpers.shared import needs_shared
from helpers.summarized import summarized
from secondlight.model.catalog import SourceCatalog
from secondlight.model.schema import Column, Schema
from secondlight.tasks.normalized_calibration_flux import (
    NormalizedCalibrationFluxConfig,
    NormalizedCalibrationFluxTask,
)

RAW, NORMALIZED = "base_CompensatedTophatFlux_12", "base_NormalizedCompensatedTophatFlux"
BOX = Box.factory[0:100, 0:100]


def make(n, *, raw=True, **settings):
    schema = Schema.minimal()
    for axis in "xy":
        schema.add(Column(f"base_SdssCentroid_{axis}", "D"))
    schema.aliases |= {"slot_Centroid": "base_SdssCentroid", "slot_CalibFlux": "base_PsfFlux"}
    if raw:
        for column in ("instFlux", "instFluxErr"):
            schema.add(Column(f"{RAW}_{column}", "D"))
        schema.add(Column(f"{RAW}_flag", "Flag"))
    config = NormalizedCalibrationFluxConfig()
    config.do_measure_ap_corr = False
    for name, value in settings.items():
        setattr(config, name, value)
    task = NormalizedCalibrationFluxTask(schema=schema, config=config)
    catalog = SourceCatalog(schema, n)
    if raw:
        catalog[f"{RAW}_instFlux"], catalog[f"{RAW}_instFluxErr"] = np.arange(n) + 1.0, 0.1
    catalog["base_SdssCentroid_x"], catalog["base_SdssCentroid_y"] = np.linspace(0, 99, n), 20.0
    return task, catalog


def fields(value):
    """A map with a normalization that rises from 0.5 value to 1.5 value over the image."""
    field = ChebyshevField(BOX, np.array([[value, 0.5 * value]]))
    return {f"{RAW}_instFlux": field, f"{RAW}_instFluxErr": field}


def columns(catalog):
    return [catalog[f"{NORMALIZED}_{name}"].tolist() for name in ("instFlux", "instFluxErr", "flag")]


def test_flux_error_and_flag():
    task, catalog = make(3)
    catalog[f"{RAW}_flag"] = [False, True, False]
    task.run(catalog, fields(2.0))
    flux, error, flag = columns(catalog)
    factor = [1.01, 2.0, 2.99]
    np.testing.assert_allclose(flux, [factor[0], 2 * factor[1], 3 * factor[2]])
    np.testing.assert_allclose(error, 0.1 * np.array(factor))
    assert flag == [False, True, False]


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_normalization_that_is_not_positive_is_flagged(value):
    task, catalog = make(2)
    task.run(catalog, fields(value))
    assert columns(catalog)[2] == [True, True]


@pytest.mark.parametrize("lacks", [None, f"{RAW}_instFlux", f"{RAW}_instFluxErr"])
def test_no_normalization_changes_nothing(lacks):
    task, catalog = make(2)
    ap_corr = None if lacks is None else {k: v for k, v in fields(2.0).items() if k != lacks}
    task.run(catalog, ap_corr)
    assert columns(catalog) == [[1.0, 2.0], [0.1, 0.1], [False, False]]


def test_slot():
    assert make(0)[1].schema.resolve("slot_CalibFlux_flag") == f"{NORMALIZED}_flag"
    assert make(0, do_set_calib_slot=False)[1].schema.aliases["slot_CalibFlux"] == "base_PsfFlux"


def test_without_the_raw_flux_nothing_is_declared():
    task, catalog = make(1, raw=False)
    assert f"{NORMALIZED}_instFlux" not in catalog.schema.names
    assert catalog.schema.aliases["slot_CalibFlux"] == "base_PsfFlux"
    task.run(catalog, fields(2.0))


def test_names():
    task, catalog = make(1, normalized_calibflux_name="my_Flux")
    task.run(catalog, fields(2.0))
    assert np.isfinite(catalog["my_Flux_instFlux"]).all()
    assert catalog.schema["my_Flux_instFlux"].doc == f"Normalized calibration flux from {RAW}."


def test_position_unknown():
    """A factor that is not known is no reason for a flag that its flux does not have; the flux is NaN."""
    task, catalog = make(1)
    catalog["base_SdssCentroid_x"] = np.nan
    task.run(catalog, fields(2.0))
    (flux,), _, (flag,) = columns(catalog)
    assert np.isnan(flux) and not flag


def test_fitting_is_refused():
    with pytest.raises(ValueError, match="do_measure_ap_corr must be False"):
        NormalizedCalibrationFluxConfig().validate()


@needs_shared
@pytest.mark.parametrize("scene", ["small", "snaps", "sdss_r"])
def test_recorded(scene):
    recorded = summarized(scene)
    task, catalog = make(len(recorded.sources))
    for name in catalog.schema.names:
        catalog[name] = recorded.sources[name]
    catalog[f"{NORMALIZED}_instFlux"] = np.nan
    task.run(catalog, recorded.exposure.ap_corr_map)
    for name in ("instFlux", "instFluxErr"):
        column = f"{NORMALIZED}_{name}"
        np.testing.assert_allclose(catalog[column], recorded.sources[column], rtol=1e-13)
    np.testing.assert_array_equal(catalog[f"{NORMALIZED}_flag"], recorded.sources[f"{NORMALIZED}_flag"])
