"""Twins: which templates the edge cuts off, and how they are continued (spec 06.4.3)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from helpers.blends import kernel_peaks, pictures_with_peak, regions_of
from helpers.deblend_twins import CROSS, at_edge, outline, symmetric_values
from secondlight.kernels.deblend.edge import Ramps, fill_ramped, find_bright_edges, find_masked
from secondlight.kernels.deblend.symmetric import Outline


@given(pictures_with_peak(), st.integers(0, 2**20))
def test_bright_edges(case, seed):
    picture, cy, cx = case
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 1, picture.shape).astype(np.float32)
    mask = rng.integers(0, 8, picture.shape).astype(np.int32)
    peaks = kernel_peaks([(cx, cy), (cx, cy)])
    wanted = np.array([True, False])
    out = np.array([True, True])
    find_bright_edges(image, regions_of([picture]), peaks, wanted, np.float32(0.8), 0, 1, out)
    member, values = symmetric_values(image, picture, cy, cx)
    assert out.tolist() == [bool((values[at_edge(member)] >= np.float32(0.8)).any()), False]
    find_masked(mask, 4, regions_of([picture]), peaks, wanted, 0, 1, out)
    assert out.tolist() == [bool((mask[member] & 4).any()), False]


def _ramps(reach, size):
    v, u = np.mgrid[-size : size + 1, -size : size + 1]
    psf = np.exp(-0.5 * (u**2 + 1.3 * v**2 + u * v) / 2.0)[None]
    one = np.array([-size])
    return psf[0], lambda wide: Ramps(wide, np.array([0]), psf, one, one, np.array([reach]))


@pytest.mark.parametrize("last_only", [True, False])
@pytest.mark.parametrize("size", [3, 6])
def test_continued_template(last_only, size):
    """The picture's left columns are the image's edge; the template is continued there, and wherever the image is 0."""
    rng = np.random.default_rng(6)
    h, w, reach = 15, 17, 5
    image = rng.normal(6, 3, (h, w)).astype(np.float32)
    image[9, 7] = 0
    picture = ndimage.binary_opening(rng.random((h, w)) < 0.9, CROSS)
    picture[5:10, :9] = True
    cy, cx = 7, 3
    psf, make = _ramps(reach, size)
    member, values = symmetric_values(image, picture, cy, cx)
    edge = at_edge(member)
    if last_only:
        edge &= ~np.pad(edge, ((0, 0), (0, 1)))[:, 1:]
    big = np.pad(picture, reach + 4)
    disc = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= reach
    wide = ndimage.binary_dilation(big, disc)
    o = reach + 4  # first pixel of the image in the padded pictures
    ys, xs = np.nonzero(member)
    box = (ys.min() - reach, ys.max() + reach, xs.min() - reach, xs.max() + reach)

    padded = np.zeros(big.shape)
    spread = np.zeros(big.shape)
    for y, x in np.argwhere(edge):
        for v in range(-min(size, reach), min(size, reach) + 1):
            for u in range(-min(size, reach), min(size, reach) + 1):
                value = np.float32(values[y, x] * psf[v + size, u + size])
                spread[o + y + v, o + x + u] = max(spread[o + y + v, o + x + u], value)
    inside = np.zeros(big.shape, bool)
    inside[o : o + h, o : o + w] = True
    image_big = np.pad(image, o)
    padded = np.where(inside & (image_big != 0), image_big, spread)
    allowed = np.zeros(big.shape, bool)
    allowed[o + box[0] : o + box[1] + 1, o + box[2] : o + box[3] + 1] = True
    wide &= allowed
    half = 8
    expected = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for y in range(max(cy - half, 0), min(cy + half, h - 1) + 1):
        for x in range(max(cx - half, 0), min(cx + half, w - 1) + 1):
            m, n = 2 * cy - y, 2 * cx - x
            if wide[o + y, o + x] and wide[o + m, o + n]:
                expected[y - cy + half, x - cx + half] = max(
                    0, min(padded[o + y, o + x], padded[o + m, o + n])
                )
    region = wide.astype(np.uint8)
    shape = Outline(
        region, -o, -o, cy, cx, max(box[0], 0), min(box[1], h - 1), max(box[2], 0), min(box[3], w - 1), False
    )
    out = np.zeros_like(expected)
    inner = outline(picture, cy, cx)
    fill_ramped(image, shape, inner, make(regions_of([picture])), 0, last_only, half, -1, out)
    np.testing.assert_array_equal(out, expected)
    assert (
        out[:, half - cx : half] > 0
    ).sum() > 20  # columns whose mirror images the edge cut off, or nearly
