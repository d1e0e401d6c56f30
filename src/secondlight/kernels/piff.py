"""Drawing of pixel-grid PSF models: a grid on the sky, read with a Lanczos interpolant at an image's pixels.

The interpolant is GalSim's (Rowe et al. 2015, Astron. Comput. 10, 121): Lanczos-n, divided by a Fourier series that
takes away most of its response to a constant (Bernstein & Gruen 2014, PASP 126, 287). There is no pixel integration.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = ["draw_pixel_grids"]


@jit
def _fill_weights(
    t: float, order: int, size: int, series: NDArray[np.float64], weights: NDArray[np.float64]
) -> int:
    """Fill the weights of the grid's pixels first, first + 1, … for the place t, and return how many.

    ``weights[2 * order + 1]`` receives ``first``; there are no weights where the place is out of reach.
    """
    lo = max(0, math.ceil(t - order))
    hi = min(size - 1, math.floor(t + order))
    weights[2 * order + 1] = lo
    if hi < lo:
        return 0
    # sin(π(p - t)) alternates from pixel to pixel; sin(π(p - t)/n) turns by a fixed angle
    sine = math.sin(math.pi * (t - math.floor(t)))
    if (lo - math.floor(t)) % 2 == 0:
        sine = -sine
    angle = math.pi * (lo - t) / order
    slow_sin, slow_cos = math.sin(angle), math.cos(angle)
    turn_sin, turn_cos = math.sin(math.pi / order), math.cos(math.pi / order)
    # 1 - 2 Σ K_j (1 - cos 2πjt), the response to a constant; cosines by Chebyshev's recurrence
    response = 1.0
    cosine = 1.0 - 2.0 * sine * sine
    before, now = 1.0, cosine
    for k in series:
        response -= 2.0 * k * (1.0 - now)
        before, now = now, 2.0 * cosine * now - before
    factor = order / (math.pi * math.pi * response)
    for i in range(hi - lo + 1):
        a = lo + i - t
        if abs(a) > 1e-4:
            weights[i] = factor * sine * slow_sin / (a * a)
        else:
            weights[i] = (1.0 - (math.pi * a) ** 2 / 6.0 * (1.0 + 1.0 / (order * order))) / response
        sine = -sine
        slow_sin, slow_cos = (
            slow_sin * turn_cos + slow_cos * turn_sin,
            slow_cos * turn_cos - slow_sin * turn_sin,
        )
    return hi - lo + 1


@jit
def _draw_separable(
    grid: NDArray[np.float64],
    order: int,
    series: NDArray[np.float64],
    du: float,
    dv: float,
    u0: float,
    v0: float,
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    column: NDArray[np.float64],
    weights: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Draw a grid whose axes are the image's: rows, then columns."""
    size = grid.shape[0]
    height, width = out.shape
    for y in range(height):
        n = _fill_weights(v0 + dv * y, order, size, series, weights)
        first = int(weights[2 * order + 1])
        for u in range(size):
            rows[y, u] = 0.0
        for k in range(n):
            weight = weights[k]
            for u in range(size):
                rows[y, u] += weight * grid[first + k, u]
    # turned over, so that both passes run along memory
    for u in range(size):
        for y in range(height):
            columns[u, y] = rows[y, u]
    for x in range(width):
        n = _fill_weights(u0 + du * x, order, size, series, weights)
        first = int(weights[2 * order + 1])
        column[:] = 0.0
        for k in range(n):
            weight = weights[k]
            for y in range(height):
                column[y] += weight * columns[first + k, y]
        for y in range(height):
            out[y, x] = column[y]


@jit
def _draw_general(
    grid: NDArray[np.float64],
    order: int,
    series: NDArray[np.float64],
    jacobian: NDArray[np.float64],
    x0: float,
    y0: float,
    weights_u: NDArray[np.float64],
    weights_v: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Draw a grid that is turned or sheared against the image."""
    size = grid.shape[0]
    height, width = out.shape
    middle = size // 2
    for y in range(height):
        for x in range(width):
            u = jacobian[0] * (x - x0) + jacobian[1] * (y - y0) + middle
            v = jacobian[2] * (x - x0) + jacobian[3] * (y - y0) + middle
            n_u = _fill_weights(u, order, size, series, weights_u)
            n_v = _fill_weights(v, order, size, series, weights_v)
            first_u = int(weights_u[2 * order + 1])
            first_v = int(weights_v[2 * order + 1])
            total = 0.0
            for j in range(n_v):
                row = 0.0
                for i in range(n_u):
                    row += weights_u[i] * grid[first_v + j, first_u + i]
                total += weights_v[j] * row
            out[y, x] = total


@jit
def draw_pixel_grids(
    coefficients: NDArray[np.float64],
    basis: NDArray[np.float64],
    size: int,
    order: int,
    series: NDArray[np.float64],
    jacobians: NDArray[np.float64],
    x0: NDArray[np.float64],
    y0: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Draw grids whose values are linear in a basis.

    Parameters
    ----------
    coefficients
        Shape ``(k, size * size)``: the grid's values for each term of the basis, row by row (v, u).
    basis
        Shape ``(n, k)``.
    size
        Pixels on a side of the grid; its origin is the pixel ``size // 2``.
    order
        n of Lanczos-n.
    series
        Coefficients K_1, K_2, … of the interpolant's response to a constant; empty to leave it as it is.
    jacobians
        Shape ``(n, 4)``: du/dx, du/dy, dv/dx, dv/dy from pixels of the image to pixels of the grid.
    x0, y0
        Shape ``(n,)``: where the profile's origin falls, in the output's indices.
    out
        Shape ``(n, h, w)``, filled; unit sums.
    """
    n, height, width = out.shape
    values = np.empty(size * size)
    rows = np.empty((height, size))
    columns = np.empty((size, height))
    column = np.empty(height)
    weights_u = np.empty(2 * order + 2)
    weights_v = np.empty(2 * order + 2)
    for i in range(n):
        values[:] = 0.0
        for k in range(basis.shape[1]):
            amplitude = basis[i, k]
            for p in range(size * size):
                values[p] += amplitude * coefficients[k, p]
        grid = values.reshape(size, size)
        jacobian = jacobians[i]
        if jacobian[1] == 0.0 and jacobian[2] == 0.0:
            u0 = size // 2 - jacobian[0] * x0[i]
            v0 = size // 2 - jacobian[3] * y0[i]
            _draw_separable(
                grid,
                order,
                series,
                jacobian[0],
                jacobian[3],
                u0,
                v0,
                rows,
                columns,
                column,
                weights_u,
                out[i],
            )
        else:
            _draw_general(grid, order, series, jacobian, x0[i], y0[i], weights_u, weights_v, out[i])
        total = 0.0
        for y in range(height):
            for x in range(width):
                total += out[i, y, x]
        for y in range(height):
            for x in range(width):
                out[i, y, x] /= total
