"""Stencils and clipping of regions."""

from __future__ import annotations

import numpy as np
from lsst.images import Box

from secondlight.model.spans import circle, clip, contains, dilate, manhattan, set_bits, stencil_spans

SPANS = np.array([[5, -3, 4], [6, 2, 12], [8, 0, 1]], np.int32)
BOX = Box.factory[5:8, 0:10]


def test_stencils():
    y, x = np.indices((11, 11)) - 5
    for half_widths, expected in ((circle(5), x * x + y * y <= 25), (manhattan(5), abs(x) + abs(y) <= 5)):
        np.testing.assert_array_equal(half_widths, expected.sum(axis=1) // 2)
    assert stencil_spans(circle(1), x=7, y=3).tolist() == [[2, 7, 7], [3, 6, 8], [4, 7, 7]]
    assert circle(0).tolist() == manhattan(0).tolist() == [0]


def test_clip():
    assert clip(SPANS, BOX).tolist() == [[5, 0, 4], [6, 2, 9]]


def test_dilation_is_clipped():
    assert dilate(SPANS[2:], circle(1), BOX).tolist() == [[7, 0, 1]]


def test_contains():
    x, y = np.array([4, 5, 2, 0]), np.array([5, 5, 6, 7])
    assert contains(SPANS, x, y).tolist() == [True, False, True, False]


def test_set_bits_in_parent_coordinates():
    mask = np.zeros((3, 10), np.int32)
    set_bits(mask, SPANS, 2, x0=0, y0=5)
    expected = np.zeros((3, 10), np.int32)
    expected[0, :5] = expected[1, 2:] = 2
    np.testing.assert_array_equal(mask, expected)
