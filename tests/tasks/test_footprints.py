"""Finding and growing footprints against a twin that works pixel by pixel, as the specification words it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from lsst.images import Box
from scipy import ndimage

from secondlight import threads
from secondlight.kernels.spans import find_runs
from secondlight.model.footprints import span_pixels
from secondlight.model.spans import circle, manhattan
from secondlight.tasks._footprints import Threshold, find_footprints, grow_footprints, sort_peaks

ABOVE_HALF = Threshold(0.5, 0.5, per_pixel=False)
images = st.tuples(st.integers(1, 14), st.integers(1, 18)).flatmap(
    lambda s: arrays(np.float32, s, elements=st.sampled_from([0, 0, 0, 1, 2, 3]))
)


def _find(image, threshold=ABOVE_HALF, **kwargs):
    return find_footprints(image, np.ones_like(image), threshold, **kwargs)


def _pixels(footprint):
    y, x = span_pixels(footprint.spans)
    return set(zip(y.tolist(), x.tolist(), strict=True))


def _peak_list(footprint):
    return [(p["i_x"], p["i_y"], p["peakValue"], p["id"]) for p in footprint.peaks]


def _sorted_peaks(peaks):
    return sorted(peaks, key=lambda p: (-p[2], p[0], p[1]))


@settings(deadline=None)
@given(images)
def test_found_footprints_are_the_components(image):
    labels, n = ndimage.label(image > 0.5, np.ones((3, 3)))
    found = _find(image, x0=100, y0=-50)
    assert len(found) == n
    expected = {
        frozenset((y - 50, x + 100) for y, x in np.argwhere(labels == k + 1).tolist()) for k in range(n)
    }
    assert {frozenset(_pixels(f)) for f in found} == expected
    for f in found:
        assert _peak_list(f) == _sorted_peaks(_peak_list(f))
        assert all((y, x) in _pixels(f) for x, y, _, _ in _peak_list(f))
    ids = np.concatenate([f.peaks["id"] for f in found]) if n else np.empty(0)
    assert sorted(ids) == list(range(1, len(ids) + 1))


@settings(deadline=None)
@given(images, st.integers(1, 4), st.booleans())
def test_growth_is_that_of_pixels(image, radius, isotropic):
    """Dilate one by one into an image of ids, label what is covered, gather the peaks of all ids that were painted there."""
    found = _find(image)
    grown = grow_footprints(found, radius, Box.from_shape(image.shape), isotropic=isotropic)
    half_widths = circle(radius) if isotropic else manhattan(radius)
    stencil = np.abs(np.arange(-radius, radius + 1))[None, :] <= half_widths[:, None]
    painted = []
    for f in found:
        one = np.zeros(image.shape, bool)
        one[tuple(np.array(sorted(_pixels(f))).T)] = True
        painted.append(ndimage.binary_dilation(one, stencil))
    covered = np.any(painted, axis=0) if painted else np.zeros(image.shape, bool)
    expected = _find(covered.astype(np.float32))
    assert len(grown) == len(expected)
    for g, e in zip(grown, expected, strict=True):
        np.testing.assert_array_equal(g.spans, e.spans)
        inside = _pixels(e)
        peaks = [
            p
            for f, mine in zip(found, painted, strict=True)
            if tuple(np.argwhere(mine)[0].tolist()) in inside
            for p in _peak_list(f)
        ]
        assert _peak_list(g) == _sorted_peaks(peaks)


def test_growth_without_merging_may_overlap_and_stays_on_the_image():
    image = np.zeros((9, 12), np.float32)
    image[4, 3] = image[4, 6] = image[0, 11] = 1
    found = _find(image)
    grown = grow_footprints(found, 2, Box.from_shape(image.shape), combined=False)
    assert [f.area for f in grown] == [6, 13, 13]
    assert _pixels(grown[1]) & _pixels(grown[2])
    assert [_peak_list(f) for f in grown] == [_peak_list(f) for f in found]
    merged = grow_footprints(found, 2, Box.from_shape(image.shape))
    assert [len(f.peaks) for f in merged] == [1, 2]


def test_nothing_to_find_or_grow():
    nothing = _find(np.zeros((5, 5), np.float32))
    assert len(nothing) == 0
    assert len(grow_footprints(nothing, 3, Box.factory[0:5, 0:5])) == 0


def test_small_and_faint_components_do_not_count():
    image = np.zeros((9, 20), np.float32)
    image[2, 2] = 9
    image[2, 5:8] = 1
    image[5:7, 12] = 9, 1
    assert len(_find(image)) == 3
    assert [f.area for f in _find(image, min_pixels=2)] == [3, 2]
    assert [f.area for f in _find(image, Threshold(0.5, 5.0, per_pixel=False), min_pixels=2)] == [2]


def test_negative_peaks_are_the_darkest_pixels():
    image = np.zeros((9, 9), np.float32)
    image[3:6, 3:6] = [[-1, -2, -1], [-2, -5, -2], [-1, -2, -1]]
    (f,) = _find(image, Threshold(0.5, 0.5, per_pixel=False, negative=True), x0=10, first_peak_id=7)
    assert _peak_list(f) == [(14, 4, -5.0, 7)]
    assert f.area == 9


def test_threads_do_not_matter():
    rng = np.random.default_rng(3)
    image = ndimage.gaussian_filter(rng.normal(size=(700, 40)), 1.5).astype(np.float32)
    one = _find(image, Threshold(0.1, 0.1, per_pixel=False))
    with threads.use(2):
        two = _find(image, Threshold(0.1, 0.1, per_pixel=False))
    np.testing.assert_array_equal(one.spans, two.spans)
    np.testing.assert_array_equal(one.peaks, two.peaks)
    assert len(one) > 20


def test_peaks_are_sorted_by_value_then_x_then_y():
    peaks = _find(np.ones((4, 4), np.float32))[0].peaks
    assert [(p["i_x"], p["i_y"]) for p in peaks] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    peaks["peakValue"] = [1, 2, 3, 3]
    assert sort_peaks(peaks)["id"].tolist() == peaks["id"][[2, 3, 1, 0]].tolist()


def test_runs_are_those_of_the_whole_image():
    # a guard against chunks that lose a row: the chunk length divides neither the image nor a source
    image = np.ones((513, 3), np.float32)
    (f,) = _find(image)
    assert f.area == 513 * 3
    assert len(find_runs(image, image, np.float32(1), 0.5, False, 0, 513)) == len(f.spans)
