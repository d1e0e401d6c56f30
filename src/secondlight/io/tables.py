"""The source table and the footprints as parquet.

The source table has the layout of the Butler's ``ArrowAstropy`` (spec 11.5): columns in schema order, each alias a
column of its own after its target, flags as booleans, units and descriptions in the metadata of each field and in
``table_meta_yaml``, where `astropy.table.Table.read` looks. A further entry keeps what that layout loses (types, units
as spelled, aliases), so that `read_sources` returns the catalogue that was written.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..model.catalog import SourceCatalog
from ..model.footprints import PEAK_DTYPE, Footprints, HeavyPixels
from ..model.schema import Column, Schema
from .atomic import atomic_path

if TYPE_CHECKING:
    import astropy.table

__all__ = ["as_astropy", "read_footprints", "read_sources", "write_footprints", "write_sources"]

#: Entry of the parquet metadata that holds our own schema.
_SCHEMA_KEY = b"secondlight_schema"

#: Entry that holds the metadata of a catalogue of footprints: scalars by name.
_METADATA_KEY = b"secondlight_metadata"

#: What the list of peaks holds for each.
_PEAK_VALUES = ("f_x", "f_y", "peakValue")

_TYPE_OF_ARROW = {"int64": "L", "int32": "I", "uint16": "U", "float": "F", "double": "D", "bool": "Flag"}


def write_sources(path: str | os.PathLike[str], catalog: SourceCatalog, *, overwrite: bool = False) -> None:
    """Write the columns of a catalogue, aliases resolved, as parquet (compressed by zstd, lossless).

    Parameters
    ----------
    path
        File to make.
    catalog
        The catalogue; its footprints are not written here.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    UsageError
        Raised if the file exists and ``overwrite`` is not set.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = catalog.schema
    names, owners, arrays = [], [], []
    for name, owner, values in catalog.flattened():
        names.append(name)
        owners.append(schema[owner])
        arrays.append(pa.array(np.ascontiguousarray(values)))
    units = [_astropy_unit(c.unit or ("rad" if c.type == "Angle" else "")) for c in owners]
    fields = [
        pa.field(
            name,
            array.type,
            metadata={k: v for k, v in (("description", c.doc), ("unit", unit)) if v} or None,
        )
        for name, c, unit, array in zip(names, owners, units, arrays, strict=True)
    ]
    own = {"columns": [[c.name, c.type, c.unit, c.doc] for c in schema], "aliases": schema.aliases}
    metadata = {b"table_meta_yaml": _table_yaml(names, owners, units), _SCHEMA_KEY: json.dumps(own).encode()}
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=metadata))
    # a dictionary helps integers that repeat; measured numbers seldom do
    repeating = [n for n, c in zip(names, owners, strict=True) if c.type in ("L", "I", "U")]
    with atomic_path(path, overwrite=overwrite) as staged:
        pq.write_table(table, staged, compression="zstd", use_dictionary=repeating or False)


def as_astropy(catalog: SourceCatalog) -> astropy.table.Table:
    """Return the columns of a catalogue, aliases resolved, as a table that shares their values.

    Parameters
    ----------
    catalog
        The catalogue; its footprints are left out.
    """
    from astropy.table import Column as TableColumn
    from astropy.table import Table

    columns = []
    for name, owner, values in catalog.flattened():
        c = catalog.schema[owner]
        unit = _astropy_unit(c.unit or ("rad" if c.type == "Angle" else ""))
        columns.append(
            TableColumn(values, name=name, unit=unit or None, description=c.doc or None, copy=False)
        )
    return Table(columns, copy=False)


def _astropy_unit(unit: str) -> str:
    """Return a unit as astropy spells it (``ct`` for ``count``), or as it is if astropy does not know it."""
    import astropy.units

    if not unit:
        return ""
    try:
        return str(astropy.units.Unit(unit))
    except ValueError:
        return unit


def _table_yaml(names: list[str], columns: list[Column], units: list[str]) -> bytes:
    """Return the table's description as astropy writes it into parquet.

    JSON strings are YAML strings, so no YAML writer is needed for this fixed layout.
    """
    lines = ["datatype:"]
    for name, column, unit in zip(names, columns, units, strict=True):
        parts = [f"name: {json.dumps(name)}"]
        if unit:
            # astropy tells a unit from a string by this tag
            parts.append(f"unit: {json.dumps(unit)}")
        parts.append(f"datatype: {column.dtype.name}")
        if column.doc:
            parts.append(f"description: {json.dumps(column.doc)}")
        lines.append("- {" + ", ".join(parts) + "}")
    return "\n".join(lines).encode()


def read_sources(path: str | os.PathLike[str]) -> SourceCatalog:
    """Read a source table.

    Parameters
    ----------
    path
        A file written by `write_sources`, or any parquet table of numbers, for instance the reference's
        own: then each column, aliased or not, becomes a column, with units as astropy spells them.

    Returns
    -------
    SourceCatalog
        With empty footprints.

    Raises
    ------
    InputError
        Raised if the file is not a parquet file or a column has a type that no source table has.
    """
    table = _read_table(path)
    metadata = table.schema.metadata or {}
    schema = Schema()
    if _SCHEMA_KEY in metadata:
        own = json.loads(metadata[_SCHEMA_KEY])
        for name, kind, unit, doc in own["columns"]:
            schema.add(Column(name, kind, unit, doc))
        schema.aliases = own["aliases"]
    else:
        described = _described(metadata)
        for field in table.schema:
            kind = _TYPE_OF_ARROW.get(str(field.type))
            if kind is None:
                message = f"has values of type {field.type}, which no source table has"
                raise InputError(message, path=path, part=f"column {field.name!r}")
            unit, doc = described.get(field.name, ("", ""))
            schema.add(Column(field.name, kind, unit, doc))
    catalog = SourceCatalog(schema, table.num_rows)
    for column in schema:
        if column.name not in table.column_names:
            raise InputError("is missing", path=path, part=f"column {column.name!r}")
        catalog.columns[column.name] = np.array(table[column.name].to_numpy(), column.dtype)
    return catalog


def _described(metadata: dict[bytes, bytes]) -> dict[str, tuple[str, str]]:
    """Return unit and description by column from the description that astropy wrote, if there is one."""
    if b"table_meta_yaml" not in metadata:
        return {}
    from astropy.table.meta import get_header_from_yaml

    header = get_header_from_yaml(metadata[b"table_meta_yaml"].decode().split("\n"))
    return {c["name"]: (str(c.get("unit", "")), c.get("description", "")) for c in header["datatype"]}


def _read_table(path: str | os.PathLike[str]) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot be read as parquet ({str(error).splitlines()[0]})", path=path) from error


def write_footprints(
    path: str | os.PathLike[str], catalog: SourceCatalog, *, overwrite: bool = False
) -> None:
    """Write the footprints of a catalogue as parquet, one row each (compressed by zstd, lossless).

    Parameters
    ----------
    path
        File to make. Its columns: ``id``; ``parent``; ``spans``, a flat list of y, x0, x1 (inclusive);
        ``peaks``, a flat list of x, y, value; ``heavy``, ``heavy_mask`` and ``heavy_variance``, the pixels
        of a heavy footprint row by row over its spans, empty for others; ``peak_ids``, ``peak_pixels`` (a
        flat list of x, y of the brightest pixel) and ``peak_significances``, one (or two) for each peak.
    catalog
        The catalogue, with columns ``id`` and ``parent``; its metadata, scalars, are kept.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    UsageError
        Raised if the file exists and ``overwrite`` is not set.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    f = catalog.footprints

    def lists(offsets: NDArray[np.int64], values: NDArray[Any], per: int = 1) -> Any:
        # 64-bit offsets: the pixels of one CCD may need them, and parquet stores no offsets anyway
        return pa.LargeListArray.from_arrays(
            pa.array(offsets * per), pa.array(np.ascontiguousarray(values).ravel())
        )

    peaks, po, ho = f.peaks, f.peak_offsets, f.heavy_offsets
    table = pa.table(
        {
            "id": pa.array(np.asarray(catalog["id"], np.int64)),
            "parent": pa.array(np.asarray(catalog["parent"], np.int64)),
            "spans": lists(f.span_offsets, f.spans, 3),
            "peaks": lists(
                po, np.column_stack([peaks[n].astype(float) for n in ("f_x", "f_y", "peakValue")]), 3
            ),
            "heavy": lists(ho, f.heavy.image),
            "heavy_mask": lists(ho, f.heavy.mask),
            "heavy_variance": lists(ho, f.heavy.variance),
            "peak_ids": lists(po, peaks["id"]),
            "peak_pixels": lists(po, np.column_stack([peaks["i_x"], peaks["i_y"]]), 2),
            "peak_significances": lists(po, peaks["significance"]),
        }
    )
    if catalog.metadata:
        table = table.replace_schema_metadata({_METADATA_KEY: json.dumps(catalog.metadata).encode()})
    with atomic_path(path, overwrite=overwrite) as staged:
        pq.write_table(table, staged, compression="zstd", use_dictionary=["parent"])


def read_footprints(path: str | os.PathLike[str]) -> SourceCatalog:
    """Read footprints.

    Parameters
    ----------
    path
        A file written by `write_footprints`, or any with at least its columns ``id``, ``parent``,
        ``spans``, ``peaks`` and ``heavy``: masks and variances are then 0, peaks are numbered from 1 and
        have their brightest pixel at the rounded position and a significance of NaN.

    Returns
    -------
    SourceCatalog
        With columns ``id`` and ``parent`` and the footprints.

    Raises
    ------
    InputError
        Raised if the file is not a parquet file, a column is missing, or lists have impossible lengths.
    """
    import pyarrow as pa

    table = _read_table(path)
    missing = [n for n in ("id", "parent", "spans", "peaks", "heavy") if n not in table.column_names]
    if missing:
        raise InputError(f"has no column {missing[0]!r}, so it holds no footprints", path=path)

    def flat(name: str, per: int = 1) -> tuple[NDArray[np.int64], NDArray[Any]]:
        # one chunk; even so it may be a slice of longer lists
        lists = (
            pa.concat_arrays(table[name].chunks) if table[name].num_chunks else pa.array([], table[name].type)
        )
        offsets = lists.offsets.to_numpy().astype(np.int64)
        offsets -= offsets[0] if len(offsets) else 0
        if (offsets % per).any():
            raise InputError(f"a list is not a multiple of {per} long", path=path, part=f"column {name!r}")
        return offsets // per, lists.flatten().to_numpy(zero_copy_only=False)

    so, spans = flat("spans", 3)
    po, peak_values = flat("peaks", 3)
    ho, heavy = flat("heavy")
    xyv = peak_values.reshape(-1, 3)
    peaks = np.zeros(len(xyv), PEAK_DTYPE)
    for n, values in zip(_PEAK_VALUES, xyv.T, strict=True):
        peaks[n] = values

    def same(name: str, offsets: NDArray[np.int64], per: int = 1) -> NDArray[Any]:
        own, values = flat(name, per)
        if not np.array_equal(own, offsets):
            raise InputError(
                "its lists differ in length from those they describe", path=path, part=f"column {name!r}"
            )
        return values

    if "peak_ids" in table.column_names:
        peaks["id"] = same("peak_ids", po)
        peaks["i_x"], peaks["i_y"] = same("peak_pixels", po, 2).reshape(-1, 2).T
        peaks["significance"] = same("peak_significances", po)
    else:
        peaks["id"] = np.arange(1, len(peaks) + 1)
        peaks["i_x"], peaks["i_y"] = np.rint(xyv[:, :2].T)
        peaks["significance"] = np.nan
    if "heavy_mask" in table.column_names:
        heavy_mask, heavy_variance = same("heavy_mask", ho), same("heavy_variance", ho)
    else:
        heavy_mask, heavy_variance = np.zeros(len(heavy)), np.zeros(len(heavy))
    pixels = HeavyPixels(
        heavy.astype(np.float32), heavy_mask.astype(np.int32), heavy_variance.astype(np.float32)
    )
    footprints = Footprints(so, spans.reshape(-1, 3).astype(np.int32), po, peaks, ho, pixels)
    areas = np.diff(ho)
    if ((areas > 0) & (areas != footprints.areas)).any():
        row = int(np.flatnonzero((areas > 0) & (areas != footprints.areas))[0])
        raise InputError(
            f"row {row} holds {areas[row]} pixels for an area of {footprints.areas[row]}", path=path
        )
    schema = Schema()
    schema.add(Column("id", "L", "", "unique ID"))
    schema.add(Column("parent", "L", "", "unique ID of parent source"))
    catalog = SourceCatalog(schema, table.num_rows, footprints)
    catalog["id"] = table["id"].to_numpy()
    catalog["parent"] = table["parent"].to_numpy()
    catalog.metadata = json.loads((table.schema.metadata or {}).get(_METADATA_KEY, b"{}"))
    return catalog
