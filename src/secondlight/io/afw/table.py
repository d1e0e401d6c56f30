"""Tables as the reference's ``afw::table`` writes them (spec 11.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from .hdus import FitsFile, Hdu

__all__ = ["Field", "Table"]

_TFORM = re.compile(r"^(\d*)([LXBIJKEDAPQCM])([LXBIJKEDA]?)")
_CODES = {
    "L": "i1",
    "B": "u1",
    "I": ">i2",
    "J": ">i4",
    "K": ">i8",
    "E": ">f4",
    "D": ">f8",
    "A": "S",
    "C": ">c8",
    "M": ">c16",
}
_UNSIGNED = {">i2": (1 << 15, np.uint16), ">i4": (1 << 31, np.uint32), ">i8": (1 << 63, np.uint64)}


@dataclass(frozen=True, slots=True)
class Field:
    """One column of the table: its place in the row and what the header says of it.

    Parameters
    ----------
    name
        Column name; dots are kept.
    offset, width
        Place in the row [byte].
    code
        FITS letter of the elements.
    count
        Elements a row; -1 if the length varies by row.
    wide
        Whether the descriptor of a column of varying length has 64-bit integers.
    kind
        ``Scalar``, ``Array``, ``String``, ``Angle``, ``Point`` …; empty in files that do not say.
    unit, doc
        As in the header.
    zero
        Offset added to integers (unsigned types).
    bit
        For a flag: its number in the row's bits; -1 otherwise.
    """

    name: str
    offset: int
    width: int
    code: str
    count: int = 1
    wide: bool = True
    kind: str = ""
    unit: str = ""
    doc: str = ""
    zero: int = 0
    bit: int = -1


class Table:
    """Columns decoded when first asked for; flags are boolean columns like any other.

    Parameters
    ----------
    file
        The file.
    hdu
        A binary table in it.

    Raises
    ------
    InputError
        Raised if the HDU is no binary table, or has a column of unknown format.
    """

    def __init__(self, file: FitsFile, hdu: Hdu) -> None:
        if not hdu.is_table:
            raise InputError(
                "a table is expected here, but this holds an image", path=file.path, part=hdu.label
            )
        self.path = file.path
        self.label = hdu.label
        self.header = hdu.header
        width, n = int(hdu.header["NAXIS1"]), int(hdu.header["NAXIS2"])
        data = file.data(hdu)
        if width * n > len(data):
            raise InputError(
                f"{n} rows of {width} bytes do not fit in {len(data)}", path=file.path, part=hdu.label
            )
        self._rows: NDArray[np.uint8] = data[: width * n].reshape(n, width)
        self._heap: NDArray[np.uint8] = data[int(hdu.header.get("THEAP", width * n)) :]
        self.fields = self._parse()
        self._cache: dict[str, Any] = {}

    def _parse(self) -> dict[str, Field]:
        header, fields, offset = self.header, {}, 0
        flag_column = int(header.get("FLAGCOL", 0))
        for i in range(1, int(header["TFIELDS"]) + 1):
            name, form = str(header.get(f"TTYPE{i}", f"column{i}")), str(header[f"TFORM{i}"])
            match = _TFORM.match(form.strip())
            if match is None or (match[2] in "PQ") != bool(match[3]):
                raise InputError(
                    f"column {name!r} has unknown format {form!r}", path=self.path, part=self.label
                )
            repeat, code = int(match[1] or 1), match[2]
            if code in "PQ":
                field_width = (16 if code == "Q" else 8) * repeat
                count = -1 if repeat else 0
            elif code == "X":
                field_width, count = (repeat + 7) // 8, repeat
            else:
                field_width, count = np.dtype(_CODES[code] if code != "A" else "S1").itemsize * repeat, repeat
            if i == flag_column:
                for bit in range(repeat):
                    flag = str(header[f"TFLAG{bit + 1}"])
                    doc = str(header.get(f"TFDOC{bit + 1}", ""))
                    fields[flag] = Field(flag, offset, field_width, "X", 1, kind="Flag", doc=doc, bit=bit)
            else:
                fields[name] = Field(
                    name,
                    offset,
                    field_width,
                    match[3] or code,
                    count,
                    wide=code == "Q",
                    kind=str(header.get(f"TCCLS{i}", "")),
                    unit=str(header.get(f"TUNIT{i}", "")),
                    doc=str(header.get(f"TDOC{i}", "")),
                    zero=int(header.get(f"TZERO{i}", 0)),
                )
            offset += field_width
        if offset != self._rows.shape[1]:
            raise InputError(
                f"the columns add up to {offset} bytes a row instead of {self._rows.shape[1]}",
                path=self.path,
                part=self.label,
            )
        return fields

    def __len__(self) -> int:
        return int(self._rows.shape[0])

    def __contains__(self, name: str) -> bool:
        return name in self.fields

    def __getitem__(self, name: str) -> Any:
        """Return a column.

        Numbers: shape ``(n,)``, or ``(n, k)`` where the column is an array. Flags: boolean ``(n,)``. Strings
        and arrays whose length varies by row: a list of n.
        """
        if name not in self._cache:
            try:
                field = self.fields[name]
            except KeyError:
                raise InputError(f"column {name!r} is missing", path=self.path, part=self.label) from None
            self._cache[name] = self._decode(field)
        return self._cache[name]

    def rows(self, start: int, count: int) -> Table:
        """Return a run of rows as a table.

        Parameters
        ----------
        start, count
            Which rows.

        Raises
        ------
        InputError
            Raised if the table does not have these rows.
        """
        if start < 0 or count < 0 or start + count > len(self):
            raise InputError(
                f"rows {start} to {start + count - 1} are asked for, but there are {len(self)}",
                path=self.path,
                part=self.label,
            )
        part = object.__new__(Table)
        part.path, part.label, part.header = self.path, self.label, self.header
        part._rows, part._heap, part.fields, part._cache = (
            self._rows[start : start + count],
            self._heap,
            self.fields,
            {},
        )
        return part

    def scalar(self, name: str, default: Any = None) -> Any:
        """Return the value of a column in the first row, as a plain Python value.

        Parameters
        ----------
        name
            Column name.
        default
            Returned if there is no such column; without it such a column is an error.

        Raises
        ------
        InputError
            Raised if there is no such column and no default, or no row.
        """
        if name not in self.fields and default is not None:
            return default
        values = self[name]
        if not len(self):
            raise InputError("there is no row", path=self.path, part=self.label)
        return values[0].item() if isinstance(values[0], np.generic) else values[0]

    def pair(self, name: str) -> tuple[Any, Any]:
        """Return the coordinates of a point-like column: ``name_x`` and ``name_y``, or ``name`` with two.

        Parameters
        ----------
        name
            Common part of the names. The single column is how versions before 1 stored points.
        """
        if name in self.fields:
            both = self[name]
            return both[:, 0], both[:, 1]
        return self[name + "_x"], self[name + "_y"]

    @property
    def aliases(self) -> dict[str, str]:
        """What each alias stands for, from the cards ``ALIAS = 'alias:target'``."""
        found = {}
        for card in self.header.repeated("ALIAS"):
            alias, _, target = str(card).partition(":")
            found[alias.strip()] = target.strip()
        return found

    def _decode(self, field: Field) -> Any:
        raw = self._rows[:, field.offset : field.offset + field.width]
        if field.bit >= 0:
            # bits count from the most significant of each byte
            return (raw[:, field.bit // 8] >> (7 - field.bit % 8)) & 1 == 1
        if field.count == -1:
            return self._decode_varying(field, raw)
        if field.code == "X":
            return np.unpackbits(raw, axis=1)[:, : field.count].astype(bool)
        if field.code == "A":
            return [_text(row.tobytes()) for row in raw]
        if field.code == "L":
            logical = raw == ord("T")
            return logical[:, 0] if field.count == 1 else logical
        values = _native(
            np.ascontiguousarray(raw).view(_CODES[field.code]).reshape(len(raw), field.count), field.zero
        )
        return values[:, 0] if field.count == 1 and field.kind != "Array" else values

    def _decode_varying(self, field: Field, raw: NDArray[np.uint8]) -> list[Any]:
        descriptors = (
            np.ascontiguousarray(raw)
            .view(">i8" if field.wide else ">i4")
            .astype(np.int64)
            .reshape(len(raw), -1)
        )
        item = np.dtype(_CODES[field.code] if field.code != "A" else "S1")
        values: list[Any] = []
        for length, offset in descriptors[:, :2].tolist():
            stop = offset + length * item.itemsize
            if offset < 0 or length < 0 or stop > len(self._heap):
                raise InputError(
                    f"column {field.name!r} points outside the heap", path=self.path, part=self.label
                )
            chunk = self._heap[offset:stop]
            values.append(
                _text(chunk.tobytes())
                if field.code == "A"
                else _native(np.frombuffer(chunk.tobytes(), item), field.zero)
            )
        return values


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace").rstrip(" ")


def _native(values: NDArray[Any], zero: int) -> NDArray[Any]:
    unsigned = _UNSIGNED.get(values.dtype.str)
    if unsigned is not None and zero == unsigned[0]:
        # adding half the range is flipping the sign bit, whatever the width
        native: NDArray[Any] = values.astype(values.dtype.newbyteorder("=")).view(unsigned[1])
        native ^= unsigned[1](zero)
    else:
        native = values.astype(values.dtype.newbyteorder("="))
    return native
