"""Names of the filter: a stored label, or a header card of older versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...model.exposure import FilterLabel
from .archive import Archive

__all__ = ["filter_from_header", "read_filter"]

_BANDS = frozenset("ugrizy")


def read_filter(archive: Archive, key: int) -> FilterLabel:
    """Return a stored filter label.

    Parameters
    ----------
    archive
        The archive.
    key
        Id of a ``FilterLabel``.
    """
    row = archive.table(key, "FilterLabel")
    return FilterLabel(
        band=row.scalar("band") if row.scalar("band_exists") else "",
        physical=row.scalar("physical") if row.scalar("physical_exists") else "",
    )


def filter_from_header(header: Mapping[str, Any]) -> FilterLabel | None:
    """Return the filter that exposures before version 2 name in their header; `None` if it is not known.

    Parameters
    ----------
    header
        Cards. A name that is one of ``ugrizy`` is a band, any other is that of the physical filter.
    """
    name = str(header.get("FILTER", "")).strip()
    if name in ("", "_unknown_"):
        return None
    return FilterLabel(band=name) if name in _BANDS else FilterLabel(physical=name)
