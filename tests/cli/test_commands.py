"""The commands that need no files, and how errors end."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import pytest
import yaml

from helpers.command import secondlight
from secondlight import selfcheck


def test_help_names_every_command():
    ended = secondlight("--help")
    assert ended.status == 0
    for name in ("run", "demo", "simulate", "schema", "doctor"):
        assert f"  {name} " in ended.out


@pytest.mark.parametrize("name", ["run", "demo", "simulate", "schema", "doctor"])
def test_help_of_commands(name):
    ended = secondlight(name, "--help")
    assert ended.status == 0 and ended.out.startswith(f"Usage: secondlight {name}")


def test_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "secondlight", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("secondlight ")


def test_version():
    ended = secondlight("--version")
    assert ended.out.startswith("secondlight ")


@pytest.mark.parametrize("arguments", [["nonsense"], ["run"], ["schema", "--format", "tablet"], ["simulate"]])
def test_wrong_usage(arguments):
    ended = secondlight(*arguments)
    assert ended.status == 2 and ended.err


def test_schema_as_csv_is_the_task_schema():
    ended = secondlight("schema", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert [r["name"] for r in rows[:4]] == ["id", "coord_ra", "coord_dec", "parent"]
    assert rows[1] == {"name": "coord_ra", "type": "Angle", "unit": "rad", "doc": "position in ra/dec"}
    assert len({r["name"] for r in rows}) == len(rows) > 200
    assert all(r["doc"] for r in rows)


def test_schema_follows_the_configuration():
    one = secondlight("schema", "--format", "csv")
    two = secondlight(
        "schema",
        "--format",
        "csv",
        "--config",
        "measurement.plugins['base_CircularApertureFlux'].radii=[2.5]",
    )
    assert two.status == 0, two.err
    assert "base_CircularApertureFlux_2_5_instFlux" in two.out and "_70_0_instFlux" in one.out
    assert "_70_0_instFlux" not in two.out


def test_schema_as_felis():
    tables = yaml.safe_load(secondlight("schema", "--format", "felis").out)["tables"]
    columns = {c["name"]: c for c in tables[0]["columns"]}
    assert columns["id"]["datatype"] == "long"
    assert columns["base_PsfFlux_flux"]["fits:tunit"] == "nJy"
    assert columns["sky_source"]["datatype"] == "boolean"


def test_schema_as_text_with_aliases():
    ended = secondlight("schema", "--aliases")
    assert "slot_Centroid_x" in ended.out and "alias of base_SdssCentroid_x" in ended.out


def test_doctor_is_well():
    ended = secondlight("doctor")
    assert ended.status == 0, ended.out
    assert "self-check passed" in ended.out and "BAD" not in ended.out
    assert "numba " in ended.out and "kernel cache" in ended.out


def test_doctor_says_what_is_wrong(monkeypatch):
    monkeypatch.setattr(selfcheck, "_FLUX", selfcheck._FLUX * 0.9)
    real = selfcheck._stars

    def too_bright():
        exposure = real()
        exposure.image *= 1.1
        return exposure

    monkeypatch.setattr(selfcheck, "_stars", too_bright)
    ended = secondlight("doctor")
    assert ended.status == 1
    assert "BAD  PSF fluxes" in ended.out and "kernel cache" in ended.err


def test_starting_is_quick_and_imports_little():
    """What takes long to import waits until it is needed."""
    code = (
        "import sys, json, secondlight.cli\n"
        "try:\n    secondlight.cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(json.dumps(sorted(m for m in ('numpy', 'numba', 'astropy', 'lsst.images') if m in sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []
