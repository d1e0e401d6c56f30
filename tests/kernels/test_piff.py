"""Drawing of pixel grids, against the sum it stands for."""

import math

import numpy as np
import pytest

from secondlight.kernels.piff import combine_images, draw_pixel_grids, normalise

SERIES = np.array([1.4e-3, 4.4e-5, 7.7e-6])


def twin_interpolant(a, order, series):
    """Lanczos-n at a, over its response to a constant."""
    if abs(a) > order:
        return 0.0
    response = 1.0 - 2.0 * sum(k * (1 - math.cos(2 * math.pi * j * a)) for j, k in enumerate(series, start=1))
    return float(np.sinc(a) * np.sinc(a / order)) / response


def twin(grid, order, series, jacobian, x0, y0, height, width):
    size = len(grid)
    out = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            u = jacobian[0] * (x - x0) + jacobian[1] * (y - y0) + size // 2
            v = jacobian[2] * (x - x0) + jacobian[3] * (y - y0) + size // 2
            wu = np.array([twin_interpolant(p - u, order, series) for p in range(size)])
            wv = np.array([twin_interpolant(p - v, order, series) for p in range(size)])
            out[y, x] = wv @ grid @ wu
    return out / out.sum()


@pytest.mark.parametrize("series", [SERIES, np.empty(0)])
@pytest.mark.parametrize("order", [3, 7])
@pytest.mark.parametrize(
    "jacobian",
    [(1.0, 0.0, 0.0, 1.0), (-0.8, 0.0, 0.0, 1.1), (0.9, 0.3, -0.25, 1.05), (0.0, 1.0, 1.0, 0.0)],
)
def test_twin(jacobian, order, series):
    rng = np.random.default_rng(1)
    size, height, width = 9, 7, 8
    coefficients = rng.normal(size=(2, size * size))
    coefficients[0] += 3.0
    basis = np.array([[1.0, 0.2], [1.0, -0.4], [1.0, 0.0]])
    # on a pixel, just beside one, and between two
    x0, y0 = np.array([3.0, 3.0 + 1e-6, 3.3]), np.array([3.0, 3.0, 2.6])
    out = np.empty((3, height, width))
    draw_pixel_grids(coefficients, basis, size, order, series, np.array([jacobian] * 3), x0, y0, out)
    normalise(out)
    for i in range(3):
        grid = (basis[i] @ coefficients).reshape(size, size)
        expected = twin(grid, order, series, jacobian, x0[i], y0[i], height, width)
        np.testing.assert_allclose(out[i], expected, rtol=0, atol=1e-13 * np.abs(expected).max())


def test_places_out_of_reach_are_empty():
    grid = np.ones((1, 9))
    out = np.empty((1, 31, 31))
    draw_pixel_grids(
        grid,
        np.ones((1, 1)),
        3,
        3,
        SERIES,
        np.array([[1.0, 0, 0, 1.0]]),
        np.array([15.0]),
        np.array([15.0]),
        out,
    )
    assert out[0, 15, 15] > 0
    assert (out[0, :11] == 0).all() and (out[0, :, 20:] == 0).all()


def test_images_on_one_grid_are_combinations_of_its_terms():
    """Drawing is linear: images of the terms, drawn once, give what drawing each position would."""
    rng = np.random.default_rng(2)
    size, order, jacobian = 11, 3, (0.9, 0.2, -0.25, 1.1)
    coefficients, basis = rng.normal(size=(3, size * size)), rng.normal(size=(5, 3))
    drawn, terms, combined = np.empty((5, 7, 9)), np.empty((3, 7, 9)), np.empty((5, 7, 9))
    middle_x, middle_y = 4.0, 3.0

    def draw(basis, out):
        n = len(basis)
        places = np.full(n, middle_x), np.full(n, middle_y)
        draw_pixel_grids(coefficients, basis, size, order, SERIES, np.array([jacobian] * n), *places, out)

    draw(basis, drawn)
    draw(np.eye(3), terms)
    combine_images(terms, basis, combined)
    np.testing.assert_allclose(combined, drawn, rtol=0, atol=1e-13 * np.abs(drawn).max())
    normalise(combined)
    np.testing.assert_allclose(combined.sum(axis=(1, 2)), 1.0, rtol=1e-12)
