"""Small parts of an exposure as the reference stores them: filter, valid polygon, summary statistics (spec 11.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from ...model.exposure import FilterLabel
from .summary_stats import SUMMARY_FIELDS
from .write_archive import ArchiveWriter
from .write_table import StoredField
from .write_wcs import BYTES

__all__ = ["save_filter", "save_polygon", "save_summary_stats"]

_FILTER = (
    StoredField("band_exists", "Flag", "", "Existence flag for band"),
    StoredField("band", "String", "", "Name of the band.", 32),
    StoredField("physical_exists", "Flag", "", "Existence flag for physical"),
    StoredField("physical", "String", "", "Name of the physical filter.", 32),
)
_POLYGON = tuple(StoredField(f"vertices_{axis}", "D", "", "list of vertex points") for axis in "xy")


def save_filter(archive: ArchiveWriter, label: FilterLabel) -> int:
    """Store the names of a filter; return its id.

    Parameters
    ----------
    archive
        Where to.
    label
        The names, of at most 32 bytes; an empty one is stored as unknown.
    """
    key = archive.new_id()
    values: dict[str, Any] = {}
    for name, text in (("band", label.band), ("physical", label.physical)):
        values |= {f"{name}_exists": [bool(text)], name: [text]}
    archive.save(key, "FilterLabel", "lsst.afw.image", [(archive.table(_FILTER), 1, values)])
    return key


def save_polygon(archive: ArchiveWriter, vertices: NDArray[np.float64]) -> int:
    """Store a polygon; return its id.

    Parameters
    ----------
    archive
        Where to.
    vertices
        Shape ``(n, 2)``: (x, y) [pixel]. In the file the first is repeated at the end.
    """
    key = archive.new_id()
    closed = np.vstack([vertices, vertices[:1]])
    values = {"vertices_x": closed[:, 0], "vertices_y": closed[:, 1]}
    archive.save(key, "Polygon", "", [(archive.table(_POLYGON), len(closed), values)])
    return key


def save_summary_stats(archive: ArchiveWriter, stats: Mapping[str, Any]) -> int:
    """Store summary statistics; return their id.

    Parameters
    ----------
    archive
        Where to.
    stats
        Values by name (spec 11.7); names that the reference does not know are left out.
    """
    key = archive.new_id()
    known = {"version": 0} | {name: _plain(stats[name]) for name in SUMMARY_FIELDS if name in stats}
    text: str = yaml.safe_dump(known)
    values = {"bytes": [np.frombuffer(text.encode("utf-8"), np.uint8)]}
    module = "lsst.afw.image._exposureSummaryStats"
    archive.save(key, "ExposureSummaryStats", module, [(archive.table(BYTES), 1, values)])
    return key


def _plain(value: Any) -> Any:
    """Turn arrays and NumPy's numbers into Python's, which YAML knows."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
