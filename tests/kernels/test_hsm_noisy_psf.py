"""Moments of PSF images with noise: against the image made in NumPy, and at the edge."""

import numpy as np
import pytest

from secondlight.kernels.hsm_moments import HSM_OK, measure_moments
from secondlight.kernels.hsm_noisy_psf import HSM_EDGE, hsm_noisy_psf_moments
from secondlight.kernels.pixels import Pixels
from secondlight.kernels.random import ZIGGURAT_K, ZIGGURAT_W, ZIGGURAT_Y
from secondlight.model.random import AfwRandom

SHAPE = 40, 50
rng = np.random.default_rng(3)
PIXELS = Pixels.of(
    np.zeros(SHAPE, np.float32),
    rng.choice([0, 0, 0, 0, 2], SHAPE).astype(np.int32),
    rng.uniform(5, 15, SHAPE).astype(np.float32),
)
PSF = np.exp(-0.5 * (np.mgrid[-7:8, -7:8] ** 2).sum(axis=0) / 4.0)[None]
PSF /= PSF.sum()


def measure(x, y, flux, seed, noise_variance=-1.0, bad=2, is_round=False):
    out, status = np.full((1, 6), np.nan), np.empty(1, np.int64)
    hsm_noisy_psf_moments(
        PIXELS, bad, PSF, np.array([x]), np.array([y]), np.array([flux]), np.array([seed], np.uint64),
        (ZIGGURAT_K, ZIGGURAT_W, ZIGGURAT_Y), noise_variance,
        np.array([7.0]), np.array([7.0]), np.array([2.0]), is_round, out, status,
    )  # fmt: skip
    return out[0], status[0]


@pytest.mark.parametrize("is_round", [False, True])
@pytest.mark.parametrize("noise_variance", [-1.0, 25.0])
def test_twin(is_round, noise_variance):
    """Twin: the stream of the package, one deviate a pixel, row by row."""
    region = np.s_[4:19, 9:24]
    variance = PIXELS.variance[region].astype(float) if noise_variance < 0 else noise_variance
    stamp = 3000 * PSF[0] + np.sqrt(variance) * AfwRandom(12345).gaussian(225).reshape(15, 15)
    expected = np.full(6, np.nan)
    measure_moments(stamp, PIXELS.mask[region] & 2 == 0, 1, 1, 7.0, 7.0, 2.0, is_round, expected)
    found, status = measure(9, 4, 3000.0, 12345, noise_variance, is_round=is_round)
    assert status == HSM_OK
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_noise_scatters_the_moments():
    """Property: a hundred seeds give a hundred results, about those of the PSF."""
    xx = np.array([measure(9, 4, 3000.0, seed, bad=0)[0][2] for seed in range(1, 101)])
    assert len(set(xx)) == 100
    assert abs(xx.mean() - 4) < 4 * xx.std() / 10
    assert 0.05 < xx.std() < 1


@pytest.mark.parametrize(("x", "y"), [(-1, 5), (5, -1), (36, 5), (5, 26)])
def test_edge(x, y):
    found, status = measure(x, y, 3000.0, 1)
    assert status == HSM_EDGE and np.isnan(found).all()


def test_no_flux():
    found, status = measure(9, 4, np.nan, 1)
    assert status not in (HSM_OK, HSM_EDGE) and np.isnan(found[2])
