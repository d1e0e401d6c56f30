"""The standardized table against the Science Data Model's schema of DP2, and against the recorded table."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.table.meta import get_header_from_yaml

from helpers.shared import needs_shared
from helpers.summarized import summarized
from secondlight.io.standardized import STANDARD_COLUMNS, write_standardized_sources
from secondlight.model.catalog import SourceCatalog
from secondlight.model.exposure import FilterLabel
from secondlight.model.schema import Schema
from secondlight.overrides import build_config
from secondlight.reprocess import ReprocessVisitImageTask

ARROW = {
    "long": "int64",
    "int": "int32",
    "short": "int16",
    "double": "double",
    "float": "float",
    "boolean": "bool",
    "char": "string",
}


@pytest.fixture(scope="module")
def release():
    """Columns of the table Source of DP2, as the library of these schemas reads them."""
    felis = pytest.importorskip("felis")
    pytest.importorskip("lsst.sdm.schemas")
    schema = felis.Schema.from_uri("resource://lsst.sdm.schemas/dp2.yaml", context={"id_generation": True})
    return next(table for table in schema.tables if table.name == "Source").columns


def test_names_types_and_units_are_the_releases(release):
    ours = {c.name: (c.type, c.unit) for c in STANDARD_COLUMNS}
    theirs = {
        c.name: (str(getattr(c.datatype, "value", c.datatype)), str(c.ivoa_unit or "")) for c in release
    }
    assert len(ours) == len(STANDARD_COLUMNS)
    assert ours == theirs


def test_order_is_the_releases_but_for_the_id(release):
    names = [c.name for c in release]
    assert [c.name for c in STANDARD_COLUMNS] == ["sourceId", *(n for n in names if n != "sourceId")]


def test_every_column_is_one_of_this_task():
    schema = ReprocessVisitImageTask(build_config()).schema
    unknown = {c.source for c in STANDARD_COLUMNS if c.source not in schema}
    if "deblend_nChild" not in schema:
        unknown = {name for name in unknown if not name.startswith("deblend_")}
    assert unknown == {"band", "physical_filter"}


@needs_shared
def test_recorded(tmp_path):
    catalog = summarized("small").sources
    path = tmp_path / "standardized.parquet"
    write_standardized_sources(path, catalog, FilterLabel("r", "r_57"))
    table = pq.read_table(path)
    assert table.num_rows == len(catalog)
    for field, column in zip(table.schema, STANDARD_COLUMNS, strict=True):
        assert (field.name, str(field.type)) == (column.name, ARROW[column.type])
        assert table[column.name].null_count == 0, column.name
        if column.type == "char":
            continue
        expected = catalog[column.source] * column.scale if column.scale != 1 else catalog[column.source]
        found = table[column.name].to_numpy()
        if column.type in ("double", "float"):
            np.testing.assert_allclose(found, expected, rtol=2e-7 if column.type == "float" else 1e-15)
        else:
            np.testing.assert_array_equal(found, expected)
    assert set(table["band"].to_pylist()) == {"r"} and set(table["physical_filter"].to_pylist()) == {"r_57"}


@needs_shared
def test_units_and_descriptions_are_where_astropy_looks(tmp_path):
    path = tmp_path / "standardized.parquet"
    write_standardized_sources(path, summarized("small").sources, FilterLabel("r", "r_57"))
    schema = pq.read_schema(path)
    header = get_header_from_yaml(schema.metadata[b"table_meta_yaml"].decode().split("\n"))
    columns = {c["name"]: c for c in header["datatype"]}
    assert list(columns) == schema.names
    assert str(columns["psfFlux"]["unit"]) == "nJy" and str(columns["ra_dec_Cov"]["unit"]) == "deg2"
    assert columns["sky_source"]["datatype"] == "bool" and columns["sky_source"]["description"]
    assert schema.field("ixx").metadata[b"unit"] == b"pixel**2"


def test_what_was_not_measured_is_null(tmp_path):
    path = tmp_path / "standardized.parquet"
    catalog = SourceCatalog(Schema.minimal(), 3)
    catalog["coord_ra"] = [0.0, np.nan, 1.0]
    write_standardized_sources(path, catalog, None)
    table = pq.read_table(path)
    assert table["psfFlux"].null_count == table["band"].null_count == 3
    # what was measured and has no value is NaN
    assert table["ra"].null_count == 0 and np.isnan(table["ra"].to_numpy()[1])
