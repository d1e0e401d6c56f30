"""Twins and properties of what divides flux: shares, stray flux, products of templates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.blends import kernel_peaks, regions_of, spans_of
from secondlight.kernels.deblend.apportion import apportion, template_sum
from secondlight.kernels.deblend.overlap import template_products
from secondlight.kernels.deblend.stray import (
    RULE_NEAREST,
    RULE_TO_FOOTPRINT,
    RULE_TO_PEAK,
    nearest_template,
    share_stray_flux,
)
from secondlight.kernels.deblend.templates import Templates

SHAPE = (15, 18)


def packed(pictures, boxes):
    """Templates from pictures in boxes (y, x of the first pixel); all pixels that are not 0 are theirs."""
    values, spans = [], []
    for picture, (y, x) in zip(pictures, boxes, strict=True):
        values.append(picture.astype(np.float32).ravel())
        spans.append(spans_of(picture != 0) + np.array([y, x, x], np.int32))
    return Templates(
        np.concatenate(values),
        np.cumsum([0, *(len(v) for v in values)]),
        np.array([[*b, *p.shape] for p, b in zip(pictures, boxes, strict=True)]),
        np.concatenate(spans),
        np.cumsum([0, *(len(s) for s in spans)]),
    )


def scene(seed, n=3):
    """An image, a footprint with a margin of two pixels, and templates of which some reach beyond it."""
    rng = np.random.default_rng(seed)
    image = rng.normal(2, 2, SHAPE).astype(np.float32)
    picture = np.zeros(SHAPE, bool)
    picture[2:-2, 2:-2] = rng.random((SHAPE[0] - 4, SHAPE[1] - 4)) < 0.9
    pictures, boxes = [], []
    for _ in range(n):
        h, w = rng.integers(3, 9, 2)
        pictures.append(np.maximum(rng.normal(0.3, 1, (h, w)), 0))
        boxes.append((int(rng.integers(0, SHAPE[0] - h + 1)), int(rng.integers(0, SHAPE[1] - w + 1))))
    return image, picture, pictures, boxes


def whole(pictures, boxes):
    out = np.zeros((len(pictures), *SHAPE), np.float32)
    for k, (p, (y, x)) in enumerate(zip(pictures, boxes, strict=True)):
        out[k, y : y + p.shape[0], x : x + p.shape[1]] = p
    return out


def footprint_regions(picture):
    """Regions of the picture's inner part, whose box begins at (2, 2)."""
    return regions_of([picture[2:-2, 2:-2]], 2, 2)


def divided(image, picture, templates, used):
    n = len(used)
    area = np.add.reduceat(
        np.r_[templates.spans[:, 2] - templates.spans[:, 1] + 1, 0], templates.span_start[:-1]
    ) * (np.diff(templates.span_start) > 0)
    start = np.cumsum([0, *area])
    rng = np.random.default_rng(1)
    mask, variance = rng.integers(1, 9, SHAPE).astype(np.int32), rng.random(SHAPE).astype(np.float32) + 1
    out = np.zeros(start[-1], np.float32), np.zeros(start[-1], np.int32), np.zeros(start[-1], np.float32)
    peaks = kernel_peaks([(5, 5)] * n)
    apportion(image, mask, variance, footprint_regions(picture), peaks, templates, used, start, 0, 1, *out)
    planes = np.zeros((3, n, *SHAPE))
    for k in range(n):
        i = start[k]
        for y, x0, x1 in templates.spans[templates.span_start[k] : templates.span_start[k + 1]]:
            for plane, values in zip(planes, out, strict=True):
                plane[k, y, x0 : x1 + 1] = values[i : i + x1 - x0 + 1]
            i += x1 - x0 + 1
    return planes, mask, variance


@given(st.integers(0, 2**20), st.integers(0, 7))
def test_shares(seed, unused):
    image, picture, pictures, boxes = scene(seed)
    used = np.array([unused != k for k in range(3)])
    templates = packed(pictures, boxes)
    (share, share_mask, share_variance), mask, variance = divided(image, picture, templates, used)
    light = whole(pictures, boxes) * used[:, None, None]
    light[:, [0, 1, -2, -1]] = 0  # outside the footprint's box
    light[:, :, [0, 1, -2, -1]] = 0
    total = light[0] + light[1] + light[2]
    region = footprint_regions(picture)
    np.testing.assert_array_equal(template_sum(region.box[0], templates, used, 0, 3), total[2:-2, 2:-2])
    with np.errstate(invalid="ignore"):
        expected = image * (light / total).astype(np.float64)
    np.testing.assert_array_equal(share, np.where(light > 0, expected, 0).astype(np.float32))
    np.testing.assert_array_equal(share_mask, np.where(light > 0, mask, 0))
    np.testing.assert_array_equal(share_variance, np.where(light > 0, variance, 0))
    np.testing.assert_allclose(share.sum(axis=0), np.where(total > 0, image, 0), rtol=1e-5, atol=1e-6)


def test_a_bad_pixel_stays_with_its_owners():
    image, picture, _, _ = scene(1)
    image[7, 8] = np.nan
    pictures = [np.ones((5, 5)), np.ones((5, 5))]
    pictures[0][2, 2] = 0
    templates = packed(pictures, [(5, 6), (5, 6)])
    # the first template has a hole there, within its span
    spans = np.concatenate([spans_of(np.ones((5, 5), bool)) + np.array([5, 6, 6], np.int32)] * 2)
    templates = templates._replace(spans=spans, span_start=np.array([0, 5, 10]))
    (share, *_), _, _ = divided(image, picture, templates, np.array([True, True]))
    assert share[0, 7, 8] == 0 and np.isnan(share[1, 7, 8])
    assert np.isfinite(share[0]).all() and np.isnan(share[1]).sum() == 1


def _weights(rule, templates, takes, peak_y, peak_x, y, x):
    out = np.zeros(len(takes))
    for k in np.flatnonzero(takes):
        spans = templates.spans[templates.span_start[k] : templates.span_start[k + 1]]
        own = np.array([(r, c) for r, a, b in spans for c in range(a, b + 1)]).reshape(-1, 2)
        if rule == RULE_TO_PEAK:
            out[k] = 1 / (1 + (peak_y[k] - y) ** 2 + (peak_x[k] - x) ** 2)
        elif rule == RULE_TO_FOOTPRINT:
            out[k] = 1 / (1 + (((own - [y, x]) ** 2).sum(axis=1).min() if len(own) else 1e12))
        elif len(own):
            out[k] = -np.abs(own - [y, x]).sum(axis=1).min()
        else:
            out[k] = -np.inf
    return out


@given(
    st.integers(0, 2**20),
    st.sampled_from([RULE_TO_PEAK, RULE_TO_FOOTPRINT, RULE_NEAREST]),
    st.sampled_from(["always", "necessary", "never"]),
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.sampled_from([0.001, 0.3]),
)
def test_stray_flux(seed, rule, point_sources, is_psf, clip):
    image, picture, pictures, boxes = scene(seed)
    # templates within the footprint's box, as only ramped ones are not
    boxes = [
        (min(max(y, 2), SHAPE[0] - 2 - p.shape[0]), min(max(x, 2), SHAPE[1] - 2 - p.shape[1]))
        for p, (y, x) in zip(pictures, boxes, strict=True)
    ]
    templates = packed(pictures, boxes)
    region = footprint_regions(picture)
    is_psf, used = np.array(is_psf), np.array([True, seed % 3 > 0, True])
    peak_y, peak_x = (np.array([b[i] + 1 for b in boxes]) for i in (0, 1))
    pixels, values, start = share_stray_flux(
        image,
        region.pixels.reshape(region.box[0, 2:]),
        region.box[0],
        templates,
        used,
        is_psf,
        peak_y,
        peak_x,
        0,
        3,
        rule,
        point_sources == "always",
        point_sources == "necessary",
        clip,
    )
    got = np.zeros((3, *SHAPE))
    for k in range(3):
        y, x = pixels[start[k] : start[k + 1]].T
        got[k, y, x] = values[start[k] : start[k + 1]]
        assert len(set(zip(y.tolist(), x.tolist(), strict=True))) == len(y)
    takes = used & ~is_psf
    if point_sources == "always" or (point_sources == "necessary" and not takes.any()):
        takes = used
    light = whole(pictures, boxes)[used].sum(axis=0)
    for y, x in np.ndindex(SHAPE):
        shares = got[:, y, x]
        if not (picture[y, x] and light[y, x] == 0 and image[y, x] > 0) or not takes.any():
            assert not shares.any()
            continue
        weights = _weights(rule, templates, takes, peak_y, peak_x, y, x)
        if rule == RULE_NEAREST:
            # any of those at equal distance
            (winner,) = np.flatnonzero(shares)
            assert takes[winner] and weights[winner] == weights[takes].max()
            assert shares[winner] == image[y, x]
            continue
        weights[weights < clip * weights.sum()] = 0
        np.testing.assert_allclose(shares, weights / weights.sum() * image[y, x], rtol=1e-6)


def test_no_template_at_all():
    templates = packed([np.zeros((2, 2))], [(4, 4)])
    box = np.array([2, 2, 6, 7])
    assert (nearest_template(box, templates, np.array([True]), 0, 1) == -1).all()


def test_of_overlapping_templates_the_last_is_nearest():
    templates = packed([np.ones((3, 3)), np.ones((3, 3))], [(3, 3), (4, 4)])
    owner = nearest_template(np.array([2, 2, 8, 8]), templates, np.array([True, True]), 0, 2)
    assert owner[1, 1] == 0 and owner[2, 2] == 1 and owner[0, 0] == 0 and owner[7, 7] == 1


@pytest.mark.parametrize("within", [True, False])
def test_products(within):
    image, picture, pictures, boxes = scene(5, n=4)
    pictures[2] *= -1
    image[6, 6:9] = np.nan
    templates = packed(pictures, boxes)
    region = footprint_regions(picture)
    chosen = np.array([0, 2, 3])
    square, data = np.empty((3, 3)), np.empty(3)
    template_products(
        image,
        region.pixels.reshape(region.box[0, 2:]),
        2,
        2,
        templates,
        chosen,
        within,
        square,
        data,
    )
    light = whole(pictures, boxes)[chosen].astype(float)
    counted = picture & np.isfinite(image)
    inside = np.where(counted, light, 0)
    np.testing.assert_allclose(data, (inside * np.where(counted, image, 0)).sum(axis=(1, 2)), rtol=1e-10)
    light = (inside if within else light).reshape(3, -1)
    np.testing.assert_allclose(square, light @ light.T, rtol=1e-10, atol=1e-12)
