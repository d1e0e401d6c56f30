"""base_LocalBackground on a batch."""

import numpy as np
import pytest

from helpers.measuring import gaussian_stars, measure, square_footprints
from secondlight.model.psf.gaussian import GaussianPsf

NAME = "base_LocalBackground"
NAMES = ["base_SdssCentroid", NAME]


def field(level=0.0):
    exposure = gaussian_stars((130, 130), [65.0, 10.0], [65.0, 60.0], [1e4, 1e4], noise=2.0, seed=3)
    exposure.image += np.float32(level)
    return exposure, square_footprints([65.0, 10.0], [65.0, 60.0])


def test_level_and_scatter():
    """Property: a level is found to its noise, its scatter as the error, also where the ring leaves the image."""
    catalog = measure(*field(50.0), NAMES)
    np.testing.assert_allclose(catalog[f"{NAME}_instFlux"], 50, atol=0.2)
    np.testing.assert_allclose(catalog[f"{NAME}_instFluxErr"], 2, rtol=0.1)
    assert not catalog[f"{NAME}_flag_noGoodPixels"].any()
    # the second star is too near the edge for its centroid, which does concern this plugin
    assert catalog[f"{NAME}_flag"].tolist() == catalog["base_SdssCentroid_flag"].tolist() == [False, True]


def test_masked_pixels_and_the_ring():
    """Pixels of masked planes do not count; without any left there is no background."""
    exposure, footprints = field()
    bad = exposure.mask_planes.bit("BAD")
    gy, gx = np.mgrid[:130, :130]
    r = np.hypot(gx - 65, gy - 65)
    exposure.image[r > 20] = 1000
    exposure.mask[r > 20] = bad
    catalog = measure(exposure, footprints, NAMES)
    assert abs(catalog[f"{NAME}_instFlux"][0]) < 0.3
    exposure.mask[:] = bad
    catalog = measure(exposure, footprints, NAMES)
    assert catalog[f"{NAME}_flag_noGoodPixels"].all() and catalog[f"{NAME}_flag"].all()
    assert np.isnan(catalog[f"{NAME}_instFlux"]).all()

    def settle(config):
        config.plugins[NAME].badMaskPlanes = []
        config.plugins[NAME].annulusInner, config.plugins[NAME].annulusOuter = 14.0, 20.0

    # 14 sigma of 1.8 pixels are 25 pixels
    assert measure(exposure, footprints, NAMES, settle)[f"{NAME}_instFlux"][0] == pytest.approx(1000)


def test_invalid_psf():
    exposure, footprints = field()

    class Broken(GaussianPsf):
        def moments(self, x, y, *, images=None):
            moments = super().moments(x, y)
            moments[x < 30] = np.nan
            return moments

    exposure.psf = Broken(1.8, 25, 25)
    catalog = measure(exposure, footprints, NAMES)
    assert catalog["base_InvalidPsf_flag"].tolist() == catalog[f"{NAME}_flag"].tolist() == [False, True]
    assert not catalog[f"{NAME}_flag_noPsf"].any()
