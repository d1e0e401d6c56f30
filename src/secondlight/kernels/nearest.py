"""The loneliest place of a grid: how far it is from the nearest of some points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = ["greatest_distance"]


@jit
def greatest_distance(
    good: NDArray[np.bool_],
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    point_x: NDArray[np.float64],
    point_y: NDArray[np.float64],
) -> float:
    """Return the greatest distance of good grid positions from the nearest of the points.

    Row by row against all points: the inner loop is a minimum element by element, which the processor does several at
    a time, and beats a tree up to thousands of points.

    Parameters
    ----------
    good
        Shape ``(ny, nx)``: which positions count.
    xs, ys
        Shapes ``(nx,)``, ``(ny,)``: coordinates of the grid's columns and rows.
    point_x, point_y
        Shape ``(n,)``.

    Returns
    -------
    float
        In the unit of the coordinates; NaN if there are no points or no good positions.
    """
    if len(point_x) == 0:
        return np.nan
    squares = np.empty(len(xs))
    greatest = -1.0
    for j in range(len(ys)):
        squares[:] = np.inf
        for k in range(len(point_x)):
            x = point_x[k]
            dy2 = (ys[j] - point_y[k]) ** 2
            for i in range(len(xs)):
                d = (xs[i] - x) ** 2 + dy2
                squares[i] = d if d < squares[i] else squares[i]
        for i in range(len(xs)):
            if good[j, i] and squares[i] > greatest:
                greatest = squares[i]
    return np.sqrt(greatest) if greatest >= 0.0 else np.nan
