"""A whole visit: reproducible, and its parts agree with each other and with the truth."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from secondlight.errors import UsageError
from secondlight.simulate.observing import FULL_WELL, READ_NOISE
from secondlight.simulate.visit import simulate_visit


def subtracted(visit, k=0):
    n = len(visit.exposures)
    return visit.exposures[k].image - (visit.background_1.image() + visit.sky_corr.image()) / n


def test_same_seed_same_visit(small_visit):
    again = simulate_visit(256, 256, seed=3)
    for name in ("image", "mask", "variance"):
        np.testing.assert_array_equal(
            getattr(again.exposures[0], name), getattr(small_visit.exposures[0], name)
        )
    np.testing.assert_array_equal(again.cr_truth, small_visit.cr_truth)
    assert all(np.array_equal(again.truth[c], small_visit.truth[c]) for c in again.truth.colnames)
    assert again.inputs == small_visit.inputs


def test_another_seed_another_visit(small_visit):
    other = simulate_visit(256, 256, seed=4)
    assert not np.array_equal(other.exposures[0].image, small_visit.exposures[0].image)


def test_empty_field_is_noise_as_the_variance_plane_says():
    visit = simulate_visit(512, 512, seed=5, density=0.0)
    assert len(visit.truth) == 0 and len(visit.calib_sources) == 0
    exposure = visit.exposures[0]
    good = (exposure.mask == 0) & ~visit.cr_truth[0]
    noise = subtracted(visit)[good]
    assert noise.var(dtype=float) == pytest.approx(exposure.variance[good].mean(dtype=float), rel=0.01)
    assert abs(noise.mean(dtype=float)) < 5 * noise.std() / good.sum() ** 0.5 + 0.05


def test_bright_stars_have_their_flux_and_position():
    visit = simulate_visit(700, 700, seed=16, density=0.6)
    exposure, truth = visit.exposures[0], visit.truth
    image = subtracted(visit).astype(float)
    yy, xx = np.mgrid[0:700, 0:700]
    tried = 0
    for row in truth[(truth["kind"] == "star") & (truth["flux"] > 2e5)]:
        x, y = row["x"], row["y"]
        near = np.hypot(xx - x, yy - y) < 20
        others = np.hypot(truth["x"] - x, truth["y"] - y)
        crowded = np.any((others > 0) & (others < 25) & (truth["flux"] > 0.003 * row["flux"]))
        if crowded or near.sum() < 1200 or exposure.mask[near].any() or visit.cr_truth[0][near].any():
            continue
        tried += 1
        # 20 pixels hold 99.4 % of a Kolmogorov PSF of this size
        assert image[near].sum() / 0.994 == pytest.approx(row["flux"], rel=0.01)
        core = np.where(np.hypot(xx - x, yy - y) < 6, image, 0.0)
        assert (core * xx).sum() / core.sum() == pytest.approx(x, abs=0.1)
        assert (core * yy).sum() / core.sum() == pytest.approx(y, abs=0.1)
    assert tried >= 2


def test_truth_agrees_with_the_calibrations(small_visit):
    truth = small_visit.truth
    assert truth.colnames == [
        "x", "y", "flux", "mag", "kind", "hlr", "g1", "g2", "sersic_n", "ra", "dec", "flux_nJy",
    ]  # fmt: skip
    back = small_visit.wcs.sky_to_pixel(SkyCoord(truth["ra"], truth["dec"], unit="deg"))
    np.testing.assert_allclose(back.x, truth["x"], atol=1e-4)
    np.testing.assert_allclose(back.y, truth["y"], atol=1e-4)
    local = small_visit.photo_calib.local(np.asarray(truth["x"]), np.asarray(truth["y"]))
    np.testing.assert_allclose(truth["flux"] * local, truth["flux_nJy"])
    np.testing.assert_allclose(31.4 - 2.5 * np.log10(truth["flux_nJy"]), truth["mag"], atol=1e-3)
    star = truth["kind"] == "star"
    assert np.all(truth["sersic_n"][star] == 0) and set(truth["sersic_n"][~star]) <= {1.0, 4.0}


def test_masks(small_visit):
    exposure = small_visit.exposures[0]
    bits = exposure.mask_planes.bits
    saturated = (exposure.mask & bits(["SAT"])) != 0
    assert saturated.any() and np.all(
        exposure.image[saturated & ((exposure.mask & bits(["BAD"])) == 0)] == FULL_WELL
    )
    assert ((exposure.mask & bits(["BAD"])) != 0).any()
    spikes = (small_visit.preliminary_mask & small_visit.preliminary_planes.bits(["SPIKE"])) != 0
    assert 0 < spikes.mean() < 0.2
    assert small_visit.cr_truth.any() and not (exposure.mask & bits(["CR"])).any()


def test_two_snaps_share_the_sky_and_not_the_noise():
    visit = simulate_visit(256, 256, seed=3, snaps=2)
    a, b = visit.exposures
    assert visit.cr_truth.shape == (2, 256, 256) and not (visit.cr_truth[0] & visit.cr_truth[1]).all()
    assert a.visit_info.exposure_time == 15.0
    quiet = (a.mask == 0) & (b.mask == 0) & ~visit.cr_truth.any(axis=0)
    difference = (a.image - b.image)[quiet]
    assert abs(np.median(difference)) < 1.0
    scatter = 1.4826 * np.median(np.abs(difference))
    expected = np.sqrt(2 * (visit.inputs["sky_level"] / 2 + READ_NOISE**2))
    assert scatter == pytest.approx(expected, rel=0.03)
    one = simulate_visit(256, 256, seed=3)
    assert all(np.array_equal(visit.truth[c], one.truth[c]) for c in ("x", "hlr", "g1"))


def test_flat_ratio_changes_the_pixels_it_says(small_visit):
    visit = simulate_visit(256, 256, seed=3, flat_ratio=True)
    assert small_visit.background_ratio is None
    assert visit.background_ratio.shape == (256, 256) and 0.9 < visit.background_ratio.min() < 1.0
    # same photons but for the ratio: bright pixels follow it
    bright = (
        (small_visit.exposures[0].mask == 0)
        & (subtracted(small_visit) > 2e4)
        & (visit.exposures[0].mask == 0)
    )
    np.testing.assert_allclose(
        np.median((subtracted(visit) / subtracted(small_visit) / visit.background_ratio)[bright]),
        1.0,
        atol=0.01,
    )


def test_aperture_corrections_cover_the_fluxes_and_exceed_one(small_visit):
    names = {
        "base_PsfFlux",
        "base_GaussianFlux",
        "ext_photometryKron_KronFlux",
        "base_CompensatedTophatFlux_12",
    }
    assert set(small_visit.ap_corr_map) == {n + s for n in names for s in ("_instFlux", "_instFluxErr")}
    at = {"x": np.array([20.0, 200.0]), "y": np.array([128.0, 30.0])}
    for name in names:
        assert np.all(small_visit.ap_corr_map[f"{name}_instFlux"](**at) > 1.005)
        assert np.all(small_visit.ap_corr_map[f"{name}_instFlux"](**at) < 1.15)


def test_psf_flux_with_its_correction_is_the_total_flux(small_visit):
    from secondlight.simulate.render import draw_scene
    from secondlight.simulate.true_psf import TruePsf

    shape = (256, 256)
    # the visit's own PSF stream: second of its spawned seeds
    stream = np.random.SeedSequence(3).spawn(8)[1]
    psf = TruePsf.draw(np.random.default_rng(stream), shape, small_visit.inputs["fwhm"])
    star = small_visit.truth[:1].copy()
    star["x"], star["y"], star["flux"], star["kind"] = 100.37, 140.81, 1e5, "star"
    star["hlr"] = 0.0
    image, _ = draw_scene(star, psf)
    stamps = small_visit.psf.stellar_images([100.37], [140.81])
    h = stamps.images.shape[1]
    cut = image[stamps.y0[0] : stamps.y0[0] + h, stamps.x0[0] : stamps.x0[0] + h]
    flux = (cut * stamps.images[0]).sum() / (stamps.images[0] ** 2).sum()
    correction = small_visit.ap_corr_map["base_PsfFlux_instFlux"](x=100.37, y=140.81)
    assert flux * correction == pytest.approx(1e5, rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [({"band": "q"}, "'q'"), ({"nx": 10}, "10 by"), ({"snaps": 3}, "not 3")],
)
def test_senseless_arguments_are_refused(arguments, word):
    with pytest.raises(UsageError, match=word):
        simulate_visit(**{"nx": 256, "ny": 256} | arguments)
