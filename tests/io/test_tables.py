"""Source table and footprints as parquet: round trips, and the layout of the recorded files."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from helpers.shared import needs_shared, reference
from secondlight.errors import InputError, UsageError
from secondlight.io.tables import read_footprints, read_sources, write_footprints, write_sources
from secondlight.model.catalog import SourceCatalog
from secondlight.model.footprints import PEAK_DTYPE, Footprint, Footprints, HeavyPixels, normalize_spans
from secondlight.model.schema import Column, Schema

any_example = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def catalog_of(footprints: Footprints, first: int = 2594073385740009473) -> SourceCatalog:
    schema = Schema()
    schema.add(Column("id", "L", "", "unique ID"))
    schema.add(Column("parent", "L", "", "unique ID of parent source"))
    catalog = SourceCatalog(schema, len(footprints), footprints)
    catalog["id"] = first + np.arange(len(footprints))
    catalog["parent"] = catalog["id"] // 2
    return catalog


def assert_same_footprints(a: Footprints, b: Footprints) -> None:
    for name in ("span_offsets", "spans", "peak_offsets", "heavy_offsets"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert getattr(a, name).dtype == getattr(b, name).dtype
    assert a.peaks.dtype == b.peaks.dtype == PEAK_DTYPE
    for name in PEAK_DTYPE.names or ():
        np.testing.assert_array_equal(a.peaks[name], b.peaks[name])
    for name in ("image", "mask", "variance"):
        np.testing.assert_array_equal(getattr(a.heavy, name), getattr(b.heavy, name))
        assert getattr(a.heavy, name).dtype == getattr(b.heavy, name).dtype


@st.composite
def footprint(draw: st.DrawFn) -> Footprint:
    corners = draw(arrays(np.int32, (draw(st.integers(0, 5)), 2), elements=st.integers(-100, 5000)))
    widths = draw(arrays(np.int32, len(corners), elements=st.integers(0, 20)))
    spans = normalize_spans(np.column_stack([corners, corners[:, 1] + widths]))
    n = draw(st.integers(0, 4))
    peaks = np.zeros(n, PEAK_DTYPE)
    for name in PEAK_DTYPE.names or ():
        kind = PEAK_DTYPE[name]
        elements = (
            st.integers(-(2**31), 2**31 - 1) if kind.kind == "i" else st.floats(width=kind.itemsize * 8)
        )
        peaks[name] = draw(arrays(kind, n, elements=elements))
    area = int((spans[:, 2] - spans[:, 1] + 1).sum())
    heavy = None
    if area and draw(st.booleans()):
        value = st.floats(width=32)
        heavy = HeavyPixels(
            draw(arrays(np.float32, area, elements=value)),
            draw(arrays(np.int32, area)),
            draw(arrays(np.float32, area, elements=value)),
        )
    return Footprint(spans, peaks, heavy)


@any_example
@given(st.lists(footprint(), max_size=5))
def test_footprints_come_back_bit_by_bit(tmp_path: Path, footprints: list[Footprint]) -> None:
    catalog = catalog_of(Footprints.from_list(footprints))
    write_footprints(tmp_path / "f.parquet", catalog, overwrite=True)
    back = read_footprints(tmp_path / "f.parquet")
    np.testing.assert_array_equal(back["id"], catalog["id"])
    np.testing.assert_array_equal(back["parent"], catalog["parent"])
    assert_same_footprints(back.footprints, catalog.footprints)


def test_large_peak_ids_survive(tmp_path: Path) -> None:
    peaks = np.zeros(1, PEAK_DTYPE)
    peaks["id"] = 2**60 + 1
    write_footprints(
        tmp_path / "f", catalog_of(Footprints.from_list([Footprint(np.empty((0, 3), np.int32), peaks)]))
    )
    assert read_footprints(tmp_path / "f").footprints.peaks["id"] == 2**60 + 1


def test_footprints_of_a_slice_and_of_chunks(tmp_path: Path) -> None:
    lists = pa.array([[1, 2, 3], [4, 5, 6, 7, 8, 9], []], pa.list_(pa.int64()))
    table = pa.table(
        {"id": [1, 2, 3], "parent": [0, 0, 1], "spans": lists, "peaks": lists.cast(pa.list_(pa.float64()))}
    ).append_column("heavy", pa.array([[], [], []], pa.list_(pa.float64())))
    pq.write_table(table.slice(1), tmp_path / "f", row_group_size=1)
    back = read_footprints(tmp_path / "f")
    np.testing.assert_array_equal(back["id"], [2, 3])
    np.testing.assert_array_equal(back.footprints[0].spans, [[4, 5, 6], [7, 8, 9]])
    assert len(back.footprints[1].spans) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spans": [[1, 2]]}, "not a multiple of 3"),
        ({"heavy": [[1.0, 2.0]]}, "row 0 holds 2 pixels for an area of 3"),
        ({"heavy_mask": [[1]], "heavy_variance": [[1.0]]}, "column 'heavy_mask': its lists differ"),
        ({"peaks": None}, "has no column 'peaks'"),
    ],
)
def test_inconsistent_footprints_are_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    columns = {
        "id": [1],
        "parent": [0],
        "spans": [[0, 0, 2]],
        "peaks": [[1.0, 0.0, 5.0]],
        "heavy": [[]],
    } | change
    pq.write_table(pa.table({k: v for k, v in columns.items() if v is not None}), tmp_path / "f")
    with pytest.raises(InputError, match=message):
        read_footprints(tmp_path / "f")


@needs_shared
@pytest.mark.parametrize("stage", ["detection", "sky", "deblend"])
def test_recorded_footprints_come_back_as_recorded(tmp_path: Path, stage: str) -> None:
    recorded = pq.read_table(reference("small", "outputs", f"{stage}.parquet"))
    write_footprints(tmp_path / "f", read_footprints(reference("small", "outputs", f"{stage}.parquet")))
    again = pq.read_table(tmp_path / "f")
    assert again.column_names[:5] == recorded.column_names
    for name in recorded.column_names:
        assert again[name].to_pylist() == recorded[name].to_pylist()


def small_schema() -> Schema:
    schema = Schema()
    for column in (
        Column("id", "L", "", "unique ID"),
        Column("coord_ra", "Angle", "", "position in ra/dec"),
        Column("n", "I", "", 'a "quoted" doc: with {signs}, §'),
        Column("detector", "U"),
        Column("a_instFlux", "D", "count", "flux"),
        Column("a_xx", "F", "pixel^2"),
        Column("ab_x", "F", "mag(AB)"),
        Column("a_flag", "Flag", "", "bad"),
        Column("odd", "D", "furlongs per fortnight"),
    ):
        schema.add(column)
    schema.aliases = {"slot_A": "a", "b_flag_badA": "a_flag"}
    return schema


@any_example
@given(st.data(), st.integers(0, 4))
def test_sources_come_back_bit_by_bit(tmp_path: Path, data: st.DataObject, n: int) -> None:
    catalog = SourceCatalog(small_schema(), n)
    for column in catalog.schema:
        catalog.columns[column.name] = data.draw(arrays(column.dtype, n))
    write_sources(tmp_path / "s.parquet", catalog, overwrite=True)
    back = read_sources(tmp_path / "s.parquet")
    assert list(back.schema) == list(catalog.schema)
    assert back.schema.aliases == catalog.schema.aliases
    for column in catalog.schema:
        np.testing.assert_array_equal(back[column.name], catalog[column.name])
        assert back[column.name].dtype == column.dtype


def test_aliases_units_and_docs_in_the_table(tmp_path: Path) -> None:
    from lsst.daf.butler.formatters.parquet import arrow_to_astropy

    catalog = SourceCatalog(small_schema(), 2)
    catalog["a_flag"] = [True, False]
    write_sources(tmp_path / "s.parquet", catalog)
    table = pq.read_table(tmp_path / "s.parquet")
    assert table.column_names == [
        *("id", "coord_ra", "n", "detector", "a_instFlux", "slot_A_instFlux", "a_xx", "slot_A_xx"),
        # a prefix is not a whole word: spec 11.5's table has slot_ShapeRound
        *("ab_x", "slot_Ab_x", "a_flag", "b_flag_badA", "slot_A_flag", "odd"),
    ]
    assert table.schema.field("a_instFlux").metadata == {b"description": b"flux", b"unit": b"ct"}
    read = arrow_to_astropy(table)
    assert str(read["slot_A_instFlux"].unit) == "ct"
    assert str(read["coord_ra"].unit) == "rad"
    assert str(read["a_xx"].unit) == "pix2"
    assert read["n"].description == 'a "quoted" doc: with {signs}, §'
    np.testing.assert_array_equal(read["b_flag_badA"], [True, False])


@needs_shared
def test_recorded_table_has_the_same_columns_units_and_docs(tmp_path: Path) -> None:
    from astropy.table.meta import get_header_from_yaml

    recorded = reference("small", "outputs", "sources.parquet")
    declared = json.loads(reference("small", "outputs", "schema.json").read_text())
    schema = Schema()
    for f in declared["fields"]:
        schema.add(Column(f["name"], f["type"], f["units"], f["doc"]))
    schema.aliases = declared["aliases"]
    values = read_sources(recorded)
    catalog = SourceCatalog(schema, len(values))
    for column in schema:
        catalog[column.name] = values.columns[column.name]
    write_sources(tmp_path / "s.parquet", catalog)

    ours, theirs = pq.read_table(tmp_path / "s.parquet"), pq.read_table(recorded)
    assert ours.column_names == theirs.column_names
    assert len(ours.column_names) == 620
    for name in theirs.column_names:
        assert ours[name].type == theirs[name].type
        np.testing.assert_array_equal(ours[name].to_numpy(), theirs[name].to_numpy())
    headers = [
        get_header_from_yaml(t.schema.metadata[b"table_meta_yaml"].decode().split("\n"))
        for t in (ours, theirs)
    ]
    assert headers[0] == headers[1]
    # a foreign file keeps its columns, units and docs
    assert values.schema["slot_PsfFlux_instFlux"].unit == "ct"
    assert values.schema["slot_PsfFlux_instFlux"].doc == schema["base_PsfFlux_instFlux"].doc


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not parquet")
    for read in (read_sources, read_footprints):
        with pytest.raises(InputError, match=r"text: cannot be read as parquet"):
            read(tmp_path / "text")
        with pytest.raises(InputError, match=r"gone: cannot be read as parquet"):
            read(tmp_path / "gone")
    pq.write_table(pa.table({"name": ["a"]}), tmp_path / "words")
    with pytest.raises(InputError, match=r"words: column 'name': has values of type string"):
        read_sources(tmp_path / "words")


def test_tables_are_not_replaced_unasked(tmp_path: Path) -> None:
    catalog = catalog_of(Footprints.empty(1))
    (tmp_path / "x").write_text("old")
    for write in (write_sources, write_footprints):
        with pytest.raises(UsageError, match="x exists"):
            write(tmp_path / "x", catalog)
    assert (tmp_path / "x").read_text() == "old"
