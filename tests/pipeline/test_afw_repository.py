"""A repository as the stack makes them, with real files of afw, used without the stack; parity with a recorded run."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from lsst.daf.butler import Butler

from helpers.command import scene_arguments, secondlight
from helpers.shared import needs_shared, reference
from helpers.stack_repository import DETECTOR, INSTRUMENT, RUN
from secondlight.configs import shipped
from secondlight.io.afw.background import read_background
from secondlight.io.afw.exposure import read_exposure
from secondlight.io.afw.source_catalog import read_source_catalog
from secondlight.pipeline.storage import overrides_path

TESTS = Path(__file__).parents[1]


def in_force(**changes):
    """The environment with the overrides in force."""
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"DAF_BUTLER_CONFIG_PATH": str(overrides_path()), "PYTHONPATH": path} | changes


@pytest.fixture(scope="module")
def processed(tmp_path_factory):
    root = tmp_path_factory.mktemp("stack") / "repo"
    arguments = [root, reference("small", "inputs"), reference("ids.py"), shipped("reference")]
    command = [sys.executable, "-m", "helpers.stack_repository", *map(str, arguments)]
    ended = subprocess.run(command, env=in_force(), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return root


def paths(root, name):
    """Where the files of a dataset type are."""
    with Butler.from_config(str(root), collections=["out", RUN]) as butler:
        return [Path(butler.getURI(ref).ospath) for ref in butler.query_datasets(name)]


@needs_shared
def test_sources_are_the_recorded_ones(processed):
    (path,) = paths(processed, "sources_detector")
    table = pq.read_table(path)
    expected = pq.read_table(reference("small", "outputs", "sources.parquet"))
    assert table.column_names == expected.column_names
    for name in ("id", "parent", "deblend_nChild", "sky_source", "detect_isPrimary"):
        assert np.array_equal(table[name].to_numpy(), expected[name].to_numpy()), name
    flux, recorded = (t["base_PsfFlux_flux"].to_numpy() for t in (table, expected))
    np.testing.assert_allclose(flux, recorded, rtol=1e-6)


@needs_shared
def test_outputs_are_files_of_afw(processed):
    (image,) = paths(processed, "pvi")
    ours, recorded = read_exposure(image), read_exposure(reference("small", "outputs", "pvi.fits"))
    np.testing.assert_allclose(ours.image, recorded.image, rtol=1e-6, atol=1e-6)
    assert ours.unit == "nJy" and ours.psf is not None and ours.wcs is not None
    assert ours.metadata["LSST BUTLER DATASETTYPE"] == "pvi"
    (footprints,) = paths(processed, "sources_detector_footprints")
    catalog = read_source_catalog(footprints)
    assert len(catalog) == pq.read_metadata(paths(processed, "sources_detector")[0]).num_rows
    assert catalog.footprints.areas.min() > 0
    (background,) = paths(processed, "pvi_background")
    assert len(read_background(background)) == 2


@needs_shared
def test_outputs_equal_those_of_the_command_line(processed, tmp_path):
    ended = secondlight("run", *scene_arguments("small", out=tmp_path / "out"), "--format", "afw", "--quiet")
    assert ended.status == 0, ended.err
    directly = tmp_path / "out"
    table, expected = (
        pq.read_table(p) for p in (*paths(processed, "sources_detector"), directly / "sources.parquet")
    )
    assert table.column_names == expected.column_names and table.num_rows > 100
    for name in table.column_names:
        assert np.array_equal(table[name], expected[name], equal_nan=table[name].type != "bool"), name
    (image,) = paths(processed, "pvi")
    in_repository, from_files = read_exposure(image), read_exposure(directly / "pvi.fits")
    for plane in ("image", "mask", "variance"):
        assert getattr(in_repository, plane).tobytes() == getattr(from_files, plane).tobytes(), plane
    for part in ("mask_planes", "unit", "photo_calib", "ap_corr_map", "wcs", "filter", "bbox"):
        np.testing.assert_equal(getattr(in_repository, part), getattr(from_files, part), err_msg=part)
    assert str(in_repository.visit_info) == str(from_files.visit_info)
    np.testing.assert_equal(in_repository.summary_stats, from_files.summary_stats)
    catalogs = [
        read_source_catalog(p)
        for p in (*paths(processed, "sources_detector_footprints"), directly / "sources_footprints.fits")
    ]
    for name in catalogs[1].schema.names:
        assert catalogs[0][name].tobytes() == catalogs[1][name].tobytes(), name
    one, other = (c.footprints for c in catalogs)
    assert np.array_equal(one.areas, other.areas) and np.array_equal(one.peaks, other.peaks)
    (background,) = paths(processed, "pvi_background")
    assert background.read_bytes() == (directly / "pvi_background.fits").read_bytes()


@needs_shared
def test_the_stack_finds_its_own_formatters(processed):
    with closing(sqlite3.connect(f"file:{processed}/gen3.sqlite3?mode=ro", uri=True)) as registry:
        query = "SELECT DISTINCT storage_class, formatter FROM file_datastore_records"
        recorded = dict(registry.execute(query).fetchall())
    stack = "lsst.obs.base.formatters"
    assert recorded["ExposureF"] == f"{stack}.fitsExposure.FitsExposureFormatter"
    assert recorded["SourceCatalog"] == recorded["Background"] == f"{stack}.fitsGeneric.FitsGenericFormatter"
    assert not any(formatter.startswith("secondlight") for formatter in recorded.values())


_READ = f"""
import secondlight.pipeline, lsst.images, sys
from lsst.daf.butler import Butler
with Butler.from_config(sys.argv[1], collections=["out", "{RUN}"]) as butler:
    visit = dict(instrument="{INSTRUMENT}", detector={DETECTOR}, visit=next(iter(butler.query_datasets("pvi"))).dataId["visit"])
    assert butler.get("pvi.wcs", **visit).pixel_to_sky(x=0, y=0).ra.deg > 0
    assert butler.get("pvi.bbox", **visit).shape == (1000, 1024)
    assert "EDGE" in butler.get("pvi.mask", **visit).planes
    assert butler.get("pvi.psf", **visit).kernel_images([10.0], [10.0]).shape[0] == 1
    assert isinstance(butler.get("pvi", storageClass="VisitImage", **visit), lsst.images.VisitImage)
    assert butler.get("finalVisitSummary", instrument="{INSTRUMENT}", visit=visit["visit"]).find({DETECTOR}).psf
    try:
        butler.get("pvi", parameters={{"bbox": None}}, **visit)
    except Exception as error:
        assert "read whole" in str(error) + str(error.__cause__), error
    else:
        raise SystemExit("parameters were ignored")
"""


@needs_shared
def test_components_and_conversions(processed):
    ended = subprocess.run(
        [sys.executable, "-c", _READ, str(processed)],
        env=in_force(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def test_the_command_prints_the_overrides(monkeypatch):
    monkeypatch.setenv("DAF_BUTLER_CONFIG_PATH", "/elsewhere")
    assert secondlight("butler", "overrides").out.strip() == (
        f"export DAF_BUTLER_CONFIG_PATH={overrides_path()}:/elsewhere"
    )
