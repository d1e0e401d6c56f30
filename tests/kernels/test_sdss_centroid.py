"""Kernel and readable twin agree; properties of the centroid."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from secondlight.kernels import sdss_centroid as k
from secondlight.kernels.pixels import Pixels

SIZE = 96


def stars(x, y, flux=1e4, sx=1.8, sy=1.8, size=SIZE, noise=0.0, seed=0):
    gy, gx = np.mgrid[:size, :size].astype(float)
    image = flux / (2 * math.pi * sx * sy) * np.exp(-0.5 * (((gx - x) / sx) ** 2 + ((gy - y) / sy) ** 2))
    image += np.random.default_rng(seed).normal(0.0, noise, image.shape) if noise else 0.0
    variance = np.full((size, size), max(noise, 0.1) ** 2, np.float32)
    return Pixels(image.astype(np.float32), np.zeros((size, size), np.int32), variance)


def run(
    pixels,
    px,
    py,
    kernel=None,
    sigma=1.8,
    bin_max=16,
    peak_min=-1.0,
    wfac=1.5,
    check=False,
    limit=1.0,
    spans=None,
    negative=False,
):
    kernel = k.gaussian_kernel(13, sigma) if kernel is None else kernel
    spans = np.zeros((0, 3), np.int32) if spans is None else np.array(spans, np.int32)
    x, y, xe, ye, flags = (
        np.empty(1),
        np.empty(1),
        np.empty(1, np.float32),
        np.empty(1, np.float32),
        np.empty(1, np.int32),
    )
    k.sdss_centroids(
        pixels, np.array([0, len(spans)]), spans, 0, 0, np.array([px], float), np.array([py], float),
        kernel[None], np.array([sigma]), bin_max, peak_min, wfac, check, limit, np.array([negative]), x, y, xe, ye, flags,
    )  # fmt: skip
    return x[0], y[0], float(xe[0]), float(ye[0]), int(flags[0])


def twin(pixels, px, py, kernel, sigma, bin_max=16, wfac=1.5):
    """The algorithm in float64 and in terms of whole arrays, from spec 07b; no flags but 'edge' and 'bad'."""
    ix, iy = int(px + 0.5), int(py + 0.5)
    bx = by = 1
    for size in [2**i for i in range(20) if 2**i <= bin_max]:
        h, w = kernel.shape
        half_w, half_h = 2 + w // 2, 2 + h // 2
        x0, y0 = ix - bx * half_w, iy - by * half_h
        if x0 < 0 or y0 < 0 or x0 + bx * (w + 4) > SIZE or y0 + by * (h + 4) > SIZE:
            return "edge"
        box = np.s_[y0 : y0 + by * (h + 4), x0 : x0 + bx * (w + 4)]
        shape = (h + 4, by, w + 4, bx)
        image = pixels.image[box].astype(float).reshape(shape).mean((1, 3))
        variance = pixels.variance[box].astype(float).reshape(shape).sum((1, 3)) / (bx * by) ** 2
        kn = kernel / kernel.sum()
        windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)[1:4, 1:4]
        v = (windows * kn).sum((2, 3))
        var = (np.lib.stride_tricks.sliding_window_view(variance, kernel.shape)[1:4, 1:4] * kn**2).sum((2, 3))
        var *= bx * by * 4 * math.pi * sigma**2
        d2x, d2y = 2 * v[1, 1] - v[1, 0] - v[1, 2], 2 * v[1, 1] - v[0, 1] - v[2, 1]
        sx, sy = (v[1, 2] - v[1, 0]) / 2, (v[2, 1] - v[0, 1]) / 2
        if d2x <= 0 or d2y <= 0 or abs(sx / d2x) > 10 or abs(sy / d2y) > 10:
            return "bad"
        dx0, dy0 = sx / d2x, sy / d2y
        peak = v[1, 1] + 0.5 * (sx * dx0 + sy * dy0)

        def quartic(a, b, c):
            d2, s = 2 * b - a - c, 0.5 * (c - a)
            if d2 <= 0 or b <= 0:
                return None
            m = s / d2 * (1 + 1.33 * (b - c) * (b - a) / (d2 * b))
            return m if abs(m) < 1 else None

        rows, columns = [quartic(*v[j]) for j in range(3)], [quartic(*v[:, i]) for i in range(3)]
        if None in rows + columns:
            x, y, x2, y2, quart = dx0, dy0, peak / d2x, peak / d2y, 0.0
        else:

            def along(m, t):
                return m[1] + t * (0.5 * (m[2] - m[0]) - t * (m[1] - 0.5 * (m[0] + m[2])))

            dx, dy = along(rows, dy0), along(columns, dx0)
            x, y = along(rows, dy), along(columns, dx)
            x2, y2 = peak / d2x - (1 + 6 * dx0**2) / 4, peak / d2y - (1 + 6 * dy0**2) / 4
            quart = 1.33
        s2 = sigma**2
        tx, ty = max(x2 - s2, s2), max(y2 - s2, s2)
        sky = (var.sum() - var[1, 1]) / 8

        def error(s, d, source=var[1, 1], sky=sky, peak=peak, quart=quart, s2=s2):
            e = lambda f: math.exp(-1 / (f * s2))  # noqa: E731
            vs = sky / (8 * math.pi * s2) * (1 - e(1)) + source / (12 * math.pi * s2) * (e(3) - e(1))
            vd = sky / (2 * math.pi * s2) * (3 - 4 * e(4) + e(1)) + source / (3 * math.pi * s2) * (
                2 - 3 * e(3) + e(1)
            )
            a = 1 / d + quart / (4 * peak) * (1 - 12 * s**2 / d**2)
            b = s / d**2 - quart / (4 * peak) * 8 * s**2 / d**3
            return math.sqrt(vs * a**2 + vd * b**2)

        xe, ye = error(sx, d2x), error(sy, d2y)
        if size > 1:
            x, y, xe, ye = (x + 0.5) * bx - 0.5, (y + 0.5) * by - 0.5, xe * bx, ye * by
            tx, ty = tx * bx**2, ty * by**2
        fx, fy = wfac * (1 + s2) * bx**2, wfac * (1 + s2) * by**2
        wide_x, wide_y = tx >= fx or x**2 >= fx, ty >= fy or y**2 >= fy
        if not (wide_x or wide_y):
            break
        bx, by = bx * (1 + wide_x), by * (1 + wide_y)
    return ix + x, iy + y, xe, ye


@given(
    dx=st.floats(-0.49, 0.49),
    dy=st.floats(-0.49, 0.49),
    flux=st.floats(2e2, 1e6),
    sx=st.floats(1.0, 6.0),
    sy=st.floats(1.0, 6.0),
    noise=st.sampled_from([0.0, 1.0]),
    seed=st.integers(0, 1000),
)
@example(dx=0.2, dy=-0.3, flux=1e5, sx=2.0, sy=6.0, noise=0.0, seed=0)  # binned in one direction only
@settings(max_examples=60)
def test_twin(dx, dy, flux, sx, sy, noise, seed):
    """Twin: the kernel equals the plain version up to its rounding to float32."""
    pixels = stars(48 + dx, 48 + dy, flux, sx, sy, noise=noise, seed=seed)
    expected = twin(pixels, 48, 48, k.gaussian_kernel(13, 1.8), 1.8)
    x, y, xe, ye, flags = run(pixels, 48, 48, limit=-1.0)
    if expected == "bad":
        assert flags & (k.NOT_AT_MAXIMUM | k.NO_SECOND_DERIVATIVE)
    elif expected == "edge":
        assert flags & (k.NEAR_EDGE | k.EDGE)
    else:
        assert flags == 0
        # positions of flat tops lose digits in float32: compare with the errors, too
        np.testing.assert_allclose((x, y), expected[:2], rtol=0, atol=2e-4 + 1e-3 * max(expected[2:]))
        np.testing.assert_allclose((xe, ye), expected[2:], rtol=2e-3)


@given(x=st.floats(40, 56), y=st.floats(40, 56), sigma=st.floats(1.2, 3.0))
@settings(max_examples=40)
def test_gaussian_star_is_centred(x, y, sigma):
    """Property: a noiseless star of the PSF's own shape is found to 2 % of a pixel, wherever it lies in its pixel."""
    pixels = stars(x, y, sx=sigma, sy=sigma)
    kernel = k.gaussian_kernel(2 * math.ceil(5 * sigma) + 1, sigma)
    cx, cy, _, _, flags = run(pixels, math.floor(x + 0.5), math.floor(y + 0.5), kernel, sigma)
    assert flags == 0
    assert math.hypot(cx - x, cy - y) < 0.02


def test_pull():
    """Property: errors tell the scatter of noisy stars; the method's own formula exaggerates them by a fifth."""
    rng = np.random.default_rng(5)
    pulls = []
    for i in range(150):
        x, y = 48 + rng.uniform(-0.5, 0.5, 2)
        pixels = stars(x, y, flux=3e3, noise=5.0, seed=i)
        cx, cy, xe, ye, flags = run(pixels, math.floor(x + 0.5), math.floor(y + 0.5))
        assert flags == 0
        pulls += [(cx - x) / xe, (cy - y) / ye]
    assert abs(np.mean(pulls)) < 0.15
    assert np.std(pulls) == pytest.approx(0.82, abs=0.1)


def test_wide_object_is_binned():
    """Objects of 5 pixels sigma are found better when bins may grow."""
    off = {1: [], 16: []}
    for seed in range(30):
        pixels = stars(48.3, 47.8, flux=2e4, sx=5.0, sy=5.0, noise=4.0, seed=seed)
        for bin_max, distances in off.items():
            x, y, _, _, flags = run(pixels, 48, 48, bin_max=bin_max, limit=-1.0)
            assert flags == 0
            distances.append((x - 48.3) ** 2 + (y - 47.8) ** 2)
    assert np.mean(off[16]) < 0.5 * np.mean(off[1])


def test_near_edge_and_edge():
    """Where the PSF does not fit, a small one is used; where that does not fit, the peak stays."""
    x, y, _, _, flags = run(stars(6.2, 40.1), 6, 40)
    assert flags == k.NEAR_EDGE | k.FAILURE
    assert math.hypot(x - 6.2, y - 40.1) < 0.05
    x, y, xe, _, flags = run(stars(2.0, 40.0), 2, 40)
    assert (x, y, flags) == (2.0, 40.0, k.EDGE | k.FAILURE)
    assert math.isnan(xe)
    assert run(stars(40.0, 40.0), 200, 40)[4] == k.EDGE | k.FAILURE


def test_not_at_maximum():
    """A hole, and a flat image, have no maximum."""
    hole = stars(48.0, 48.0)
    hole = hole._replace(image=-hole.image)
    x, y, xe, _, flags = run(hole, 48, 48)
    assert (x, y, flags) == (48.0, 48.0, k.NOT_AT_MAXIMUM | k.FAILURE)
    assert math.isnan(xe)
    flat = stars(48.0, 48.0, flux=0.0)
    assert run(flat, 48, 48)[4] == k.NO_SECOND_DERIVATIVE | k.FAILURE


def test_reset_to_peak():
    """A centroid that leaves the footprint, or strays farther than allowed, is replaced by the peak; errors stay."""
    pixels = stars(48.9, 48.0)
    spans = [(48, 40, 48)]
    x, _, xe, _, flags = run(pixels, 48, 48, check=True, spans=spans)
    assert (x, flags) == (48.0, k.RESET_TO_PEAK | k.FAILURE)
    assert xe > 0
    assert run(pixels, 48, 48, check=True, spans=[(48, 40, 49)])[4] == 0
    assert run(pixels, 48, 48, limit=0.5)[4] == k.RESET_TO_PEAK | k.FAILURE
    assert run(pixels, 48, 48, limit=-1.0)[4] == 0


def test_nan_pixels_and_variance():
    """NaN in the image leaves the peak; NaN in the variance is told as a bad error."""
    pixels = stars(48.2, 48.0)
    image = pixels.image.copy()
    image[48, 50] = np.nan
    x, y, _, _, flags = run(pixels._replace(image=image), 48, 48)
    assert (x, y) == (48.0, 48.0)
    assert flags == k.RESET_TO_PEAK | k.BAD_ERROR | k.FAILURE
    variance = np.full_like(pixels.variance, np.nan)
    x, _, xe, _, flags = run(pixels._replace(variance=variance), 48, 48)
    assert math.isnan(xe)
    assert flags == k.BAD_ERROR | k.FAILURE
    assert x == pytest.approx(48.2, abs=0.02)


def test_peak_min():
    """A peak below the limit is not good enough unbinned: the loop goes on, and the last answer counts."""
    pixels = stars(48.2, 48.0)
    assert run(pixels, 48, 48, peak_min=1e9)[:2] == pytest.approx(run(pixels, 48, 48)[:2])


def test_invalid_psf():
    """Without a PSF width there is no measurement."""
    assert run(stars(48.0, 48.0), 48, 48, sigma=math.nan, kernel=k.gaussian_kernel(13, 1.8))[4] == k.FAILURE


def test_holes():
    """The minimum of a hole is where the maximum of a star is; its error differs in the quartic term."""
    star = stars(48.2, 47.7, noise=1.0)
    hole = star._replace(image=-star.image)
    x, y, xe, ye, flags = run(star, 48, 48)
    hx, hy, hxe, hye, hole_flags = run(hole, 48, 48, negative=True)
    assert flags == hole_flags == 0
    assert (x, y) == (hx, hy)
    assert (hxe, hye) == pytest.approx((xe, ye), rel=0.02)
    assert run(star, 48, 48, negative=True)[-1] & k.NOT_AT_MAXIMUM
    assert run(hole, 48, 48)[-1] & k.NOT_AT_MAXIMUM
