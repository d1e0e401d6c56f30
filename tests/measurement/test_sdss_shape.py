"""base_SdssShape: shapes of stars, and its flags."""

import numpy as np
import pytest

from helpers.measuring import gaussian_stars, measure, measurement_task, square_footprints

NAME = "base_SdssShape"
NAMES = ["base_SdssCentroid", NAME]


def test_stars():
    x, y = np.array([140.3, 180.1]), np.array([33.6, 60.2])
    exposure = gaussian_stars((100, 100), x, y, [1e5, 3e4], noise=1.0, x0=100, y0=0)
    catalog = measure(exposure, square_footprints(x, y), NAMES)
    for m, value in (("xx", 1.8**2), ("yy", 1.8**2), ("xy", 0.0)):
        error = catalog[f"{NAME}_{m}Err"]
        assert (error > 0).all()
        assert np.abs(catalog[f"{NAME}_{m}"] - value).max() < 5 * error.max()
        assert catalog[f"{NAME}_psf_{m}"] == pytest.approx(value, abs=5e-3)
    assert catalog[f"{NAME}_x"] == pytest.approx(x, abs=0.02)
    assert catalog[f"{NAME}_y"] == pytest.approx(y, abs=0.02)
    assert catalog[f"{NAME}_instFlux"] == pytest.approx([1e5, 3e4], rel=5e-3)
    # a flux that grows with the size: more of the one is less of the other
    assert (catalog[f"{NAME}_instFlux_xx_Cov"] < 0).all()
    assert not catalog[f"{NAME}_flag"].any()


def test_own_verdict_replaces_the_centroid_s():
    """A star whose centroid is flagged is measured none the less, and not flagged."""
    exposure = gaussian_stars((100, 100), [50.0], [3.0], [1e5], noise=1.0)
    catalog = measure(exposure, square_footprints([50.0], [3.0], half=3), NAMES)
    assert catalog["base_SdssCentroid_flag"][0]
    assert not catalog[f"{NAME}_flag"][0]


def test_nothing_there():
    exposure = gaussian_stars((100, 100), [50.0], [50.0], [-1e4], noise=1.0)
    catalog = measure(exposure, square_footprints([50.0], [50.0]), NAMES)
    assert catalog[f"{NAME}_flag"][0] and catalog[f"{NAME}_flag_unweightedBad"][0]
    assert np.isnan(catalog[f"{NAME}_xx"][0]) and np.isnan(catalog[f"{NAME}_instFlux"][0])
    # the PSF is then measured at the mean position
    assert catalog[f"{NAME}_psf_xx"][0] == pytest.approx(1.8**2, abs=5e-3)
    assert not catalog[f"{NAME}_flag_psf"][0]


def test_without_psf():
    def configure(config):
        config.plugins[NAME].doMeasurePsf = False

    exposure = gaussian_stars((100, 100), [50.0], [50.0], [1e4], noise=1.0)
    catalog = measure(exposure, square_footprints([50.0], [50.0]), NAMES, configure)
    assert not [c for c in catalog.columns if c.startswith(f"{NAME}_psf") or c == f"{NAME}_flag_psf"]
    assert catalog[f"{NAME}_xx"][0] == pytest.approx(1.8**2, rel=0.05)


def test_one_psf_that_fails_costs_its_source_a_flag():
    class Partial(type(gaussian_stars((9, 9), [4.0], [4.0], [1.0]).psf)):
        def moments(self, x, y, *, images=None):
            moments = super().moments(x, y)
            moments[np.asarray(x) > 60] = np.nan
            return moments

    x, y = np.array([30.0, 80.0]), np.array([50.0, 50.0])
    exposure = gaussian_stars((100, 110), x, y, [1e4, 1e4], noise=1.0)
    exposure.psf = Partial(1.8, 25, 25)
    catalog = measure(exposure, square_footprints(x, y), NAMES)
    assert catalog[f"{NAME}_flag_psf"].tolist() == [False, True]
    assert catalog["base_InvalidPsf_flag"].tolist() == [False, True]
    assert np.isfinite(catalog[f"{NAME}_xx"]).all()
    assert not catalog[f"{NAME}_flag"].any()


def test_alias():
    schema = measurement_task(NAMES).schema
    assert schema.aliases[f"{NAME}_flag_badCentroid"] == "base_SdssCentroid_flag"
