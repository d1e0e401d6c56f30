"""Binary tables laid out as the reference's ``afw::table`` writes them (spec 11.1)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

__all__ = [
    "TABLE_VERSION",
    "Card",
    "StoredField",
    "append_card",
    "empty_primary",
    "encode_header",
    "header_cards",
    "table_hdu",
]

#: Version of the layout of source tables.
TABLE_VERSION = 3

_BLOCK = 2880

#: FITS letter, type in the file, and the word for the kind of column, by type of field.
_TYPES = {
    "L": ("K", ">i8", "Scalar"),
    "I": ("J", ">i4", "Scalar"),
    "U": ("I", ">i2", "Scalar"),
    "F": ("E", ">f4", "Scalar"),
    "D": ("D", ">f8", "Scalar"),
    "Angle": ("D", ">f8", "Angle"),
    "String": ("A", "S", "String"),
    "ArrayF": ("E", ">f4", "Array"),
    "ArrayD": ("D", ">f8", "Array"),
    "ArrayI": ("J", ">i4", "Array"),
    "ArrayB": ("B", "u1", "Array"),
}

_LABEL, _FORMAT, _TEMPLATE = (
    "label for field",
    "format of field",
    "Field template used by lsst.afw.table",
)


@dataclass(frozen=True, slots=True)
class StoredField:
    """The declaration of a column in a file.

    Parameters
    ----------
    name
        Column name.
    type
        As in `~secondlight.model.schema.Column`; or ``String``; or ``ArrayF``, ``ArrayD``, ``ArrayI``, ``ArrayB``: arrays
        of float32, float64, int32, uint8.
    unit, doc
        For humans.
    length
        Bytes of a string, elements of an array; 0 if that varies by row.
    """

    name: str
    type: str
    unit: str = ""
    doc: str = ""
    length: int = 0

    @property
    def varies(self) -> bool:
        """Whether the values of different rows differ in length."""
        return self.length == 0 and (self.type == "String" or self.type.startswith("Array"))


type Card = tuple[str, Any, str]


def empty_primary() -> bytes:
    """Return the primary HDU of a file of tables."""
    header = fits.Header(
        [
            ("SIMPLE", True, "file does conform to FITS standard"),
            ("BITPIX", 16, "number of bits per data pixel"),
            ("NAXIS", 0, "number of data axes"),
            ("EXTEND", True, "FITS dataset may contain extensions"),
        ]
    )
    return encode_header(header)


def header_cards(metadata: Mapping[str, Any]) -> Iterator[Card]:
    """Iterate over the cards that keep free metadata: one a value, so that a list repeats its keyword.

    Parameters
    ----------
    metadata
        Numbers, strings and lists of these, by keyword; other values are kept as text.
    """
    for key, value in metadata.items():
        for item in value if isinstance(value, list | tuple) else [value]:
            yield key, _card_value(item), ""


def _card_value(value: Any) -> Any:
    """Return what a card can hold; NaN and infinity, which it cannot, become the words that the reference has for them."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and not np.isfinite(value):
        return "NAN" if np.isnan(value) else f"{'+' if value > 0 else '-'}INFINITY"
    return value if isinstance(value, bool | int | float | str) else str(value)


def table_hdu(
    fields: Sequence[StoredField],
    columns: Mapping[str, Any],
    n: int,
    cards: Iterable[Card] = (),
    *,
    kind: str = "",
) -> bytes:
    """Return one table extension.

    Flags are gathered into one column of bits, which is the first.

    Parameters
    ----------
    fields
        The columns, in order.
    columns
        Their values by name: arrays of shape ``(n,)``, or lists of strings or arrays.
    n
        Number of rows.
    cards
        What else the header holds: keyword, value, comment.
    kind
        The kind of records, such as ``SOURCE``; none for a plain table.
    """
    flags = [f for f in fields if f.type == "Flag"]
    others = [f for f in fields if f.type != "Flag"]
    layout: list[tuple[str, Any]] = [("flags", f"V{(len(flags) + 7) // 8}")] if flags else []
    for i, f in enumerate(others):
        code = f"S{f.length}" if f.type == "String" else _TYPES[f.type][1]
        shape = (f.length,) if f.type.startswith("Array") else ()
        layout.append((str(i), (">i8", 2) if f.varies else (code, shape)))
    rows = np.zeros(n, np.dtype(layout))
    if flags:
        bits = np.packbits(np.column_stack([columns[f.name] for f in flags]).astype(bool), axis=1)
        rows["flags"] = bits.view(rows.dtype["flags"])[:, 0]
    heap = _Heap()
    longest: dict[str, int] = {}
    varying = [(i, f) for i, f in enumerate(others) if f.varies]
    for i, f in enumerate(others):
        values = columns[f.name]
        if f.type == "U":
            # unsigned integers are stored with an offset of half their range
            rows[str(i)] = (np.asarray(values, np.uint16) ^ np.uint16(0x8000)).view(np.int16)
        elif f.type == "String" and not f.varies:
            rows[str(i)] = [v.encode("ascii", "replace").ljust(f.length) for v in values]
        elif not f.varies:
            rows[str(i)] = np.reshape(values, rows[str(i)].shape)
    for row in range(n if varying else 0):
        for i, f in varying:
            values = columns[f.name][row]
            if f.type == "String":
                # a text without letters is stored as one byte of zero
                values = np.frombuffer(values.encode("ascii", "replace") or b"\0", np.uint8)
            values = np.asarray(values)
            rows[str(i)][row] = heap.add(values.astype("u1" if f.type == "String" else _TYPES[f.type][1]))
            longest[f.name] = max(longest.get(f.name, 0), len(values))
    header = fits.Header(
        [
            ("XTENSION", "BINTABLE", "binary table extension"),
            ("BITPIX", 8, "8-bit bytes"),
            ("NAXIS", 2, "number of data axes"),
            ("NAXIS1", rows.dtype.itemsize, "width of table in bytes"),
            ("NAXIS2", n, "number of rows in table"),
            ("PCOUNT", heap.size, "size of special data area"),
            ("GCOUNT", 1, "one data group (required keyword)"),
            ("TFIELDS", len(others) + bool(flags), "number of fields in each row"),
        ]
    )
    for card in _column_cards(fields, len(flags), longest):
        append_card(header, card)
    for card in cards:
        append_card(header, card)
    append_card(header, ("AFW_TABLE_VERSION", TABLE_VERSION, ""))
    if kind:
        article = "an" if kind[0] in "AEIOU" else "a"
        comment = f"Tells lsst::afw to load this as {article} {kind.title()} table."
        append_card(header, ("AFW_TYPE", kind, comment))
    data = rows.tobytes() + heap.bytes()
    return encode_header(header) + data + b"\0" * (-len(data) % _BLOCK)


class _Heap:
    """The values of columns whose length varies, one behind the other."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self.size = 0

    def add(self, values: NDArray[Any]) -> tuple[int, int]:
        """Keep an array; return its length and place."""
        place = self.size
        self._chunks.append(values.tobytes())
        self.size += values.nbytes
        return len(values), place

    def bytes(self) -> bytes:
        return b"".join(self._chunks)


def _column_cards(fields: Sequence[StoredField], n_flags: int, longest: Mapping[str, int]) -> Iterator[Card]:
    """Iterate over the cards of all columns, in the order in which they were declared."""
    number, flag = 1, 0
    if n_flags:
        yield "TTYPE1", "flags", "bits for all Flag fields; see also TFLAGn"
        yield "TFORM1", f"{n_flags}X", _FORMAT
        yield "FLAGCOL", 1, "Column number for the bitflags."
        number = 2
    for f in fields:
        if f.type == "Flag":
            flag += 1
            yield f"TFLAG{flag}", f.name, ""
            if f.doc:
                yield f"TFDOC{flag}", f.doc, ""
            continue
        letter, _, template = _TYPES[f.type]
        form = f"1Q{letter}({longest.get(f.name, 0)})" if f.varies else f"{f.length or 1}{letter}"
        yield f"TTYPE{number}", f.name, _LABEL
        yield f"TFORM{number}", form, _FORMAT
        if f.type == "U":
            yield f"TZERO{number}", 32768, "offset for unsigned integers"
            yield f"TSCAL{number}", 1, "data are not scaled"
        if f.doc:
            yield f"TDOC{number}", f.doc, ""
        unit = "rad" if f.type == "Angle" else f.unit
        if unit:
            yield f"TUNIT{number}", unit, ""
        yield f"TCCLS{number}", template, _TEMPLATE
        number += 1


def append_card(header: fits.Header, card: Card) -> None:
    """Append a card, even if its keyword is there already; drop a comment that does not fit.

    Parameters
    ----------
    header
        Where to.
    card
        Keyword, value and comment.
    """
    keyword, value, comment = card
    if isinstance(value, str):
        # a header holds printable ASCII only
        value = "".join(c if " " <= c <= "~" else "?" for c in value)
    if len(keyword) > 8:
        keyword = f"HIERARCH {keyword}"
    with warnings.catch_warnings():
        # astropy tells of comments that it shortens
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        made = fits.Card(keyword, value, comment or None)
        try:
            made.image  # noqa: B018 (made when asked for)
        except ValueError:
            # a long keyword leaves no room for a long text, which no continuation card may follow
            made = fits.Card(keyword, str(value)[: 64 - len(keyword)])
        header.append(made, end=True)


def encode_header(header: fits.Header) -> bytes:
    """Return a header as it stands in a file.

    Parameters
    ----------
    header
        The header.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        text: str = header.tostring()
    return text.encode("ascii")
