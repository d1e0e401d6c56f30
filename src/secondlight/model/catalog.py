"""The source catalogue: columns and footprints, row for row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .footprints import Footprint, Footprints
from .schema import Schema

__all__ = ["SourceCatalog"]


class SourceCatalog:
    """Columns of equal length and one footprint a row.

    Parameters
    ----------
    schema
        The declared columns. The catalogue holds an array for each and keeps a reference to the schema.
    n
        Number of rows; the columns hold their default values.
    footprints
        One a row; none if not given.

    Attributes
    ----------
    columns
        Array by column name, in schema order, each of shape ``(n,)``.
    metadata
        Free key-value pairs that describe the whole catalogue.
    """

    def __init__(self, schema: Schema, n: int = 0, footprints: Footprints | None = None) -> None:
        if footprints is not None and len(footprints) != n:
            raise ValueError(f"{len(footprints)} footprints for {n} rows")
        self.schema = schema
        self.columns: dict[str, NDArray[Any]] = {c.name: c.empty(n) for c in schema}
        self.footprints = footprints if footprints is not None else Footprints.empty(n)
        self.metadata: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.footprints)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.schema.resolve(name) in self.columns

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[self.schema.resolve(name)]

    def __setitem__(self, name: str, values: Any) -> None:
        self.columns[self.schema.resolve(name)][...] = values

    def heavy(self, i: int) -> Footprint:
        """Return the footprint of row ``i`` with its own pixels.

        Parameters
        ----------
        i
            Row number.

        Raises
        ------
        ValueError
            Raised if that footprint holds no pixels.
        """
        footprint = self.footprints[i]
        if footprint.heavy is None:
            raise ValueError(f"the footprint of row {i} holds no pixels")
        return footprint

    def view(self, start: int, stop: int) -> SourceCatalog:
        """Return rows from ``start`` up to, not including, ``stop``: what is written there is written here.

        Parameters
        ----------
        start, stop
            Row numbers.
        """
        view = SourceCatalog(self.schema)
        view.columns = {name: values[start:stop] for name, values in self.columns.items()}
        f, rows = self.footprints, slice(start, stop + 1)
        view.footprints = Footprints(
            f.span_offsets[rows], f.spans, f.peak_offsets[rows], f.peaks, f.heavy_offsets[rows], f.heavy
        )
        view.metadata = self.metadata
        return view

    def declare_missing(self) -> None:
        """Make arrays for columns that were declared after this catalogue was made."""
        n = len(self)
        self.columns = {c.name: self.columns.get(c.name, c.empty(n)) for c in self.schema}

    def append(self, footprints: Footprints, values: Mapping[str, Any]) -> None:
        """Add rows at the end.

        Parameters
        ----------
        footprints
            One a new row.
        values
            Values of some columns for the new rows; the others take their defaults.
        """
        n = len(footprints)
        for column in self.schema:
            new = column.empty(n)
            if column.name in values:
                new[...] = values[column.name]
            self.columns[column.name] = np.concatenate([self.columns[column.name], new])
        self.footprints = Footprints.concatenate([self.footprints, footprints])

    def flattened(self) -> Iterator[tuple[str, str, NDArray[Any]]]:
        """Iterate over ``(name, column, values)``: each column, then its aliases (the layout of the source table)."""
        for column in self.schema:
            values = self.columns[column.name]
            yield column.name, column.name, values
            for alias in self.schema.aliases_of(column.name):
                yield alias, column.name, values
