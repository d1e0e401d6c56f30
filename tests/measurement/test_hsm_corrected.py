"""The HSM plugins beyond plain moments on a batch: corrected shapes, higher orders, and the noisy PSF."""

import numpy as np
import pytest

from helpers.measuring import gaussian_stars, measure, measurement_task, square_footprints
from secondlight.model.catalog import SourceCatalog
from secondlight.model.schema import Column, Schema
from secondlight.tasks.measurement import SingleFrameMeasurementTask

MOMENTS = ["base_SdssCentroid", "base_PsfFlux", "ext_shapeHSM_HsmSourceMoments", "ext_shapeHSM_HsmPsfMoments"]
SHAPES = {f"ext_shapeHSM_HsmShape{m}": "g" if m == "Ksb" else "e" for m in ("Regauss", "Bj", "Linear", "Ksb")}
HIGHER = ["ext_shapeHSM_HigherOrderMomentsSource", "ext_shapeHSM_HigherOrderMomentsPSF"]
DEBIASED = "ext_shapeHSM_HsmPsfMomentsDebiased"
X, Y = np.array([40.3, 90.6, 140.0]), np.array([40.2, 41.7, 39.5])


def galaxies(noise=1.0):
    """Round galaxies, twice as wide as the PSF."""
    exposure = gaussian_stars((80, 180), X, Y, [3e4, 3e4, 3e4], sigma=3.6, noise=noise)
    exposure.psf = gaussian_stars((9, 9), 4, 4, 1).psf
    return exposure, square_footprints(X, Y, 20)


@pytest.mark.parametrize("name", SHAPES)
def test_round_galaxies(name):
    """Property: round galaxies seen through a round PSF are round, and resolved by 1 - (1.8 / 3.6)²."""
    catalog = measure(*galaxies(), ["base_SdssCentroid", name])
    letter = SHAPES[name]
    e = np.stack([catalog[f"{name}_{letter}{i}"] for i in (1, 2)])
    sigma = catalog[f"{name}_sigma"]
    assert (np.abs(e) < 5 * sigma).all() and (sigma > 0).all() and (sigma < 0.05).all()
    np.testing.assert_allclose(catalog[f"{name}_resolution"], 0.75, rtol=0.02)
    assert not catalog[f"{name}_flag"].any()


def test_failures():
    """Parents, centres outside the footprint's box, and stars, which are not resolved."""
    name = "ext_shapeHSM_HsmShapeRegauss"
    config = SingleFrameMeasurementTask.ConfigClass()
    config.plugins.names = ["base_SdssCentroid", name]
    config.slots.shape = config.slots.psfShape = None
    config.plugins[name].deblendNChild = "deblend_nChild"
    schema = Schema.minimal()
    schema.add(Column("deblend_nChild", "I"))
    task = SingleFrameMeasurementTask(schema, config=config)
    exposure, footprints = galaxies()
    catalog = SourceCatalog(schema, 3, footprints)
    catalog["deblend_nChild"] = [0, 2, 0]
    exposure.image[:, 120:] = gaussian_stars((80, 180), X, Y, [3e4] * 3, sigma=1.2).image[:, 120:]
    task.run(catalog, exposure)
    assert catalog[f"{name}_flag"].tolist() == [False, True, True]
    np.testing.assert_array_equal(np.isnan(catalog[f"{name}_e1"]), [False, True, True])
    for flag in ("no_pixels", "not_contained", "parent_source", "galsim"):
        assert not catalog[f"{name}_flag_{flag}"].any()


def test_bad_pixels_are_left_out():
    """Property: a hot pixel that is masked changes nothing much; unmasked it does."""
    name = "ext_shapeHSM_HsmShapeRegauss"
    clean = measure(*galaxies(), ["base_SdssCentroid", name])
    exposure, footprints = galaxies()
    exposure.image[44, 46] += 3000
    hot = measure(exposure, footprints, ["base_SdssCentroid", name])
    exposure.mask[44, 46] = exposure.mask_planes.bit("SAT")
    masked = measure(exposure, footprints, ["base_SdssCentroid", name])
    change = [abs(c[f"{name}_e2"][0] - clean[f"{name}_e2"][0]) for c in (hot, masked)]
    assert change[1] < 0.02 < 3 * change[1] + 0.02 < change[0]


@pytest.mark.parametrize("name", HIGHER)
def test_higher_orders(name):
    """Property: of a Gaussian, odd moments vanish, M40 = M04 = 3/4 and M22 = 1/4."""
    catalog = measure(*galaxies(noise=0.0), [*MOMENTS, name])
    for order, value in {"03": 0, "12": 0, "30": 0, "31": 0, "22": 0.25, "40": 0.75, "04": 0.75}.items():
        np.testing.assert_allclose(catalog[f"{name}_{order}"], value, atol=5e-3)
    assert not catalog[f"{name}_flag"].any()


def test_higher_orders_without_moments():
    exposure, footprints = galaxies()
    exposure.image[:, :60] *= -1
    name = HIGHER[0]
    catalog = measure(exposure, footprints, [*MOMENTS, name])
    assert catalog[f"{name}_flag"].tolist() == [True, False, False]
    np.testing.assert_array_equal(np.isnan(catalog[f"{name}_22"]), [True, False, False])


def test_orders_are_configured():
    def configure(config):
        config.plugins[HIGHER[0]].min_order = config.plugins[HIGHER[0]].max_order = 2

    schema = measurement_task([*MOMENTS, HIGHER[0]], configure).schema
    assert [c.name[-2:] for c in schema if c.name.startswith(f"{HIGHER[0]}_") and c.type == "D"] == [
        "02",
        "11",
        "20",
    ]
    config = measurement_task(MOMENTS).ConfigClass()
    config.plugins[HIGHER[0]].min_order = 5
    with pytest.raises(ValueError, match="must not exceed"):
        config.plugins[HIGHER[0]].validate()


def test_debiased():
    """Property: the PSF's moments with noise scatter about those without, and depend on the id alone."""
    catalog = measure(*galaxies(), [*MOMENTS, DEBIASED])
    psf = "ext_shapeHSM_HsmPsfMoments"
    difference = catalog[f"{DEBIASED}_xx"] - catalog[f"{psf}_xx"]
    assert (difference != 0).all() and (np.abs(difference) < 0.2).all()
    assert not catalog[f"{DEBIASED}_flag"].any()
    again = measure(*galaxies(), [*MOMENTS, DEBIASED])
    np.testing.assert_array_equal(again[f"{DEBIASED}_xx"], catalog[f"{DEBIASED}_xx"])

    def offset(config):
        config.plugins[DEBIASED].seedOffset = 1

    shifted = measure(*galaxies(), [*MOMENTS, DEBIASED], offset)
    assert (shifted[f"{DEBIASED}_xx"] != catalog[f"{DEBIASED}_xx"]).all()

    def meta(config):
        config.plugins[DEBIASED].noiseSource = "meta"

    exposure, footprints = galaxies()
    exposure.metadata["BGMEAN"] = 100.0
    noisier = measure(exposure, footprints, [*MOMENTS, DEBIASED], meta)
    assert np.abs(noisier[f"{DEBIASED}_xx"] - catalog[f"{psf}_xx"]).max() > np.abs(difference).max()


def test_debiased_at_the_edge():
    x, y = np.array([40.0, 8.0]), np.array([40.0, 40.0])
    exposure = gaussian_stars((80, 80), x, y, [1e4, 1e4], noise=1.0)
    catalog = measure(exposure, square_footprints(x, y), [*MOMENTS, DEBIASED])
    assert catalog[f"{DEBIASED}_flag_edge"].tolist() == catalog[f"{DEBIASED}_flag"].tolist() == [False, True]
    assert np.isnan(catalog[f"{DEBIASED}_xx"][1])
