"""Readable twins of the cosmic-ray kernels."""

from itertools import chain

import numpy as np
import pytest
from scipy.ndimage import label

from secondlight.kernels.cosmic_rays import (
    find_hit_pixels,
    grow_into_neighbours,
    grow_rays,
    label_rays,
    ray_pixels,
    ray_sums,
)

THRESHOLDS = np.array([0.28, 0.27, 0.22])
BAD, INTERPOLATED, CR = 1, 4, 8
# opposite neighbours (dx, dy) in the order in which they are compared with the PSF, and their threshold
PAIRS = [((0, -1), (0, 1), 1), ((-1, 0), (1, 0), 0), ((-1, -1), (1, 1), 2), ((-1, 1), (1, -1), 2)]


def scene(seed, shape=(24, 22), rays=8):
    rng = np.random.default_rng(seed)
    image = rng.normal(20, 10, shape).astype(np.float32)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image += (3000 * np.exp(-((x - 8.2) ** 2 + (y - 14.6) ** 2) / 5)).astype(np.float32)
    for _ in range(rays):
        x0, y0 = rng.integers(2, shape[1] - 4), rng.integers(2, shape[0] - 4)
        step = rng.integers(0, 2, 2)
        for k in range(rng.integers(1, 4)):
            image[y0 + k * step[0], x0 + k * step[1]] += rng.uniform(80, 900)
    image[3, 4] = np.nan
    mask = rng.choice([0, 0, 0, 0, 0, 0, 0, 0, BAD, INTERPOLATED], shape).astype(np.int32)
    return image, mask, rng.uniform(80, 120, shape).astype(np.float32)


def is_hit(image, variance, x, y, background, min_sigma, c3):
    v = image[y, x]
    if not v >= 0:
        return None
    two = np.float32(2)
    means = [(image[y + a[1], x + a[0]] + image[y + b[1], x + b[0]]) / two for a, b, _ in PAIRS]
    if min_sigma < 0:
        if v < -min_sigma:
            return None
    elif all(float(v) < float(m) + min_sigma * float(np.sqrt(variance[y, x])) for m in means):
        return None
    for (a, b, which), mean in zip(PAIRS, means, strict=True):
        peak = float(v) - background - c3 * float(np.sqrt(variance[y, x]))
        error = float(np.sqrt(variance[y + a[1], x + a[0]] + variance[y + b[1], x + b[0]])) / 2
        if THRESHOLDS[which] * peak > float(mean) - background + c3 * error:
            return np.float32(float(mean) - background) + np.float32(background)
    return None


@pytest.mark.parametrize(("seed", "min_sigma"), [*((seed, 6.0) for seed in range(6)), (1, 0.0), (2, -200.0)])
def test_find_hit_pixels(seed, min_sigma):
    image, mask, variance = scene(seed)
    twin = image.copy()
    expected = []
    for y in range(1, image.shape[0] - 1):
        for x in range(1, image.shape[1] - 1):
            corrected = is_hit(twin, variance, x, y, 20.0, min_sigma, 2.0)
            if (
                corrected is None
                or mask[y, x] & 5
                or (mask[y - 1 : y + 2, x - 1 : x + 2] & INTERPOLATED).any()
            ):
                continue
            expected.append((y * image.shape[1] + x, twin[y, x]))
            twin[y, x] = corrected
    pixels, originals = np.empty(100, np.int64), np.empty(100, np.float32)
    n = find_hit_pixels(
        image, mask, variance, 20.0, THRESHOLDS, min_sigma, 2.0, 5, INTERPOLATED, pixels, originals
    )
    assert n > 0
    assert list(zip(pixels[:n], originals[:n], strict=True)) == expected
    np.testing.assert_array_equal(image, twin)


def test_find_hit_pixels_without_room():
    image, mask, variance = scene(0)
    few = np.empty(2, np.int64)
    assert (
        find_hit_pixels(
            image, mask, variance, 20.0, THRESHOLDS, 6.0, 2.0, BAD, INTERPOLATED, few, np.empty(2, np.float32)
        )
        == 3
    )


@pytest.mark.parametrize("seed", range(8))
def test_label_rays(seed):
    shape = (17, 19)
    there = np.random.default_rng(seed).random(shape) < 0.1 + 0.05 * seed
    pixels = np.flatnonzero(there)
    spans, labels = np.empty((len(pixels), 3), np.int32), np.empty(len(pixels), np.int64)
    n = label_rays(pixels, shape[1], spans, labels)
    mine = np.full(shape, -1)
    for (y, x0, x1), name in zip(spans[:n], labels[:n], strict=True):
        assert (mine[y, x0 : x1 + 1] == -1).all()
        mine[y, x0 : x1 + 1] = name
    np.testing.assert_array_equal(mine >= 0, there)
    expected, n_expected = label(there, np.ones((3, 3)))
    pairs = set(zip(mine[there], expected[there], strict=True))
    assert len(pairs) == n_expected == len(set(labels[:n]))
    assert (labels[:n] < n).all()


def test_label_is_that_of_the_last_link():
    # two spans that meet in a third: the label is the number of the lower one
    pixels = np.flatnonzero(np.array([[1, 0, 1, 0, 1], [0, 1, 0, 0, 0], [0, 0, 0, 0, 1]]))
    spans, labels = np.empty((5, 3), np.int32), np.empty(5, np.int64)
    assert label_rays(pixels, 5, spans, labels) == 5
    assert list(labels) == [3, 3, 2, 3, 4]


def as_rays(sets, width):
    spans, first = [], [0]
    for pixels in sets:
        for y, x in sorted(pixels):
            if len(spans) > first[-1] and spans[-1][0] == y and spans[-1][2] == x - 1:
                spans[-1][2] = x
            else:
                spans.append([y, x, x])
        first.append(len(spans))
    return np.array(spans, np.int32), np.array(first)


RAYS = [{(5, 5), (5, 6), (6, 7)}, {(1, 3)}, {(21, 10), (22, 10)}, {(9, 1), (9, 2), (10, 19), (10, 20)}]


@pytest.mark.parametrize("seed", range(6))
def test_grow_rays(seed):
    image, _, variance = scene(seed, rays=40)
    height, width = image.shape
    spans, first = as_rays(RAYS, width)
    twin = image.copy()
    grown, taken = [], 0
    for ray in RAYS:
        extra = set()
        for y, x0, x1 in as_rays([ray], width)[0]:
            if not 2 <= y < height - 2:
                continue
            left, right = (min(max(x, 2), width - 3) for x in (x0, x1))
            for j in range(y - 1, y + 2):
                for i in range(left - 1, right + 2):
                    corrected = is_hit(twin, variance, i, j, 20.0, 3.0, 0.0)
                    if corrected is not None:
                        twin[j, i] = corrected
                        extra.add((j, i))
        taken += len(extra)
        grown.append(ray | extra)
    expected_spans, expected_first = as_rays(grown, width)
    out, out_first = np.empty((200, 3), np.int32), np.empty(5, np.int64)
    result = grow_rays(image, variance, 20.0, THRESHOLDS, 3.0, spans, first, 10**6, out, out_first)
    assert result == (taken, False)
    assert taken > 0
    np.testing.assert_array_equal(image, twin)
    np.testing.assert_array_equal(out_first, expected_first)
    np.testing.assert_array_equal(out[: out_first[-1]], expected_spans)


def test_grow_rays_stops_when_there_is_no_room():
    image, _, variance = scene(1, rays=40)
    spans, first = as_rays(RAYS, image.shape[1])
    out, out_first = np.empty((200, 3), np.int32), np.empty(5, np.int64)
    assert grow_rays(image, variance, 20.0, THRESHOLDS, 3.0, spans, first, -1, out, out_first)[1]


@pytest.mark.parametrize("seed", range(3))
def test_grow_into_neighbours(seed):
    image, mask, variance = scene(seed, rays=40)
    width = image.shape[1]
    hit = sorted(set().union(*RAYS))
    for y, x in hit:
        mask[y, x] |= CR
    before = image.copy()
    expected = {
        j * width + i
        for y, x in hit
        for j in range(max(y - 1, 1), min(y + 2, 23))
        for i in range(max(x - 1, 1), min(x + 2, 21))
        if not mask[j, i] & (BAD | CR) and is_hit(image, variance, i, j, 20.0, 3.0, 0.0) is not None
    }
    out = np.empty(8 * len(hit), np.int64)
    pixels = np.array([y * width + x for y, x in hit])
    n = grow_into_neighbours(image, mask, variance, 20.0, THRESHOLDS, 3.0, BAD | CR, pixels, out)
    assert set(out[:n]) == expected
    np.testing.assert_array_equal(image, before)


def test_pixels_and_sums():
    image = np.random.default_rng(1).normal(1000, 300, (24, 22)).astype(np.float32)
    spans, first = as_rays(RAYS, 22)
    sums = np.empty(4, np.float32)
    ray_sums(image, 20.0, spans, first, sums)
    for ray, total in zip(RAYS, sums, strict=True):
        expected = np.float32(0)
        for y, x in sorted(ray):
            expected = np.float32(float(expected) + (float(image[y, x]) - 20.0))
        assert total == expected
    lists = [[y * 22 + x for y, x in sorted(ray)] for ray in RAYS]
    out = np.empty(10, np.int64)
    assert ray_pixels(spans, first, 22, False, out) == 10
    assert list(out) == list(chain.from_iterable(lists))
    ray_pixels(spans, first, 22, True, out)
    assert list(out) == list(chain.from_iterable(reversed(lists)))
