"""Parity of shapes and fluxes, given the reference's own positions."""

import numpy as np
import pytest

from helpers.recorded import agreement, fields, scene
from helpers.shared import needs_shared, reference
from secondlight.io.afw.visit_summary import read_visit_summary
from secondlight.measurement import plugin_registry
from secondlight.measurement.batch import Batch
from secondlight.model.catalog import SourceCatalog
from secondlight.model.schema import Column, Schema

CENTROID = "base_SdssCentroid"
NAMES = [
    "base_SdssShape",
    "ext_shapeHSM_HsmPsfMoments",
    "ext_shapeHSM_HsmSourceMoments",
    "ext_shapeHSM_HsmSourceMomentsRound",
    "base_CircularApertureFlux",
    "base_PsfFlux",
]


def plugins():
    schema = Schema.minimal()
    for column in ("x", "y"):
        schema.add(Column(f"{CENTROID}_{column}", "D"))
    schema.add(Column(f"{CENTROID}_flag", "Flag"))
    schema.aliases["slot_Centroid"] = CENTROID
    given = set(schema.names)
    configs = {n: plugin_registry[n].ConfigClass() for n in NAMES}
    configs["base_CircularApertureFlux"].reproduceReferenceDefects = True
    made = [plugin_registry[n](configs[n], n, schema, {}) for n in NAMES]
    return schema, made, [n for n in schema.names if n not in given]


@needs_shared
def test_declarations():
    """Every column has the reference's name, order, type, unit and text; every alias its target."""
    schema, made, _ = plugins()
    recorded, aliases = fields()
    for plugin in made:
        ours = [(c.name, c.type, c.unit, c.doc) for c in schema if c.name.startswith(plugin.name + "_")]
        theirs = [tuple(f[k] for k in ("name", "type", "units", "doc")) for f in recorded]
        start = [f[0] for f in theirs].index(ours[0][0])
        assert theirs[start : start + len(ours)] == ours
        alias = f"{plugin.name}_flag_badCentroid"
        assert schema.aliases[alias] == aliases[alias]


@needs_shared
@pytest.mark.parametrize("name", ["small", "snaps"])
def test_every_value(name):
    """Every value of every column agrees, in each row that no deblender touches."""
    recorded = scene(name)
    schema, made, columns = plugins()
    catalog = SourceCatalog(schema, len(recorded.ids), recorded.footprints)
    catalog["id"] = recorded.ids
    _, ours, theirs = np.intersect1d(recorded.ids, recorded.table["id"], return_indices=True)
    for column in ("x", "y", "flag"):
        catalog[f"{CENTROID}_{column}"][ours] = recorded.table[f"{CENTROID}_{column}"][theirs]
    batch = Batch(catalog, recorded.exposure, 0, len(catalog))
    for plugin in made:
        plugin.measure(batch)
    # the recorded table is aperture-corrected
    record = read_visit_summary(reference(name, "inputs", "finalVisitSummary.fits")).find(42)
    field = record.ap_corr_map["base_PsfFlux_instFlux"]
    factor = np.asarray(field(x=catalog[f"{CENTROID}_x"], y=catalog[f"{CENTROID}_y"]))
    for column in ("instFlux", "instFluxErr"):
        catalog[f"base_PsfFlux_{column}"] *= factor
    shares = agreement(catalog.columns, recorded, columns)
    assert shares == dict.fromkeys(columns, 1.0)
