"""Archives of stored objects, for files that the reference reads (spec 11.2)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..atomic import atomic_path
from .write_table import Card, StoredField, empty_primary, table_hdu

__all__ = ["ArchiveTable", "ArchiveWriter", "write_standalone"]

_INDEX = (
    StoredField(
        "id", "I", "", "Archive ID of the persistable object that owns the records pointed at by this entry"
    ),
    StoredField(
        "cat.archive",
        "I",
        "",
        "index of the catalog this entry points to, from the perspective of the archive",
    ),
    StoredField(
        "cat.persistable",
        "I",
        "",
        "index of the catalog this entry points to, from the perspective of the Persistable",
    ),
    StoredField("row0", "I", "", "first row used by the persistable object in this catalog"),
    StoredField("nrows", "I", "", "number of rows used by the persistable object in this catalog"),
    StoredField("name", "String", "", "unique name for the persistable object's class", 64),
    StoredField(
        "module", "String", "", "Python module that should be imported to register the object's factory", 64
    ),
)

#: cat.archive of an object that has no rows.
_NO_TABLE = -1


@dataclass
class ArchiveTable:
    """One data table, which objects of the same layout share.

    Parameters
    ----------
    number
        Its place behind the index, from 1.
    fields
        Its columns.
    """

    number: int
    fields: tuple[StoredField, ...]
    classes: set[str] = field(default_factory=set)
    n: int = 0
    _parts: dict[str, list[Any]] = field(default_factory=dict)

    def append(self, n: int, values: Mapping[str, Any]) -> int:
        """Add rows; return the number of the first.

        Parameters
        ----------
        n
            How many.
        values
            By column name: arrays of shape ``(n,)``, or lists of length n of numbers, strings or arrays.
        """
        first = self.n
        self.n += n
        for f in self.fields:
            self._parts.setdefault(f.name, []).append(values[f.name])
        return first

    def columns(self) -> dict[str, Any]:
        """Return all values by column name."""
        joined: dict[str, Any] = {}
        for f in self.fields:
            parts = self._parts.get(f.name, [])
            if f.type == "String" or f.type.startswith("Array"):
                joined[f.name] = [value for part in parts for value in part]
            else:
                joined[f.name] = np.concatenate(parts) if parts else np.zeros(0)
        return joined


class ArchiveWriter:
    """Gathers objects and gives the HDUs that keep them.

    An object takes its id first, so that others can refer to it; `save` then says where its rows are.
    """

    def __init__(self) -> None:
        self._tables: dict[tuple[StoredField, ...], ArchiveTable] = {}
        self._index: list[tuple[int, int, int, int, int, str, str]] = []
        self._last = 0
        self._kept: dict[int, tuple[Any, int]] = {}

    def new_id(self) -> int:
        """Return the next id; the first is 1, as 0 means none."""
        self._last += 1
        return self._last

    def once[T](self, item: T, save: Callable[[ArchiveWriter, T], int]) -> int:
        """Store an object the first time it is given; return its id each time.

        Parameters
        ----------
        item
            The object.
        save
            Stores it and returns its id.
        """
        if id(item) not in self._kept:
            # the object is kept with its id: another one could else come to lie at its address
            self._kept[id(item)] = (item, save(self, item))
        return self._kept[id(item)][1]

    def table(self, fields: tuple[StoredField, ...]) -> ArchiveTable:
        """Return the data table of a layout, made when first asked for.

        Parameters
        ----------
        fields
            The layout.
        """
        if fields not in self._tables:
            self._tables[fields] = ArchiveTable(len(self._tables) + 1, fields)
        return self._tables[fields]

    def save(
        self,
        key: int,
        name: str,
        module: str,
        pieces: Sequence[tuple[ArchiveTable, int, Mapping[str, Any]]] = (),
    ) -> None:
        """Store an object.

        Parameters
        ----------
        key
            Its id, from `new_id`.
        name
            The name of its class, by which the reader finds the way to read it.
        module
            The Python module in which that class is.
        pieces
            Table, number of rows and values of each piece it is stored in; none for an object without data.
        """
        if not pieces:
            self._index.append((key, _NO_TABLE, 0, 0, 0, name, module))
        for ordinal, (table, n, values) in enumerate(pieces):
            table.classes.add(name)
            self._index.append((key, table.number, ordinal, table.append(n, values), n, name, module))

    def hdus(self) -> list[bytes]:
        """Return the index and the data tables."""
        columns = dict(
            zip(
                (f.name for f in _INDEX),
                zip(*self._index, strict=True) if self._index else [[]] * 7,
                strict=True,
            )
        )
        cards: list[Card] = [
            ("EXTTYPE", "ARCHIVE_INDEX", ""),
            ("EXTNAME", "ARCHIVE_INDEX", ""),
            ("AR_CATN", 0, "# of this catalog relative to the start of this archive"),
            (
                "AR_NCAT",
                len(self._tables) + 1,
                "# of catalogs in this archive, including the index",
            ),
        ]
        out = [table_hdu(_INDEX, columns, len(self._index), cards)]
        seen: dict[str, int] = {}
        for table in self._tables.values():
            names = sorted(table.classes)
            for name in names:
                seen[name] = seen.get(name, 0) + 1
            cards = [
                ("EXTTYPE", "ARCHIVE_DATA", ""),
                ("AR_CATN", table.number, "# of this catalog relative to the start of this archive"),
            ]
            if names and seen[names[-1]] > 1:
                cards.append(("EXTVER", seen[names[-1]], ""))
            cards += [("AR_NAME", name, "Class name for objects stored here") for name in names]
            cards += [("EXTNAME", name, "") for name in names[-1:]]
            out.append(table_hdu(table.fields, table.columns(), table.n, cards))
        return out


def write_standalone[T](
    path: str | os.PathLike[str],
    item: T,
    save: Callable[[ArchiveWriter, T], int],
    *,
    overwrite: bool = False,
) -> None:
    """Write a file that holds one object.

    Parameters
    ----------
    path
        File to make.
    item
        The object.
    save
        Stores it; it must be the first to take an id.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    UsageError
        Raised if the file exists and ``overwrite`` is not set.
    """
    archive = ArchiveWriter()
    save(archive, item)
    with atomic_path(path, overwrite=overwrite) as staged, staged.open("wb") as stream:
        for hdu in (empty_primary(), *archive.hdus()):
            stream.write(hdu)
