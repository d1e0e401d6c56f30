"""The listing of columns: the reference's own, name by name, and the page made of it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import yaml

from helpers.command import secondlight
from helpers.shared import SHARED, needs_shared, reference
from secondlight.cli import _columns_page
from secondlight.model.schema import Column, Schema

PAGE = Path(__file__).parents[2] / "docs" / "columns.md"


@pytest.fixture(scope="module")
def listed():
    """Rows of the listing as dicts."""
    ended = secondlight("schema", "--format", "csv")
    assert ended.status == 0, ended.err
    return list(csv.DictReader(io.StringIO(ended.out)))


def of_this_task(recorded, listed):
    """The recorded columns; without those of the deblender in a task that has none."""
    deblended = any(row["name"].startswith("deblend_") for row in listed)
    return [row for row in recorded if deblended or not row["name"].startswith("deblend_")]


@needs_shared
def test_recorded_schema(listed):
    """Name, order, type, unit and description of every column of the recorded table."""
    recorded = json.loads(reference("small", "outputs", "schema.json").read_text())["fields"]
    assert len(recorded) == 393
    expected = [
        {
            "name": field["name"],
            "type": field["type"],
            "unit": "rad" if field["type"] == "Angle" else field["units"],
            "doc": field["doc"],
        }
        for field in of_this_task(recorded, listed)
    ]
    assert [row["name"] for row in listed] == [row["name"] for row in expected]
    assert listed == expected


@needs_shared
def test_specified_schema(listed):
    with SHARED.joinpath("spec", "12_schema.csv").open() as file:
        specified = of_this_task(csv.DictReader(file), listed)
    keys = ("name", "type", "unit")
    assert [[row[k] for k in keys] for row in listed] == [[row[k] for k in keys] for row in specified]


@needs_shared
def test_recorded_aliases():
    recorded = json.loads(reference("small", "outputs", "schema.json").read_text())["aliases"]
    page = secondlight("schema", "--format", "markdown").out.split("## Aliases")[1]
    rows = [row.split("`") for row in page.splitlines() if row.startswith("| `")]
    assert {alias: target for _, target, _, alias, _ in rows} == recorded


def test_page_is_current():
    """If it is not: ``secondlight schema --format markdown > docs/columns.md``."""
    assert secondlight("schema", "--format", "markdown").out == PAGE.read_text()


def test_page_has_every_column_once_in_order(listed):
    rows = [
        line.split("`")[1]
        for line in PAGE.read_text().split("## Aliases")[0].splitlines()
        if line.startswith("| `")
    ]
    assert rows == [row["name"] for row in listed]
    assert "Other columns" not in PAGE.read_text()


def test_page_of_a_plugin_from_elsewhere():
    schema = Schema.minimal()
    schema.add(Column("my_Peak_value", "F", "count", "Largest | pixel"))
    page = _columns_page.columns_page(schema)
    assert "## Other columns" in page and "| `my_Peak_value` | float32 | count | Largest \\| pixel |" in page


def test_felis_is_valid():
    datamodel = pytest.importorskip("felis.datamodel")
    schema = datamodel.Schema.model_validate(yaml.safe_load(secondlight("schema", "--format", "felis").out))
    assert len(schema.tables[0].columns) > 300
