"""A readable twin of the prediction of pixels from their neighbours."""

import numpy as np
import pytest

from secondlight.kernels.linear_prediction import LINES, OFFSETS, predict_pixels

LEVELS = np.array([0.01, 0.1, 1.0])


def tables(seed):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(3, 4, 64, 6))
    errors = rng.uniform(0.5, 2, (3, 4, 64))
    errors[:, :, rng.random(64) < 0.3] = np.inf
    errors[:, :, :8] = np.inf
    return weights, errors


def predict(image, good, variance, x, y, weights, errors, smallest_below, worst):
    def ok(i, j):
        return 0 <= j < image.shape[0] and 0 <= i < image.shape[1] and good[j, i]

    window = [(i, j) for j in range(y - 3, y + 4) for i in range(x - 3, x + 4) if ok(i, j)]
    ratio = np.inf
    if len(window) >= 5:
        noise = np.mean([variance[j, i] for i, j in window], dtype=float)
        signal = np.var([float(image[j, i]) for i, j in window], ddof=1) - noise
        ratio = noise / signal if signal > 0 else np.inf
    edges = np.sqrt(LEVELS[1:] * LEVELS[:-1])
    level = np.searchsorted(edges, ratio)
    smallest = ratio <= smallest_below
    found = []
    for line, (dx, dy) in enumerate(LINES):
        use = [k for k, o in enumerate(OFFSETS) if ok(x + o * dx, y + o * dy)]
        pattern = sum(1 << k for k in use)
        if np.isfinite(errors[level, line, pattern]):
            places = [(y + OFFSETS[k] * dy, x + OFFSETS[k] * dx) for k in use]
            value = sum(weights[level, line, pattern, k] * image[p] for k, p in zip(use, places, strict=True))
            floor = min(image[p] for p in places) if smallest else -np.inf
            found.append((max(value, floor), errors[level, line, pattern]))
    if not found:
        for half in (3, 6, 12, 24):
            window = [
                image[j, i]
                for j in range(y - half, y + half + 1)
                for i in range(x - half, x + half + 1)
                if ok(i, j)
            ]
            if len(window) >= 5:
                return np.median(window)
        return -99
    if not smallest:
        return np.average([v for v, _ in found], weights=[e**-2 for _, e in found])
    best = min(e for _, e in found)
    return min(v for v, e in found if e <= worst * best)


@pytest.mark.parametrize("smallest_below", [-1.0, 0.05, np.inf])
@pytest.mark.parametrize("spread", [5.0, 40.0])
def test_twin(smallest_below, spread):
    rng = np.random.default_rng(3)
    image = rng.normal(100, spread, (25, 26)).astype(np.float32)
    image[7, 8] = np.nan
    variance = rng.uniform(20, 30, image.shape).astype(np.float32)
    mask = np.where(rng.random(image.shape) < 0.3, 8, 0).astype(np.int32)
    mask[12:19, 10:20] = 8
    good = (mask == 0) & np.isfinite(image)
    weights, errors = tables(1)
    pixels = np.flatnonzero(mask)
    expected, alone = [], 0
    for p in pixels:
        y, x = divmod(int(p), 26)
        expected.append(predict(image, good, variance, x, y, weights, errors, smallest_below, 2.0))
    n = predict_pixels(
        image, mask, variance, 8, pixels, LINES, OFFSETS, LEVELS, weights, errors, smallest_below, 2.0, -99.0
    )
    np.testing.assert_allclose(image.reshape(-1)[pixels], expected, rtol=2e-5)
    assert 0 < n < len(pixels), alone


def test_without_any_good_pixel():
    image = np.ones((9, 9), np.float32)
    mask = np.full((9, 9), 8, np.int32)
    weights, errors = tables(1)
    n = predict_pixels(
        image, mask, image, 8, np.array([40]), LINES, OFFSETS, LEVELS, weights, errors, 0.1, 4.0, 7.0
    )
    assert n == 1
    assert image[4, 4] == 7
