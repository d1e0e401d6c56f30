"""Smoothing against a twin that follows the specification's order of sums to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from secondlight.kernels.convolve import or_mask_rows, smooth_rows, smooth_variance_at


def _kernel(size, rng):
    weights = rng.uniform(0.1, 1.0, size)
    return (weights / weights.sum()).astype(np.float32)


def _twin(plane, kernel, power):
    """Sum in float32: taps in order along x, then ring slots in storage order along y."""
    size = len(kernel)
    h, w = plane.shape
    along_x = np.zeros((h, w - size + 1), np.float32)
    for tap in range(size):
        term = plane[:, tap : tap + w - size + 1]
        for _ in range(power):
            term = term * kernel[tap]
        along_x = along_x + term
    out = np.zeros((h - size + 1, w - size + 1), np.float32)
    for y in range(len(out)):
        for row in sorted(range(y, y + size), key=lambda r: r % size):
            term = along_x[row]
            for _ in range(power):
                term = term * kernel[row - y]
            out[y] = out[y] + term
    return out


def _smooth(image, variance, kernel, chunk):
    size = len(kernel)
    shape = (image.shape[0] - size + 1, image.shape[1] - size + 1)
    out_image, out_variance = np.full(shape, -1, np.float32), np.full(shape, -1, np.float32)
    for start in range(0, shape[0], chunk):
        smooth_rows(image, kernel, False, out_image[start : start + chunk], start)
        smooth_rows(variance, kernel, True, out_variance[start : start + chunk], start)
    return out_image, out_variance


@pytest.mark.parametrize("size", [1, 3, 7])
def test_twin(size):
    rng = np.random.default_rng(size)
    image = rng.normal(100, 30, (15, 12)).astype(np.float32)
    variance = rng.uniform(1, 9, (15, 12)).astype(np.float32)
    kernel = _kernel(size, rng)
    out_image, out_variance = _smooth(image, variance, kernel, 100)
    np.testing.assert_array_equal(out_image, _twin(image, kernel, 1))
    np.testing.assert_array_equal(out_variance, _twin(variance, kernel, 2))


def test_chunks_do_not_matter():
    rng = np.random.default_rng(5)
    image = rng.normal(0, 1, (23, 11)).astype(np.float32)
    kernel = _kernel(5, rng)
    whole = _smooth(image, image**2, kernel, 100)
    for chunk in (1, 4, 7):
        for part, expected in zip(_smooth(image, image**2, kernel, chunk), whole, strict=True):
            np.testing.assert_array_equal(part, expected)


@pytest.mark.parametrize("size", [1, 3, 9])
def test_single_pixels_are_those_of_whole_rows(size):
    rng = np.random.default_rng(size)
    variance = rng.uniform(1, 9, (31, 24)).astype(np.float32)
    kernel = _kernel(size, rng)
    whole = _smooth(variance, variance, kernel, 100)[1]
    y, x = (rng.integers(0, n, 50).astype(np.int32) for n in whole.shape)
    out = np.empty(50, np.float32)
    smooth_variance_at(variance, kernel, y, x, out)
    np.testing.assert_array_equal(out, whole[y, x])


def test_nan_spreads_as_far_as_the_kernel():
    image = np.ones((9, 9), np.float32)
    image[4, 4] = np.nan
    kernel = np.full(3, 1 / 3, np.float32)
    out, variance = _smooth(image, np.ones_like(image), kernel, 100)
    expected = np.zeros((7, 7), bool)
    expected[2:5, 2:5] = True
    np.testing.assert_array_equal(np.isnan(out), expected)
    assert np.isfinite(variance).all()


def test_mask_is_that_of_any_pixel_under_the_kernel():
    rng = np.random.default_rng(2)
    mask = (rng.random((12, 14)) < 0.05).astype(np.int32) * 4 | (rng.random((12, 14)) < 0.05).astype(
        np.int32
    ) * 2
    out = np.full((8, 10), -1, np.int32)
    or_mask_rows(mask, 5, 6, out, 0, 3)
    or_mask_rows(mask, 5, 6, out, 3, 8)
    windows = np.lib.stride_tricks.sliding_window_view(mask, (5, 5)).reshape(8, 10, 25)
    np.testing.assert_array_equal(out, np.bitwise_or.reduce(windows, axis=2))
    or_mask_rows(mask, 5, 2, out, 0, 8)
    np.testing.assert_array_equal(out, np.bitwise_or.reduce(windows, axis=2) & 2)
