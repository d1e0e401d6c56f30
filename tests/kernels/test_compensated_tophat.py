"""Mask bits around sources: which square, and when it is off the image."""

import math

import numpy as np
import pytest

from secondlight.kernels.compensated_tophat import OUT_OF_BOUNDS, squares_masks
from secondlight.kernels.pixels import Pixels

MASK = (1 << np.random.default_rng(1).integers(0, 20, (30, 40))).astype(np.int32)
PIXELS = Pixels.of(np.zeros((30, 40), np.float32), MASK, np.zeros((30, 40), np.float32))


def measure(x, y, half=3):
    bits, flags = np.full(1, -1, np.int32), np.full(1, -1)
    squares_masks(PIXELS, np.array([x], float), np.array([y], float), half, bits, flags)
    return bits[0], flags[0]


@pytest.mark.parametrize(("x", "y"), [(10.2, 12.9), (3.0, 3.0), (36.4, 26.4), (35.0, 25.0)])
def test_square_of_the_truncated_position(x, y):
    i, j = int(y), int(x)
    expected = np.bitwise_or.reduce(MASK[i - 3 : i + 4, j - 3 : j + 4], axis=None)
    assert measure(x, y) == (expected, 0)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (2.9, 10),  # rounds to 3, but is truncated to 2
        (36.5, 10),  # rounds to 37
        (10, 2.4),
        (10, 26.6),
        (-5, 10),
        (1e300, 10),
        (math.nan, 10),
    ],
)
def test_out_of_bounds(x, y):
    assert measure(x, y) == (0, OUT_OF_BOUNDS)
