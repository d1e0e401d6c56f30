"""Twin: scipy's median filter."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from secondlight.kernels.deblend.median import _NETWORK, median_of_squares


@pytest.mark.parametrize("kind", ["noise", "positive part", "few values"])
def test_median_of_25(kind):
    rng = np.random.default_rng(4)
    image = rng.normal(size=(16, 19)).astype(np.float32)
    if kind == "positive part":
        image = np.maximum(image, 0)
    elif kind == "few values":
        image = np.round(image)
    out = np.full_like(image, -9)
    median_of_squares(image, 2, 12, 3, 16, np.empty((25, 19), np.float32), out)
    expected = np.full_like(image, -9)
    expected[2:13, 3:17] = ndimage.median_filter(image, 5)[2:13, 3:17]
    np.testing.assert_array_equal(out, expected)


def test_network_brings_every_one_of_25_to_the_middle():
    """A network that orders zeros and ones orders everything (Knuth, the 0-1 principle)."""
    values = (np.random.default_rng(5).random((25, 4000)) < 0.5).astype(int)
    expected = np.sort(values, axis=0)[12]
    for i, j in _NETWORK:
        values[i], values[j] = np.minimum(values[i], values[j]), np.maximum(values[i], values[j])
    np.testing.assert_array_equal(values[12], expected)
