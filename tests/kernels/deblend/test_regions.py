"""Twins: footprints painted and described, against NumPy."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from helpers.blends import pictures_with_peak, spans_of
from secondlight.kernels.deblend.regions import (
    AREA,
    BOX,
    N_DESCRIBED,
    SUM_X,
    SUM_Y,
    Regions,
    contains,
    describe,
    paint,
    view,
)


@given(pictures_with_peak())
def test_painting_gives_the_picture_back(case):
    picture, _, _ = case
    h, w = picture.shape
    spans = spans_of(picture) + np.array([3, 5, 5], np.int32)
    # twice, the second time into a box one row and column smaller on each side
    boxes = np.array([[3, 5, h, w], [4, 6, max(h - 2, 0), max(w - 2, 0)]])
    start = np.concatenate([[0], np.cumsum(boxes[:, 2] * boxes[:, 3])])
    regions = Regions(np.zeros(start[-1], np.uint8), start, boxes)
    paint(regions, np.concatenate([spans, spans]), np.array([0, len(spans), 2 * len(spans)]))
    np.testing.assert_array_equal(view(regions, 0), picture)
    np.testing.assert_array_equal(view(regions, 1), picture[1:-1, 1:-1])
    assert contains(view(regions, 0), 0, 0) == picture[0, 0]
    assert not contains(view(regions, 0), -1, 0) and not contains(view(regions, 0), 0, w)


@given(pictures_with_peak())
def test_description(case):
    picture, _, _ = case
    mask = np.random.default_rng(3).integers(0, 8, (12, 12)).astype(np.int32)
    spans = spans_of(picture) + np.array([2, -1, -1], np.int32)
    bits = np.array([1, 6])
    out, masked = np.zeros((1, N_DESCRIBED), np.int64), np.zeros((1, 2), np.int64)
    describe(spans, np.array([0, len(spans)]), mask, bits, out, masked)
    y, x = np.nonzero(picture)
    y, x = y + 2, x - 1
    assert out[0, [AREA, SUM_X, SUM_Y]].tolist() == [len(x), x.sum(), y.sum()]
    assert out[0, BOX:].tolist() == [y.min(), x.min(), y.max(), x.max()]
    inside = (y < 12) & (x >= 0) & (x < 12)
    assert masked[0].tolist() == [np.count_nonzero(mask[y[inside], x[inside]] & b) for b in bits]
