"""The sky and the backgrounds that stand for it."""

import numpy as np
import pytest

from secondlight.simulate.sky import Sky, binned_background


@pytest.mark.parametrize("shape", [(256, 256), (500, 1030)])
def test_background_follows_the_sky(shape):
    sky = Sky.draw(np.random.default_rng(4), shape, 1000.0)
    left = (
        sky.total
        - binned_background(sky.detector, 128).image()
        - binned_background(sky.focal_plane, 256).image()
    )
    assert np.ptp(sky.total) > 3.0
    # noise is 33 electrons a pixel; on a field of two bins the interpolation can only be linear
    assert np.abs(left).max() < 0.3


def test_bins_hold_means():
    surface = np.arange(300.0 * 200).reshape(300, 200)
    model = binned_background(surface, 100)[0]
    assert model.stats_image.shape == (3, 2)
    np.testing.assert_allclose(model.stats_image[1, 1], surface[100:200, 100:].mean(), rtol=1e-6)
