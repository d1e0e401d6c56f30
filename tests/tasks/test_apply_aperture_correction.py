"""Aperture corrections: the definition source by source, what is flagged, and what the recorded maps do."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import Box
from lsst.images.fields import ChebyshevField

from helpers.shared import needs_shared
from helpers.summarized import summarized
from secondlight.model.catalog import SourceCatalog
from secondlight.model.schema import Column, Schema
from secondlight.tasks.apply_aperture_correction import ApplyApCorrConfig, ApplyApCorrTask

BOX = Box.factory[0:100, 0:100]
FLUXES = ("base_GaussianFlux", "base_PsfFlux", "ext_photometryKron_KronFlux")


def make(n=1, fluxes=("base_PsfFlux",), **settings):
    schema = Schema.minimal()
    for axis in "xy":
        schema.add(Column(f"slot_Centroid_{axis}", "D"))
    for flux in fluxes:
        schema.add(Column(f"{flux}_instFlux", "D"))
        schema.add(Column(f"{flux}_instFluxErr", "D"))
        schema.add(Column(f"{flux}_flag", "Flag"))
    config = ApplyApCorrConfig()
    for name, value in settings.items():
        setattr(config, name, value)
    task = ApplyApCorrTask(schema=schema, config=config)
    catalog = SourceCatalog(schema, n)
    catalog["slot_Centroid_x"], catalog["slot_Centroid_y"] = np.linspace(0, 99, n), 10.0
    for flux in fluxes:
        catalog[f"{flux}_instFlux"], catalog[f"{flux}_instFluxErr"] = 100.0, 10.0
    return task, catalog


def ramp(low, high):
    """A field that goes from one value to another over the image."""
    return ChebyshevField(BOX, np.array([[0.5 * (low + high), 0.5 * (high - low) / 0.99]]))


def fields(*fluxes, low=0.9, high=1.1):
    field = ramp(low, high)
    return {f"{flux}_{what}": field for flux in fluxes for what in ("instFlux", "instFluxErr")}


def twin(flux, error, flag, corrections):
    """The definition, one source at a time."""
    rows = []
    for f, e, g, c in zip(flux, error, flag, corrections, strict=True):
        good = math.isfinite(c) and c > 0
        rows.append((f * c if good else f, e * c if good else e, g if good else True, not good))
    return rows


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e3), st.booleans()), min_size=1, max_size=6),
    st.floats(-1.0, 1.0),
)
def test_twin(sources, low):
    """A ramp that may be negative at the left."""
    task, catalog = make(len(sources))
    flux, error, flag = (list(v) for v in zip(*sources, strict=True))
    catalog["base_PsfFlux_instFlux"], catalog["base_PsfFlux_instFluxErr"] = flux, error
    catalog["base_PsfFlux_flag"] = flag
    field = fields("base_PsfFlux", low=low, high=1.1)
    corrections = field["base_PsfFlux_instFlux"](x=catalog["slot_Centroid_x"], y=catalog["slot_Centroid_y"])
    task.run(catalog, field)
    for i, expected in enumerate(twin(flux, error, flag, corrections)):
        names = ("instFlux", "instFluxErr", "flag", "flag_apCorr")
        assert tuple(catalog[f"base_PsfFlux_{name}"][i] for name in names) == expected


def test_columns():
    """One group a flux, alphabetically; the factor and its error are declared and stay NaN."""
    task, catalog = make(2, FLUXES[::-1])
    assert task.names == sorted(FLUXES)
    assert catalog.schema.names[-9:] == [
        f"{f}_{c}" for f in FLUXES for c in ("apCorr", "apCorrErr", "flag_apCorr")
    ]
    task.run(catalog, fields(*FLUXES))
    for flux in FLUXES:
        assert np.isnan(catalog[f"{flux}_apCorr"]).all() and np.isnan(catalog[f"{flux}_apCorrErr"]).all()
        assert catalog[f"{flux}_instFlux"] == pytest.approx([90.0, 110.0], abs=1e-9)
        assert not catalog[f"{flux}_flag_apCorr"].any()


def test_aperture_fluxes_are_not_corrected():
    task, _ = make(1, ("base_PsfFlux", "base_CircularApertureFlux_12_0"))
    assert task.names == ["base_PsfFlux"]


@pytest.mark.parametrize("lacks", ["instFlux", "instFluxErr"])
def test_no_correction_in_the_map(lacks):
    """The correction's own flag and nothing else."""
    task, catalog = make(2)
    field = fields("base_PsfFlux")
    del field[f"base_PsfFlux_{lacks}"]
    task.run(catalog, field)
    assert catalog["base_PsfFlux_flag_apCorr"].all()
    assert not catalog["base_PsfFlux_flag"].any()
    assert catalog["base_PsfFlux_instFlux"].tolist() == [100.0, 100.0]


@pytest.mark.parametrize("do", [True, False])
def test_failures_of_some_sources(do):
    task, catalog = make(3, doFlagApCorrFailures=do)
    catalog["slot_Centroid_x"][1] = np.nan
    catalog["base_PsfFlux_flag"][2] = True
    task.run(catalog, fields("base_PsfFlux"))
    assert catalog["base_PsfFlux_flag_apCorr"].tolist() == [False, True, False]
    assert catalog["base_PsfFlux_flag"].tolist() == [False, do, True]
    assert catalog["base_PsfFlux_instFlux"] == pytest.approx([90.0, 100.0, 110.0])


def test_ignored_and_proxied():
    task, catalog = make(
        1, FLUXES, ignoreList=["base_GaussianFlux"], proxies={"ext_photometryKron_KronFlux": "base_PsfFlux"}
    )
    assert task.names == ["base_PsfFlux", "ext_photometryKron_KronFlux"]
    task.run(catalog, fields("base_PsfFlux", low=1.2, high=1.2))
    assert [catalog[f"{f}_instFlux"][0] for f in FLUXES] == pytest.approx([100.0, 120.0, 120.0])


def test_positions_from_other_columns():
    task, catalog = make(2, xColumn="slot_Centroid_y", yColumn="slot_Centroid_x")
    task.run(catalog, fields("base_PsfFlux", low=0.0, high=99.0))
    assert catalog["base_PsfFlux_instFlux"] == pytest.approx([1000.0, 1000.0])


@needs_shared
@pytest.mark.parametrize("scene", ["small", "snaps", "sdss_r"])
def test_recorded(scene):
    """The fluxes that the recorded ones must have been before: corrected, they and their flags are the recorded ones."""
    recorded = summarized(scene)
    table, ap_corr = recorded.sources, recorded.exposure.ap_corr_map
    task, catalog = make(len(table), FLUXES)
    x, y = table["slot_Centroid_x"], table["slot_Centroid_y"]
    catalog["slot_Centroid_x"], catalog["slot_Centroid_y"] = x, y
    for flux in FLUXES:
        corrected = f"{flux}_instFlux" in ap_corr
        factor = ap_corr[f"{flux}_instFlux"](x=x, y=y) if corrected else 1.0
        for column in ("instFlux", "instFluxErr"):
            catalog[f"{flux}_{column}"] = table[f"{flux}_{column}"] / factor
        catalog[f"{flux}_flag"] = table[f"{flux}_flag"]
    task.run(catalog, ap_corr)
    for flux in FLUXES:
        for column in ("instFlux", "instFluxErr"):
            np.testing.assert_allclose(catalog[f"{flux}_{column}"], table[f"{flux}_{column}"], rtol=1e-14)
        for column in ("flag", "flag_apCorr", "apCorr", "apCorrErr"):
            np.testing.assert_array_equal(catalog[f"{flux}_{column}"], table[f"{flux}_{column}"])
