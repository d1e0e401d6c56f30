"""Run-length arithmetic against pixels: scipy.ndimage, and the specification's pixel-by-pixel labelling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from secondlight.kernels.spans import dilate_spans, find_pixels, find_runs, label_runs, or_bits

pictures = st.tuples(st.integers(1, 12), st.integers(1, 20)).flatmap(lambda s: arrays(np.bool_, s))


def _runs(picture):
    image = picture.astype(np.float32)
    return find_runs(image, image, np.float32(1), 0.5, False, 0, len(image))


def _paint(spans, shape):
    out = np.zeros(shape, np.int64)
    for y, x0, x1 in spans:
        out[y, x0 : x1 + 1] += 1
    return out


def _scan(picture):
    """Label pixel by pixel as spec 04.4 says; return the label of each pixel, aliases resolved."""
    h, w = picture.shape
    ids = np.zeros((h + 1, w + 2), np.int64)  # a row above and a column at each side
    alias = [0]

    def resolve(k):
        while alias[k] != k:
            k = alias[k]
        return k

    for y in range(h):
        for x in range(w):
            if not picture[y, x]:
                continue
            above = ids[y, x : x + 3]
            left = ids[y + 1, x]
            k = next((int(v) for v in (left, *above) if v), 0)
            if not k:
                k = len(alias)
                alias.append(k)
            p = int(above[2])
            if p and p != k:
                alias[resolve(p)] = resolve(k)
                k = p
            ids[y + 1, x + 1] = k
    return np.array([[resolve(int(k)) for k in row] for row in ids[1:, 1:-1]]).reshape(h, w)


@given(pictures)
def test_runs_are_the_pixels_and_do_not_touch(picture):
    spans = _runs(picture)
    np.testing.assert_array_equal(_paint(spans, picture.shape), picture)
    y, x0, x1 = spans.T
    assert (x1 >= x0).all()
    same = y[1:] == y[:-1]
    assert (np.diff(y) >= 0).all() and (x0[1:][same] > x1[:-1][same] + 1).all()


@given(pictures)
def test_components_and_their_order(picture):
    spans = _runs(picture)
    component, count = label_runs(spans)
    expected, n = ndimage.label(picture, np.ones((3, 3)))
    assert count == n
    labels = _scan(picture)
    order = np.unique(labels[picture])
    for i, (y, x0, _) in enumerate(spans):
        # the same pixels belong together, and components come in the order of the resolved labels
        assert order[component[i]] == labels[y, x0]
        assert len(np.unique(expected[picture][labels[picture] == labels[y, x0]])) == 1


def test_a_run_takes_the_label_only_of_what_its_first_pixel_touches():
    # the second run of the row below begins left of the first one above: a new label, which the old becomes an alias of
    picture = np.zeros((2, 12), bool)
    picture[0, 2:4] = picture[0, 8:10] = True
    picture[1, 0:5] = True
    component, count = label_runs(_runs(picture))
    assert count == 2
    assert component.tolist() == [1, 0, 1]


@pytest.mark.filterwarnings(
    "ignore:invalid value"
)  # with JIT off, NumPy warns of the root of a negative variance
def test_threshold_in_units_of_noise_negative_and_nan():
    image = np.array([[5, -5, np.nan, 4.9, 10, np.inf]], np.float32)
    variance = np.array([[1, 1, 1, 1, 4, 1]], np.float32)

    def find(sign, value, per_pixel=True):
        return find_runs(image, variance, np.float32(sign), value, per_pixel, 0, 1).tolist()

    assert find(1, 5.0) == [[0, 0, 0], [0, 4, 5]]
    assert find(-1, 5.0) == [[0, 1, 1]]
    assert find(1, 10.0, per_pixel=False) == [[0, 4, 5]]
    variance[0, 0] = -1.0  # no noise, no detection
    variance[0, 5] = np.nan
    assert find(1, 5.0) == [[0, 4, 4]]


def test_many_runs():
    picture = np.zeros((40, 64), bool)
    picture[:, ::2] = True
    assert len(_runs(picture)) == 40 * 32


@settings(deadline=None)
@given(pictures, st.lists(st.integers(-1, 4), min_size=1, max_size=7).filter(lambda h: len(h) % 2 == 1))
def test_dilation_is_that_of_pixels(picture, half_widths):
    h, w = picture.shape
    stencil = np.abs(np.arange(-5, 6))[None, :] <= np.array(half_widths)[:, None]
    spans = dilate_spans(_runs(picture), np.array(half_widths, np.int64), 0, h - 1, 0, w - 1)
    # scipy reflects the stencil of a dilation, which matters for one that is not symmetric
    expected = ndimage.binary_dilation(np.pad(picture, 9), stencil)[9:-9, 9:-9]
    np.testing.assert_array_equal(_paint(spans, picture.shape), expected)
    component, count = label_runs(spans)
    assert len(component) == len(spans) and count == ndimage.label(expected, np.ones((3, 3)))[1]


def test_dilation_of_overlapping_spans_beyond_and_outside_the_box():
    spans = np.array([[2, 3, 9], [2, 4, 5], [2, 8, 20], [9, 30, 31]], np.int32)
    out = dilate_spans(spans, np.array([0, 1, 0]), 1, 5, 0, 15)
    assert out.tolist() == [[1, 3, 15], [2, 2, 15], [3, 3, 15]]
    assert len(dilate_spans(spans[:0], np.array([0, 1, 0]), 1, 5, 0, 15)) == 0


@given(pictures)
def test_find_pixels(picture):
    spans = _runs(picture)
    y, x = (a.ravel().astype(np.int32) for a in np.indices(picture.shape))
    found = find_pixels(spans, y, x)
    np.testing.assert_array_equal(found >= 0, picture.ravel())
    inside = found >= 0
    rows = spans[found[inside]]
    assert (rows[:, 0] == y[inside]).all()
    assert ((rows[:, 1] <= x[inside]) & (x[inside] <= rows[:, 2])).all()


def test_bits_of_spans_that_leave_the_mask():
    mask = np.ones((3, 4), np.int32)
    or_bits(mask, np.array([[-1, 0, 3], [1, -5, 1], [2, 3, 9], [3, 0, 3]], np.int32), 4)
    assert mask.tolist() == [[1, 1, 1, 1], [5, 5, 1, 1], [1, 1, 1, 5]]
