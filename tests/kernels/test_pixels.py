"""The image that kernels see, where nothing is replaced; with noise see ``measurement/test_noise_replacer.py``."""

import numpy as np
import pytest

from secondlight.kernels.pixels import (
    NOT_REPLACED,
    Pixels,
    box_bits,
    cut_stamps,
    position_to_index,
    read_only,
    show,
)

rng = np.random.default_rng(6)
IMAGE = rng.normal(0, 1, (20, 30)).astype(np.float32)
MASK = (1 << rng.integers(0, 31, (20, 30))).astype(np.int32)
VARIANCE = rng.uniform(1, 2, (20, 30)).astype(np.float32)
PIXELS = Pixels.of(IMAGE, MASK, VARIANCE)


def test_planes_cannot_be_written():
    for plane in PIXELS[:3]:
        with pytest.raises(ValueError, match="read-only"):
            plane[0, 0] = 1
    assert IMAGE.flags.writeable
    assert np.shares_memory(read_only(IMAGE), IMAGE)


def test_nothing_to_show():
    before = IMAGE.copy()
    for i in (0, 5, 3):
        show(PIXELS, i)
    np.testing.assert_array_equal(PIXELS.image, before)
    assert PIXELS.replacement is NOT_REPLACED


@pytest.mark.parametrize(
    "box", [(3, 6, 4, 9), (-5, 2, -5, 3), (15, 40, 25, 40), (7, 6, 3, 3), (-9, -2, 0, 5)]
)
def test_box_bits(box):
    """Twin: the union over what of the box is on the image."""
    y0, y1, x0, x1 = box
    inside = MASK[max(y0, 0) : max(y1 + 1, 0), max(x0, 0) : max(x1 + 1, 0)]
    assert box_bits(PIXELS, 0, y0, y1, x0, x1) == np.bitwise_or.reduce(inside, axis=None)


def test_cut_stamps():
    """Twin: slices of padded planes."""
    x0, y0 = np.array([4, -3, 27, 100, -(1 << 40)]), np.array([7, -2, 18, 5, -(1 << 40)])
    shape = (5, 4, 6)
    image, variance = np.empty(shape, np.float32), np.empty(shape, np.float32)
    mask, valid = np.empty(shape, np.int32), np.empty(shape, np.bool_)
    cut_stamps(PIXELS, x0, y0, image, mask, variance, valid)
    for cut, plane in ((image, IMAGE), (mask, MASK), (variance, VARIANCE), (valid, np.ones_like(MASK, bool))):
        padded = np.pad(plane, 10)
        for k in range(3):
            y, x = y0[k] + 10, x0[k] + 10
            np.testing.assert_array_equal(cut[k], padded[y : y + 4, x : x + 6])
        assert not cut[3:].any()


def test_position_to_index():
    """Pixel i covers [i - 0.5, i + 0.5): halves go up, also below zero."""
    assert [position_to_index(x) for x in (0.0, 0.49, 0.5, -0.5, -0.51, 7.9)] == [0, 0, 1, 0, -1, 8]
