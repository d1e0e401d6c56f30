"""Repositories that need no stack, and the shipped pipelines."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import lsst.images
import numpy as np
import pytest
from lsst.daf.butler import Butler, DatasetType
from lsst.pipe.base import Pipeline
from lsst.pipe.base.pipelineIR import ContractError

from helpers.command import secondlight
from helpers.pipelines import INPUTS, LABEL, VISIT, shipped
from secondlight.errors import UsageError
from secondlight.model.catalog import SourceCatalog
from secondlight.model.schema import Schema
from secondlight.pipeline.repository import shipped_pipeline, shipped_pipelines
from secondlight.simulate import ingest_visit


def test_create_refuses_a_repository_that_exists(tmp_path):
    assert secondlight("butler", "create", tmp_path / "repo").status == 0
    again = secondlight("butler", "create", tmp_path / "repo")
    assert again.status == 2 and "holds a repository already" in again.err


def test_inputs_have_types_that_need_no_afw(ingested):
    with Butler.from_config(str(ingested), collections=[INPUTS]) as butler:
        image = butler.get("postISRCCD", instrument="LSSTCam", exposure=VISIT["visit"], detector=90)
        assert isinstance(image, lsst.images.VisitImage) and image.image.array.shape == (256, 256)
        mask = butler.get("preliminary_visit_mask", detector=90, **VISIT)
        assert isinstance(mask, lsst.images.Mask)
        summary = butler.get("finalVisitSummary", **VISIT)
        assert [r.psf is None for r in summary] == [False, False, False, True]
        assert butler.get("finalized_src_table", **VISIT)["coord_ra"].unit == "rad"
        assert butler.get("initial_photoCalib_detector", detector=91, **VISIT).mean > 0
        sky = butler.get("skyCorr", detector=91, **VISIT).image()
        assert sky.shape == (256, 256) and np.isfinite(sky).all()


def test_a_reader_of_images_needs_no_second_light(ingested):
    with closing(sqlite3.connect(f"file:{ingested}/gen3.sqlite3?mode=ro", uri=True)) as registry:
        query = "SELECT DISTINCT formatter FROM file_datastore_records WHERE storage_class = 'VisitImage'"
        assert registry.execute(query).fetchall() == [("lsst.images.formatters.GenericFormatter",)]


def test_regions_of_detectors_are_apart_and_in_the_visit(ingested):
    with Butler.from_config(str(ingested), collections=[INPUTS]) as butler:
        records = butler.query_dimension_records("visit_detector_region", **VISIT)
        (visit,) = butler.query_dimension_records("visit", **VISIT)
    regions = [r.region for r in records]
    assert len(regions) == 4
    for i, one in enumerate(regions):
        assert visit.region.contains(one.getCentroid())
        assert not any(one.contains(other.getCentroid()) for other in regions[i + 1 :])


def test_a_visit_is_ingested_once(repository):
    with (
        Butler.from_config(str(repository), writeable=True) as butler,
        pytest.raises(UsageError, match="already"),
    ):
        ingest_visit(butler, detectors=[90], pipeline=LABEL, size=(64, 64))


def test_footprints_keep_scalar_metadata(repository):
    catalog = SourceCatalog(Schema.minimal(), 2)
    catalog["id"] = [1, 2]
    catalog.metadata = {"failure.message": "too many", "n": 3}
    with Butler.from_config(str(repository), writeable=True, run="test") as butler:
        one = DatasetType(
            "footprints", ["instrument", "visit"], "SecondLightFootprints", universe=butler.dimensions
        )
        butler.registry.registerDatasetType(one)
        butler.put(catalog, one, VISIT)
        again = butler.get(one, VISIT)
    assert again.metadata == catalog.metadata
    assert list(again["id"]) == [1, 2]


def test_pipelines_are_listed_and_found():
    listed = secondlight("butler", "pipeline").out.split()
    assert listed == shipped_pipelines() and LABEL in listed
    assert secondlight("butler", "pipeline", f"{LABEL}.yaml").out.strip() == str(shipped_pipeline(LABEL))
    assert secondlight("butler", "pipeline", "nonsense").status == 2


@pytest.mark.parametrize("name", shipped_pipelines())
def test_pipelines_can_be_built(name):
    task = shipped(name, connections__exposure="another").to_graph().tasks[LABEL]
    assert task.outputs["exposure"].parent_dataset_type_name == "another"
    assert task.config.id_generator.release_id == 0


def test_published_names():
    task = shipped().to_graph().tasks[LABEL]
    inputs = {c.parent_dataset_type_name for c in task.inputs.values()}
    outputs = {c.parent_dataset_type_name for n, c in task.outputs.items() if not n.startswith("_")}
    assert {"postISRCCD", "finalVisitSummary", "calexpBackground", "skyCorr"} < inputs
    assert {"pvi", "sources_detector", "sources_detector_footprints", "pvi_background"} <= outputs


def test_production_names_of_lsstcam():
    task = shipped("reprocessVisitImage-LSSTCam").to_graph().tasks[LABEL]
    found = {n: c.parent_dataset_type_name for n, c in (task.inputs | task.outputs).items()}
    assert found["exposures"] == "post_isr_image" and found["exposure"] == "visit_image"
    assert (
        found["sources"] == "source_unstandardized"
        and found["background_1"] == "preliminary_visit_image_background"
    )
    # the instrument's fiducial values came with it
    assert task.config.compute_summary_stats.fiducialMagLim["r"] == 24.52


def test_parameters_of_pipelines():
    pipeline = Pipeline.from_uri(f"resource://secondlight/pipeline/pipelines/{LABEL}.yaml")
    pipeline.addConfigOverride("parameters", "release_id", 5)
    assert pipeline.to_graph().tasks[LABEL].config.id_generator.release_id == 5


def test_contracts_are_kept():
    with pytest.raises(ContractError, match="twice"):
        shipped(connections__background_2="calexpBackground").to_graph()
