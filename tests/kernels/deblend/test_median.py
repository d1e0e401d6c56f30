"""Twin: scipy's median filter."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import ndimage

from secondlight.kernels.deblend.median import _NETWORK, WORK_SHAPE, median_of_squares


@pytest.mark.parametrize("kind", ["noise", "positive part", "few values"])
def test_median_of_25(kind):
    rng = np.random.default_rng(4)
    image = rng.normal(size=(16, 19)).astype(np.float32)
    if kind == "positive part":
        image = np.maximum(image, 0)
    elif kind == "few values":
        image = np.round(image)
    out = np.full_like(image, -9)
    median_of_squares(image, 2, 12, 3, 16, np.full(WORK_SHAPE, np.nan, np.float32), out)
    expected = np.full_like(image, -9)
    expected[2:13, 3:17] = ndimage.median_filter(image, 5)[2:13, 3:17]
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("width", [1, 2, 27, WORK_SHAPE[1] - 5, WORK_SHAPE[1] - 4, WORK_SHAPE[1] - 3, 600])
@pytest.mark.parametrize("height", [1, 9, 10])
def test_blocks_of_rows_and_columns(height, width):
    image = np.random.default_rng(6).normal(size=(height + 5, width + 7)).astype(np.float32)
    out = np.full_like(image, -9)
    median_of_squares(image, 2, height + 1, 3, width + 2, np.full(WORK_SHAPE, np.nan, np.float32), out)
    expected = np.full_like(image, -9)
    part = slice(2, height + 2), slice(3, width + 3)
    expected[part] = ndimage.median_filter(image, 5)[part]
    np.testing.assert_array_equal(out, expected)


def test_network_brings_every_median_of_sorted_columns_to_the_middle():
    """A network that orders zeros and ones orders everything (Knuth, the 0-1 principle)."""
    zeros = np.array(list(itertools.product(range(6), repeat=5)))
    values = (np.arange(5)[:, None, None] >= zeros.T).astype(int).reshape(25, -1)
    expected = np.sort(values, axis=0)[12]
    for i, j in _NETWORK:
        values[i], values[j] = np.minimum(values[i], values[j]), np.maximum(values[i], values[j])
    np.testing.assert_array_equal(values[12], expected)
