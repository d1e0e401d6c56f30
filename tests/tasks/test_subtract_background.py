"""Fitting and subtracting backgrounds: spec 02.6."""

import numpy as np
import pytest

from secondlight.errors import UsageError
from secondlight.model.background import ApproxStyle, BackgroundList, InterpStyle
from secondlight.model.exposure import Exposure
from secondlight.tasks.subtract_background import (
    SubtractBackgroundTask,
    TooManyMaskedPixelsError,
    background_flat_context,
)


def task(**options):
    config = SubtractBackgroundTask.ConfigClass(**options)
    config.validate()
    return SubtractBackgroundTask(config=config)


def exposure(shape=(260, 390), slope=0.05):
    rng = np.random.default_rng(1)
    y, x = np.mgrid[: shape[0], : shape[1]]
    sky = 500 + slope * x - 0.5 * slope * y
    image = (sky + rng.normal(0, 5, shape)).astype(np.float32)
    return Exposure(image, np.zeros(shape, np.int32), np.full(shape, 25, np.float32)), sky


@pytest.mark.parametrize("options", [{"useApprox": False, "binSize": 32}, {"binSize": 32, "approxOrderX": 2}])
def test_sky_is_found_under_masked_stars(options):
    exp, sky = exposure()
    exp.image[100:110, 100:110] += 10000
    exp.mask[98:112, 98:112] = exp.mask_planes.bits(["DETECTED"])
    before = exp.image.copy()
    background = BackgroundList()
    result = task(**options).run(exp, background)
    assert result.background is background
    assert len(background) == 1
    np.testing.assert_array_equal(exp.image, before - background.image())
    assert abs(background.image() - sky).max() < 2
    assert exp.metadata["BGMEAN"] == pytest.approx(background.image().mean(dtype=float))
    assert exp.metadata["BGVAR"] == pytest.approx(background.image().var(dtype=float, ddof=1))


def test_background_is_appended_and_statistics_are_of_all():
    exp, _ = exposure()
    fit = task(useApprox=False, binSize=64)
    background = fit.run(exp).background
    fit.run(exp, background)
    assert len(background) == 2
    assert exp.metadata["BGMEAN"] == pytest.approx(background.image().mean(dtype=float))
    exp.metadata.clear()
    fit.run(exp, stats=False)
    assert not exp.metadata


def test_bins():
    exp, _ = exposure()
    fit = task(useApprox=False, binSize=100, binSizeX=50).fit_background(exp)
    assert fit.stats_image.shape == (3, 8)
    assert fit.interp_style is InterpStyle.AKIMA_SPLINE
    fit = task(useApprox=False).fit_background(exp, nx=2, ny=3, algorithm="LINEAR")
    assert fit.stats_image.shape == (3, 2)
    assert fit.interp_style is InterpStyle.LINEAR
    assert fit.bbox == exp.bbox


def test_order_follows_the_number_of_bins():
    exp, _ = exposure()
    fit = task(binSize=128).fit_background(exp)
    assert (fit.stats_image.shape, fit.approx_order_x) == ((3, 4), 2)
    assert fit.approx_style is ApproxStyle.CHEBYSHEV
    fit = task(undersampleStyle="INCREASE_NXNYSAMPLE").fit_background(exp)
    # bins of 260 // 6 pixels
    assert (fit.stats_image.shape, fit.approx_order_x) == ((260 // 43 + 1, 390 // 43 + 1), 6)
    with pytest.raises(UsageError, match="4 x 3 bins are too few"):
        task(undersampleStyle="THROW_EXCEPTION").fit_background(exp)
    with pytest.raises(UsageError, match="approxOrderY=3"):
        task(approxOrderY=3).fit_background(exp)
    assert np.ptp(task(binSize=1000, weighting=False).fit_background(exp).image()) == 0


def test_every_pixel_masked():
    exp, _ = exposure()
    exp.mask[:] = exp.mask_planes.bits(["NO_DATA"])
    with pytest.raises(TooManyMaskedPixelsError, match="NO_DATA") as error:
        task().run(exp)
    assert error.value.metadata == {}


def test_super_pixels_are_filtered():
    exp, _ = exposure(shape=(256, 384), slope=0)
    exp.image[64:96, 64:96] += 1000
    exp.mask[128:160, 128:160] = exp.mask_planes.bits(["BAD"])
    options = {"useApprox": False, "binSize": 32}
    plain = task(**options).fit_background(exp).stats_image
    assert np.nanmax(plain) > 1400
    assert np.isnan(plain).sum() >= 1
    filtered = task(doFilterSuperPixels=True, **options).fit_background(exp).stats_image
    np.testing.assert_allclose(filtered, 500, atol=2)


def test_ratio():
    exp, _ = exposure(slope=0)
    rng = np.random.default_rng(4)
    ratio = rng.uniform(0.9, 1.1, exp.image.shape).astype(np.float32)
    flat = exp.copy()
    background = task(useApprox=False, binSize=64).run(flat).background
    exp.image /= ratio
    exp.variance /= ratio
    exp.variance /= ratio
    fitted = (
        task(useApprox=False, binSize=64, doApplyFlatBackgroundRatio=True).run(exp, ratio=ratio).background
    )
    np.testing.assert_allclose(fitted.image(), background.image(), rtol=1e-5)
    np.testing.assert_allclose(exp.image * ratio, flat.image, atol=1e-3)
    np.testing.assert_allclose(exp.variance * ratio**2, 25, rtol=1e-6)
    with pytest.raises(UsageError, match="no background ratio"):
        task(doApplyFlatBackgroundRatio=True).run(exp)


def test_flat_context_restores_after_an_error():
    image, variance = np.full((2, 2), 6, np.float32), np.full((2, 2), 8, np.float32)
    ratio = np.full((2, 2), 2, np.float32)
    with pytest.raises(RuntimeError), background_flat_context(image, variance, ratio):
        assert (image == 12).all()
        assert (variance == 32).all()
        raise RuntimeError
    assert (image == 6).all()
    assert (variance == 8).all()
    with background_flat_context(image, variance, None):
        assert (image == 6).all()
