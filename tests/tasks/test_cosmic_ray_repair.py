"""What stands in for hit pixels: properties of the prediction."""

import numpy as np
import pytest

from secondlight.kernels.linear_prediction import LINES, OFFSETS
from secondlight.model.psf.gaussian import gaussian_image
from secondlight.model.random import AfwRandom
from secondlight.tasks.cosmic_ray_repair import (
    LinePrediction,
    _autocorrelation,
    _prediction_tables,
    noise_fill,
)

PSF = gaussian_image(25, 25, 1.7)
HIT = 8


def fill(image, hit, variance, **kwargs):
    mask = np.where(hit, HIT, 0).astype(np.int32)
    out = image.copy()
    n = LinePrediction(PSF).fill(
        out, mask, variance, pixels=np.flatnonzero(hit), unusable=HIT, otherwise=0.0, **kwargs
    )
    np.testing.assert_array_equal(out[~hit], image[~hit])
    return out, n


def tracks(rng, shape, n):
    """Straight lines of random direction, two pixels wide at most."""
    hit = np.zeros(shape, bool)
    for _ in range(n):
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        angle = rng.uniform(0, 2 * np.pi)
        length = np.arange(0, rng.uniform(1, 20), 0.3)
        j, i = (
            np.rint(y + length * np.sin(angle)).astype(int),
            np.rint(x + length * np.cos(angle)).astype(int),
        )
        inside = (j >= 0) & (j < shape[0]) & (i >= 0) & (i < shape[1])
        hit[j[inside], i[inside]] = True
    return hit


def test_autocorrelation_of_a_gaussian():
    for dx, dy in [(0, 0), (2, 0), (1, 1), (3, -3), (0, 2)]:
        expected = np.exp(-(dx**2 + dy**2) / (4 * 1.7**2))
        assert _autocorrelation(PSF, dx, dy) / _autocorrelation(PSF, 0, 0) == pytest.approx(
            expected, rel=1e-3
        )
    assert _autocorrelation(PSF, 25, 0) == _autocorrelation(PSF, 0, -30) == 0


def test_tables():
    weights, errors = _prediction_tables(PSF)
    possible = np.isfinite(errors[0, 0])
    both_sides = [(p & 0b000111 > 0) and (p & 0b111000 > 0) for p in range(64)]
    np.testing.assert_array_equal(possible, both_sides)
    np.testing.assert_allclose(weights.sum(axis=-1)[np.isfinite(errors)], 1)
    for pattern in range(64):
        unused = [k for k in range(len(OFFSETS)) if not pattern >> k & 1]
        assert (weights[:, :, pattern, unused] == 0).all()
    # among noise alone all neighbours count the same; a bright source is followed closely; a line that is finer
    # sampled predicts better; more neighbours never harm
    assert np.ptp(weights[-1, 0, 63]) < 0.15
    assert errors[0, 0, 63] < 0.01 < errors[-1, 0, 63]
    assert (errors[:, :2, 63] < errors[:, 2:, 63]).all()
    assert (errors[:, :, [0b001100]] >= errors[:, :, [63]]).all()
    assert len(LINES) == 4


def test_a_constant_and_a_slope_are_kept():
    rng = np.random.default_rng(1)
    hit = tracks(rng, (60, 70), 12)
    hit[:3, :3] = hit[-1, :] = False
    image = np.full((60, 70), 300, np.float32)
    out, _ = fill(image + 1000 * hit.astype(np.float32), hit, np.full((60, 70), 25, np.float32))
    np.testing.assert_allclose(out, 300, rtol=1e-5)


def test_error_on_empty_sky_is_little_more_than_the_noise():
    rng = np.random.default_rng(2)
    image = rng.normal(0, 10, (400, 400)).astype(np.float32)
    hit = tracks(rng, image.shape, 150)
    out, _ = fill(image + 500 * hit.astype(np.float32), hit, np.full(image.shape, 100, np.float32))
    # the true pixel's own noise is 1, the prediction adds its error in quadrature; noise would give sqrt(2)
    error = (out - image)[hit] / 10
    assert np.sqrt((error**2).mean()) < 1.1
    assert abs(error.mean()) < 0.1
    assert out[hit].std() < 5


def test_error_on_stars():
    rng = np.random.default_rng(3)
    image = np.zeros((200, 200))
    for y in range(10, 200, 20):
        for x in range(10, 200, 20):
            image[y - 8 : y + 9, x - 8 : x + 9] += (
                gaussian_image(17, 17, 1.7, *rng.uniform(-0.5, 0.5, 2)) * 20000
            )
    truth = image.astype(np.float32)
    variance = (truth + 100).astype(np.float32)
    noisy = (truth + rng.normal(0, np.sqrt(variance))).astype(np.float32)
    hit = tracks(rng, image.shape, 250)
    bright = hit & (truth > 300)
    error = (fill(noisy + 3000 * hit.astype(np.float32), hit, variance)[0] - truth)[bright]
    assert bright.sum() > 50
    # a hole of the background's level, or noise about it, would miss by the whole of the star
    assert np.sqrt((error**2).mean()) < 0.2 * np.sqrt((truth[bright] ** 2).mean())
    assert abs(error.mean()) < 0.1 * truth[bright].mean()


def test_while_growing_the_smallest_is_taken():
    rng = np.random.default_rng(4)
    image = rng.normal(100, 10, (80, 80)).astype(np.float32)
    hit = tracks(rng, image.shape, 20)
    variance = np.full(image.shape, 100, np.float32)
    lowest, mean = fill(image, hit, variance, growing=True)[0], fill(image, hit, variance)[0]
    assert (lowest <= mean + 1e-3).all()
    assert (lowest < mean).any()


def test_large_hole_becomes_the_median_around():
    image = np.full((60, 60), 5, np.float32)
    hit = np.zeros((60, 60), bool)
    hit[20:40, 20:40] = True
    image[hit] = 1e4
    out, n = fill(image, hit, np.ones((60, 60), np.float32))
    assert n > 100
    np.testing.assert_allclose(out, 5, rtol=1e-6)


def test_noise_fill():
    image = np.zeros((3, 4), np.float32)
    variance = np.arange(12, dtype=np.float32).reshape(3, 4)
    noise_fill(image, variance, np.array([5, 2, 5]), 100.0)
    g = AfwRandom().gaussian(3)
    assert image[1, 1] == np.float32(100 + float(np.sqrt(np.float32(5))) * g[2])
    assert image[0, 2] == np.float32(100 + float(np.sqrt(np.float32(2))) * g[1])
    assert np.count_nonzero(image) == 2
