"""Configurations of measurement that users try, end to end: nothing breaks, and the table has the columns announced for it."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from helpers.command import secondlight
from helpers.scenes import simulated

PLUGINS = "config.measurement.plugins"


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    return simulated(300, 260, seed=4, density=2.0).write(tmp_path_factory.mktemp("inputs"))


def run(arguments, tmp_path, overrides):
    """Columns announced and the table made with an override file."""
    file = tmp_path / "overrides.py"
    file.write_text(overrides)
    announced = secondlight("schema", "--format", "csv", "--config-file", file)
    assert announced.status == 0, announced.err
    ended = secondlight("run", *arguments, "--out", tmp_path / "out", "--config-file", file)
    assert ended.status == 0, ended.err
    columns = [row["name"] for row in csv.DictReader(io.StringIO(announced.out))]
    table = pq.read_table(tmp_path / "out" / "sources.parquet")
    assert len(table) > 100
    assert set(columns) <= set(table.column_names)
    return columns, table


def stems(columns, prefix):
    return {c.removesuffix("_instFlux") for c in columns if c.startswith(prefix) and c.endswith("_instFlux")}


@pytest.mark.parametrize(
    "plugin",
    [
        "base_Blendedness",
        "base_CompensatedTophatFlux",
        "base_GaussianFlux",
        "base_LocalBackground",
        "base_SdssShape",
        "base_Variance",
        "base_FPPosition",
        "ext_photometryKron_KronFlux",
        "ext_shapeHSM_HsmPsfMomentsDebiased",
        "ext_shapeHSM_HigherOrderMomentsSource",
    ],
)
def test_without_a_plugin(arguments, tmp_path, plugin):
    """What others or later steps read of it is missing: those do without."""
    removal = f"{PLUGINS}.names -= [{plugin!r}]\n"
    if plugin == "base_GaussianFlux":
        removal += "config.measurement.slots.gaussianFlux = None\nconfig.measurement.slots.modelFlux = None\n"
    columns, _ = run(arguments, tmp_path, removal)
    assert not any(c == plugin or c.startswith(f"{plugin}_") for c in columns)


def test_few_plugins(arguments, tmp_path):
    columns, table = run(
        arguments,
        tmp_path,
        f"{PLUGINS}.names = ['base_SdssCentroid', 'base_PsfFlux', 'base_PixelFlags']\n"
        "for slot in ('shape', 'psfShape', 'apFlux', 'modelFlux', 'gaussianFlux', 'calibFlux'):\n"
        "    setattr(config.measurement.slots, slot, None)\n"
        "config.catalog_calculation.plugins.names = ['base_FootprintArea']\n",
    )
    assert not any("HSM" in c or "Aperture" in c for c in columns)
    assert np.isfinite(table["base_PsfFlux_instFlux"].to_numpy()).mean() > 0.9


def test_other_radii(arguments, tmp_path):
    columns, table = run(
        arguments,
        tmp_path,
        f"{PLUGINS}['base_CircularApertureFlux'].radii = [2.5, 10.0, 40.0]\n"
        f"{PLUGINS}['base_CircularApertureFlux'].maxSincRadius = 5.0\n"
        f"{PLUGINS}['base_CompensatedTophatFlux'].apertures = [8, 12]\n"
        "config.measurement.slots.apFlux = 'base_CircularApertureFlux_10_0'\n"
        "config.measurement.slots.calibFlux = 'base_CircularApertureFlux_10_0'\n",
    )
    assert stems(columns, "base_CircularApertureFlux") == {
        f"base_CircularApertureFlux_{r}" for r in ("2_5", "10_0", "40_0")
    }
    assert stems(columns, "base_CompensatedTophatFlux") == {
        f"base_CompensatedTophatFlux_{r}" for r in (8, 12)
    }
    # apertures without weights have no flags of weights
    assert "base_CircularApertureFlux_2_5_flag_sincCoeffsTruncated" in columns
    assert "base_CircularApertureFlux_10_0_flag_sincCoeffsTruncated" not in columns
    np.testing.assert_array_equal(
        table["slot_ApFlux_instFlux"].to_numpy(), table["base_CircularApertureFlux_10_0_instFlux"].to_numpy()
    )


def test_other_slots(arguments, tmp_path):
    """The peak as centroid and SdssShape as shape: everything else follows them."""
    _, table = run(
        arguments,
        tmp_path,
        f"{PLUGINS}.names |= ['base_PeakCentroid']\n"
        "config.measurement.slots.centroid = 'base_PeakCentroid'\n"
        "config.measurement.slots.shape = 'base_SdssShape'\n",
    )
    x, shape = table["slot_Centroid_x"].to_numpy(), table["slot_Shape_xx"].to_numpy()
    np.testing.assert_array_equal(x, table["base_PeakCentroid_x"].to_numpy())
    np.testing.assert_array_equal(x, np.round(x))
    np.testing.assert_array_equal(shape, table["base_SdssShape_xx"].to_numpy())
    assert np.isfinite(table["base_GaussianFlux_instFlux"].to_numpy()).mean() > 0.7


def test_all_plugins_twice(arguments, tmp_path):
    """Every optional plugin, and fluxes on the image that is not deblended, which differ for children alone."""
    columns, table = run(
        arguments,
        tmp_path,
        f"{PLUGINS}.names |= ['base_PeakCentroid', 'base_PeakLikelihoodFlux', 'base_ScaledApertureFlux',\n"
        "    'base_CompensatedGaussianFlux', 'ext_shapeHSM_HsmShapeBj', 'ext_shapeHSM_HsmShapeKsb',\n"
        "    'ext_shapeHSM_HsmShapeLinear']\n"
        "config.measurement.undeblended.names |= ['base_PsfFlux', 'base_CircularApertureFlux']\n"
        "config.measurement.doReplaceWithNoise = False\n",
    )
    assert "undeblended_base_PsfFlux_instFlux" in columns
    assert "undeblended_base_CircularApertureFlux_12_0_instFlux" in columns
    ours, plain = (table[f"{p}base_PsfFlux_instFlux"].to_numpy() for p in ("", "undeblended_"))
    good = np.isfinite(ours)
    # neighbours are in place for either; the aperture correction, a smooth field, is for the ones without prefix
    ratio = ours[good] / plain[good]
    assert 1.0 < ratio.min() < ratio.max() < 1.03


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (f"{PLUGINS}.names |= ['base_Nope']", "base_Nope"),
        (f"{PLUGINS}.names -= ['base_SdssCentroid']", "slots.centroid"),
        (f"{PLUGINS}['base_SdssCentroid'].nothing = 1", "nothing"),
    ],
)
def test_mistakes_are_told(arguments, tmp_path, override, said):
    file = tmp_path / "overrides.py"
    file.write_text(override + "\n")
    ended = secondlight("run", *arguments, "--out", tmp_path / "out", "--config-file", file)
    assert ended.status == 2
    assert said in ended.err
    assert "Traceback" not in ended.err


PLUGIN = """
import numpy as np
from secondlight.measurement import Plugin
from secondlight.model.schema import Column

class MedianPlugin(Plugin):
    order = 2.0
    def __init__(self, config, name, schema, metadata):
        super().__init__(config, name, schema, metadata)
        schema.add(Column(f"{name}_value", "D", "count", "Median of the 5 x 5 pixels around the source"))
    def measure(self, batch):
        stamps = batch.stamps(2)
        batch[f"{self.name}_value"][:] = np.nanmedian(np.where(stamps.valid, stamps.image, np.nan), axis=(1, 2))
"""


def test_plugin_of_another_distribution(arguments, tmp_path):
    """Installed beside the project, as pip leaves a wheel: found by its entry point, it is in the schema and the table."""
    site = tmp_path / "site"
    info = site / "median_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "median_plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: median-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[secondlight.measurement]\nmine_Median = median_plugin:MedianPlugin\n"
    )
    file = tmp_path / "overrides.py"
    file.write_text(f"{PLUGINS}.names |= ['mine_Median']\n")
    paths = [str(site), *(p for p in sys.path if p)]

    def command(*args):
        return subprocess.run(
            [sys.executable, "-c", "from secondlight.cli import main; main()", *map(str, args)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    listed = command("schema", "--format", "csv", "--config-file", file)
    assert "mine_Median_value,D,count,Median of the 5 x 5 pixels around the source" in listed
    command("run", *arguments, "--out", tmp_path / "out", "--config-file", file)
    table = pq.read_table(tmp_path / "out" / "sources.parquet")
    values = table["mine_Median_value"].to_numpy()
    assert np.isfinite(values).mean() > 0.9
    bright = table["base_PsfFlux_instFlux"].to_numpy() > 1e4
    assert values[bright].min() > np.median(values)
