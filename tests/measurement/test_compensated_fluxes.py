"""base_CompensatedTophatFlux and base_CompensatedGaussianFlux on a batch."""

import math

import numpy as np
import pytest

from helpers.measuring import gaussian_stars, measure, measurement_task, square_footprints

TOPHAT, GAUSSIAN = "base_CompensatedTophatFlux", "base_CompensatedGaussianFlux"
NAMES = ["base_SdssCentroid", TOPHAT, GAUSSIAN]
X, Y = np.array([40.3, 100.6, 18.0]), np.array([45.2, 50.1, 50.0])


def star(level=0.0, noise=0.0, sigma=1.8):
    exposure = gaussian_stars((100, 150), X, Y, [1e4, 1e4, 1.0], sigma=sigma, noise=noise)
    exposure.image += np.float32(level)
    return exposure


def test_a_constant_does_not_matter():
    """Property: on any constant the same flux."""
    footprints = square_footprints(X, Y)
    plain, raised = measure(star(), footprints, NAMES), measure(star(50.0), footprints, NAMES)
    for name in (f"{TOPHAT}_12", f"{GAUSSIAN}_3", f"{GAUSSIAN}_5"):
        change = raised[f"{name}_instFlux"] - plain[f"{name}_instFlux"]
        # the tophat's ring and disc (452 and 855 pixels) differ by whole pixels from their areas, the Gaussian ends somewhere
        assert (np.abs(change[:2]) < 50 * 15).all()
    # a disc of 12 pixels holds a star; a Gaussian of 3 pixels is wider than it
    np.testing.assert_allclose(plain[f"{TOPHAT}_12_instFlux"][:2], 1e4, rtol=1e-4)
    weight = 2 * 9 / (9 + 1.8**2) * (1 - (9 + 1.8**2) / (36 + 1.8**2)) / (1 - 2 / 5)
    np.testing.assert_allclose(plain[f"{GAUSSIAN}_3_instFlux"][:2], 1e4 * weight, rtol=2e-3)


def test_errors_follow_the_noise():
    catalog = measure(star(noise=3.0), square_footprints(X, Y), NAMES)
    scale = 1 / (1.7**2 - 1)
    area, ring = math.pi * 144, math.pi * 144 * (1.7**2 - 1)
    expected = 3 * math.sqrt(area + scale**2 * ring)
    np.testing.assert_allclose(catalog[f"{TOPHAT}_12_instFluxErr"][:2], expected, rtol=0.01)
    expected = 3 * math.sqrt(4 * math.pi * 9 * 5 / 4)
    np.testing.assert_allclose(catalog[f"{GAUSSIAN}_3_instFluxErr"][:2], expected, rtol=0.01)


def test_bounds_and_mask_bits():
    """A square that leaves the image: flags, no flux, no bits. Else the bits of the square's pixels."""
    exposure = star()
    exposure.mask[45 + 20, 40] = 1 << 3
    exposure.mask[50, 100 - 10] = 1 << 5
    catalog = measure(exposure, square_footprints(X, Y), NAMES)
    for name, reach in ((f"{TOPHAT}_12", 21), (f"{GAUSSIAN}_3", 16), (f"{GAUSSIAN}_5", 26)):
        outside = reach > X
        assert catalog[f"{name}_flag"].tolist() == catalog[f"{name}_flag_bounds"].tolist() == outside.tolist()
        np.testing.assert_array_equal(np.isnan(catalog[f"{name}_instFlux"]), outside)
        bits = catalog[f"{name}_mask_bits"]
        assert bits.tolist() == [8 if reach > 20 else 0, 32, 0]


def test_small_apertures_are_integrals():
    """A disc up to ten pixels is measured by the sinc method, larger ones as sums of pixels."""

    def small(config):
        config.plugins[TOPHAT].apertures = [5, 12]
        config.plugins[TOPHAT].inner_scale = 1.2

    catalog = measure(star(), square_footprints(X, Y), ["base_SdssCentroid", TOPHAT], small)
    within = 1 - math.exp(-0.5 * (5 / 1.8) ** 2)
    beyond = math.exp(-0.5 * (6 / 1.8) ** 2) - math.exp(-0.5 * (8.5 / 1.8) ** 2)
    expected = 1e4 * (within - beyond / (1.7**2 - 1.2**2))
    np.testing.assert_allclose(catalog[f"{TOPHAT}_5_instFlux"][:2], expected, rtol=1e-3)
    assert not catalog[f"{TOPHAT}_5_flag"].any()


@pytest.mark.parametrize(("name", "field", "value"), [(TOPHAT, "inner_scale", 1.8), (GAUSSIAN, "t", 1.0)])
def test_impossible_scales(name, field, value):
    config = measurement_task(["base_SdssCentroid"]).ConfigClass()
    setattr(config.plugins[name], field, value)
    with pytest.raises(ValueError, match="must exceed"):
        config.plugins[name].validate()


def test_failure_flags_every_aperture():
    class Torn:
        n = 1

        def __getitem__(self, name):
            return self.__dict__.setdefault(name, np.zeros(1, bool))

    for name, columns in ((TOPHAT, ["12"]), (GAUSSIAN, ["3", "5"])):
        plugin = next(p for p in measurement_task(NAMES).plugins if p.name == name)
        batch = Torn()
        plugin.fail(batch)
        assert all(batch[f"{name}_{c}_flag"][0] for c in columns)
