"""Twin: the fits of spec 06.4.1 with numpy.linalg.lstsq and boolean arrays."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.blends import NOISE, SIGMA, kernel_peaks, regions_of, stars
from secondlight.kernels.deblend.psf_fit import (
    FIT_BAD_DOF,
    FIT_NO_PIXELS,
    FIT_NOT_FINITE,
    FIT_OUT_OF_BOUNDS,
    FIT_TINY,
    N_FIT,
    N_REFIT,
    Stamps,
    fit_psfs,
    refit_psfs,
)
from secondlight.model.psf import GaussianPsf

FWHM = 2.35 * SIGMA
SHAPE = (34, 40)
PLACES = [(14.0, 15.0, 3000), (20.0, 17.0, 1500), (27.0, 22.0, 800)]


def _stamps(x, y, size=21):
    drawn = GaussianPsf(SIGMA, size, size, analytic_stars=True).stellar_images(x, y)
    return Stamps(drawn.images, drawn.x0, drawn.y0, np.ones(len(drawn.x0), bool))


def _at(stamps, k, yy, xx, clip=None):
    """A PSF image in some pixels, 0 outside it (and outside a box)."""
    image = np.pad(stamps.images[k], 60)
    values = image[yy - stamps.y0[k] + 60, xx - stamps.x0[k] + 60]
    if clip is None:
        return values
    return np.where((yy >= clip[0]) & (yy <= clip[1]) & (xx >= clip[2]) & (xx <= clip[3]), values, 0)


def _twin(image, variance, picture, places, stamps, k, new=None):
    """χ² per degree of freedom, flux and slopes of the fits; with ``new`` those of the fit with another PSF image."""
    h, w = picture.shape
    cx, cy = places[k][:2]
    inner, outer = np.ceil(FWHM), np.ceil(1.5 * FWHM)
    y, x = np.mgrid[:h, :w]
    r = np.hypot(x - cx, y - cy)
    valid = picture & (r <= outer) & (variance > 0) & np.isfinite(image)
    ramp = np.where(r <= inner, 1, np.maximum(0, 1 - (r - inner) / (outer - inner)))[valid]
    yy, xx = y[valid], x[valid]
    size = stamps.images.shape[1]
    low = np.maximum(np.floor([cy - outer, cx - outer]), 0)
    high = np.minimum(np.ceil([cy + outer, cx + outer]), [h - 1, w - 1])
    others = [
        o
        for o in range(len(places))
        if o != k
        and np.hypot(cx - places[o][0], cy - places[o][1]) <= outer + size / 2
        and stamps.y0[o] <= high[0]
        and stamps.y0[o] + size - 1 >= low[0]
        and stamps.x0[o] <= high[1]
        and stamps.x0[o] + size - 1 >= low[1]
    ]
    clip = (
        max(stamps.y0[k], 0),
        min(stamps.y0[k] + size, h) - 1,
        max(stamps.x0[k], 0),
        min(stamps.x0[k] + size, w) - 1,
    )
    psf = _at(stamps, k, yy, xx, clip)
    if new is not None:
        shifted, s = new
        inside = (yy >= shifted.y0[s]) & (yy < shifted.y0[s] + size)
        inside &= (xx >= shifted.x0[s]) & (xx < shifted.x0[s] + size)
        psf = np.where(inside, _at(shifted, s, yy, xx), psf)
    dx = (_at(stamps, k, yy, xx + 1) - _at(stamps, k, yy, xx - 1)) / 2
    dy = (_at(stamps, k, yy + 1, xx) - _at(stamps, k, yy - 1, xx)) / 2
    dx[(xx <= clip[2]) | (xx >= clip[3]) | (yy < clip[0]) | (yy > clip[1])] = 0
    dy[(yy <= clip[0]) | (yy >= clip[1]) | (xx < clip[2]) | (xx > clip[3])] = 0
    columns = [psf, np.ones(len(yy)), xx - cx, yy - cy, *(_at(stamps, o, yy, xx) for o in others), dx, dy]
    weight = np.sqrt(ramp / variance[valid])
    a, b = np.array(columns).T * weight[:, None], image[valid] * weight

    def fit(n):
        solution, chisq, *_ = np.linalg.lstsq(a[:, :n], b, rcond=-1)
        return solution, (chisq[0] if len(chisq) else 1e30) / (ramp.sum() - n)

    n = a.shape[1]
    first, q1 = fit(n - 2)
    if new is not None:
        return q1, first[0]
    second, q2 = fit(n)
    return q1, first[0], q2, second[0], second[-2] / second[0], second[-1] / second[0]


def _fits(image, picture, places, *, variance=None, fwhm=FWHM, tiny=2, skip_nan=True, size=21, usable=True):
    variance = np.full(image.shape, NOISE**2, np.float32) if variance is None else variance
    peaks = kernel_peaks([p[:2] for p in places])
    stamps = _stamps(peaks.x, peaks.y, size)
    stamps.usable[:] = usable
    out, flags = np.full((len(places), N_FIT), np.nan), np.zeros(len(places), np.int64)
    args = (image, variance, regions_of([picture]), peaks)
    active = np.ones(len(places), bool)
    fit_psfs(*args, active, np.array([fwhm]), stamps, tiny, skip_nan, 0, len(places), out, flags)
    return out, flags, args, stamps


def _scene():
    image = stars(SHAPE, [(14.2, 14.9, 3000), (20.0, 17.4, 1500), (27.0, 22.0, 800, 3.0)])
    picture = np.ones(SHAPE, bool)
    picture[:3, :9] = picture[22:25, 10:13] = False
    variance = np.full(SHAPE, NOISE**2, np.float32)
    variance[12, 16], variance[:, 20:] = 0, 2 * NOISE**2
    image[17, 13] = np.nan
    return image, picture, variance


def test_fits_are_those_of_lstsq():
    image, picture, variance = _scene()
    out, flags, _, stamps = _fits(image, picture, PLACES, variance=variance)
    assert flags.tolist() == [0, 0, 0]
    for k in range(len(PLACES)):
        np.testing.assert_allclose(out[k], _twin(image, variance, picture, PLACES, stamps, k), rtol=1e-8)


def test_fits_at_shifted_places():
    image, picture, variance = _scene()
    out, _, args, stamps = _fits(image, picture, PLACES, variance=variance)
    chosen = np.array([0, 2])
    x, y = args[3].x[chosen] + out[chosen, 4], args[3].y[chosen] + [0.4, -0.9]
    new = _stamps(x, y)
    refits = np.full((2, N_REFIT), np.nan)
    refit_psfs(*args, np.array([FWHM]), stamps, chosen, x, y, new, True, 0, 2, refits)
    for s, k in enumerate(chosen):
        expected = _twin(image, variance, picture, PLACES, stamps, k, (new, s))
        np.testing.assert_allclose(refits[s], expected, rtol=1e-8)


def test_a_shift_out_of_the_box_is_not_fitted():
    image, picture, variance = _scene()
    _, _, args, stamps = _fits(image, picture, PLACES, variance=variance)
    x, y = np.array([-0.5]), np.array([15.0])
    refits = np.full((1, N_REFIT), np.nan)
    refit_psfs(*args, np.array([FWHM]), stamps, np.array([0]), x, y, _stamps(x, y), True, 0, 1, refits)
    assert np.isnan(refits).all()


def test_two_peaks_on_one_pixel_are_never_point_sources():
    image, picture, variance = _scene()
    out, flags, *_ = _fits(image, picture, [PLACES[0], PLACES[0]], variance=variance)
    assert flags.tolist() == [0, 0]
    assert (out[:, [0, 2]] > 1e20).all()


def test_a_neighbour_without_a_pixel_in_the_disc_spoils_the_fit():
    """As with lstsq, which gives no χ² where columns are dependent: the neighbour's image overlaps the disc where the
    footprint has a hole."""
    image = stars((40, 40), [(12, 12, 3000)])
    picture = np.ones((40, 40), bool)
    picture[14:, 14:] = False
    alone, *_ = _fits(image, picture, [(12.0, 12.0)])
    out, *_ = _fits(image, picture, [(12.0, 12.0), (24.0, 24.0)])
    assert alone[0, 0] < 1.5 and out[0, 0] > 1e20


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"usable": False}, FIT_OUT_OF_BOUNDS),
        ({"tiny": 14}, 0),
        ({"tiny": 15}, FIT_TINY),
        ({"variance": np.zeros(SHAPE, np.float32)}, FIT_NO_PIXELS),
        ({"fwhm": 0.5}, FIT_BAD_DOF),
        ({"skip_nan": False}, FIT_NOT_FINITE),
    ],
)
def test_why_a_peak_is_not_fitted(change, flag):
    image, picture, _ = _scene()
    out, flags, *_ = _fits(image, picture, PLACES[:1], **change)
    assert flags[0] == flag
    assert np.isnan(out).all() == (flag != 0)


def test_peaks_out_of_the_footprint_and_narrow_footprints():
    image, _, _ = _scene()
    picture = np.zeros(SHAPE, bool)
    picture[10:20, 14:16] = True
    _, flags, *_ = _fits(
        image[10:20, 14:16].copy(), picture[10:20, 14:16], [(0.0, 5.0), (5.0, 5.0), (0.0, -3.0)]
    )
    assert flags.tolist() == [FIT_TINY, FIT_OUT_OF_BOUNDS, FIT_OUT_OF_BOUNDS]
