"""base_PsfFlux: fluxes of stars, flags at edges, masked pixels."""

import numpy as np
import pytest

from helpers.measuring import gaussian_stars, measure, measurement_task, square_footprints

NAME = "base_PsfFlux"
NAMES = ["base_SdssCentroid", NAME]


def test_stars():
    rng = np.random.default_rng(5)
    x, y = (
        v.ravel() + rng.uniform(-0.5, 0.5, 36)
        for v in np.meshgrid(np.arange(6) * 40 + 30.0, np.arange(6) * 40 + 30.0)
    )
    flux = 10 ** rng.uniform(3, 4, 36)
    exposure = gaussian_stars((260, 260), x + 500, y - 70, flux, noise=3.0, x0=500, y0=-70)
    catalog = measure(exposure, square_footprints(x + 500, y - 70), NAMES)
    pull = (catalog[f"{NAME}_instFlux"] - flux) / catalog[f"{NAME}_instFluxErr"]
    assert np.abs(pull).max() < 4 and 0.6 < pull.std() < 1.4
    assert not catalog[f"{NAME}_flag"].any()
    assert (catalog[f"{NAME}_npixels"] == 625).all()
    assert catalog[f"{NAME}_chi2"] / 624 == pytest.approx(1.0, abs=0.25)
    assert catalog[f"{NAME}_area"] == pytest.approx(4 * np.pi * 1.8**2, rel=5e-3)


def test_edge():
    x, y = np.array([50.0, 8.0]), np.array([50.0, 50.0])
    exposure = gaussian_stars((100, 100), x, y, [1e4, 1e4], noise=1.0)
    catalog = measure(exposure, square_footprints(x, y), NAMES)
    assert catalog[f"{NAME}_flag_edge"].tolist() == [False, True]
    assert catalog[f"{NAME}_flag"].tolist() == [False, True]
    assert catalog[f"{NAME}_npixels"].tolist() == [625, 525]
    assert catalog[f"{NAME}_instFlux"] == pytest.approx([1e4, 1e4], rel=0.01)


def test_masked_pixels_are_used_unless_told_otherwise():
    exposure = gaussian_stars((100, 100), [50.0], [50.0], [1e4], noise=1.0)
    exposure.image[52, 47] = 1e6
    exposure.mask[52, 47] = exposure.mask_planes.bits(["CR"])

    def configure(config):
        config.plugins[NAME].badMaskPlanes = ["CR", "SAT"]

    # the spoilt pixel is not on the star's own axes: the centroid does not see it
    catalogs = [measure(exposure, square_footprints([50.0], [50.0]), NAMES, c) for c in (None, configure)]
    assert catalogs[0][f"{NAME}_instFlux"][0] > 2e4
    assert catalogs[1][f"{NAME}_instFlux"][0] == pytest.approx(1e4, rel=0.05)
    assert catalogs[1][f"{NAME}_npixels"][0] == 624


def test_nan_pixel_fails():
    exposure = gaussian_stars((100, 100), [50.0], [50.0], [1e4], noise=1.0)
    exposure.image[41, 42] = np.nan
    catalog = measure(exposure, square_footprints([50.0], [50.0]), NAMES)
    assert catalog[f"{NAME}_flag"][0]
    assert np.isnan(catalog[f"{NAME}_instFlux"][0])
    assert catalog[f"{NAME}_npixels"][0] == 625


def test_alias():
    schema = measurement_task(NAMES).schema
    assert schema.aliases[f"{NAME}_flag_badCentroid"] == "base_SdssCentroid_flag"
