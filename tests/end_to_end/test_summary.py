"""Summary statistics and the standardized table through the command line, against the recorded run."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from helpers.command import scene_arguments, secondlight
from helpers.shared import needs_shared, reference
from secondlight.io.native import read_visit_image
from secondlight.io.tables import read_sources

pytestmark = needs_shared


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    out = tmp_path_factory.mktemp("small") / "outputs"
    ended = secondlight("run", *scene_arguments("small", out=out), "--standardize")
    assert ended.status == 0, ended.err
    return out


def test_summary_of_the_written_image(out):
    """Every statistic agrees to 1e-6 of its value, those of the measured stars among them."""
    recorded = json.loads(reference("small", "outputs", "summary_stats.json").read_text())
    found = read_visit_image(out / "pvi.fits").summary_stats
    del recorded["version"]  # of the reference's class
    for name, value in recorded.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=0, equal_nan=True, err_msg=name)


def test_standardized_table_has_the_rows_of_the_other(out):
    sources = read_sources(out / "sources.parquet")
    table = pq.read_table(out / "sources_standardized.parquet")
    np.testing.assert_array_equal(table["sourceId"].to_numpy(), sources["id"])
    np.testing.assert_array_equal(table["psfFlux"].to_numpy(), sources["base_PsfFlux_flux"])
    assert set(table["band"].to_pylist()) == {"r"}


def test_an_old_standardized_table_does_not_stay(out):
    """Nor is it replaced without leave."""
    arguments = scene_arguments("small", out=out)
    ended = secondlight("run", *arguments, "--standardize")
    assert ended.status == 2 and "exists" in ended.err
    ended = secondlight("run", *arguments, "--overwrite", "--config", "measurement.doReplaceWithNoise=False")
    assert ended.status == 0, ended.err
    assert not (out / "sources_standardized.parquet").exists()
