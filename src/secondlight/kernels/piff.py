"""Drawing of pixel-grid PSF models: a grid on the sky, read with a Lanczos interpolant at an image's pixels.

The interpolant is GalSim's (Rowe et al. 2015, Astron. Comput. 10, 121): Lanczos-n, divided by a Fourier series that
takes away most of its response to a constant (Bernstein & Gruen 2014, PASP 126, 287). There is no pixel integration.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit, jit_sum

__all__ = ["combine_images", "draw_pixel_grids", "normalise"]


@jit
def _taps(order: int) -> NDArray[np.float64]:
    """What turns the weight of one pixel into that of the i-th next: ±cos(πi/n) and ±sin(πi/n), shape ``(2, 2n + 1)``.

    The sign is that of sin(π(p - t)), which alternates from pixel to pixel.
    """
    taps = np.empty((2, 2 * order + 1))
    for i in range(2 * order + 1):
        sign = 1.0 if i % 2 == 0 else -1.0
        taps[0, i] = sign * math.cos(math.pi * i / order)
        taps[1, i] = sign * math.sin(math.pi * i / order)
    return taps


@jit
def _fill_weights(
    t: float,
    order: int,
    taps: NDArray[np.float64],
    series: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> tuple[int, int]:
    """Fill the weights of the pixels first, first + 1, … for the place t; return first, and how many there are."""
    first = math.ceil(t - order)
    n = math.floor(t + order) - first + 1
    sine = math.sin(math.pi * (t - math.floor(t)))
    if (first - math.floor(t)) % 2 == 0:
        sine = -sine
    angle = math.pi * (first - t) / order
    # 1 - 2 Σ K_j (1 - cos 2πjt), the response to a constant; cosines by Chebyshev's recurrence
    response = 1.0
    cosine = 1.0 - 2.0 * sine * sine
    before, now = 1.0, cosine
    for k in series:
        response -= 2.0 * k * (1.0 - now)
        before, now = now, 2.0 * cosine * now - before
    factor = order / (math.pi * math.pi * response) * sine
    along, across = factor * math.sin(angle), factor * math.cos(angle)
    for i in range(n):
        a = first + i - t
        weights[i] = (along * taps[0, i] + across * taps[1, i]) / (a * a)
    nearest = math.floor(t + 0.5)
    a = nearest - t
    if abs(a) <= 1e-4:
        weights[nearest - first] = (1.0 - (math.pi * a) ** 2 / 6.0 * (1.0 + 1.0 / (order * order))) / response
    return first, n


@jit
def _draw_separable(
    grid: NDArray[np.float64],
    order: int,
    taps: NDArray[np.float64],
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
    first = n = 0
    for y in range(height):
        # at the grid's own spacing all places have the same weights
        if y == 0 or dv != 1.0:
            first, n = _fill_weights(v0 + dv * y, order, taps, series, weights)
        else:
            first += 1
        for u in range(size):
            rows[y, u] = 0.0
        for k in range(max(0, -first), min(n, size - first)):
            weight = weights[k]
            for u in range(size):
                rows[y, u] += weight * grid[first + k, u]
    # turned over, so that both passes run along memory
    for u in range(size):
        for y in range(height):
            columns[u, y] = rows[y, u]
    for x in range(width):
        if x == 0 or du != 1.0:
            first, n = _fill_weights(u0 + du * x, order, taps, series, weights)
        else:
            first += 1
        column[:] = 0.0
        for k in range(max(0, -first), min(n, size - first)):
            weight = weights[k]
            for y in range(height):
                column[y] += weight * columns[first + k, y]
        for y in range(height):
            out[y, x] = column[y]


@jit_sum
def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@jit
def _draw_general(
    grid: NDArray[np.float64],
    order: int,
    taps: NDArray[np.float64],
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
            total = 0.0
            if -order <= u < size + order and -order <= v < size + order:
                first_u, n_u = _fill_weights(u, order, taps, series, weights_u)
                first_v, n_v = _fill_weights(v, order, taps, series, weights_v)
                start, stop = max(0, -first_u), min(n_u, size - first_u)
                for j in range(max(0, -first_v), min(n_v, size - first_v)):
                    row = grid[first_v + j, first_u + start : first_u + stop]
                    total += weights_v[j] * _dot(weights_u[start:stop], row)
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
    """Draw grids whose values are linear in a basis; see `normalise` for unit sums.

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
        Shape ``(n, h, w)``, filled.
    """
    n, height, _ = out.shape
    taps = _taps(order)
    values = np.empty(size * size)
    rows = np.empty((height, size))
    columns = np.empty((size, height))
    column = np.empty(height)
    weights_u = np.empty(2 * order + 1)
    weights_v = np.empty(2 * order + 1)
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
                taps,
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
            _draw_general(grid, order, taps, series, jacobian, x0[i], y0[i], weights_u, weights_v, out[i])


@jit
def combine_images(planes: NDArray[np.float64], basis: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Fill images that are linear in a basis: what `draw_pixel_grids` draws, where that is the same for all of them.

    Parameters
    ----------
    planes
        Shape ``(k, h, w)``: the image of each term of the basis.
    basis
        Shape ``(n, k)``.
    out
        Shape ``(n, h, w)``, filled.
    """
    n, height, width = out.shape
    terms = planes.reshape(len(planes), height * width)
    for i in range(n):
        image = out[i].reshape(height * width)
        image[:] = 0.0
        for k in range(basis.shape[1]):
            amplitude = basis[i, k]
            for p in range(height * width):
                image[p] += amplitude * terms[k, p]


@jit
def normalise(images: NDArray[np.float64]) -> None:
    """Divide each image by its sum.

    Parameters
    ----------
    images
        Shape ``(n, h, w)``, changed in place.
    """
    n, height, width = images.shape
    for i in range(n):
        total = 0.0
        for y in range(height):
            for x in range(width):
                total += images[i, y, x]
        for y in range(height):
            for x in range(width):
                images[i, y, x] /= total
