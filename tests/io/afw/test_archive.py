"""The index of an archive: objects in pieces, objects without rows, ids that lead nowhere."""

import pytest

from helpers.archives import write_archive
from secondlight.errors import InputError
from secondlight.io.afw.archive import Archive
from secondlight.io.afw.hdus import FitsFile


@pytest.fixture
def archive(tmp_path):
    objects = [
        ("Two", [{"a": ("1J", [1, 2])}, {"b": ("1D", [0.5])}]),
        ("Empty", []),
        ("One", [{"c": ("1J", [7])}]),
    ]
    return Archive(FitsFile(write_archive(tmp_path / "a.fits", objects)))


def test_objects(archive):
    assert archive.ids == [1, 2, 3]
    assert [archive.name(i) for i in archive.ids] == ["Two", "Empty", "One"]
    first, second = archive.tables(1)
    assert first["a"].tolist() == [1, 2] and second["b"].tolist() == [0.5]
    assert archive.tables(2) == []
    assert archive.table(3, "One")["c"].tolist() == [7]
    assert 3 in archive and 4 not in archive


def test_each_object_is_read_once(archive):
    calls = []

    def read(archive, key):
        calls.append(key)
        return object()

    assert archive.once(3, read) is archive.once(3, read)
    assert calls == [3]


def test_refusals(archive):
    with pytest.raises(InputError, match=r"a.fits: the archive holds no object with id 9"):
        archive.tables(9)
    with pytest.raises(InputError, match="id 3: the stored object is of class 'One'; expected Two or Three"):
        archive.table(3, "Two", "Three")
    with pytest.raises(InputError, match=r"Empty \(id 2\): the object was stored without rows"):
        archive.table(2)


def test_missing_tables(tmp_path):
    path = write_archive(tmp_path / "a.fits", [("One", [{"c": ("1J", [7])}])])
    raw = path.read_bytes()
    path.write_bytes(raw[: FitsFile(path).hdus[2].start])
    with pytest.raises(InputError, match="data table 1 of the archive is missing"):
        Archive(FitsFile(path)).tables(1)
