"""HSM moments of sources and of the PSF: values, what is left out, and failures."""

import numpy as np
import pytest

from helpers.measuring import gaussian_stars, measure, measurement_task, square_footprints
from secondlight.model.footprints import PEAK_DTYPE, Footprint, Footprints, span_pixels

SOURCE, ROUND, PSF = (f"ext_shapeHSM_Hsm{n}" for n in ("SourceMoments", "SourceMomentsRound", "PsfMoments"))
NAMES = ["base_SdssCentroid", SOURCE, ROUND, PSF]


def test_stars():
    x, y = np.array([140.3, 180.1]), np.array([33.6, 60.2])
    exposure = gaussian_stars((100, 100), x, y, [1e5, 3e4], noise=0.5, x0=100, y0=0)
    catalog = measure(exposure, square_footprints(x, y, half=10), NAMES)
    for name in (SOURCE, ROUND):
        assert not catalog[f"{name}_flag"].any()
        assert catalog[f"{name}_x"] == pytest.approx(x, abs=0.01)
        assert catalog[f"{name}_y"] == pytest.approx(y, abs=0.01)
        for m, value in (("xx", 1.8**2), ("yy", 1.8**2), ("xy", 0.0)):
            assert catalog[f"{name}_{m}"] == pytest.approx(value, abs=0.02)
    for m, value in (("x", 0.0), ("y", 0.0), ("xx", 1.8**2), ("yy", 1.8**2), ("xy", 0.0)):
        assert catalog[f"{PSF}_{m}"] == pytest.approx(value, abs=1e-4)


def test_round_weight_underestimates_an_ellipse():
    exposure = gaussian_stars((80, 80), [40.0], [40.0], [1e5], noise=0.1)
    gy, gx = np.mgrid[-40:40, -40:40]
    exposure.image[:] += 1e3 * np.exp(-0.5 * (gx**2 / 9 + gy**2 / 4)) - exposure.image
    catalog = measure(exposure, square_footprints([40.0], [40.0], half=14), NAMES)
    assert catalog[f"{SOURCE}_xx"][0] == pytest.approx(9, rel=1e-3)
    assert catalog[f"{SOURCE}_yy"][0] == pytest.approx(4, rel=1e-3)
    assert 1.5 < catalog[f"{ROUND}_xx"][0] / catalog[f"{ROUND}_yy"][0] < 9 / 4


def test_pixels_outside_the_footprint_s_box_and_bad_ones_are_left_out():
    exposure = gaussian_stars((80, 80), [40.0], [40.0], [1e5], noise=0.1)
    footprints = square_footprints([40.0], [40.0], half=9)
    clean = measure(exposure, footprints, NAMES)
    exposure.image[:30] = 1e5
    again = measure(exposure, footprints, NAMES)
    exposure.image[44, 45] = 1e6
    exposure.mask[44, 45] = exposure.mask_planes.bits(["SAT"])
    masked = measure(exposure, footprints, NAMES)
    exposure.mask[44, 45] = 0
    spoilt = measure(exposure, footprints, NAMES)
    for name in (SOURCE, ROUND):
        assert again[f"{name}_xx"][0] == pytest.approx(clean[f"{name}_xx"][0], rel=1e-9)
        assert masked[f"{name}_xx"][0] == pytest.approx(clean[f"{name}_xx"][0], rel=0.1)
        assert spoilt[f"{name}_xx"][0] != pytest.approx(clean[f"{name}_xx"][0], rel=0.1)


def failing():
    """Sources with: no footprint, a centre outside the box, nothing but bad pixels, a footprint off the image."""
    x = np.array([20.0, 60.0, 100.0, 130.0])
    y = np.full(4, 20.0)
    exposure = gaussian_stars((40, 140), x, y, [1e4] * 4, noise=1.0)
    footprints = list(square_footprints(x, y, half=5))
    footprints[0] = Footprint(np.empty((0, 3), np.int32), footprints[0].peaks)
    footprints[1] = Footprint(footprints[1].spans + np.array([8, 0, 0], np.int32), footprints[1].peaks)
    exposure.mask[15:26, 95:106] = exposure.mask_planes.bits(["BAD"])
    footprints[3] = Footprint(footprints[3].spans + np.array([0, 0, 10], np.int32), footprints[3].peaks)
    return exposure, Footprints.from_list(footprints)


def test_failures_set_the_general_flag_only():
    exposure, footprints = failing()
    catalog = measure(exposure, footprints, NAMES)
    for name in (SOURCE, ROUND):
        assert catalog[f"{name}_flag"].all()
        for column in ("x", "y", "xx", "yy", "xy"):
            assert np.isnan(catalog[f"{name}_{column}"]).all()
        assert not any(catalog[c].any() for c in catalog.columns if c.startswith(f"{name}_flag_"))
    # of the PSF, only the centroid's own warning
    np.testing.assert_array_equal(catalog[f"{PSF}_flag"], catalog["base_SdssCentroid_flag"])
    assert np.isfinite(catalog[f"{PSF}_xx"]).all()


def test_options():
    def configure(config):
        for name in (SOURCE, ROUND, PSF):
            config.plugins[name].addFlux = True
        config.plugins[SOURCE].subtractCenter = True
        config.plugins[PSF].subtractCenter = False
        config.plugins[PSF].useSourceCentroidOffset = True

    x, y = [140.3], [33.6]
    exposure = gaussian_stars((100, 100), x, y, [1e5], noise=0.5, x0=100, y0=0)
    catalog = measure(exposure, square_footprints(x, y, half=10), NAMES, configure)
    assert catalog[f"{SOURCE}_Flux"] == pytest.approx(1e5, rel=1e-3)
    assert catalog[f"{ROUND}_Flux"] == pytest.approx(1e5, rel=1e-3)
    assert catalog[f"{PSF}_Flux"] == pytest.approx(1.0, rel=1e-3)
    assert [catalog[f"{SOURCE}_{c}"][0] for c in "xy"] == pytest.approx([0, 0], abs=0.01)
    assert [catalog[f"{PSF}_{c}"][0] for c in "xy"] == pytest.approx([140.3, 33.6], abs=0.01)


def test_boxes():
    rng = np.random.default_rng(2)
    footprints = []
    for k in range(6):
        y0, x0, rows = *rng.integers(-50, 50, 2), rng.integers(1, 5)
        spans = [(y0 + r, x0 + a, x0 + a + b) for r, (a, b) in enumerate(rng.integers(0, 9, (rows, 2)))]
        footprints.append(
            Footprint(np.array(spans if k % 3 else [], np.int32).reshape(-1, 3), np.empty(0, PEAK_DTYPE))
        )
    boxes = Footprints.from_list(footprints).boxes
    for box, footprint in zip(boxes, footprints, strict=True):
        y, x = span_pixels(footprint.spans)
        assert box.tolist() == ([y.min(), y.max() + 1, x.min(), x.max() + 1] if len(y) else [0] * 4)
    assert Footprints.empty(2).boxes.tolist() == [[0] * 4] * 2


def test_aliases():
    aliases = measurement_task(NAMES).schema.aliases
    for name in (SOURCE, ROUND, PSF):
        assert aliases[f"{name}_flag_badCentroid"] == "base_SdssCentroid_flag"
