"""Twin: the whole chain on whole pictures, without windows (spec 06.4.2 to 06.4.6)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from helpers.blends import kernel_peaks, pictures_with_peak, regions_of, spans_of, stars
from helpers.deblend_twins import members, symmetric_values, walked
from secondlight.kernels.deblend.edge import Ramps
from secondlight.kernels.deblend.psf_fit import Stamps
from secondlight.kernels.deblend.templates import (
    KIND_NONE,
    KIND_PATCHED,
    KIND_PSF,
    KIND_SYMMETRIC,
    make_templates,
)


def no_ramps():
    none = np.zeros(0, np.int64)
    empty = regions_of([np.zeros((0, 0), bool)])
    return Ramps(empty, np.array([-1]), np.zeros((0, 3, 3)), none, none, none)


def stamps_of(images, y0, x0):
    return Stamps(np.array(images, float), np.array(x0), np.array(y0), np.ones(len(images), bool))


def made(image, picture, places, kind, *, smooth=True, defects=False, stamps=None, flux=None):
    n = len(places)
    if stamps is None:
        stamps = stamps_of(np.zeros((n, 3, 3)), [0] * n, [0] * n)
    return make_templates(
        image,
        regions_of([picture]),
        kernel_peaks(places),
        np.full(n, kind),
        stamps,
        np.zeros(n) if flux is None else np.asarray(flux, float),
        no_ramps(),
        smooth,
        defects,
        0,
        n,
    )


def unpacked(templates, k, shape):
    """A template in an image of zeros, and its spans."""
    y, x, h, w = templates.box[k]
    out = np.zeros(shape, np.float32)
    out[y : y + h, x : x + w] = templates.values[templates.start[k] : templates.start[k + 1]].reshape(h, w)
    return out, templates.spans[templates.span_start[k] : templates.span_start[k + 1]]


def by_hand(image, picture, cy, cx, *, smooth=True):
    """Template and spans, whole pictures at every step."""
    member, values = symmetric_values(image, picture, cy, cx)
    y, x = np.nonzero(member)
    box = np.s_[y.min() : y.max() + 1, x.min() : x.max() + 1]
    own = values[box].copy()
    if smooth and min(own.shape) >= 5:
        median = ndimage.median_filter(own, 5)
        own[2:-2, 2:-3] = median[2:-2, 2:-3]
    own = walked(own, cy - y.min(), cx - x.min())
    out = np.zeros_like(values)
    out[box] = own
    spans = []
    for row, x0, x1 in spans_of(member):
        lit = np.flatnonzero(out[row, x0 : x1 + 1])
        if len(lit):
            spans.append((row, x0 + lit[0], x0 + lit[-1]))
    return out, np.array(spans, np.int32).reshape(-1, 3), member


@settings(max_examples=40)
@given(pictures_with_peak(20), st.booleans(), st.booleans(), st.integers(0, 2**20))
def test_chain(case, smooth, defects, seed):
    picture, cy, cx = case
    image = np.random.default_rng(seed).normal(1, 1, picture.shape).astype(np.float32)
    result = made(image, picture, [(cx, cy)], KIND_SYMMETRIC, smooth=smooth, defects=defects)
    template, spans = unpacked(result, 0, picture.shape)
    expected, expected_spans, member = by_hand(image, picture, cy, cx, smooth=smooth)
    np.testing.assert_array_equal(spans, expected_spans)
    if len(spans) == 0:
        return
    y, x, h, w = result.box[0]
    cropped = np.zeros_like(expected)
    cropped[y : y + h, x : x + w] = expected[y : y + h, x : x + w]
    if not defects:  # what the median put outside the footprint is nobody's
        cropped[~member] = 0
    np.testing.assert_array_equal(template, cropped)
    assert (spans[:, 0].min(), spans[:, 1].min()) == (y, x)
    assert (spans[:, 0].max() - y + 1, spans[:, 2].max() - x + 1) == (h, w)


@pytest.mark.parametrize("width", [6.0, 60.0])
def test_windows_grow_as_far_as_the_template(width):
    """One that ends near its peak and one that fills the picture equal those of the whole picture."""
    image = stars((121, 95), [(45, 70, 3e4 * width, width), (20, 20, 2e5, 3.0)], noise=1.0)
    picture = np.ones(image.shape, bool)
    picture[:30, 60:] = picture[100:104, 30:50] = False
    result = made(image, picture, [(45, 70)], KIND_SYMMETRIC)
    template, spans = unpacked(result, 0, image.shape)
    expected, expected_spans, member = by_hand(image, picture, 70, 45)
    np.testing.assert_array_equal(template, np.where(member, expected, 0))
    np.testing.assert_array_equal(spans, expected_spans)
    assert (result.box[0, 2] < 60) == (width < 10)


def test_pixels_without_mirror_image():
    image = stars((20, 30), [(4, 9, 4000, 3.0)], noise=0)
    image[3, 20] = -50
    picture = np.ones(image.shape, bool)
    clipped, _ = unpacked(made(image, picture, [(4, 9)], KIND_SYMMETRIC, smooth=False), 0, image.shape)
    patched, _ = unpacked(made(image, picture, [(4, 9)], KIND_PATCHED, smooth=False), 0, image.shape)
    literal, _ = unpacked(
        made(image, picture, [(4, 9)], KIND_PATCHED, smooth=False, defects=True), 0, image.shape
    )
    one_sided = members(picture, 9, 4, True) & ~members(picture, 9, 4)
    assert clipped[one_sided].max() == 0
    assert patched[one_sided].max() > 0.1 * patched.max() * np.exp(-0.5 * (5 / 3.0) ** 2)
    assert patched[3, 20] == 0 and literal[3, 20] == -50


def test_point_sources():
    image = np.zeros((12, 14), np.float32)
    rng = np.random.default_rng(8)
    picture = rng.random(image.shape) < 0.8
    psf = rng.normal(size=(5, 7))
    psf[2, 0] = 0
    result = made(
        image,
        picture,
        [(6, 5), (1, 1)],
        KIND_PSF,
        stamps=stamps_of([psf, psf], [3, -2], [3, -4]),
        flux=[10.0, -3.0],
    )
    for k, (y0, x0, flux) in enumerate([(3, 3, 10.0), (-2, -4, -3.0)]):
        expected = np.zeros((40, 40), np.float32)
        expected[y0 + 10 : y0 + 15, x0 + 10 : x0 + 17] = psf * flux
        expected = np.where(picture, expected[10:22, 10:24], 0)
        template, spans = unpacked(result, k, image.shape)
        np.testing.assert_array_equal(template, expected)
        painted = np.zeros(image.shape, bool)
        for y, a, b in spans:
            assert expected[y, a] != 0 and expected[y, b] != 0
            painted[y, a : b + 1] = True
        np.testing.assert_array_equal(painted & (expected != 0), expected != 0)
        assert not (painted & ~picture).any()


def test_peaks_without_template():
    image = np.full((9, 9), -1, np.float32)
    picture = np.ones((9, 9), bool)
    for kind in (KIND_NONE, KIND_SYMMETRIC):
        result = made(image, picture, [(4, 4), (5, 5)], kind)
        assert result.start.tolist() == [0, 0, 0] and result.span_start.tolist() == [0, 0, 0]
