"""The polygon within which an exposure is valid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .archive import Archive

__all__ = ["read_polygon"]


def read_polygon(archive: Archive, key: int) -> NDArray[np.float64]:
    """Return the vertices of a stored polygon.

    Parameters
    ----------
    archive
        The archive.
    key
        Id of a ``Polygon``.

    Returns
    -------
    ndarray
        Shape ``(n, 2)``: (x, y) [pixel], the first not repeated at the end.
    """
    table = archive.table(key, "Polygon")
    x, y = table.pair("vertices")
    vertices: NDArray[np.float64] = np.column_stack([x, y]).astype(np.float64)
    return vertices[:-1] if len(vertices) > 1 and np.array_equal(vertices[0], vertices[-1]) else vertices
