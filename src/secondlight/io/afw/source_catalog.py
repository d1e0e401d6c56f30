"""Source catalogues of any version, with their footprints (spec 11.1, 11.5)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...model.catalog import SourceCatalog
from ...model.footprints import PEAK_DTYPE, Footprint, Footprints, HeavyPixels
from ...model.schema import Column, Schema
from .archive import Archive
from .components import component
from .footprints import FootprintReader, make_footprint
from .hdus import FitsFile, Hdu
from .table import Field, Table

__all__ = ["read_source_catalog"]

_LOG = logging.getLogger(__name__)

#: Types of columns by FITS letter; 16-bit and 8-bit integers have none of their own.
_TYPES = {"K": "L", "J": "I", "I": "I", "B": "I", "L": "Flag", "X": "Flag", "E": "F", "D": "D"}

#: Elements of the compound columns of version 0.
_COMPOUNDS = {"Point": ("x", "y"), "Moments": ("xx", "yy", "xy"), "Coord": ("ra", "dec")}

#: The slots of version 0: card prefix, alias.
_SLOTS = {
    "PSF_FLUX": "slot_PsfFlux",
    "MODEL_FLUX": "slot_ModelFlux",
    "AP_FLUX": "slot_ApFlux",
    "INST_FLUX": "slot_GaussianFlux",
    "CENTROID": "slot_Centroid",
    "SHAPE": "slot_Shape",
}

_STRUCTURE = re.compile(
    r"^(XTENSION|BITPIX|NAXIS\d?|PCOUNT|GCOUNT|TFIELDS|FLAGCOL|T(TYPE|FORM|DOC|UNIT|CCLS|FLAG|FDOC|ZERO|SCAL)\d+|EXTNAME"
    r"|AFW_TYPE|AFW_TABLE_VERSION|AR_HDU|ALIAS|SPANCOL|PEAKCOL|HVY(PIX|MSK|VAR)CO|\w+_SLOT)$"
)


def read_source_catalog(path: str | Path) -> SourceCatalog:
    """Read a source catalogue that the reference wrote, in any version.

    Compound and array columns become one column an element. Text columns, which source tables here do not have, are
    left out. Cards that repeat become lists in the catalogue's metadata. Names of older versions are kept; aliases lead
    to them from today's names.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        Raised if the file cannot be read or holds something else.
    """
    with component(path):
        file = FitsFile(path)
        table = Table(file, _find(file))
        footprint_columns = _embedded_columns(table)
        schema, values = _columns(table, {"footprint", *footprint_columns.values()})
        schema.aliases.update(_aliases(table, schema))
        with component(path, "footprints"):
            if footprint_columns:
                footprints = Footprints.from_list(list(_embedded(table, footprint_columns)))
            else:
                footprints = _from_archive(file, table)
        catalog = SourceCatalog(schema, len(table), footprints)
        for name, column in values.items():
            catalog.columns[name][...] = column
        for key in table.header:
            if not _STRUCTURE.match(key):
                found = table.header.repeated(key)
                catalog.metadata[key] = found if len(found) > 1 else found[0]
        return catalog


def _find(file: FitsFile) -> Hdu:
    kinds = []
    for hdu in file.hdus:
        if hdu.is_table and hdu.header.get("EXTTYPE") is None:
            kind = str(hdu.header.get("AFW_TYPE", "BASE" if "AFW_TABLE_VERSION" in hdu.header else ""))
            if kind in ("SOURCE", "SIMPLE", "BASE"):
                return hdu
            kinds.append(kind)
    found = f"a table of {kinds[0] or 'unknown'} records" if kinds else "no table"
    raise InputError(f"a table of source records is expected, but the file holds {found}")


def _columns(table: Table, leave_out: set[str]) -> tuple[Schema, dict[str, NDArray[Any]]]:
    """Declare the columns and gather their values."""
    schema, values, left = Schema(), {}, []
    for field in table.fields.values():
        if field.name in leave_out:
            continue
        if field.count < 1 or field.code not in _TYPES:
            left.append(field.name)
            continue
        for name, kind, array in _split(field, table[field.name]):
            schema.add(Column(name, kind, "" if kind in ("Flag", "Angle") else field.unit, field.doc))
            values[name] = array
    if left:
        _LOG.info(
            "%s: %s: columns without a counterpart are left out: %s", table.path, table.label, ", ".join(left)
        )
    return schema, values


def _split(field: Field, values: NDArray[Any]) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Iterate over name, type and values of the columns that one stored column becomes."""
    kind = "Angle" if field.kind in ("Angle", "Coord") else _TYPES[field.code]
    if field.code == "I" and field.zero:
        kind = "U"
    if values.ndim == 1:
        yield field.name, kind, values
        return
    if field.kind.startswith("Covariance"):
        yield from _covariance(field, kind, values)
        return
    labels = _COMPOUNDS.get(field.kind, tuple(str(i) for i in range(field.count)))
    for i, label in enumerate(labels):
        yield f"{field.name}_{label}", kind, values[:, i]


def _covariance(field: Field, kind: str, packed: NDArray[Any]) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Unpack covariance matrices, stored as the upper triangle column by column: errors, then covariances."""
    inner = field.kind.partition("(")[2].rstrip(")")
    size = round((2 * field.count + 0.25) ** 0.5 - 0.5)
    labels = _COMPOUNDS.get(inner, tuple(str(i) for i in range(size)))
    name = field.name.removesuffix("_err")
    with np.errstate(invalid="ignore"):
        for j in range(size):
            yield f"{name}_{labels[j]}Err", kind, np.sqrt(packed[:, j * (j + 3) // 2])
    for j in range(size):
        for i in range(j):
            yield f"{name}_{labels[i]}_{labels[j]}_Cov", kind, packed[:, i + j * (j + 1) // 2]


def _aliases(table: Table, schema: Schema) -> dict[str, str]:
    """Return the stored aliases, and those that lead from today's names to older ones."""
    aliases = table.aliases
    version = int(table.header.get("AFW_TABLE_VERSION", 0))
    for card, slot in _SLOTS.items():
        target = str(table.header.get(f"{card}_SLOT", ""))
        if target:
            aliases[slot] = target
            for ours, theirs in (("_instFlux", ""), ("_instFluxErr", "_err"), ("_flag", "_flags")):
                if target + theirs in schema:
                    aliases[slot + ours] = target + theirs
    for name in schema.names:
        if version < 3 and name.endswith("_flux"):
            aliases.setdefault(name.removesuffix("flux") + "instFlux", name)
        if version < 2 and name.endswith("Sigma"):
            aliases.setdefault(name.removesuffix("Sigma") + "Err", name)
    return aliases


def _from_archive(file: FitsFile, table: Table) -> Footprints:
    keys = table["footprint"].tolist() if "footprint" in table else [0] * len(table)
    if not any(keys):
        return Footprints.empty(len(table))
    place = table.header.get("AR_HDU")
    reader = FootprintReader(Archive(file, int(place) - 1 if place is not None else None))
    none = Footprint(np.empty((0, 3), np.int32), np.empty(0, PEAK_DTYPE))
    return Footprints.from_list([reader.read(key) if key else none for key in keys])


def _embedded_columns(table: Table) -> dict[str, str]:
    """Return the names of the columns in which version 0 keeps the footprints themselves."""
    found = {
        part: table.header.get(card)
        for part, card in (
            ("spans", "SPANCOL"),
            ("peaks", "PEAKCOL"),
            ("image", "HVYPIXCO"),
            ("mask", "HVYMSKCO"),
            ("variance", "HVYVARCO"),
        )
    }
    return {part: str(table.header[f"TTYPE{n}"]) for part, n in found.items() if n is not None}


def _embedded(table: Table, columns: dict[str, str]) -> Iterator[Footprint]:
    """Iterate over footprints kept in columns: triples of y, x0, x1; triples of x, y, value; pixel values."""
    empty: list[NDArray[Any]] = [np.empty(0)] * len(table)

    def column(part: str) -> list[NDArray[Any]]:
        return table[columns[part]] if part in columns else empty

    rows = zip(*(column(part) for part in ("spans", "peaks", "image", "mask", "variance")), strict=True)
    for spans, triples, image, mask, variance in rows:
        peaks = np.zeros(len(triples) // 3, PEAK_DTYPE)
        peaks["f_x"], peaks["f_y"], peaks["peakValue"] = triples.reshape(-1, 3).T
        peaks["i_x"], peaks["i_y"] = np.floor(peaks["f_x"] + 0.5), np.floor(peaks["f_y"] + 0.5)
        peaks["significance"] = np.nan
        heavy = None
        if len(image):
            heavy = HeavyPixels(image.astype(np.float32), mask.astype(np.int32), variance.astype(np.float32))
        yield make_footprint(spans.reshape(-1, 3), peaks, heavy)
