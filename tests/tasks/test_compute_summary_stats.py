"""Summary statistics: parity with the recorded runs, and images that lack something."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from helpers.exposures import full_exposure
from helpers.shared import needs_shared, reference
from helpers.summarized import summarized
from secondlight.io.native import read_visit_image, write_visit_image
from secondlight.model.background import BackgroundList, BackgroundModel
from secondlight.model.catalog import SourceCatalog
from secondlight.model.psf import GaussianPsf
from secondlight.model.schema import Column, Schema
from secondlight.model.visit_info import VisitInfo
from secondlight.overrides import build_config
from secondlight.tasks._summary_depth import amplifier_mean, magnitude_limit
from secondlight.tasks._summary_pointing import zenith_distance
from secondlight.tasks._summary_psf import psf_variation
from secondlight.tasks.compute_summary_stats import (
    ComputeExposureSummaryStatsConfig,
    ComputeExposureSummaryStatsTask,
)

VARIANTS = ["deblend_clip", "deblend_footprint", "deblend_stray", "plugins"]


def task(**settings):
    config = ComputeExposureSummaryStatsConfig()
    for name, value in settings.items():
        setattr(config, name, value)
    return ComputeExposureSummaryStatsTask(config=config)


def star_catalog(n=0):
    """Stars with shapes of which everything can be said by hand."""
    schema = Schema.minimal()
    for base in ("slot_Shape", "slot_PsfShape"):
        for moment in ("xx", "yy", "xy"):
            schema.add(Column(f"{base}_{moment}", "D"))
    for name in ("slot_Shape_flag", "slot_PsfFlux_flag", "calib_psf_used"):
        schema.add(Column(name, "Flag"))
    for name in ("slot_PsfFlux_instFlux", "slot_PsfFlux_instFluxErr", "slot_Centroid_x", "slot_Centroid_y"):
        schema.add(Column(name, "D"))
    for order in ("30", "21", "12", "03", "40", "31", "22", "13", "04"):
        schema.add(Column(f"ext_shapeHSM_HigherOrderMomentsSource_{order}", "D"))
    catalog = SourceCatalog(schema, n)
    catalog["slot_PsfFlux_instFlux"], catalog["slot_PsfFlux_instFluxErr"] = 1000.0, 10.0
    catalog["calib_psf_used"] = True
    return catalog


# ---------------------------------------------------------------- parity


@needs_shared
@pytest.mark.parametrize(
    ("scene", "other"),
    [("small", None), ("snaps", None), ("sdss_r", None), *(("small", f"variants/{v}") for v in VARIANTS)],
)
def test_recorded(scene, other):
    """Every statistic to 1e-6 of its value, from the recorded image after detection and the recorded table."""
    recorded = summarized(scene, other)
    found = task(reproduceReferenceDefects=True).run(recorded.exposure, recorded.sources, recorded.background)
    assert set(found) == set(recorded.summary)
    for name, value in recorded.summary.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=0, equal_nan=True, err_msg=name)


@needs_shared
def test_default_differs_by_the_time_scale_alone():
    recorded = summarized("small")
    right = task().run(recorded.exposure, recorded.sources, recorded.background)
    for name, value in recorded.summary.items():
        if name == "zenithDistance":
            # 37 s of the sky's rotation
            assert 0.01 < abs(right[name] - value) < 0.155
        else:
            np.testing.assert_allclose(right[name], value, rtol=1e-6, equal_nan=True, err_msg=name)


@needs_shared
def test_configuration_is_the_references():
    """Every recorded field of this configuration exists here with its recorded value."""
    config = build_config()
    lines = reference("small", "outputs", "config.py").read_text().splitlines()
    prefix = "config.compute_summary_stats."
    fields = [line for line in lines if line.startswith(prefix) and "psfTE" not in line]
    assert len(fields) > 40
    for line in fields:
        name, _, value = line.partition("=")
        ours = eval(name, {"config": config})
        expected = eval(value, {"float": float})
        assert (dict(ours) if isinstance(expected, dict) else ours) == expected or list(ours) == expected, (
            name
        )


@pytest.mark.parametrize("instrument", ["lsstCam", "comCam", "hsc"])
def test_shipped_fiducials(instrument):
    stats = build_config([instrument]).compute_summary_stats
    assert stats.fiducialPsfSigma["i"] == 1.51
    assert stats.fiducialZeroPoint["r"] == {"lsstCam": 28.50, "comCam": 28.36, "hsc": 27.10}[instrument]
    assert stats.fiducialMagLim["r"] == (24.52 if instrument == "lsstCam" else 25.0)
    assert ("N921" in stats.fiducialSkyBackground) == (instrument == "hsc")


# ---------------------------------------------------------------- what is missing


def is_unknown(value):
    return all(math.isnan(v) for v in (value if isinstance(value, (list, tuple)) else [value]))


def test_bare_image():
    """Nothing attached, no sources: two statistics of pixels."""
    exposure = full_exposure()
    bare = replace(
        exposure,
        **dict.fromkeys(("psf", "wcs", "photo_calib", "ap_corr_map", "visit_info", "detector", "filter")),
        metadata={},
    )
    found = task().run(bare, SourceCatalog(Schema.minimal()), None)
    known = {name for name, value in found.items() if not is_unknown(value)}
    assert known == {"version", "nPsfStar", "skyNoise", "meanVar"}
    assert found["nPsfStar"] == 0


def test_no_good_place_for_the_psf():
    exposure = full_exposure((200, 200))
    exposure.mask[:] = exposure.mask_planes.bits(["SAT"])
    found = task().run(exposure, star_catalog(3), BackgroundList())
    for name in ("psfTraceRadiusDelta", "psfApFluxDelta", "psfApCorrSigmaScaledDelta", "maxDistToNearestPsf"):
        assert math.isnan(found[name]), name
    assert found["psfSigma"] > 0


def test_no_stars():
    exposure = full_exposure()
    exposure.mask[:] = 0
    catalog = star_catalog(2)
    catalog["slot_Shape_flag"] = True
    found = task().run(exposure, catalog, None)
    assert found["nPsfStar"] == 2
    assert is_unknown([v for name, v in found.items() if "Star" in name and name != "nPsfStar"])
    assert math.isnan(found["maxDistToNearestPsf"])


def test_every_pixel_is_bad():
    exposure = full_exposure()
    exposure.image[:] = np.nan
    found = task().run(exposure, star_catalog(), None)
    assert math.isnan(found["skyNoise"])


def test_unknown_band():
    exposure = full_exposure()
    found = task(fiducialPsfSigma={"g": 1.0}).run(exposure, star_catalog(), BackgroundList())
    assert math.isnan(found["effTimePsfSigmaScale"]) and not math.isnan(found["effTimeZeroPointScale"])
    exposure.filter = None
    found = task().run(exposure, star_catalog(), BackgroundList())
    assert is_unknown([v for name, v in found.items() if name.startswith("effTime")])


def test_zero_point_of_a_calibration_that_is_zero():
    exposure = full_exposure()
    exposure.photo_calib = type(exposure.photo_calib).constant(0.0)
    assert math.isnan(task().run(exposure, star_catalog(), None)["zeroPoint"])


# ---------------------------------------------------------------- one statistic at a time


def test_star_statistics_by_hand():
    """Two round stars and a stretched one, against a round PSF."""
    exposure = full_exposure((100, 100))
    exposure.mask[:] = 0
    catalog = star_catalog(3)
    for base in ("slot_Shape", "slot_PsfShape"):
        catalog[f"{base}_xx"], catalog[f"{base}_yy"], catalog[f"{base}_xy"] = 2.0, 2.0, 0.0
    catalog["slot_Shape_xx"][0], catalog["slot_Shape_yy"][0] = 3.0, 1.0
    catalog["slot_Shape_xy"][1] = 0.5
    catalog["slot_Centroid_x"], catalog["slot_Centroid_y"] = 100.0, [200.0, 250.0, 299.0]
    base = "ext_shapeHSM_HigherOrderMomentsSource"
    for order, value in {"30": 1.0, "12": 2.0, "21": 3.0, "03": 4.0, "40": 5.0, "22": 6.0}.items():
        catalog[f"{base}_{order}"] = value
    catalog[f"{base}_04"], catalog[f"{base}_31"], catalog[f"{base}_13"] = 7.0, 8.0, [9.0, 9.0, np.nan]
    found = task().run(exposure, catalog, None)
    expected = {
        "nPsfStar": 3,
        "starEMedian": 0.25,  # of 0.5, 0.25, 0
        "starUnNormalizedEMedian": 1.0,  # of 2, 1, 0
        "psfStarDeltaE1Median": 0.0,
        "psfStarDeltaE1Scatter": 0.0,
        "psfStarDeltaE2Median": 0.0,
        "psfStarDeltaSizeMedian": 0.0,
        "psfStarScaledDeltaSizeScatter": 0.0,
        "starComa1Median": 3.0,
        "starComa2Median": 7.0,
        "starTrefoil1Median": -5.0,
        "starTrefoil2Median": 5.0,
        "starKurtosisMedian": 24.0,
        "starE41Median": -2.0,
        "starE42Median": 34.0,
    }
    assert {name: found[name] for name in expected} == expected
    # the farthest place of the grid of 8 pixels: x 196, and y 224 between the stars at 200 and 250
    assert found["maxDistToNearestPsf"] == pytest.approx(math.hypot(96.0, 24.0))


def test_scatter_is_that_of_a_gaussian():
    exposure = full_exposure()
    catalog = star_catalog(4001)
    e1 = np.random.default_rng(1).normal(0.02, 0.1, 4001)
    catalog["slot_Shape_xx"], catalog["slot_Shape_yy"], catalog["slot_Shape_xy"] = 2 + 2 * e1, 2 - 2 * e1, 0.0
    catalog["slot_PsfShape_xx"] = catalog["slot_PsfShape_yy"] = 2.0
    catalog["slot_PsfShape_xy"] = 0.0
    catalog["slot_Centroid_x"] = catalog["slot_Centroid_y"] = 120.0
    found = task().run(exposure, catalog, None)
    assert found["psfStarDeltaE1Median"] == pytest.approx(0.02, abs=0.006)
    assert found["psfStarDeltaE1Scatter"] == pytest.approx(0.1, rel=0.05)


def test_stars_are_chosen_by_signal_to_noise():
    exposure = full_exposure()
    exposure.mask[:] = 0
    catalog = star_catalog(3)
    catalog["slot_PsfFlux_instFlux"] = [400.0, 5000.0, 11000.0]
    catalog["slot_Centroid_x"], catalog["slot_Centroid_y"] = [100.0, 148.0, 100.0], [200.0, 200.0, 200.0]
    # only the second, at the right end of the bottom row
    assert task().run(exposure, catalog, None)["maxDistToNearestPsf"] == pytest.approx(math.hypot(48.0, 56.0))


def test_grid_positions_are_those_of_the_image():
    """An image that does not begin at the origin: the reference forgets where it begins."""
    exposure = full_exposure()
    exposure.mask[:] = 0
    catalog = star_catalog(1)
    catalog["slot_Centroid_x"], catalog["slot_Centroid_y"] = 100.0, 200.0
    near = task().run(exposure, catalog, None)["maxDistToNearestPsf"]
    assert near == pytest.approx(math.hypot(48.0, 56.0))
    far = task(reproduceReferenceDefects=True).run(exposure, catalog, None)["maxDistToNearestPsf"]
    assert far == pytest.approx(math.hypot(100.0, 200.0))


class _Wrong(GaussianPsf):
    """A PSF that goes wrong at the right of the image."""

    moments_at = staticmethod(lambda x: np.where(x > 100, np.nan, 4.0))
    flux_at = staticmethod(lambda x: np.where(x > 100, np.nan, 0.9))

    def moments(self, x, y):
        return np.column_stack([self.moments_at(x), self.moments_at(x), np.zeros(len(x))])

    def aperture_flux(self, radius, x, y):
        return self.flux_at(x)


@pytest.mark.parametrize(
    ("moments", "fluxes", "radius_known", "flux_known"),
    [
        (lambda x: np.where(x > 100, np.nan, 4.0), lambda x: np.where(x > 100, np.nan, 0.9), False, False),
        (lambda x: np.full(len(x), 4.0), lambda x: np.where(x > 100, -0.1, 0.9), True, False),
        (lambda x: np.full(len(x), 4.0), lambda x: np.full(len(x), 0.9), True, True),
    ],
)
def test_psf_that_goes_wrong(moments, fluxes, radius_known, flux_known):
    psf = _Wrong(2.0, 15, 15)
    psf.moments_at, psf.flux_at = moments, fluxes
    x = np.array([0.0, 96.0, 192.0])
    found = psf_variation(psf, 2.0, 2.0, None, x, x)
    assert math.isfinite(found["psfTraceRadiusDelta"]) == radius_known
    assert math.isfinite(found["psfApFluxDelta"]) == flux_known
    assert math.isnan(found["psfApCorrSigmaScaledDelta"])


def test_sky_background_is_the_sum_of_medians():
    exposure = full_exposure()
    box = exposure.bbox
    levels = [np.array([[1, 2, np.nan, 30]], np.float32), np.array([[5]], np.float32)]
    background = BackgroundList(BackgroundModel(level, box) for level in levels)
    assert task().run(exposure, star_catalog(), background)["skyBg"] == 7.0


def test_cards_of_upstream():
    exposure = full_exposure()
    exposure.metadata |= {
        "SFM_ASTROM_OFFSET_MEAN": 0.01,
        "SFM_ASTROM_OFFSET_STD": 0.02,
        "REF_CAT_SOURCE_DENSITY": 5.0,
    }
    found = task().run(exposure, star_catalog(), None)
    assert (found["astromOffsetMean"], found["astromOffsetStd"]) == (0.01, 0.02)
    assert found["refCatSourceDensity"] == 5.0


def test_gain_and_read_noise():
    """Cards come before the detector's own numbers, amplifier by amplifier; what nobody knows is left out."""
    calibrations = [SimpleNamespace(gain=1.0), SimpleNamespace(gain=math.nan), None]
    detector = SimpleNamespace(
        amplifiers=[
            SimpleNamespace(name=n, nominal_calibrations=c) for n, c in zip("ABC", calibrations, strict=True)
        ]
    )
    assert amplifier_mean(detector, {}, "GAIN", "gain") == 1.0
    assert amplifier_mean(detector, {"LSST GAIN B": 2.0}, "GAIN", "gain") == 1.5
    assert amplifier_mean(detector, {"LSST GAIN B": 2.0, "LSST ISR GAIN B": 4.0}, "GAIN", "gain") == 2.5
    assert amplifier_mean(detector, {"LSST GAIN C": 5.0, "LSST GAIN A": 3.0}, "GAIN", "gain") == 4.0
    assert math.isnan(amplifier_mean(SimpleNamespace(amplifiers=[]), {}, "GAIN", "gain"))


@pytest.mark.parametrize(
    ("gain", "unit", "electrons"), [(2.0, "adu", 2.0), (2.0, "electron", 1.0), (None, "adu", None)]
)
def test_gain_of_the_magnitude_limit(gain, unit, electrons):
    """In electrons the gain is 1, whatever the cards say; without a gain there is no limit."""
    exposure = full_exposure()
    exposure.detector = SimpleNamespace(amplifiers=[SimpleNamespace(name="A", nominal_calibrations=None)])
    exposure.metadata |= {"LSST ISR UNITS": unit, "LSST READNOISE A": 6.0}
    if gain is not None:
        exposure.metadata["LSST GAIN A"] = gain
    background = BackgroundList([BackgroundModel(np.array([[900]], np.float32), exposure.bbox)])
    found = task().run(exposure, star_catalog(), background)
    if electrons is None:
        assert math.isnan(found["magLim"])
    else:
        expected = magnitude_limit(
            psf_area=found["psfArea"],
            sky=900.0,
            zero_point=found["zeroPoint"],
            read_noise=6.0 / electrons,
            gain=electrons,
            snr=5.0,
        )
        assert found["magLim"] == expected


def test_magnitude_limit_by_hand():
    """At the limit, signal over the noise of sky, electronics and itself is what was asked for."""
    zero_point, gain, snr, area, sky, read_noise = 30.0, 1.6, 5.0, 40.0, 900.0, 6.0
    limit = magnitude_limit(
        psf_area=area, sky=sky, zero_point=zero_point, read_noise=read_noise, gain=gain, snr=snr
    )
    signal = 10 ** (0.4 * (zero_point - limit))
    noise = math.sqrt((sky / gain + read_noise**2) * area + signal / gain)
    assert signal / noise == pytest.approx(snr, rel=1e-12)


def test_zenith_distance():
    """The boresight's altitude, which upstream measured, agrees; no date, no distance."""
    info = VisitInfo(date_tai=60982.123456789, longitude=-1.2348, latitude=-0.5279, elevation=2663.0)
    import astropy.units as u
    from astropy.coordinates import AltAz, EarthLocation, SkyCoord
    from astropy.time import Time

    where = EarthLocation.from_geodetic(info.longitude * u.rad, info.latitude * u.rad, info.elevation * u.m)
    when = Time(info.date_tai, format="mjd", scale="tai")
    alt = SkyCoord(30.0, -20.0, unit="deg").transform_to(AltAz(obstime=when, location=where)).alt.deg
    assert zenith_distance(info, 30.0, -20.0) == pytest.approx(90.0 - alt, abs=1e-6)
    assert math.isnan(zenith_distance(replace(info, date_tai=math.nan), 30.0, -20.0))
    # beyond any table of the Earth's rotation
    assert 0 <= zenith_distance(replace(info, date_tai=90000.0), 30.0, -20.0) <= 180


def test_threads_change_nothing():
    from secondlight import threads

    exposure = full_exposure((600, 500))
    one = task().run(exposure, star_catalog(3), None)
    with threads.use(3):
        three = task().run(exposure, star_catalog(3), None)
    np.testing.assert_equal(three, one)


def test_summary_is_written_and_read(tmp_path):
    exposure = full_exposure((200, 200))
    exposure.mask[:] = 0
    exposure.summary_stats = task().run(exposure, star_catalog(3), BackgroundList())
    write_visit_image(tmp_path / "pvi.fits", exposure)
    back = read_visit_image(tmp_path / "pvi.fits").summary_stats
    for name, value in exposure.summary_stats.items():
        if name != "version":  # of the reference's class; a file has a version of its own
            np.testing.assert_equal(back[name], list(value) if isinstance(value, tuple) else value, name)
