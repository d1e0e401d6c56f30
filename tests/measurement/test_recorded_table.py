"""Parity of all plugins of the default task, and of the optional ones: columns, and every row of recorded tables."""

from types import SimpleNamespace

import pytest

from helpers.recorded import deblended, fields
from helpers.shared import needs_shared, reference
from secondlight.model.schema import Column, Schema
from secondlight.reprocess import ReprocessVisitImageConfig
from secondlight.tasks.apply_aperture_correction import ApplyApCorrTask
from secondlight.tasks.measurement import SingleFrameMeasurementTask


def task_of(table):
    """The measurement task as the whole task configures it, for one recorded table."""
    config = ReprocessVisitImageConfig().measurement.value
    config.reproduceReferenceDefects = True
    for name in (
        "base_CircularApertureFlux",
        "base_ScaledApertureFlux",
        "base_SdssShape",
        "ext_photometryKron_KronFlux",
    ):
        config.plugins[name].reproduceReferenceDefects = True
    config.doReplaceWithNoise = table != "outputs_no_noise"
    if table == "plugins":
        overrides = compile(reference("variants", "plugins.py").read_text(), "plugins.py", "exec")
        exec(overrides, {"config": SimpleNamespace(measurement=config)})
    schema = Schema.minimal()
    schema.add(Column("deblend_nChild", "I"))
    return SingleFrameMeasurementTask(schema, config=config)


@needs_shared
def test_columns():
    """Names, order, types, units and texts are the reference's, without a gap; so are aliases."""
    schema = task_of("outputs").schema
    recorded, aliases = fields()
    ours = [(c.name, c.type, c.unit, c.doc) for c in schema][5:]
    theirs = [tuple(f[k] for k in ("name", "type", "units", "doc")) for f in recorded]
    start = [f[0] for f in theirs].index("base_SdssCentroid_x")
    assert ours == theirs[start : start + len(ours)]
    assert theirs[start + len(ours) - 1][0] == "base_InvalidPsf_flag"
    # re-aimed by a later step
    assert {k: v for k, v in schema.aliases.items() if k != "slot_CalibFlux"} == {
        k: v for k, v in aliases.items() if k != "slot_CalibFlux"
    }


@needs_shared
@pytest.mark.parametrize(
    ("scene", "table"),
    [("small", "outputs"), ("small", "plugins"), ("snaps", "outputs_no_noise"), ("sdss_r", "outputs")],
)
def test_values(scene, table):
    """Every value of all rows, children too, agrees within the tolerances of compare_sources."""
    recorded = deblended(scene, table)
    task = task_of(table)
    correction = ApplyApCorrTask(task.schema)
    catalog = recorded.catalog(task.schema)
    task.run(catalog, recorded.exposure)
    correction.run(catalog, recorded.exposure.ap_corr_map)
    columns = [c.name for c in task.schema if c.name not in ("id", "parent", "deblend_nChild")]
    assert set(columns) <= set(recorded.table)
    order = [name for name in recorded.table if name in set(columns)]
    assert order == columns
    shares = recorded.agreement(catalog.columns, columns)
    assert {c: s for c, s in shares.items() if s < 1.0} == {}
