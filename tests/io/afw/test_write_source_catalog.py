"""Source catalogues written in afw's layout: read back equal, and laid out as the reference lays them out."""

import warnings

import numpy as np
import pytest
from astropy.io import fits

from helpers.measuring import gaussian_stars, measure, square_footprints
from helpers.noise import random_blends
from helpers.shared import needs_shared, realdata, reference
from secondlight.errors import UsageError
from secondlight.io.afw.source_catalog import read_source_catalog
from secondlight.io.afw.write_archive import ArchiveWriter
from secondlight.io.afw.write_source_catalog import write_source_catalog
from secondlight.io.afw.write_table import StoredField, empty_primary, table_hdu
from secondlight.model.catalog import SourceCatalog
from secondlight.model.footprints import Footprints
from secondlight.model.schema import Column, Schema


def assert_equal(one, other, flags_first=False):
    """Everything is the same, to the last bit."""
    columns = sorted(one.schema, key=lambda c: c.type != "Flag") if flags_first else list(one.schema)
    assert [(c.name, c.type, c.doc) for c in columns] == [(c.name, c.type, c.doc) for c in other.schema]
    assert [c.unit for c in columns if c.type not in ("Angle", "Flag")] == [
        c.unit for c in other.schema if c.type not in ("Angle", "Flag")
    ]
    assert one.schema.aliases == other.schema.aliases
    assert one.metadata == other.metadata
    for name, values in one.columns.items():
        assert values.dtype == other.columns[name].dtype
        assert values.tobytes() == other.columns[name].tobytes(), name
    for name in ("span_offsets", "spans", "peak_offsets", "peaks", "heavy_offsets"):
        assert getattr(one.footprints, name).tobytes() == getattr(other.footprints, name).tobytes(), name
    for name in ("image", "mask", "variance"):
        ours, theirs = getattr(one.footprints.heavy, name), getattr(other.footprints.heavy, name)
        assert ours.tobytes() == theirs.tobytes(), name


def files():
    return [
        reference("small", "outputs", "sources_footprints.fits"),
        *sorted(realdata("lsst_files", "faro_hsc").glob("src*.fits")),
    ]


@needs_shared
@pytest.mark.parametrize("which", [0, 1])
def test_recorded_files(tmp_path, which):
    """What the reference wrote comes back equal; tables, archive and cards are its own, HDU by HDU."""
    path = files()[which]
    catalog = read_source_catalog(path)
    write_source_catalog(tmp_path / "out.fits", catalog)
    assert_equal(catalog, read_source_catalog(tmp_path / "out.fits"))
    with fits.open(path) as theirs, fits.open(tmp_path / "out.fits") as ours, warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        assert len(ours) == len(theirs)
        for number, (a, b) in enumerate(zip(theirs, ours, strict=True)):
            cards, expected = (
                {(c.keyword, str(c.value)) for c in h.header.cards if c.keyword != "COMMENT"} for h in (b, a)
            )
            assert expected <= cards, f"HDU {number}"
            # files of 2021 do not name the archive's tables
            assert {k for k, _ in cards - expected} <= {"EXTNAME", "EXTVER"}, f"HDU {number}"
            if which == 0:
                assert cards == expected, f"HDU {number}"
            if a.data is not None:
                assert a.data.tobytes() == b.data.tobytes(), f"HDU {number}"
        if which == 0:
            assert (tmp_path / "out.fits").stat().st_size == path.stat().st_size


def test_our_own_catalog(tmp_path):
    """Flags come first when read back; all else keeps its place. Sky-like footprints have no significance."""
    x, y = [30.0, 60.0, 90.0], [30.0, 30.0, 30.0]
    exposure = gaussian_stars((60, 120), x, y, [1e4, 2e4, 3e4], noise=1.0)
    footprints = square_footprints(x, y)
    footprints.peaks["significance"] = [5.0, np.nan, 7.0]
    footprints.peaks["id"] = [1, 2, 1 << 40]
    names = ["base_SdssCentroid", "base_CircularApertureFlux", "base_PixelFlags"]
    catalog = measure(exposure, footprints, names)
    catalog.metadata.update(SOME_LONG_KEY="x" * 100, YES=True, NUMBER=np.float32(0.5), LIST=[1, 2, 3])
    odd = {"NONE": None, "WEIRD": "é\n", "NAN": np.nan, "lower": 1}
    catalog.metadata.update(odd)
    write_source_catalog(tmp_path / "out.fits", catalog)
    back = read_source_catalog(tmp_path / "out.fits")
    # a keyword is upper case; a card holds a number or plain text; a long keyword leaves less room for it
    assert [back.metadata.pop(key.upper()) for key in odd] == ["None", "??", "NAN", 1]
    assert back.metadata["SOME_LONG_KEY"] == "x" * len(back.metadata["SOME_LONG_KEY"])
    assert len(back.metadata["SOME_LONG_KEY"]) > 40
    catalog.metadata = {k: v for k, v in catalog.metadata.items() if k not in odd}
    catalog.metadata["SOME_LONG_KEY"] = back.metadata["SOME_LONG_KEY"]
    assert_equal(catalog, back, flags_first=True)


@pytest.mark.parametrize("seed", range(4))
def test_any_footprints(tmp_path, seed):
    """Property: heavy, light and empty footprints, in any order and with any pixels."""
    _, catalog = random_blends(seed)
    catalog.schema.add(Column("number", "U", "", "an unsigned number"))
    catalog.declare_missing()
    catalog["number"] = [0, 65535, 32768, *range(len(catalog) - 3)]
    catalog.footprints.peaks["significance"] = np.where(np.arange(len(catalog)) % 3, 4.0, np.nan)
    write_source_catalog(tmp_path / "out.fits", catalog)
    assert_equal(catalog, read_source_catalog(tmp_path / "out.fits"))


@pytest.mark.parametrize("n", [0, 3])
def test_no_footprints(tmp_path, n):
    """No archive is needed, but there is one, empty; a table without flags has no column of bits."""
    catalog = SourceCatalog(Schema.minimal(), n, Footprints.empty(n))
    write_source_catalog(tmp_path / "out.fits", catalog)
    assert_equal(catalog, read_source_catalog(tmp_path / "out.fits"))
    with fits.open(tmp_path / "out.fits") as hdus:
        assert [h.header.get("EXTTYPE") for h in hdus] == [None, None, "ARCHIVE_INDEX"]
        assert "FLAGCOL" not in hdus[1].header


def test_overwriting(tmp_path):
    catalog = SourceCatalog(Schema.minimal(), 1)
    write_source_catalog(tmp_path / "out.fits", catalog)
    with pytest.raises(UsageError, match="exists already"):
        write_source_catalog(tmp_path / "out.fits", catalog)
    catalog["id"] = 5
    write_source_catalog(tmp_path / "out.fits", catalog, overwrite=True)
    assert read_source_catalog(tmp_path / "out.fits")["id"].tolist() == [5]


def test_tables_by_astropy(tmp_path):
    """Twin: astropy reads every type of column."""
    fields = [
        StoredField("a", "L"), StoredField("f", "Flag", "", "one"), StoredField("b", "I", "pixel"),
        StoredField("c", "U"), StoredField("d", "F", "", "a 'quoted' text"), StoredField("g", "Flag"),
        StoredField("e", "D"), StoredField("h", "Angle"), StoredField("s", "String", "", "", 6),
        StoredField("v", "ArrayF"), StoredField("w", "ArrayI"),
    ]  # fmt: skip
    rng = np.random.default_rng(0)
    columns = {
        "a": rng.integers(-(1 << 62), 1 << 62, 3), "f": np.array([True, False, True]), "b": np.array([1, -2, 3]),
        "c": np.array([0, 40000, 65535]), "d": np.array([1.5, np.nan, -np.inf], np.float32),
        "g": np.array([False, False, True]), "e": rng.normal(size=3), "h": rng.normal(size=3),
        "s": ["", "abc", "abcdef"], "v": [rng.normal(size=k) for k in (2, 0, 5)], "w": [[1], [2, 3], []],
    }  # fmt: skip
    (tmp_path / "t.fits").write_bytes(
        empty_primary() + table_hdu(fields, columns, 3, [("A", 1, "x"), ("A", 2, "")])
    )
    with fits.open(tmp_path / "t.fits") as hdus:
        hdus.verify("exception")
        table, header = hdus[1].data, hdus[1].header
        assert [c.value for c in header.cards if c.keyword == "A"] == [1, 2]
        assert [header[f"TUNIT{i}"] for i in range(1, 11) if header[f"TTYPE{i}"] == "h"] == ["rad"]
        np.testing.assert_array_equal(table["flags"], np.column_stack([columns["f"], columns["g"]]))
        for name in "abcdeh":
            np.testing.assert_array_equal(table[name], columns[name])
        assert [v.rstrip() for v in table["s"]] == columns["s"]
        for name in "vw":
            for ours, theirs in zip(columns[name], table[name], strict=True):
                np.testing.assert_array_equal(np.asarray(ours, theirs.dtype), theirs)


def test_archive_of_several_classes():
    """Tables are shared by layout, numbered as they are first used, and say whose rows they hold."""
    archive = ArchiveWriter()
    layout = (StoredField("x", "I"),)
    keys = [archive.new_id() for _ in range(3)]
    table = archive.table(layout)
    archive.save(keys[1], "B", "b", [(table, 2, {"x": np.array([1, 2])})])
    archive.save(keys[0], "A", "a", [(archive.table(layout), 1, {"x": np.array([3])})])
    archive.save(keys[2], "Empty", "e")
    hdus = fits.HDUList.fromstring(empty_primary() + b"".join(archive.hdus()))
    index, data = hdus[1], hdus[2]
    assert index.header["AR_NCAT"] == 2
    assert index.data["id"].tolist() == [2, 1, 3]
    assert index.data["row0"].tolist() == [0, 2, 0]
    assert index.data["cat.archive"].tolist() == [1, 1, -1]
    assert data.data["x"].tolist() == [1, 2, 3]
    assert [c.value for c in data.header.cards if c.keyword == "AR_NAME"] == ["A", "B"]
    assert data.header["EXTNAME"] == "B"
