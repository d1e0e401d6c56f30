"""Archives: the objects that share one FITS file, found by id and read when asked for (spec 11.2)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import InputError
from .hdus import FitsFile
from .table import Table

__all__ = ["Archive"]

_NO_CATALOGS = -1  # cat.archive of an object that has no rows at all


class Archive:
    """The index of a file's stored objects, and their rows.

    Parameters
    ----------
    file
        The file.
    index
        HDU number of the index; found by its type if not given.

    Raises
    ------
    InputError
        Raised if the file holds no archive, or its data tables are missing.
    """

    def __init__(self, file: FitsFile, index: int | None = None) -> None:
        self.file = file
        self.path: Path = file.path
        hdu = file.find(EXTTYPE="ARCHIVE_INDEX") if index is None else None
        if index is not None and 0 < index < len(file):
            hdu = file.hdus[index]
        if hdu is None:
            raise InputError("there is no archive of stored objects in this file", path=file.path)
        table = Table(file, hdu)
        # the first versions of the format had underscores for dots
        archive = "cat.archive" if "cat.archive" in table else "cat_archive"
        ordinal = "cat.persistable" if "cat.persistable" in table else "cat_persistable"
        self._first = hdu.index
        self._pieces: dict[int, list[tuple[int, int, int, int]]] = {}
        self._names: dict[int, str] = {}
        columns = (table["id"], table[ordinal], table[archive], table["row0"], table["nrows"])
        for (key, *piece), name in zip(
            zip(*(c.tolist() for c in columns), strict=True), table["name"], strict=True
        ):
            self._pieces.setdefault(key, []).append((piece[0], piece[1], piece[2], piece[3]))
            self._names[key] = name
        self._tables: dict[int, Table] = {}
        self._objects: dict[tuple[int, str], Any] = {}

    def __contains__(self, key: int) -> bool:
        return key in self._names

    @classmethod
    def standalone(cls, file: FitsFile) -> Archive:
        """Return the archive of a file that holds one object, whose id is then 1.

        Parameters
        ----------
        file
            The file.

        Raises
        ------
        InputError
            Raised if the file holds an exposure, a table, or no archive.
        """
        archive = cls(file)
        if archive._first != 1:
            raise InputError(
                "a file of one stored object is expected, but this holds an exposure or a table",
                path=file.path,
            )
        return archive

    @property
    def ids(self) -> list[int]:
        """All ids, in the order of the index."""
        return list(self._names)

    def name(self, key: int) -> str:
        """Return the class name of an object.

        Parameters
        ----------
        key
            Archive id.

        Raises
        ------
        InputError
            Raised if there is no such object.
        """
        try:
            return self._names[key]
        except KeyError:
            raise InputError(f"the archive holds no object with id {key}", path=self.path) from None

    def tables(self, key: int) -> list[Table]:
        """Return the rows of an object: one table for each piece it was stored in.

        Parameters
        ----------
        key
            Archive id.

        Raises
        ------
        InputError
            Raised if there is no such object, or its rows are missing.
        """
        return [table.rows(row0, nrows) for table, row0, nrows in self.pieces(key)]

    def pieces(self, key: int) -> list[tuple[Table, int, int]]:
        """Return where the rows of an object lie: for each piece the whole data table, first row and number of rows.

        Many small objects share a table; decoding it once is faster than piece by piece.

        Parameters
        ----------
        key
            Archive id.

        Raises
        ------
        InputError
            Raised if there is no such object.
        """
        self.name(key)
        return [
            (self._table(number), row0, nrows)
            for _, number, row0, nrows in sorted(self._pieces[key])
            if number != _NO_CATALOGS
        ]

    def table(self, key: int, *names: str) -> Table:
        """Return the rows of an object that was stored in one piece, and check its class.

        Parameters
        ----------
        key
            Archive id.
        *names
            Class names that the caller can read; any if none is given.

        Raises
        ------
        InputError
            Raised if there is no such object, it is of another class, or has no rows.
        """
        self.expect(key, *names)
        tables = self.tables(key)
        if not tables:
            raise InputError(
                "the object was stored without rows", path=self.path, part=f"{self.name(key)} (id {key})"
            )
        return tables[0]

    def expect(self, key: int, *names: str) -> None:
        """Check the class of an object.

        Parameters
        ----------
        key
            Archive id.
        *names
            Class names that the caller can read; any if none is given.

        Raises
        ------
        InputError
            Raised if there is no such object, or it is of another class.
        """
        name = self.name(key)
        if names and name not in names:
            raise InputError(
                f"the stored object is of class {name!r}; expected {' or '.join(names)}",
                path=self.path,
                part=f"id {key}",
            )

    def once[T](self, key: int, read: Callable[[Archive, int], T]) -> T:
        """Return what ``read(self, key)`` returns, reading each object only once.

        Parameters
        ----------
        key
            Archive id.
        read
            A reader of one class.
        """
        slot = (key, f"{read.__module__}.{read.__qualname__}")
        if slot not in self._objects:
            self._objects[slot] = read(self, key)
        result: T = self._objects[slot]
        return result

    def _table(self, number: int) -> Table:
        if number not in self._tables:
            where = self._first + number
            if not self._first < where < len(self.file):
                raise InputError(f"data table {number} of the archive is missing", path=self.path)
            self._tables[number] = Table(self.file, self.file.hdus[where])
        return self._tables[number]
