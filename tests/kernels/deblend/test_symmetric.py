"""Twins: the symmetric part of a footprint and of an image, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.blends import pictures_with_peak
from helpers.deblend_twins import members, outline
from secondlight.kernels.deblend.symmetric import extent, fill_members, fill_symmetric, smaller

Y0, X0 = 3, 2


@given(pictures_with_peak(), st.booleans())
def test_members_and_extent(case, patch):
    picture, cy, cx = case
    h, w = picture.shape
    expected = members(picture, cy, cx, patch)
    shape = outline(picture, cy + Y0, cx + X0, patch, Y0, X0)
    out = np.full((h + 4, w + 4), 7, np.uint8)
    assert fill_members(shape, Y0 - 2, X0 - 2, out)
    np.testing.assert_array_equal(out, np.pad(expected, 2))
    y, x = np.nonzero(expected)
    assert extent(shape) == (y.min() + Y0, y.max() + Y0, x.min() + X0, x.max() + X0)


@given(pictures_with_peak(), st.booleans(), st.integers(0, 9))
def test_template(case, patch, half):
    picture, cy, cx = case
    h, w = picture.shape
    image = np.random.default_rng(h * w).normal(0, 1, (h + Y0, w + X0)).astype(np.float32)
    own = image[Y0:, X0:]
    expected = np.zeros((h + 40, w + 40), np.float32)
    for y, x in np.argwhere(members(picture, cy, cx, patch)):
        m, n = 2 * cy - y, 2 * cx - x
        mirror = own[m, n] if 0 <= m < h and 0 <= n < w else own[y, x]
        expected[y + 20, x + 20] = max(0, min(own[y, x], mirror))
    window = expected[cy + 20 - half : cy + 21 + half, cx + 20 - half : cx + 21 + half]
    out = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    fill_symmetric(image, outline(picture, cy + Y0, cx + X0, patch, Y0, X0), np.float32(0), half, -1, out)
    np.testing.assert_array_equal(out, window)
    if not patch:
        np.testing.assert_array_equal(out, out[::-1, ::-1])


def test_what_is_done_stays_and_the_least_value_counts():
    picture = np.ones((9, 9), bool)
    image = np.full((9, 9), -5, np.float32)
    shape = outline(picture, 1, 4, True)
    out = np.full((9, 9), 2, np.float32)
    fill_symmetric(image, shape, np.float32(-np.inf), 4, 1, out)
    assert (out[3:6, 3:6] == 2).all()  # done
    assert (out[:3] == 2).all()  # off the image
    assert (out[7:] == -5).all()  # without mirror images
    assert (out[3:6, [0, 8]] == 0).all()  # with mirror images, and negative


@pytest.mark.parametrize(
    ("a", "b", "value"), [(1, 2, 1), (2, 1, 1), (-1, 2, 0), (np.nan, 2, 2), (2, np.nan, 2)]
)
def test_smaller(a, b, value):
    assert smaller(np.float32(a), np.float32(b)) == value


def test_two_bad_pixels_are_nothing():
    assert smaller(np.float32(np.nan), np.float32(np.nan)) == 0
