"""Peaks and selection of components against brute force."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from secondlight.kernels.footprints import describe_components, find_peaks
from secondlight.kernels.spans import find_runs, label_runs

# few values, so that plateaus are common
images = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda s: arrays(np.float32, s, elements=st.sampled_from([0, 1, 2, 3, np.nan]))
)


def _peaks(image, pixels, sign):
    h, w = image.shape
    value = sign * image
    out = []
    for y, x in pixels:
        if 0 < y < h - 1 and 0 < x < w - 1 and not (value[y - 1 : y + 2, x - 1 : x + 2] > value[y, x]).any():
            out.append((y, x))
    return out or [max(pixels, key=lambda p: (value[p], -p[0], -p[1]))]


@settings(deadline=None)
@given(images, st.sampled_from([1, -1]))
def test_peaks(image, sign):
    sign32 = np.float32(sign)
    spans = find_runs(image, image, sign32, 0.5 if sign > 0 else -2.5, False, 0, len(image))
    component, count = label_runs(spans)
    order = np.argsort(component, kind="stable")
    offsets = np.searchsorted(component[order], np.arange(count + 1))
    position, peak_offsets = find_peaks(image, sign32, spans[order], offsets)
    for i in range(count):
        pixels = [
            (y, x)
            for y, x0, x1 in spans[order][offsets[i] : offsets[i + 1]].tolist()
            for x in range(x0, x1 + 1)
        ]
        found = [tuple(p) for p in position[peak_offsets[i] : peak_offsets[i + 1]].tolist()]
        assert found == _peaks(image, pixels, sign)


def test_more_peaks_than_expected():
    image = np.ones((40, 40), np.float32)
    position, offsets = find_peaks(
        image, np.float32(1), np.array([[y, 0, 39] for y in range(40)], np.int32), np.array([0, 40])
    )
    assert len(position) == 38 * 38 and offsets.tolist() == [0, 38 * 38]


def test_area_and_brightest_pixel():
    image = np.array([[6, 5, 0, 5, 20]], np.float32)
    variance = np.array([[1, 1, 1, 1, 16]], np.float32)
    spans = np.array([[0, 0, 1], [0, 3, 4]], np.int32)

    def describe(threshold, per_pixel):
        area, reaches = np.zeros(2, np.int64), np.zeros(2, bool)
        describe_components(
            image, variance, np.float32(1), threshold, per_pixel, spans, np.array([0, 1]), area, reaches
        )
        assert area.tolist() == [2, 2]
        return reaches.tolist()

    assert describe(6.0, True) == [True, False]
    assert describe(6.0, False) == [True, True]
    assert describe(20.5, False) == [False, False]
