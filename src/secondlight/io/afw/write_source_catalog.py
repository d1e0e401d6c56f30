"""Source catalogues with footprints, as the reference writes them (spec 11.1, 11.2, 11.4, 11.5)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.catalog import SourceCatalog
from ...model.footprints import Footprint
from ..atomic import atomic_path
from .write_archive import ArchiveWriter
from .write_table import Card, StoredField, empty_primary, header_cards, table_hdu

__all__ = ["write_source_catalog"]

_FOOTPRINT = (StoredField("id", "I", "", "id of the SpanSet catalog"),)
_SPANS = (
    StoredField("y", "I", "pixel", "The row of the span"),
    StoredField("x0", "I", "pixel", "First column of span (inclusive)"),
    StoredField("x1", "I", "pixel", "Second column of span (inclusive)"),
)
_PEAKS = (
    StoredField("id", "L", "", "unique ID"),
    StoredField("f_x", "F", "pixel", "subpixel column position"),
    StoredField("f_y", "F", "pixel", "subpixel row position"),
    StoredField("i_x", "I", "pixel", "column position of highest pixel"),
    StoredField("i_y", "I", "pixel", "row position of highest pixel"),
    StoredField("peakValue", "F", "count", "value of [smoothed] image at peak position"),
)
_SIGNIFICANT_PEAKS = (
    *_PEAKS,
    StoredField("significance", "D", "", "Ratio of peak value to configured standard deviation."),
)
_HEAVY = (
    StoredField("image", "ArrayF", "count", "image pixels for HeavyFootprint"),
    StoredField("mask", "ArrayI", "", "mask pixels for HeavyFootprint"),
    StoredField("variance", "ArrayF", "count^2", "variance pixels for HeavyFootprint"),
)

#: Where the archive's index is, counted from 1: behind the primary HDU and the table.
_INDEX_HDU = 3


def write_source_catalog(
    path: str | os.PathLike[str], catalog: SourceCatalog, *, overwrite: bool = False
) -> None:
    """Write a source catalogue and its footprints as FITS that ``lsst.afw.table.SourceCatalog.readFits`` opens.

    Footprints that own pixels become HeavyFootprints. What the layout loses is where flags stood among the other
    columns. `~secondlight.io.afw.source_catalog.read_source_catalog` gives everything else back.

    Parameters
    ----------
    path
        File to make.
    catalog
        The catalogue.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    UsageError
        Raised if the file exists and ``overwrite`` is not set.
    """
    archive = ArchiveWriter()
    keys = np.zeros(len(catalog), np.int32)
    for row, footprint in enumerate(catalog.footprints):
        # nothing at all is the footprint of a source that has none
        if len(footprint.spans) or len(footprint.peaks):
            keys[row] = _save(archive, footprint)
    fields = [StoredField(c.name, c.type, c.unit, c.doc) for c in catalog.schema]
    fields.append(StoredField("footprint", "I", "", "archive ID for Footprint"))
    columns: Mapping[str, Any] = {**catalog.columns, "footprint": keys}
    cards: list[Card] = [
        ("ALIAS", f"{alias}:{target}", "") for alias, target in sorted(catalog.schema.aliases.items())
    ]
    cards += header_cards(catalog.metadata)
    cards.append(("AR_HDU", _INDEX_HDU, "HDU (1-indexed) containing the archive index for non-record data"))
    table = table_hdu(fields, columns, len(catalog), cards, kind="SOURCE")
    with atomic_path(path, overwrite=overwrite) as staged, staged.open("wb") as stream:
        for hdu in (empty_primary(), table, *archive.hdus()):
            stream.write(hdu)


def _save(archive: ArchiveWriter, footprint: Footprint) -> int:
    """Store one footprint and its spans; return its id."""
    key, spans_key = archive.new_id(), archive.new_id()
    spans, peaks, heavy = footprint.spans, footprint.peaks, footprint.heavy
    owner = archive.table(_FOOTPRINT)
    y, x0, x1 = spans.T
    archive.save(
        spans_key,
        "SpanSet",
        "lsst.afw.geom",
        [(archive.table(_SPANS), len(spans), {"y": y, "x0": x0, "x1": x1})],
    )
    layout = _PEAKS if np.isnan(peaks["significance"]).all() else _SIGNIFICANT_PEAKS
    pieces: list[tuple[Any, int, Mapping[str, Any]]] = [
        (owner, 1, {"id": np.array([spans_key], np.int32)}),
        (archive.table(layout), len(peaks), _columns(peaks)),
    ]
    if heavy is not None:
        values = {"image": [heavy.image], "mask": [heavy.mask], "variance": [heavy.variance]}
        pieces.append((archive.table(_HEAVY), 1, values))
    archive.save(key, "Footprint" if heavy is None else "HeavyFootprintF", "lsst.afw.detection", pieces)
    return key


def _columns(records: NDArray[np.void]) -> dict[str, NDArray[Any]]:
    return {name: records[name] for name in records.dtype.names or ()}
