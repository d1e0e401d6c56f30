"""The model handed to the pipeline against stars that GalSim draws, at sub-pixel positions it was not fitted to."""

import galsim
import numpy as np
import pytest
from lsst.images import Box

from secondlight.simulate.observing import PIXEL_SCALE
from secondlight.simulate.psf_fit import fit_psf
from secondlight.simulate.true_psf import TruePsf

SHAPE = (1000, 1200)
BBOX = Box.factory[0 : SHAPE[0], 0 : SHAPE[1]]


@pytest.fixture(scope="module", params=[1, 2])
def pair(request):
    truth = TruePsf.draw(np.random.default_rng(request.param), SHAPE, 0.73)
    return truth, fit_psf(truth, BBOX)


def test_model_draws_the_true_stars(pair):
    truth, model = pair
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, SHAPE[1], 12), rng.uniform(0, SHAPE[0], 12)
    stamps = model.stellar_images(x, y)
    for i in range(len(x)):
        image = galsim.ImageD(
            np.zeros(stamps.images.shape[1:]), xmin=int(stamps.x0[i]), ymin=int(stamps.y0[i])
        )
        image.scale = PIXEL_SCALE
        truth.profile(x[i], y[i]).drawImage(image=image, center=galsim.PositionD(x[i], y[i]), method="auto")
        residual = stamps.images[i] - image.array / image.array.sum()
        assert np.abs(residual).max() < 2e-4
        assert np.abs(residual).sum() < 4e-3


def test_kernels_are_the_stars_centred(pair):
    truth, model = pair
    x, y = np.array([100.0, 900.0]), np.array([800.0, 50.0])
    for kernel, a, b in zip(model.kernel_images(x, y), x, y, strict=True):
        star = truth.star_image(float(a), float(b), 25)
        assert np.abs(kernel - star / star.sum()).sum() < 2e-4


def test_average_position_is_the_middle(pair):
    assert pair[1].average_position == pytest.approx((599.5, 499.5))
