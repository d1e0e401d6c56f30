"""Columns of a source table: each declared once, by the algorithm that fills it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["Column", "Schema"]

#: Field types of the reference's tables (spec 11.1) and how they are held here.
_DTYPES: dict[str, DTypeLike] = {
    "L": np.int64,
    "I": np.int32,
    "U": np.uint16,
    "F": np.float32,
    "D": np.float64,
    "Angle": np.float64,
    "Flag": np.bool_,
}


@dataclass(frozen=True, slots=True)
class Column:
    """The declaration of one column.

    Parameters
    ----------
    name
        Full name, as in the output table.
    type
        One of ``L`` (int64), ``I`` (int32), ``U`` (uint16), ``F`` (float32), ``D`` (float64), ``Angle`` (float64, radians)
        or ``Flag`` (bool).
    unit
        Unit as the reference spells it (``count``, ``pixel``, ``nJy`` …); empty if dimensionless.
    doc
        One line for humans.
    """

    name: str
    type: str
    unit: str = ""
    doc: str = ""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """NumPy type of the values."""
        return np.dtype(_DTYPES[self.type])

    def empty(self, n: int) -> NDArray[np.generic]:
        """Return ``n`` default values: NaN for floats, 0 for integers, False for flags.

        Parameters
        ----------
        n
            Number of rows.
        """
        if self.type in ("F", "D", "Angle"):
            return np.full(n, np.nan, self.dtype)
        return np.zeros(n, self.dtype)


class Schema:
    """Columns in the order in which they were declared, and aliases: prefixes that stand for other prefixes.

    The alias ``slot_Centroid → base_SdssCentroid`` makes ``slot_Centroid_x`` mean ``base_SdssCentroid_x``. As in the
    reference, a prefix is any leading part of a name, not only whole words: ``slot_Shape → ext_shapeHSM_HsmSourceMoments``
    also names the columns of ``ext_shapeHSM_HsmSourceMomentsRound``, as ``slot_ShapeRound``.
    """

    def __init__(self) -> None:
        self._columns: dict[str, Column] = {}
        self.aliases: dict[str, str] = {}

    @classmethod
    def minimal(cls) -> Schema:
        """Return the columns that every source table begins with (spec 00.4)."""
        schema = cls()
        schema.add(Column("id", "L", "", "unique ID"))
        schema.add(Column("coord_ra", "Angle", "", "position in ra/dec"))
        schema.add(Column("coord_dec", "Angle", "", "position in ra/dec"))
        schema.add(Column("parent", "L", "", "unique ID of parent source"))
        return schema

    def __iter__(self) -> Iterator[Column]:
        return iter(self._columns.values())

    def __len__(self) -> int:
        return len(self._columns)

    def __contains__(self, name: str) -> bool:
        return self.resolve(name) in self._columns

    def __getitem__(self, name: str) -> Column:
        return self._columns[self.resolve(name)]

    @property
    def names(self) -> list[str]:
        """Names of all columns, in order; no aliases."""
        return list(self._columns)

    def add(self, column: Column) -> Column:
        """Declare a column.

        Parameters
        ----------
        column
            The declaration.

        Raises
        ------
        ValueError
            Raised if a column of that name is declared already.
        """
        if column.name in self._columns:
            raise ValueError(f"column {column.name!r} is declared twice")
        if column.type not in _DTYPES:
            raise ValueError(
                f"column {column.name!r} has unknown type {column.type!r}; expected one of {list(_DTYPES)}"
            )
        self._columns[column.name] = column
        return column

    def resolve(self, name: str) -> str:
        """Return the name of the column that ``name`` means, following aliases.

        Parameters
        ----------
        name
            A column's name, or an alias, or a name that begins with an alias. The longest alias that matches wins.
        """
        for _ in range(len(self.aliases) + 1):
            if name in self._columns:
                return name
            best = max((a for a in self.aliases if name.startswith(a)), key=len, default=None)
            if best is None:
                return name
            name = self.aliases[best] + name[len(best) :]
        return name

    def aliases_of(self, name: str) -> list[str]:
        """Return the aliased names of one column, in the order of the aliases; aliases of aliases are left out.

        Parameters
        ----------
        name
            A column's own name.
        """
        found = (a + name[len(t) :] for a, t in sorted(self.aliases.items()) if name.startswith(t))
        return [alias for alias in found if alias not in self._columns]
