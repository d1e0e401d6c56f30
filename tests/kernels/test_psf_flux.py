"""PSF fluxes, against a twin, and with clipped, masked and spoilt pixels."""

import math

import numpy as np
import pytest

from secondlight.kernels.pixels import Pixels
from secondlight.kernels.psf_flux import (
    PSF_EDGE,
    PSF_NO_PIXELS,
    PSF_NOT_FINITE,
    _sum_of_squares,
    psf_fluxes,
)

rng = np.random.default_rng(4)
IMAGE = rng.normal(10, 3, (40, 50)).astype(np.float32)
VARIANCE = rng.uniform(5, 15, IMAGE.shape).astype(np.float32)
MASK = np.where(rng.random(IMAGE.shape) < 0.1, 2, 0).astype(np.int32)
PSF = np.exp(-0.5 * (np.mgrid[-4:5, -4:5] ** 2).sum(axis=0) / 2.0)
PSF /= PSF.sum()


def measure(first, image=IMAGE, variance=VARIANCE, bad=0, psf=PSF):
    x, y = (np.array(v) for v in zip(*first, strict=True))
    out, flags = np.full((len(x), 5), np.nan), np.full(len(x), -1)
    psf_fluxes(Pixels.of(image, MASK, variance), bad, np.repeat(psf[None], len(x), axis=0), x, y, out, flags)
    return out, flags


def twin(x, y, bad):
    """Weighted means over whole arrays."""
    gy, gx = np.mgrid[y : y + 9, x : x + 9]
    use = (gy >= 0) & (gy < 40) & (gx >= 0) & (gx < 50)
    use[use] = MASK[gy[use], gx[use]] & bad == 0
    m, d, v = PSF[use], IMAGE[gy[use], gx[use]].astype(float), VARIANCE[gy[use], gx[use]].astype(float)
    alpha = (m**2).sum()
    flux = (m * d).sum() / alpha
    chi2 = ((d - flux * m) ** 2 / v).sum()
    return [flux, math.sqrt((m**2 * v).sum()) / alpha, m.sum() ** 2 / alpha, chi2, use.sum()]


@pytest.mark.parametrize("bad", [0, 2])
def test_twin(bad):
    first = [(10, 20), (-3, 5), (45, 35)]
    out, flags = measure(first, bad=bad)
    for k, (x, y) in enumerate(first):
        np.testing.assert_allclose(out[k], twin(x, y, bad), rtol=1e-12)
    assert flags.tolist() == [0, PSF_EDGE, PSF_EDGE]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 8, 81])
def test_order_of_a_sum(n):
    """Every fourth square together, the second pair of sums to the first, what is left over last."""
    m = rng.normal(size=n)
    squares = np.append(m * m, [0.0] * 4)
    whole, pairs = n // 4 * 4, n // 2 * 2
    sums = [0.0] * 4
    for i in range(whole):
        sums[i % 4] += squares[i]
    first, second = sums[0] + sums[2], sums[1] + sums[3]
    if pairs > whole:
        first, second = first + squares[whole], second + squares[whole + 1]
    assert _sum_of_squares(m) == first + second + squares[pairs]


def test_flux_of_the_psf_itself():
    image = np.zeros_like(IMAGE)
    image[20:29, 10:19] = 500 * PSF
    out, _ = measure([(10, 20)], image, np.full_like(IMAGE, 4.0))
    assert out[0, 0] == pytest.approx(500, rel=1e-6)
    assert out[0, 1] == pytest.approx(2 / math.sqrt((PSF**2).sum()), rel=1e-12)
    assert out[0, 3] == pytest.approx(0, abs=1e-9)


def test_off_the_image():
    out, flags = measure([(-9, 5), (50, 5), (10, 40)])
    assert np.isnan(out).all()
    assert (flags == PSF_EDGE | PSF_NO_PIXELS).all()


def test_nothing_finite():
    image = IMAGE.copy()
    image[22, 12] = math.nan
    out, flags = measure([(10, 20), (30, 20)], image)
    assert flags.tolist() == [PSF_NOT_FINITE, 0]
    # area and pixels are known, flux and error are not
    np.testing.assert_array_equal(np.isnan(out[0]), [True, True, False, True, False])
    assert np.isfinite(out[1]).all()
    out, flags = measure([(10, 20)], variance=-VARIANCE)
    assert flags[0] == PSF_NOT_FINITE and np.isnan(out[0, :2]).all()


def test_invalid_psf():
    out, flags = measure([(10, 20)], psf=np.full_like(PSF, math.nan))
    assert flags[0] == PSF_NOT_FINITE
    assert np.isnan(out).all()
