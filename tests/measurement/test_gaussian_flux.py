"""base_GaussianFlux on a batch."""

import numpy as np
import pytest

from helpers.measuring import gaussian_stars, measure, square_footprints

NAME = "base_GaussianFlux"
NAMES = ["base_SdssCentroid", "ext_shapeHSM_HsmSourceMoments", NAME]
X, Y = np.array([130.3, 160.0, 190.8]), np.array([230.2, 231.7, 229.5])


def test_stars():
    """Property: Gaussian stars have their flux, wherever the image begins, and an error that follows the noise."""
    quiet = gaussian_stars((60, 120), X, Y, [1e4, 2e4, 3e4], x0=100, y0=200)
    catalog = measure(quiet, square_footprints(X, Y, 12), NAMES)
    np.testing.assert_allclose(catalog[f"{NAME}_instFlux"], [1e4, 2e4, 3e4], rtol=2e-3)
    assert not catalog[f"{NAME}_flag"].any()
    noisy = gaussian_stars((60, 120), X, Y, [1e4, 2e4, 3e4], noise=5.0, x0=100, y0=200)
    errors = measure(noisy, square_footprints(X, Y, 12), NAMES)[f"{NAME}_instFluxErr"]
    np.testing.assert_allclose(errors, 10 * np.sqrt(np.pi) * 1.8, rtol=0.1)


def test_flags():
    """Without a shape there is no flux; a doubtful centroid does not matter."""
    exposure = gaussian_stars((60, 60), [40.0, 7.0], [30.0, 30.0], [0.0, 1e4])
    catalog = measure(exposure, square_footprints([40.0, 7.0], [30.0, 30.0]), NAMES)
    assert catalog["base_SdssCentroid_flag"].tolist() == [True, True]
    assert catalog[f"{NAME}_flag"].tolist() == [True, False]
    np.testing.assert_array_equal(np.isnan(catalog[f"{NAME}_instFlux"]), [True, False])


def test_background():
    """Property: a level that is subtracted is as good as none."""
    exposure = gaussian_stars((60, 120), X - 100, Y - 200, [1e4, 2e4, 3e4])
    plain = measure(exposure, square_footprints(X - 100, Y - 200, 12), NAMES, None)

    def subtract(config):
        config.plugins[NAME].background = 7.0

    level = measure(exposure, square_footprints(X - 100, Y - 200, 12), NAMES, subtract)
    # a Gaussian weight of sigma 1.8 has an area of 2 pi 1.8², and the flux is twice the sum
    expected = plain[f"{NAME}_instFlux"] - 7 * 4 * np.pi * 1.8**2
    assert level[f"{NAME}_instFlux"] == pytest.approx(expected, rel=1e-3)
