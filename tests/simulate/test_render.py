"""Rendering against profiles integrated by other means."""

import numpy as np
import pytest
from astropy.table import Table

from secondlight.simulate.render import add_diffraction_spikes, draw_scene
from secondlight.simulate.true_psf import TruePsf

SHAPE = (401, 401)


@pytest.fixture(scope="module")
def psf():
    return TruePsf.draw(np.random.default_rng(1), SHAPE, 0.73)


def objects(**columns):
    n = len(columns["x"])
    defaults = {"y": 200.0, "flux": 1e5, "kind": "star", "hlr": 0.0, "g1": 0.0, "g2": 0.0, "sersic_n": 0.0}
    return Table({**{k: [v] * n for k, v in defaults.items()}, **columns})


@pytest.mark.parametrize("flux", [1e3, 1e5, 1e7])
def test_star_has_its_flux_and_position(psf, flux):
    x, y = 200.3, 180.8
    image, _ = draw_scene(objects(x=[x], y=[y], flux=[flux]), psf)
    # beyond 12 pixels, the smallest stamp, lies 1.2 % of a Kolmogorov PSF
    assert image.sum() == pytest.approx(flux, rel=0.015 if flux < 1e4 else 0.004)
    yy, xx = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    weight = image * (np.hypot(xx - x, yy - y) < 8)
    assert (weight * xx).sum() / weight.sum() == pytest.approx(x, abs=0.02)
    assert (weight * yy).sum() / weight.sum() == pytest.approx(y, abs=0.02)


@pytest.mark.parametrize(("sersic_n", "tolerance"), [(1.0, 0.01), (4.0, 0.03)])
def test_galaxy_has_its_flux_and_size(psf, sersic_n, tolerance):
    hlr = 2.5
    row = objects(x=[200.0], flux=[1e6], kind=["galaxy"], hlr=[hlr], sersic_n=[sersic_n])
    image, _ = draw_scene(row, psf)
    assert image.sum() == pytest.approx(1e6, rel=tolerance)
    yy, xx = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    inside = image[np.hypot(xx - 200, yy - 200) < hlr / 0.2].sum()
    # the PSF moves a little of the light out of the half-light radius
    assert inside / 1e6 == pytest.approx(0.5, abs=0.04)


def test_sheared_galaxy_points_along_its_shear(psf):
    row = objects(x=[200.0], flux=[1e6], kind=["galaxy"], hlr=[1.5], sersic_n=[1.0], g1=[0.5])
    image, _ = draw_scene(row, psf)
    yy, xx = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    xx2, yy2 = (((a - 200.0) ** 2 * image).sum() for a in (xx, yy))
    # axis ratio (1 - g) / (1 + g) = 1/3, rounded by the PSF
    assert 5 < xx2 / yy2 < 9


def test_objects_off_the_image_are_skipped(psf):
    image, _ = draw_scene(objects(x=[-500.0, 200.0], flux=[1e5, 1e5]), psf)
    assert image.sum() == pytest.approx(1e5, rel=0.01)


def test_spikes_are_diagonal_and_marked():
    image = np.zeros(SHAPE)
    marked = add_diffraction_spikes(image, 200.0, 200.0, 1.5e5)
    assert image.sum() == pytest.approx(1.5e5)
    assert image[220, 220] > 100 * image[220, 200]
    assert marked[220, 220] and marked[180, 220] and not marked[200, 260]
    assert marked.sum() < 0.1 * marked.size


def test_spikes_take_their_light_from_the_star(psf):
    row = objects(x=[200.0], flux=[1e7])
    with_, spikes = draw_scene(row, psf, spikes_above=1e6)
    without, none = draw_scene(row, psf)
    assert spikes.any() and not none.any()
    assert with_.sum() == pytest.approx(without.sum(), rel=1e-3)
    assert with_[200, 200] < without[200, 200] and with_[260, 260] > 2 * without[260, 260]


def test_psf_varies_smoothly_over_the_field(psf):
    fwhm, g1, g2 = psf.parameters(np.array([0.0, 200.0, 400.0]), np.array([0.0, 200.0, 400.0]))
    assert fwhm[1] == pytest.approx(0.73, rel=0.01)
    assert 1e-3 < np.ptp(fwhm) < 0.3 and np.ptp(g1) > 1e-4 and np.hypot(g1, g2).max() < 0.2


def test_star_image_is_centred_and_nearly_complete(psf):
    star = psf.star_image(200.0, 200.0, 61)
    assert star.argmax() == star.size // 2
    assert 0.995 < star.sum() < 1.0
