"""Twin: rings walked pixel by pixel, as spec 06.4.5 tells; and what must hold of any result."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.deblend_twins import lround, walked
from secondlight.kernels.deblend.monotonic import CHUNK, copy_rings, make_monotonic, wedges

templates = st.tuples(
    st.integers(1, 25), st.integers(1, 25), st.integers(0, 2**20), st.floats(0, 1), st.floats(0, 1)
)


def _template(case):
    h, w, seed, fy, fx = case
    rng = np.random.default_rng(seed)
    image = np.maximum(rng.normal(0.5, 1, (h, w)), 0).astype(np.float32)
    return image, int(fy * (h - 1)), int(fx * (w - 1))


@settings(max_examples=60)
@given(templates)
def test_shadows_are_those_of_the_walk(case):
    image, cy, cx = _template(case)
    expected = walked(image, cy, cx)
    make_monotonic(image, cy, cx)
    np.testing.assert_array_equal(image, expected)


@given(templates)
def test_nothing_rises_and_what_falls_stays(case):
    image, cy, cx = _template(case)
    first = image.copy()
    make_monotonic(image, cy, cx)
    assert (image <= first).all()
    assert image[cy, cx] == first[cy, cx]
    # away from the peak along rows, columns and diagonals, beyond the first ring
    h, w = image.shape
    for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)):
        line = []
        y, x = cy + dy, cx + dx
        while 0 <= y < h and 0 <= x < w:
            line.append(image[y, x])
            y, x = y + dy, x + dx
        assert (np.diff(line) <= 0).all()


def test_a_falling_profile_is_left_alone():
    v, u = np.mgrid[-12:13, -15:16]
    image = np.exp(-np.hypot(v, u) / 4).astype(np.float32)
    first = image.copy()
    make_monotonic(image, 12, 15)
    np.testing.assert_allclose(image, first, rtol=0.25)
    assert (image[10:15, 13:18] == first[10:15, 13:18]).all()


@given(templates, st.integers(1, 3))
def test_dark_rings_darken_all_outside(case, chunk):
    """What lets a template end early: five dark rings are enough."""
    image, cy, cx = _template(case)
    ring = chunk * CHUNK
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    distance = np.maximum(abs(y - cy), abs(x - cx))
    image[(distance >= ring) & (distance < ring + CHUNK)] = 0
    h, w = image.shape
    assert not copy_rings(image, np.empty_like(image), cy, cx, ring, 0, h - 1, 0, w - 1)
    make_monotonic(image, cy, cx)
    assert (image[distance >= ring] == 0).all()


def test_copied_rings_and_no_more():
    image = np.arange(1, 22 * 20 + 1, dtype=np.float32).reshape(22, 20)
    before = np.zeros_like(image)
    assert copy_rings(image, before, 9, 4, 5, 1, 20, 0, 18)
    y, x = np.mgrid[:22, :20]
    distance = np.maximum(abs(y - 9), abs(x - 4))
    inside = (distance >= 5) & (distance < 10) & (y >= 1) & (y <= 20) & (x <= 18)
    np.testing.assert_array_equal(before, np.where(inside, image, 0))


def test_wedges_open_outwards():
    table = wedges(9)
    assert table.shape == (81, 10)
    for ring in range(1, 9):
        for y in range(-ring, ring + 1):
            row = table[ring * ring + ring + y]
            expected = [lround(s * (y / ring - 0.3 + t)) for s in range(1, 6) for t in (0, 0.6)]
            assert row.tolist() == expected
