"""HSM moments, against readable twins, against GalSim, and on Gaussians whose moments are known."""

import math
import time

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondlight.kernels.hsm_moments import (
    HSM_DIVERGED,
    HSM_EMPTY,
    HSM_NOT_CONVERGED,
    HSM_OK,
    HSM_SINGULAR,
    elliptical_moments,
    hsm_source_moments,
    hsm_stack_moments,
)
from secondlight.kernels.hsm_round import round_moments
from secondlight.kernels.hsm_slow_sums import slow_weighted_sums
from secondlight.kernels.hsm_sums import panels_of, weighted_sums, workspace
from secondlight.kernels.pixels import Pixels


def gaussian(shape, x, y, xx, yy, xy, flux=1000.0):
    dy, dx = np.mgrid[: shape[0], : shape[1]] - np.array([y, x])[:, None, None]
    p = np.linalg.inv([[xx, xy], [xy, yy]])
    rho2 = dx * dx * p[0, 0] + 2 * dx * dy * p[0, 1] + dy * dy * p[1, 1]
    return flux / (2 * math.pi * math.sqrt(xx * yy - xy * xy)) * np.exp(-0.5 * rho2)


def elliptical(image, x, y, sigma, good=None):
    out = np.full(8, np.nan)
    good = np.ones(image.shape, bool) if good is None else good
    # uncompiled, NumPy warns of what the kernel reports by its status
    with np.errstate(all="ignore"):
        return elliptical_moments(image.copy(), good, 1, 1, x, y, sigma**2, 0.0, sigma**2, True, out), out


def round_(image, x, y, sigma, good=None):
    out = np.full(7, np.nan)
    good = np.ones(image.shape, bool) if good is None else good
    with np.errstate(all="ignore"):
        return round_moments(image.copy(), good, x, y, sigma, out), out


def elliptical_twin(image, x, y, sigma):
    """The iteration with whole arrays and matrices; returns x, y, M, A, rho4, iterations."""
    M = sigma**2 * np.eye(2)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    iterations, change, scale0 = 0, 1.0, None
    while change > 1e-6:
        d = np.stack([columns - x, rows - y])
        rho2 = np.einsum("iyx,ij,jyx->yx", d, np.linalg.inv(M), d)
        f = np.where(rho2 <= -2 * math.log(1e-7), np.exp(-0.5 * rho2), 0.0) * image
        A = f.sum()
        B = (f * d).sum(axis=(1, 2))
        C = np.einsum("yx,iyx,jyx->ij", f, d, d)
        rho4 = (f * rho2**2).sum() / A
        scale2 = np.linalg.eigvalsh(M)[0]
        scale = math.sqrt(scale2)
        scale0 = scale if scale0 is None else scale0
        shift = np.clip(2 * B / (A * scale), -0.25, 0.25)
        growth = np.clip(4 * (C / A - 0.5 * M) / scale2, -0.25, 0.25)
        change = max(np.abs(shift).max(), np.abs(growth).max()) * max(1.0, scale0 / scale)
        x, y = x + shift[0] * scale, y + shift[1] * scale
        M = M + growth * scale2
        iterations += 1
    return x, y, M, A, rho4, iterations


def round_twin(image, x, y, sigma):
    """The iteration with whole matrices of oscillator functions; returns x, y, sigma, e1, e2, m00, iterations."""

    def psi(n, centre):
        t = (np.arange(n) - centre) / sigma
        p = np.exp(-0.5 * t * t) / math.sqrt(math.sqrt(math.pi) * sigma)
        return np.stack([p, math.sqrt(2) * t * p, (2 * t * t - 1) * p / math.sqrt(2)])

    sigma0, iterations, change = sigma, 0, 1.0
    while change > 1e-6:
        m = psi(image.shape[0], y) @ image @ psi(image.shape[1], x).T
        step = np.array([math.sqrt(2) * m[0, 1], math.sqrt(2) * m[1, 0], (m[0, 2] + m[2, 0]) / math.sqrt(2)])
        step = np.clip(step / m[0, 0], -0.25, 0.25)
        change = np.abs(step).max() * max(1.0, sigma0 / sigma)
        x, y, sigma = x + step[0] * sigma, y + step[1] * sigma, sigma + step[2] * sigma
        iterations += 1
    m = psi(image.shape[0], y) @ image @ psi(image.shape[1], x).T
    return x, y, sigma, (m[0, 2] - m[2, 0]) / (math.sqrt(2) * m[0, 0]), m[1, 1] / m[0, 0], m[0, 0], iterations


def shapes():
    return st.tuples(st.floats(1.4, 3.0), st.floats(0.6, 1.0), st.floats(0, math.pi)).map(
        lambda p: (
            (p[0] * math.cos(p[2])) ** 2 + (p[0] * p[1] * math.sin(p[2])) ** 2,
            (p[0] * math.sin(p[2])) ** 2 + (p[0] * p[1] * math.cos(p[2])) ** 2,
            p[0] ** 2 * (1 - p[1] ** 2) * math.cos(p[2]) * math.sin(p[2]),
        )
    )


@settings(max_examples=6)
@given(shapes(), st.floats(-1, 1), st.floats(2.0, 4.0), st.integers(0, 2**31))
def test_elliptical_twin(shape, shift, sigma, seed):
    image = gaussian((23, 25), 12 + shift, 11 - shift, *shape)
    image += np.random.default_rng(seed).normal(0, 0.3, image.shape)
    status, out = elliptical(image, 12, 11, sigma)
    x, y, M, A, rho4, iterations = elliptical_twin(image, 12, 11, sigma)
    assert status == HSM_OK
    np.testing.assert_allclose(out[:7], [x, y, M[0, 0], M[0, 1], M[1, 1], A, rho4], rtol=1e-10, atol=1e-10)
    assert out[7] == iterations


@settings(max_examples=6)
@given(shapes(), st.floats(-1, 1), st.floats(2.0, 4.0), st.integers(0, 2**31))
def test_round_twin(shape, shift, sigma, seed):
    image = gaussian((23, 25), 12 + shift, 11 - shift, *shape)
    image += np.random.default_rng(seed).normal(0, 0.3, image.shape)
    status, out = round_(image, 12, 11, sigma)
    x, y, width, e1, e2, m00, iterations = round_twin(image, 12, 11, sigma)
    assert status == HSM_OK
    np.testing.assert_allclose(out[:5], [x, y, width, e1, e2], rtol=1e-10, atol=1e-10)
    assert out[5] == iterations
    assert out[6] == pytest.approx(2 * math.sqrt(math.pi) * width * m00, rel=1e-10)


@pytest.mark.parametrize("xx, yy, xy", [(4.0, 4.0, 0.0), (5.0, 3.0, 1.0), (3.0, 6.0, -1.5)])
def test_gaussian_is_measured_exactly(xx, yy, xy):
    image = gaussian((41, 43), 21.3, 19.8, xx, yy, xy)
    status, out = elliptical(image, 21, 20, 3.0)
    assert status == HSM_OK
    # a Gaussian under its own weight: rho4 is 2, A half the flux
    np.testing.assert_allclose(out[:7], [21.3, 19.8, xx, xy, yy, 500.0, 2.0], rtol=1e-5, atol=1e-9)


def test_round_gaussian_is_measured_exactly():
    status, out = round_(gaussian((41, 43), 21.3, 19.8, 4.0, 4.0, 0.0), 21, 20, 3.0)
    assert status == HSM_OK
    np.testing.assert_allclose(out[:5], [21.3, 19.8, 2.0, 0.0, 0.0], rtol=1e-6, atol=1e-6)
    assert out[6] == pytest.approx(1000.0, rel=1e-6)


def test_bad_pixels_count_as_zero():
    image = gaussian((31, 31), 15, 15, 4, 4, 0)
    good = np.ones(image.shape, bool)
    good[14, 17:20] = False
    spoilt = image.copy()
    spoilt[~good] = math.nan
    zeroed = np.where(good, image, 0.0)
    for measure in (elliptical, round_):
        np.testing.assert_array_equal(measure(spoilt, 15, 15, 2.5, good)[1], measure(zeroed, 15, 15, 2.5)[1])


@pytest.mark.parametrize("measure", [elliptical, round_])
def test_nothing_left(measure):
    image = np.zeros((20, 20))
    assert measure(image, 10, 10, 2.0)[0] == HSM_EMPTY
    image[5, 5] = 1.0
    good = np.zeros(image.shape, bool)
    good[10:, 10:] = True
    assert measure(image, 10, 10, 2.0, good)[0] == HSM_EMPTY


def test_failures():
    image = gaussian((31, 31), 15, 15, 4, 4, 0)
    # the weight does not reach a row that has light
    assert elliptical(image, 15, 60, 2.0)[0] == HSM_EMPTY
    spoilt = image.copy()
    spoilt[15, 15] = math.nan
    assert elliptical(spoilt, 15, 15, 2.0)[0] == HSM_NOT_CONVERGED
    assert round_(spoilt, 15, 15, 2.0)[0] == HSM_NOT_CONVERGED
    assert elliptical(image, 15, 15, math.nan)[0] == HSM_SINGULAR
    # wider than any object
    assert elliptical(image, 15, 15, 200.0)[0] == HSM_DIVERGED
    # a wall in the direction of which the centre runs away
    slope = np.exp(np.arange(101) / 4.0)[None, :] * np.ones((101, 1))
    assert elliptical(slope, 50, 50, 3.0)[0] == HSM_DIVERGED


def stamps(n, rng, galsim):
    """Noisy galaxies with bad pixels, as GalSim draws them."""
    for _ in range(n):
        h, w = (int(v) for v in rng.integers(25, 50, 2))
        dx, dy = rng.uniform(-1.5, 1.5, 2)
        size = rng.uniform(1.5, 3.5)
        galaxy = galsim.Exponential(half_light_radius=size).shear(
            g1=rng.uniform(-0.4, 0.4), g2=rng.uniform(-0.4, 0.4)
        )
        image = galsim.ImageD(w, h)
        galsim.Convolve(galaxy, galsim.Gaussian(sigma=1.5)).shift(dx, dy).withFlux(
            10 ** rng.uniform(2, 4.5)
        ).drawImage(image, scale=1.0)
        image.array[:] += rng.normal(0, rng.choice([0.3, 1.0, 4.0]), (h, w))
        yield image, rng.random((h, w)) > 0.02, image.true_center.x + dx, image.true_center.y + dy


def test_galsim():
    """1,000 stamps, each with both weights: equal to 1e-6 of the size, and the same stamps fail."""
    galsim = pytest.importorskip("galsim")
    rng = np.random.default_rng(7)
    ours_time = theirs_time = 0.0
    measured = 0
    n = 4 if numba.config.DISABLE_JIT else 500
    for measure in (elliptical, round_):  # compile before the clock runs
        measure(gaussian((9, 9), 4, 4, 2, 2, 0), 4, 4, 1.0)
    for image, good, x, y in stamps(n, rng, galsim):
        weight = galsim.ImageI(good.astype(np.int32))
        guess = rng.uniform(2, 6)
        for is_round in (False, True):
            begin = time.thread_time()
            found = galsim.hsm.FindAdaptiveMom(
                image,
                weight=weight,
                guess_sig=guess,
                precision=1e-6,
                guess_centroid=galsim.PositionD(x, y),
                round_moments=is_round,
                strict=False,
            )
            theirs_time += time.thread_time() - begin
            measure = round_ if is_round else elliptical
            begin = time.thread_time()
            # GalSim's first pixel is (1, 1)
            status, out = measure(image.array, x - 1, y - 1, guess, good)
            ours_time += time.thread_time() - begin
            assert (status == HSM_OK) == (found.error_message == "")
            if status != HSM_OK:
                continue
            measured += 1
            if is_round:
                width, e1, e2, iterations, flux = out[2], out[3], out[4], out[5], out[6]
            else:
                xx, xy, yy = out[2:5]
                width = (xx * yy - xy * xy) ** 0.25
                e1, e2, iterations, flux = (xx - yy) / (xx + yy), 2 * xy / (xx + yy), out[7], 2 * out[5]
                assert out[6] == pytest.approx(found.moments_rho4, rel=1e-6)
            assert iterations == found.moments_n_iter
            assert flux == pytest.approx(found.moments_amp, rel=1e-6)
            np.testing.assert_allclose(
                [out[0] + 1, out[1] + 1, width, e1, e2],
                [
                    found.moments_centroid.x,
                    found.moments_centroid.y,
                    found.moments_sigma,
                    found.observed_shape.e1,
                    found.observed_shape.e2,
                ],
                rtol=0,
                atol=1e-6 * max(1.0, width),
            )
    assert measured > 1.8 * n
    each = 1e6 / (2 * n)
    print(f"{measured} measured; each: GalSim {theirs_time * each:.0f} us, here {ours_time * each:.0f} us")


def test_sources_are_measured_in_their_boxes():
    rng = np.random.default_rng(3)
    image = np.zeros((60, 80))
    x, y = np.array([20.2, 60.4]), np.array([30.1, 22.7])
    for cx, cy in zip(x, y, strict=True):
        image += gaussian(image.shape, cx, cy, 3.0, 4.0, 0.5)
    image += rng.normal(0, 0.1, image.shape)
    image = image.astype(np.float32)
    mask = np.zeros(image.shape, np.int32)
    mask[30, 22] = 6
    mask[22, 60] = 8
    boxes = np.array([[20, 41, 8, 33], [12, 34, 50, 71]])
    for is_round in (False, True):
        out, status = np.full((2, 6), np.nan), np.full(2, -1)
        hsm_source_moments(
            Pixels.of(image, mask, image),
            np.arange(2),
            4,
            boxes,
            x,
            y,
            np.full(2, 3.0),
            is_round,
            out,
            status,
        )
        assert (status == HSM_OK).all()
        for k, (i0, i1, j0, j1) in enumerate(boxes):
            stamp = image[i0:i1, j0:j1].astype(float)
            good = mask[i0:i1, j0:j1] & 4 == 0
            if is_round:
                _, one = round_(stamp, x[k] - j0, y[k] - i0, 3.0, good)
                moments = [*single_precision(*one[2:5]), one[6]]
            else:
                _, one = elliptical(stamp, x[k] - j0, y[k] - i0, 3.0, good)
                moments = [*single_precision(*distortion(*one[2:5])), 2 * one[5]]
            np.testing.assert_allclose(out[k], [one[0] + j0, one[1] + i0, *moments], rtol=1e-14)


def distortion(xx, xy, yy):
    """Size and distortion of moments."""
    return (xx * yy - xy * xy) ** 0.25, (xx - yy) / (xx + yy), 2 * xy / (xx + yy)


def single_precision(width, e1, e2):
    """Moments of a size and a distortion that have been handed on as GalSim does."""
    width, e1, e2 = (float(np.float32(v)) for v in (width, e1, e2))
    factor = width**2 / math.sqrt(1 - e1**2 - e2**2)
    return factor * (1 + e1), factor * (1 - e1), factor * e2


def test_stack_equals_single():
    images = np.stack([gaussian((21, 23), 11, 10, a, 5 - a, 0.3) for a in (2.0, 2.5, 3.0)])
    before = images.copy()
    out, status = np.full((3, 6), np.nan), np.full(3, -1)
    hsm_stack_moments(images, np.full(3, 11.0), np.full(3, 10.0), np.full(3, 2.0), False, out, status)
    np.testing.assert_array_equal(images, before)
    for k in range(3):
        one_status, one = elliptical(images[k], 11.0, 10.0, 2.0)
        assert status[k] == one_status
        moments = single_precision(*distortion(*one[2:5]))
        np.testing.assert_allclose(out[k], [one[0], one[1], *moments, 2 * one[5]], rtol=1e-14)
        np.testing.assert_allclose(moments, one[[2, 4, 3]], rtol=1e-6)


def test_slow_sums_are_the_fast_ones():
    rng = np.random.default_rng(5)
    stamp = rng.normal(size=(40, 50)) + gaussian((40, 50), 25.0, 18.0, 9.0, 4.0, 2.0)
    bounds = np.array([2, 38, 3, 50])
    fast, slow = np.empty(6), np.empty(6)
    weight = (9.3, 1.9, 4.2)
    panels, cut = panels_of(stamp, bounds), (-2 * np.log(1e-7), 1e-7)
    assert weighted_sums(panels, 36, 47, 22.2, 16.1, *weight, cut, *workspace(36), fast) == HSM_OK
    assert slow_weighted_sums(stamp, bounds, 100, 200, 125.2, 218.1, *weight, slow) == HSM_OK
    np.testing.assert_allclose(slow, fast, rtol=1e-9, atol=1e-9)
    for bad in ((1.0, 2.0, 1.0), (-1.0, 0.0, 1.0)):
        assert slow_weighted_sums(stamp, bounds, 0, 0, 25.2, 18.1, *bad, slow) == HSM_SINGULAR
    assert slow_weighted_sums(stamp, bounds, 0, 0, 25.2, 90.0, 1.0, 0.0, 1.0, slow) == HSM_EMPTY


def test_iterations_that_circle_end_where_galsims_do():
    """Signal-to-noise of 4: whether and where an iteration of more than 100 steps ends is a matter of last digits, which are equal."""
    galsim = pytest.importorskip("galsim")
    circling = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        image = rng.normal(size=(25, 25)) + gaussian((25, 25), 12, 12, 4.0, 4.0, 0.0, 30.0)
        good = rng.random(image.shape) > 0.1
        found = galsim.hsm.FindAdaptiveMom(
            galsim.ImageD(image),
            weight=galsim.ImageI(good.astype(np.int32)),
            guess_sig=4.0,
            precision=1e-6,
            guess_centroid=galsim.PositionD(13.0, 13.0),
            strict=False,
        )
        status, out = elliptical(image, 12.0, 12.0, 4.0, good)
        assert (status == HSM_OK) == (found.error_message == ""), seed
        if status == HSM_OK and out[7] > 100:
            circling += 1
            assert out[7] == found.moments_n_iter
            assert (out[0] + 1, out[1] + 1) == (found.moments_centroid.x, found.moments_centroid.y)
    assert circling > 0
