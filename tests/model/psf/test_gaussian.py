"""Gaussian PSFs against their formula."""

import numpy as np
import pytest

from secondlight.model.psf import GaussianPsf, SingleGaussianPsf


def test_kernel():
    y, x = np.mgrid[-7:8, -6:7]
    expected = np.exp(-0.5 * (x**2 + y**2) / 1.5**2)
    expected /= expected.sum()
    for kind in (GaussianPsf, SingleGaussianPsf):
        psf = kind(1.5, 15, 13)
        np.testing.assert_allclose(psf.kernel_images([3.0], [4.0])[0], expected, rtol=1e-13)
        assert psf.sigma == 1.5
        assert psf.average_position == (0.0, 0.0)


def test_star_in_place():
    psf = GaussianPsf(1.5, 15, 15, analytic_stars=True)
    stars = psf.stellar_images([100.3], [50.5])
    y, x = np.mgrid[:15, :15]
    expected = np.exp(-0.5 * ((x + stars.x0[0] - 100.3) ** 2 + (y + stars.y0[0] - 50.5) ** 2) / 1.5**2)
    np.testing.assert_allclose(stars.images[0], expected / expected.sum(), rtol=1e-12)
    assert (stars.x0[0], stars.y0[0]) == (93, 44)
    # shifting a sampled Gaussian with Lanczos-5 comes close
    shifted = GaussianPsf(1.5, 15, 15).stellar_images([100.3], [50.5])
    np.testing.assert_allclose(shifted.images, stars.images, atol=5e-3 * stars.images.max())
    assert not np.array_equal(shifted.images, stars.images)


@pytest.mark.parametrize("sigma, size", [(0.0, 5), (-1.0, 5), (np.nan, 5), (np.inf, 5), (1.0, 0)])
def test_impossible(sigma, size):
    with pytest.raises(ValueError, match="cannot be drawn"):
        GaussianPsf(sigma, size, size)
