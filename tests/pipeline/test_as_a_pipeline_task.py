"""The checks that `lsst.pipe.base` has for pipeline tasks, and the keywords that callers of the reference use."""

from __future__ import annotations

import pytest
from lsst.daf.butler import Butler, DatasetType
from lsst.images import VisitImage
from lsst.pipe.base.testUtils import (
    assertValidInitOutput,
    assertValidOutput,
    lintConnections,
    makeQuantum,
    runTestQuantum,
)

from helpers.pipelines import INPUTS, LABEL, VISIT, shipped
from secondlight.errors import UsageError
from secondlight.model.schema import Column, Schema
from secondlight.pipeline import (
    ReprocessVisitImageConfig,
    ReprocessVisitImageConnections,
    ReprocessVisitImageTask,
)

DETECTOR = 90
HERE = VISIT | {"detector": DETECTOR}
KEYWORDS = {
    "exposures",
    "initial_photo_calib",
    "psf",
    "background",
    "ap_corr",
    "photo_calib",
    "wcs",
    "calib_sources",
    "preliminary_mask",
    "id_generator",
    "background_to_photometric_ratio",
    "result",
}
OPTIONS = ("do_use_sky_corr", "remove_initial_photo_calib", "do_apply_flat_background_ratio")


def configured():
    """The shipped pipeline's configuration."""
    return shipped().to_graph().tasks[LABEL].config


def quantum(task, butler):
    connections = task.config.ConnectionsClass(config=task.config)
    ids = {}
    for name in (*connections.inputs, *connections.outputs):
        connection = connections.allConnections[name]
        values = HERE | {"exposure": VISIT["visit"]}
        one = butler.registry.expandDataId({k: values[k] for k in connection.dimensions})
        ids[name] = [one] if connection.multiple else one
    # all with their records, as those of a graph: ids and names of files are made from them
    return makeQuantum(task, butler, butler.registry.expandDataId(HERE), ids)


@pytest.fixture
def butler(repository):
    """The visit's collection itself: that is where the checks look for inputs and put outputs."""
    with Butler.from_config(str(repository), writeable=True, run=INPUTS) as opened:
        config = configured()
        connections = config.ConnectionsClass(config=config)
        for name in connections.outputs:
            c = connections.allConnections[name]
            opened.registry.registerDatasetType(
                DatasetType(c.name, c.dimensions, c.storageClass, universe=opened.dimensions)
            )
        yield opened


@pytest.mark.parametrize("native", [True, False])
def test_connections_are_well_formed(native):
    config = ReprocessVisitImageConfig()
    config.native_storage_classes = native
    for option in OPTIONS:
        setattr(config, option, True)
    lintConnections(ReprocessVisitImageConnections)
    lintConnections(ReprocessVisitImageConnections(config=config))


def test_init_output_is_there():
    task = ReprocessVisitImageTask(config=configured())
    assertValidInitOutput(task)
    assert task.sources_schema.schema.names[:4] == ["id", "coord_ra", "coord_dec", "parent"]


def test_a_quantum_hands_over_the_references_keywords(butler):
    task = ReprocessVisitImageTask(config=configured())
    run = runTestQuantum(task, butler, quantum(task, butler))
    run.assert_called_once()
    assert run.call_args.args == () and set(run.call_args.kwargs) == KEYWORDS


def test_a_quantum_runs(butler):
    task = ReprocessVisitImageTask(config=configured())
    assert runTestQuantum(task, butler, quantum(task, butler), mockRun=False) is None
    assert butler.exists("pvi", HERE) and len(butler.get("sources_detector", HERE)) > 20


def test_run_takes_datasets_and_returns_every_output(butler):
    exposure = butler.get("postISRCCD", instrument="LSSTCam", exposure=VISIT["visit"], detector=DETECTOR)
    record = butler.get("finalVisitSummary", VISIT).find(DETECTOR)
    assert isinstance(exposure, VisitImage)
    schema = Schema.minimal()
    schema.add(Column("mine", "I", "", "a column of the caller's"))
    task = ReprocessVisitImageTask(config=configured(), sources_schema=schema)
    result = task.run(
        exposures=exposure,
        initial_photo_calib=None,
        psf=record.psf,
        background=butler.get("calexpBackground", HERE),
        ap_corr=record.ap_corr_map,
        photo_calib=record.photo_calib,
        wcs=record.wcs,
        calib_sources=butler.get("finalized_src_table", VISIT),
        preliminary_mask=butler.get("preliminary_visit_mask", HERE),
    )
    assertValidOutput(task, result)
    assert "mine" in result.sources.colnames and len(result.sources) == len(result.sources_footprints)
    # ids count from one where no generator is given
    assert min(result.sources["id"]) == 1
    assert result.sources["calib_psf_used"].sum() > 0


def test_two_names_of_the_schema_are_one_argument():
    assert ReprocessVisitImageTask(schema=Schema.minimal()).schema.names[0] == "id"
    with pytest.raises(UsageError, match="one argument"):
        ReprocessVisitImageTask(schema=Schema.minimal(), sources_schema=Schema.minimal())
