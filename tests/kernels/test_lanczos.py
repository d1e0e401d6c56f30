"""The Lanczos shift, against a readable twin and against what it must keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondlight.kernels.lanczos import lanczos_weights, offset_image, offset_images, split_offset_pair


def twin_weights(fraction, order):
    """Weights and the index of the output's own pixel, written from the formula."""
    centre = order if fraction > 0 else order - 1
    u = np.arange(2 * order) - centre + fraction
    weights = np.sinc(u) * np.sinc(u / order)
    return weights / weights.sum(), centre


def twin_shift(image, fx, fy, order):
    kx, cx = twin_weights(fx, order)
    ky, cy = twin_weights(fy, order)
    out = image.copy()
    kernel = np.multiply.outer(ky, kx)
    for j in range(cy, image.shape[0] - (2 * order - 1 - cy)):
        for i in range(cx, image.shape[1] - (2 * order - 1 - cx)):
            out[j, i] = (kernel * image[j - cy : j - cy + 2 * order, i - cx : i - cx + 2 * order]).sum()
    return out


def shift(image, dx, dy, order=5):
    out, work = np.empty_like(image), np.empty_like(image)
    whole = offset_image(image, dx, dy, order, out, work)
    return out, whole


@pytest.mark.parametrize("fx, fy", [(0.3, -0.2), (-0.5, 0.49), (0.0, 0.7), (-0.93, 0.0), (0.0, 0.0)])
@pytest.mark.parametrize("order", [3, 5])
def test_twin(fx, fy, order):
    image = np.random.default_rng(1).normal(size=(17, 15))
    fx, fy = float(np.float32(fx)), float(np.float32(fy))
    out, whole = shift(image, fx, fy, order)
    assert whole == (0, 0)
    np.testing.assert_allclose(out, twin_shift(image, fx, fy, order), rtol=0, atol=1e-14)


def test_single_precision_is_kept():
    image = np.random.default_rng(2).normal(size=(15, 15)).astype(np.float32)
    out, _ = shift(image, 0.3, 0.4)
    assert out.dtype == np.float32
    exact, _ = shift(image.astype(np.float64), 0.3, 0.4)
    assert 0 < np.abs(out - exact).max() < 2e-6


def test_borders_stay():
    image = np.random.default_rng(3).normal(size=(16, 16))
    out, _ = shift(image, 0.3, -0.3)
    changed = out != image
    # a kernel of ten reaches 5 pixels back and 4 forth where the shift is positive
    assert changed[4:11, 5:12].all()
    assert not changed[:4].any() and not changed[11:].any()
    assert not changed[:, :5].any() and not changed[:, 12:].any()


def test_image_smaller_than_kernel_is_copied():
    image = np.random.default_rng(4).normal(size=(9, 20))
    out, _ = shift(image, 0.3, 0.3)
    np.testing.assert_array_equal(out, image)


@settings(max_examples=200)
@given(st.floats(-5000, 5000), st.floats(-5000, 5000))
def test_split(dx, dy):
    ix, iy, fx, fy = split_offset_pair(dx, dy)
    assert ix + fx == np.float32(dx)
    assert iy + fy == np.float32(dy)
    if abs(np.float32(dx)) < 1 and abs(np.float32(dy)) < 1:
        assert (ix, iy) == (0, 0)
    else:
        assert -0.5 <= fx <= 0.5 and -0.5 <= fy <= 0.5


@settings(max_examples=50)
@given(st.floats(-0.99, 0.99), st.integers(2, 9))
def test_weights_keep_a_constant_and_move_the_peak(fraction, order):
    weights = np.empty(2 * order)
    centre = lanczos_weights(fraction, order, weights)
    assert weights.sum() == pytest.approx(1.0, abs=1e-14)
    # the correlation of a line with the weights is the line, moved by the fraction (nearly, for a finite kernel)
    place = (weights * (np.arange(2 * order) - centre)).sum()
    assert place == pytest.approx(-fraction, abs=0.1)


def test_batch_equals_single():
    rng = np.random.default_rng(5)
    images = rng.normal(size=(4, 13, 14)).astype(np.float32)
    dx, dy = rng.uniform(-3, 3, 4), rng.uniform(-3, 3, 4)
    out, whole = np.empty_like(images), np.empty((4, 2), np.int64)
    offset_images(images, dx, dy, 5, out, whole)
    for i in range(4):
        one, shift_of_one = shift(images[i], dx[i], dy[i])
        np.testing.assert_array_equal(out[i], one)
        assert tuple(whole[i]) == shift_of_one
