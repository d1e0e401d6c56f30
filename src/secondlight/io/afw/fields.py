"""Smooth functions of position as they are stored (spec 08.3, 11.4)."""

from __future__ import annotations

from typing import Any

import numpy as np
from lsst.images import Box
from lsst.images.fields import BaseField, ChebyshevField, ProductField
from numpy.typing import NDArray

from ...errors import InputError
from ...model.fields import PixelAreaField, TransformField
from .archive import Archive
from .stored_ast import parse_ast, split_stored
from .table import Table
from .wcs import read_wcs

__all__ = ["StoredFunction", "read_ap_corr_map", "read_box", "read_field"]


class StoredFunction:
    """A mapping from the plane to a number, read from a file.

    Parameters
    ----------
    mapping
        An AST mapping of two coordinates to one.
    """

    def __init__(self, mapping: Any) -> None:
        self.mapping = mapping

    def __call__(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values at positions of shape ``(n,)`` [pixel]."""
        return np.asarray(self.mapping.tran(np.vstack([x, y]), True)[0], np.float64)


def read_box(row: Table, name: str = "bbox") -> Box | None:
    """Return the box whose inclusive corners a table keeps in its first row; `None` if it is empty.

    Parameters
    ----------
    row
        The table.
    name
        Common part of the column names.
    """
    (x0, y0), (x1, y1) = ((int(v[0]) for v in row.pair(f"{name}_{end}")) for end in ("min", "max"))
    return Box.factory[y0 : y1 + 1, x0 : x1 + 1] if x1 >= x0 and y1 >= y0 else None


def read_field(archive: Archive, key: int) -> BaseField:
    """Return a stored bounded field.

    Parameters
    ----------
    archive
        The archive.
    key
        Id of a Chebyshev, product, transform or pixel-area field.

    Raises
    ------
    InputError
        Raised if the object is of another class, or stored inconsistently.
    """
    table = archive.table(
        key, "ChebyshevBoundedField", "ProductBoundedField", "TransformBoundedField", "PixelAreaBoundedField"
    )
    name = archive.name(key)
    if name == "ProductBoundedField":
        factors: list[Any] = [archive.once(int(i), read_field) for i in table["id"]]
        return ProductField(factors)
    # a field without a box is constant: any box serves
    box = read_box(table) or Box.factory[0:1, 0:1]
    if name == "ChebyshevBoundedField":
        coefficients = np.atleast_1d(table["coefficients"][0])
        nx = table.scalar("order_x") + 1
        if len(coefficients) % nx:
            raise InputError(
                f"{len(coefficients)} coefficients are no multiple of order_x + 1 = {nx}",
                path=archive.path,
                part=f"{name} (id {key})",
            )
        return ChebyshevField(box, coefficients.reshape(-1, nx).copy())
    if name == "TransformBoundedField":
        raw = np.asarray(table["frameSet"][0], np.uint8)
        # the dump may stand alone, or behind the version and class of a stored transform
        if raw[:1].tobytes().isdigit():
            where = {"path": archive.path, "part": f"{name} (id {key})"}
            mapping = split_stored(raw, where=where)[0]
        else:
            mapping = parse_ast(raw.tobytes().decode("ascii", "replace"))[0]
        return TransformField(box, StoredFunction(mapping))
    return PixelAreaField(box, archive.once(table.scalar("wcs"), read_wcs), table.scalar("scaling"))


def read_ap_corr_map(archive: Archive, key: int) -> dict[str, BaseField]:
    """Return a stored map of aperture corrections: full name of the flux column to field.

    Parameters
    ----------
    archive
        The archive.
    key
        Id of an ``ApCorrMap``.
    """
    archive.expect(key, "ApCorrMap")
    corrections: dict[str, BaseField] = {}
    for table in archive.tables(key):
        for name, field in zip(table["name"], table["field"].tolist(), strict=True):
            corrections.setdefault(name, archive.once(field, read_field))
    return corrections
