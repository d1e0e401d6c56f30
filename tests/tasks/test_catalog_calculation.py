"""Catalogue calculations: the two plugins, plugins of others, and the recorded runs row by row."""

from types import SimpleNamespace

import numpy as np
import pytest
from lsst.pex.config import FieldValidationError

from helpers.shared import needs_shared
from helpers.summarized import deblended_footprints, summarized
from secondlight.measurement import (
    CatalogPlugin,
    CatalogPluginConfig,
    catalog_plugin_registry,
    register_catalog_plugin,
    registry,
)
from secondlight.model.catalog import SourceCatalog
from secondlight.model.footprints import Footprints
from secondlight.model.schema import Column, Schema
from secondlight.tasks.catalog_calculation import CatalogCalculationConfig, CatalogCalculationTask

EXTENDEDNESS = "base_ClassificationExtendedness"


def fluxes(names=(EXTENDEDNESS,), **settings):
    """A task and a schema with the fluxes that it reads."""
    schema = Schema.minimal()
    for flux, slot in (("base_GaussianFlux", "slot_ModelFlux"), ("base_PsfFlux", "slot_PsfFlux")):
        for column in ("instFlux", "instFluxErr"):
            schema.add(Column(f"{flux}_{column}", "D"))
        schema.add(Column(f"{flux}_flag", "Flag"))
        schema.aliases[slot] = flux
    config = CatalogCalculationConfig()
    config.plugins.names = list(names)
    for name, value in settings.items():
        setattr(config.plugins[EXTENDEDNESS], name, value)
    return CatalogCalculationTask(schema=schema, config=config), schema


def classify(model, psf, *, model_flag=False, psf_flag=False, errors=1.0, **settings):
    task, schema = fluxes(**settings)
    catalog = SourceCatalog(schema, 1)
    catalog["base_GaussianFlux_instFlux"], catalog["base_PsfFlux_instFlux"] = model, psf
    catalog["base_GaussianFlux_instFluxErr"] = catalog["base_PsfFlux_instFluxErr"] = errors
    catalog["base_GaussianFlux_flag"], catalog["base_PsfFlux_flag"] = model_flag, psf_flag
    task.run(catalog)
    return float(catalog[f"{EXTENDEDNESS}_value"][0]), bool(catalog[f"{EXTENDEDNESS}_flag"][0])


@pytest.mark.parametrize(
    ("model", "psf", "value"), [(100.0, 96.0, 0.0), (100.0, 95.0, 1.0), (100.0, 94.0, 1.0), (-1.0, 0.0, 0.0)]
)
def test_extendedness(model, psf, value):
    """A point has 0.95 of its model flux below its PSF flux; a tie is extended."""
    assert classify(model, psf) == (value, False)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"model": np.nan, "psf": 1.0},
        {"model": 1.0, "psf": np.nan},
        {"model": 1.0, "psf": 1.0, "model_flag": True},
        {"model": 1.0, "psf": 1.0, "psf_flag": True},
        {"model": 1.0, "psf": 1.0, "errors": np.nan, "modelErrFactor": 1.0},
    ],
)
def test_extendedness_cannot_be_told(kwargs):
    value, flag = classify(**kwargs)
    assert np.isnan(value) and flag


def test_error_factors():
    assert classify(100.0, 94.0, errors=2.0, psfErrFactor=1.0) == (0.0, False)
    assert classify(100.0, 96.0, errors=2.0, modelErrFactor=1.0) == (1.0, False)
    assert classify(100.0, 94.0, fluxRatio=0.9) == (0.0, False)


def test_area():
    task, schema = fluxes(["base_FootprintArea"])
    spans = np.array([[0, 0, 4], [1, 2, 2]], np.int32)
    footprints = Footprints(np.array([0, 2, 2]), spans, np.zeros(3, np.int64), Footprints.empty().peaks)
    catalog = SourceCatalog(schema, 2, footprints)
    task.run(catalog)
    assert catalog["base_FootprintArea_value"].tolist() == [6, 0]


@needs_shared
@pytest.mark.parametrize("scene", ["small", "snaps", "sdss_r"])
def test_recorded(scene):
    recorded = summarized(scene).sources
    task, schema = fluxes([EXTENDEDNESS, "base_FootprintArea"])
    after = deblended_footprints(scene)
    catalog = SourceCatalog(schema, len(recorded), after.footprints)
    np.testing.assert_array_equal(after["id"], recorded["id"])
    for name in schema.names:
        if name in recorded:
            catalog[name] = recorded[name]
    task.run(catalog)
    for name in (f"{EXTENDEDNESS}_value", f"{EXTENDEDNESS}_flag", "base_FootprintArea_value"):
        np.testing.assert_array_equal(catalog[name], recorded[name], err_msg=name)


def test_order_of_columns_is_that_of_names():
    _, schema = fluxes(["base_FootprintArea", EXTENDEDNESS])
    assert schema.names[-3:] == [
        f"{EXTENDEDNESS}_value",
        f"{EXTENDEDNESS}_flag",
        "base_FootprintArea_value",
    ]


# ---------------------------------------------------------------- plugins of others


class Fussy(CatalogPlugin):
    """Cannot do a whole table with an odd id in it."""

    def __init__(self, config, name, schema):
        super().__init__(config, name, schema)
        schema.add(Column(f"{name}_value", "I"))
        schema.add(Column(f"{name}_flag", "Flag"))

    def calculate(self, catalog):
        if (catalog["id"] % 2 == 1).any():
            raise RuntimeError("odd")
        catalog[f"{self.name}_value"] = catalog["id"] // 2


@pytest.fixture
def fussy():
    register_catalog_plugin("test_Fussy")(Fussy)
    yield
    del catalog_plugin_registry._dict["test_Fussy"]


def test_a_row_that_raises_costs_that_row(fussy):
    task, schema = fluxes(["test_Fussy"])
    catalog = SourceCatalog(schema, 4)
    catalog["id"] = [2, 3, 4, 6]
    task.run(catalog)
    assert catalog["test_Fussy_value"].tolist() == [1, 0, 2, 3]
    assert catalog["test_Fussy_flag"].tolist() == [False, True, False, False]


def test_no_rows(fussy):
    task, schema = fluxes(["test_Fussy", EXTENDEDNESS])
    task.run(SourceCatalog(schema))


def test_entry_points(monkeypatch):
    asked = []

    def fake(*, group):
        asked.append(group)
        return [SimpleNamespace(name="my_Fussy", load=lambda: Fussy)]

    monkeypatch.setattr(registry, "entry_points", fake)
    fresh = registry.PluginRegistry(CatalogPluginConfig, "secondlight.catalog_calculation", "calculation")
    assert fresh["my_Fussy"] is Fussy
    assert asked == ["secondlight.catalog_calculation"]


def test_unknown_plugin():
    with pytest.raises(
        FieldValidationError,
        match=r"no catalog calculation plugin 'base_Nope'; known are .*base_FootprintArea",
    ):
        CatalogCalculationConfig().plugins.names.add("base_Nope")


def test_measurement_plugins_are_not_calculations():
    assert "base_PsfFlux" not in catalog_plugin_registry
