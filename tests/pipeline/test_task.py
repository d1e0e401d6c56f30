"""The task on real repositories: equal to a run on files, and what happens when data cannot be processed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from lsst.daf.butler import Butler
from lsst.images import VisitImage
from lsst.images.serialization import read_archive
from lsst.pipe.base.mp_graph_executor import MPGraphExecutorError

from helpers.pipelines import INPUTS, LABEL, VISIT, execute, shipped
from secondlight.errors import NoWorkError
from secondlight.io.native_summary import VisitRecord, VisitSummary
from secondlight.io.tables import as_astropy, read_sources
from secondlight.pipeline import ReprocessVisitImageTask
from secondlight.pipeline.repository import create_repository
from secondlight.runner import Inputs, run_files
from secondlight.simulate import ingest_visit, simulate_visit, write_visit
from secondlight.simulate.butler import neighbouring_pointing

DETECTOR = 91


@pytest.fixture(scope="module")
def direct(tmp_path_factory):
    """Outputs of ``secondlight run`` on the same detector."""
    folder = tmp_path_factory.mktemp("direct")
    visit = simulate_visit(
        256,
        256,
        seed=1 + DETECTOR - 90,
        detector=DETECTOR,
        density=0.5,
        pointing=neighbouring_pointing(DETECTOR - 90, 4, 256, 256),
    )
    write_visit(folder / "in", visit)
    inputs = Inputs(
        exposures=[folder / "in/postISRCCD_0.fits"],
        visit_summary=folder / "in/finalVisitSummary.fits",
        backgrounds=[folder / "in/background_1.fits", folder / "in/skyCorr.fits"],
        detector=DETECTOR,
        preliminary_mask=folder / "in/preliminary_visit_mask.fits",
        calib_sources=folder / "in/finalized_src_table.parquet",
    )
    run_files(inputs, out=folder / "out")
    return folder / "out"


def test_tables_equal_those_of_a_run_on_files(executed, direct):
    table = executed.get("sources_detector", detector=DETECTOR, **VISIT)
    expected = as_astropy(read_sources(direct / "sources.parquet"))
    assert table.colnames == expected.colnames and len(table) > 20
    for name in table.colnames:
        assert np.asarray(table[name]).tobytes() == np.asarray(expected[name]).tobytes(), name
        assert table[name].unit == expected[name].unit, name
        assert table[name].description == expected[name].description, name


def test_footprints_and_background_equal_those_of_a_run_on_files(executed, direct):
    for name, file in (
        ("sources_detector_footprints", "sources_footprints.parquet"),
        ("pvi_background", "pvi_background.fits"),
    ):
        path = Path(executed.getURI(name, detector=DETECTOR, **VISIT).ospath)
        assert path.read_bytes() == (direct / file).read_bytes(), name


def test_images_equal_those_of_a_run_on_files(executed, direct):
    image = executed.get("pvi", detector=DETECTOR, **VISIT)
    expected = read_archive(str(direct / "pvi.fits"), VisitImage)
    for plane in ("image", "mask", "variance"):
        assert getattr(image, plane).array.tobytes() == getattr(expected, plane).array.tobytes(), plane
    assert image.unit == "nJy" and image.psf is not None and image.detector.id == DETECTOR


def test_outputs_of_each_detector_but_the_one_without_psf(executed):
    for name in ("pvi", "sources_detector", "sources_detector_footprints", "pvi_background"):
        found = {ref.dataId["detector"] for ref in executed.query_datasets(name)}
        assert found == {90, 91, 92}, name
    # which ran nevertheless, and found nothing to do
    metadata = {ref.dataId["detector"] for ref in executed.query_datasets(f"{LABEL}_metadata")}
    assert metadata == {90, 91, 92, 93}


def test_ids_are_unique_over_detectors(executed):
    tables = [executed.get("sources_detector", detector=d, **VISIT) for d in (90, 91, 92)]
    ids = np.concatenate([np.asarray(t["id"]) for t in tables])
    assert len(np.unique(ids)) == len(ids)
    assert [set(t["detector"]) for t in tables] == [{90}, {91}, {92}]


def test_schema_is_that_of_the_tables(executed):
    schema = executed.get("sources_schema")
    table = executed.get("sources_detector", detector=DETECTOR, **VISIT)
    assert len(schema) == 0
    assert [name for name, _, _ in schema.flattened()] == table.colnames


def test_metadata_tells_the_seconds_of_each_stage(executed):
    metadata = executed.get(f"{LABEL}_metadata", detector=DETECTOR, **VISIT)
    assert metadata[LABEL].get_dict("seconds").keys() >= {"detection", "measurement", "calibrate"}


def test_data_that_cannot_be_processed_leaves_what_was_made(repository):
    pipeline = shipped(repair__cosmicray__nCrPixelMax=1)
    with pytest.raises(MPGraphExecutorError):
        execute(repository, "out", pipeline, where=f"detector = {DETECTOR}")
    with Butler.from_config(str(repository), collections=["out"]) as butler:
        image = butler.get("pvi", detector=DETECTOR, **VISIT)
        names = {t.name for t in butler.registry.queryDatasetTypes()}
        written = {n for n in names if butler.registry.queryDatasets(n, collections="out").any()}
    assert image.metadata["failure.type"].endswith("TooManyCosmicRays") or "failure.message" in image.metadata
    assert all(isinstance(v, str | int | float | bool) or v is None for v in image.metadata.values())
    assert image.unit == "electron"
    assert "pvi" in written and not written & {"sources_detector", "pvi_background"}


def test_partial_outputs_can_count_as_success(repository):
    pipeline = shipped(repair__cosmicray__nCrPixelMax=1)
    execute(repository, "out", pipeline, where=f"detector = {DETECTOR}", raise_on_partial_outputs=False)
    with Butler.from_config(str(repository), collections=["out"]) as butler:
        assert butler.exists("pvi", detector=DETECTOR, **VISIT)
        assert butler.exists(f"{LABEL}_metadata", detector=DETECTOR, **VISIT)


@pytest.mark.parametrize(
    ("records", "lines"),
    [
        ([], ["no record in the visit summary"]),
        ([VisitRecord(7)], ["no PSF", "no WCS", "no ApCorr", "no PhotoCalib"]),
        ([VisitRecord(7, wcs=object(), ap_corr_map={})], ["no PSF", "no PhotoCalib"]),
    ],
)
def test_missing_calibrations_are_listed(records, lines):
    refs = SimpleNamespace(visit_summary="summary", exposures=[])
    context = SimpleNamespace(
        quantum=SimpleNamespace(dataId={"detector": 7, "visit": 1}),
        get=lambda ref: {"summary": VisitSummary(records)}[ref],
    )
    with pytest.raises(NoWorkError) as error:
        ReprocessVisitImageTask().runQuantum(context, refs, SimpleNamespace())
    assert str(error.value).split("\n") == [
        "Skipping reprocessing of detector 7 because:",
        *(f"  > {line}" for line in lines),
    ]


def test_two_snaps_and_the_initial_calibration(tmp_path):
    create_repository(tmp_path / "repo")
    with Butler.from_config(str(tmp_path / "repo"), writeable=True) as butler:
        ingest_visit(
            butler,
            detectors=[90],
            pipeline="reprocessVisitImage-defaults",
            size=(192, 192),
            snaps=2,
            density=0.5,
        )
    pipeline = shipped("reprocessVisitImage-defaults", sky_sources__nSources=5)
    execute(tmp_path / "repo", "out", pipeline)
    with Butler.from_config(str(tmp_path / "repo"), collections=["out", INPUTS]) as butler:
        snaps = [
            butler.get("postISRCCD", instrument="LSSTCam", exposure=VISIT["visit"] + k, detector=90)
            for k in (0, 1)
        ]
        image = butler.get("pvi", detector=90, **VISIT)
        table = butler.get("sources_detector", detector=90, **VISIT)
        background = butler.get("initial_pvi_background", detector=90, **VISIT)
    mean = image.photometric_scaling
    assert mean is not None
    # away from sources and rays: the sum of the snaps less the background
    both = snaps[0].image.array + snaps[1].image.array - background.image()
    scale = np.nanmedian(image.image.array / both)
    assert np.isfinite(scale) and len(table) > 5
    assert list(table["sky_source"]).count(True) == 5
