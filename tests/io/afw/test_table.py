"""Tables: every kind of column as astropy wrote it."""

import numpy as np
import pytest
from astropy.io import fits

from helpers.archives import bintable
from secondlight.errors import InputError
from secondlight.io.afw.hdus import FitsFile
from secondlight.io.afw.table import Table

N = 5
RNG = np.random.default_rng(2)


def table_of(path, hdu):
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, overwrite=True)
    file = FitsFile(path)
    return Table(file, file.hdus[1])


@pytest.mark.parametrize(
    ("form", "dtype"),
    [
        ("B", np.uint8),
        ("I", np.int16),
        ("J", np.int32),
        ("K", np.int64),
        ("E", np.float32),
        ("D", np.float64),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_numbers(tmp_path, form, dtype, count):
    values = RNG.integers(0, 100, (N, count)).astype(dtype)
    table = table_of(
        tmp_path / "t.fits", bintable({"a": (f"{count}{form}", values), "b": ("1D", np.arange(N))})
    )
    assert table["a"].dtype == dtype
    np.testing.assert_array_equal(table["a"], values[:, 0] if count == 1 else values)
    np.testing.assert_array_equal(table.rows(2, 2)["a"], table["a"][2:4])
    np.testing.assert_array_equal(table["b"], np.arange(N))


@pytest.mark.parametrize(("form", "dtype"), [("I", np.uint16), ("J", np.uint32), ("K", np.uint64)])
def test_unsigned(tmp_path, form, dtype):
    values = np.array([0, 1, 2, np.iinfo(dtype).max // 2 + 1, np.iinfo(dtype).max], dtype)
    column = fits.Column("a", f"1{form}", array=values, bzero=1 << (8 * values.itemsize - 1))
    table = table_of(tmp_path / "t.fits", fits.BinTableHDU.from_columns([column]))
    assert table["a"].dtype == dtype
    np.testing.assert_array_equal(table["a"], values)


@pytest.mark.parametrize("n_flags", [1, 7, 8, 9, 21])
def test_flags(tmp_path, n_flags):
    """Flag i is bit i from the most significant, byte by byte."""
    bits = RNG.random((N, n_flags)) < 0.5
    cards = {"FLAGCOL": 1} | {f"TFLAG{i + 1}": f"flag_{i}" for i in range(n_flags)}
    table = table_of(
        tmp_path / "t.fits", bintable({"flags": (f"{n_flags}X", bits), "id": ("1K", range(N))}, **cards)
    )
    assert "flags" not in table
    for i in range(n_flags):
        assert table[f"flag_{i}"].dtype == bool
        np.testing.assert_array_equal(table[f"flag_{i}"], bits[:, i])
    np.testing.assert_array_equal(table["id"], range(N))


@pytest.mark.parametrize("descriptor", ["P", "Q"])
def test_varying_lengths(tmp_path, descriptor):
    floats = [RNG.random(k).astype(np.float32) for k in (3, 0, 1, 4, 2)]
    texts = ["amp 1", "", "R22_S11", "x", "a b  c"]
    hdu = bintable(
        {
            "floats": (f"1{descriptor}E", floats),
            "bytes": (f"1{descriptor}B", [np.frombuffer(t.encode(), np.uint8) for t in texts]),
        }
    )
    table = table_of(tmp_path / "t.fits", hdu)
    for ours, theirs in zip(table["floats"], floats, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert [v.tobytes().decode() for v in table["bytes"]] == texts
    # the same bytes as text
    raw = (tmp_path / "t.fits").read_bytes()
    (tmp_path / "u.fits").write_bytes(raw.replace(f"1{descriptor}B(".encode(), f"1{descriptor}A(".encode()))
    file = FitsFile(tmp_path / "u.fits")
    assert Table(file, file.hdus[1])["bytes"] == texts


def test_texts(tmp_path):
    table = table_of(
        tmp_path / "t.fits", bintable({"a": ("8A", ["one", "", "two  three"[:8], "x", "12345678"])})
    )
    assert table["a"] == ["one", "", "two  thr", "x", "12345678"]


def test_kinds_and_aliases(tmp_path):
    hdu = bintable({"a": ("1D", [1.0]), "b": ("1D", [2.0])}, TCCLS1="Array", TUNIT2="count", TDOC2="text")
    hdu.header.extend([("ALIAS", "slot_X:b"), ("ALIAS", "slot_Y:a")])
    table = table_of(tmp_path / "t.fits", hdu)
    assert table["a"].shape == (1, 1) and table["b"].shape == (1,)
    assert (table.fields["b"].unit, table.fields["b"].doc) == ("count", "text")
    assert table.aliases == {"slot_X": "b", "slot_Y": "a"}


def test_points(tmp_path):
    table = table_of(
        tmp_path / "t.fits", bintable({"p": ("2D", [[1.0, 2.0]]), "q_x": ("1D", [3.0]), "q_y": ("1D", [4.0])})
    )
    assert [v.tolist() for v in table.pair("p")] == [[1.0], [2.0]]
    assert [v.tolist() for v in table.pair("q")] == [[3.0], [4.0]]


def test_refusals(tmp_path):
    table = table_of(tmp_path / "t.fits", bintable({"a": ("1D", [1.0])}))
    with pytest.raises(InputError, match=r"t.fits: HDU 1: column 'b' is missing"):
        _ = table["b"]
    assert table.scalar("b", 5) == 5
    with pytest.raises(InputError, match=r"rows 0 to 4 are asked for, but there are 1"):
        table.rows(0, 5)
    with pytest.raises(InputError, match="there is no row"):
        table.rows(0, 0).scalar("a")
    raw = (tmp_path / "t.fits").read_bytes()
    (tmp_path / "t.fits").write_bytes(raw.replace(b"TFORM1  = '1D", b"TFORM1  = '1W"))
    file = FitsFile(tmp_path / "t.fits")
    with pytest.raises(InputError, match="column 'a' has unknown format '1W'"):
        Table(file, file.hdus[1])
    with pytest.raises(InputError, match="expected here, but this holds an image"):
        Table(file, file.hdus[0])
