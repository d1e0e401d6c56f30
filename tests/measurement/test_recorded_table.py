"""Parity of all plugins of the default task, and of the optional ones: columns, and every row of recorded tables."""

from types import SimpleNamespace

import pytest

from helpers.recorded import deblended, fields
from helpers.shared import needs_shared, reference
from secondlight.model.schema import Column, Schema
from secondlight.reprocess import ReprocessVisitImageConfig
from secondlight.tasks.apply_aperture_correction import ApplyApCorrTask
from secondlight.tasks.measurement import SingleFrameMeasurementTask

#: Where fewer than 99.9 % of the rows agree, and why.
LIMITS = {
    # an ellipse scaled to a radius is, by its last digit, smaller than that or not
    "ext_photometryKron_KronFlux_flag_small_radius": 0.985,
    # sums in double precision; one row, 1.01e-5 instead of 1e-5
    "ext_photometryKron_KronFlux_instFluxErr": 0.998,
    # noise at a signal-to-noise of 2 sends an iteration elsewhere; the wings of saturated stars
    "ext_shapeHSM_HsmPsfMomentsDebiased": 0.994,
    # one source smaller than a pixel: moments in single precision
    "base_SdssShape_instFlux": 0.998,
}


def task_of(table):
    """The measurement task as the whole task configures it, for one recorded table."""
    config = ReprocessVisitImageConfig().measurement.value
    config.reproduceReferenceDefects = True
    for name in ("base_CircularApertureFlux", "base_SdssShape"):
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
    """All rows, children too, within the tolerances of compare_sources, in at least 99.9 % of the rows."""
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

    def limit(column):
        return next((v for k, v in LIMITS.items() if column.startswith(k)), 0.999)

    assert {c: s for c, s in shares.items() if s < limit(c)} == {}
