"""Detection: the reference's footprints, peaks, ids and masks; every branch; what goes wrong."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from helpers.shared import needs_shared, reference
from secondlight import threads
from secondlight.errors import ProcessingError, UsageError
from secondlight.io.afw.background import read_background
from secondlight.io.afw.exposure import read_exposure
from secondlight.io.afw.visit_summary import read_visit_summary
from secondlight.io.tables import read_footprints
from secondlight.model.background import BackgroundList
from secondlight.model.exposure import Exposure
from secondlight.model.ids import DetectorVisitIdGeneratorConfig
from secondlight.model.psf import GaussianPsf
from secondlight.model.schema import Schema
from secondlight.tasks._smooth import gaussian_kernel, smooth
from secondlight.tasks.detection import PsfGenerationError, SourceDetectionConfig, SourceDetectionTask

SIGMA = 1.5


def _config(**overrides):
    """The defaults that the task has within ReprocessVisitImageTask."""
    config = SourceDetectionConfig()
    config.update(reEstimateBackground=False, doTempLocalBackground=False)
    config.update(**overrides)
    return config


def _task(schema=None, **overrides):
    return SourceDetectionTask(schema=schema, config=_config(**overrides), name="detection")


# ---------------------------------------------------------------------------------------------------- parity


@cache
def _scene(name):
    snaps = [read_exposure(f, psf=False) for f in sorted(reference(name, "inputs").glob("postISRCCD_*.fits"))]
    stages = np.load(reference(name, "outputs", "stages.npz"))
    exposure = snaps[0].copy()
    exposure.image, exposure.mask = stages["repaired"], stages["repaired_mask"]
    exposure.variance = np.sum([s.variance for s in snaps], axis=0, dtype=np.float32)
    exposure.psf = read_visit_summary(reference(name, "inputs", "finalVisitSummary.fits")).find(42).psf
    return exposure, stages["detected_mask"]


def _ids(sources):
    table = pq.read_table(sources, columns=["visit", "detector"])
    config = DetectorVisitIdGeneratorConfig()
    config.n_releases, config.release_id = 8, 2
    config.packer["observation"].n_observations, config.packer["observation"].n_detectors = 2**35, 256
    visit, detector = table["visit"][0].as_py(), table["detector"][0].as_py()
    return config.make(visit=visit, detector=detector).make_factory()


def _assert_recorded(result, folder):
    """Spans, peaks and their values to the last bit, and ids."""
    recorded = read_footprints(folder / "detection.parquet")
    ours, theirs = result.sources.footprints, recorded.footprints
    np.testing.assert_array_equal(result.sources["id"], recorded["id"])
    np.testing.assert_array_equal(ours.span_offsets, theirs.span_offsets)
    np.testing.assert_array_equal(ours.spans, theirs.spans)
    np.testing.assert_array_equal(ours.peak_offsets, theirs.peak_offsets)
    for column in ("f_x", "f_y", "peakValue"):
        np.testing.assert_array_equal(ours.peaks[column], theirs.peaks[column])


@needs_shared
@pytest.mark.parametrize("name", ["small", "snaps", "sdss_r"])
def test_recorded_scene(name):
    exposure, detected_mask = _scene(name)
    exposure = exposure.copy()
    outputs = reference(name, "outputs")
    result = _task().run(exposure, ids=_ids(outputs / "sources.parquet"))
    _assert_recorded(result, outputs)
    np.testing.assert_array_equal(exposure.mask, detected_mask)
    np.testing.assert_array_equal(exposure.image, _scene(name)[0].image)


@needs_shared
@pytest.mark.parametrize("name", ["detection", "detection_stdev", "detection_original"])
def test_recorded_variant(name):
    exposure = _scene("small")[0].copy()
    config = _config(reproduceReferenceDefects=True)
    override = compile(reference("variants", f"{name}.py").read_text(), name, "exec")
    exec(override, {"config": SimpleNamespace(detection=config)})
    folder = reference("variants", name)
    schema = Schema.minimal()
    task = SourceDetectionTask(schema=schema, config=config, name="detection")
    background = BackgroundList()
    result = task.run(exposure, background=background, ids=_ids(folder / "sources.parquet"))
    _assert_recorded(result, folder)
    if config.thresholdPolarity == "both":
        table = pq.read_table(folder / "sources.parquet", columns=["id", "is_negative"])
        flags = dict(zip(table["id"].to_pylist(), table["is_negative"].to_pylist(), strict=True))
        assert [flags[i] for i in result.sources["id"].tolist()] == result.sources["is_negative"].tolist()
        assert result.numNeg == 2
    if config.reEstimateBackground:
        (fitted,) = background
        recorded = read_background(folder / "pvi_background.fits")[-1]
        np.testing.assert_array_equal(fitted.stats_image, recorded.stats_image)
        np.testing.assert_allclose(fitted.image(), recorded.image(), rtol=0, atol=1e-5)


@needs_shared
def test_recorded_peak_ids():
    """The ids of children's peaks, which a fresh process of the reference counts from 1."""
    exposure = _scene("small")[0].copy()
    peaks = _task().run(exposure).positive.peaks
    columns = ["parent", "deblend_peak_center_x", "deblend_peak_center_y", "deblend_peakId"]
    table = pq.read_table(reference("small", "outputs", "sources.parquet"), columns=columns).to_pydict()
    ours = {(p["i_x"], p["i_y"]): p["id"] for p in peaks}
    rows = [row for row in zip(*(table[c] for c in columns), strict=True) if row[0]]
    assert len(rows) > 50
    assert all(ours[x, y] == peak_id for _, x, y, peak_id in rows)


# ------------------------------------------------------------------------------------------------- behaviour


def _sky(stars=((40, 30, 4000.0), (90, 60, 2000.0)), shape=(120, 150), seed=1, **kwargs):
    """White noise of sigma 10 and Gaussian stars (x, y, flux)."""
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 10, shape)
    y, x = np.indices(shape)
    for sx, sy, flux in stars:
        image += flux / (2 * np.pi * SIGMA**2) * np.exp(-((x - sx) ** 2 + (y - sy) ** 2) / (2 * SIGMA**2))
    kwargs.setdefault("psf", GaussianPsf(SIGMA, 25, 25))
    return Exposure(
        image.astype(np.float32), np.zeros(shape, np.int32), np.full(shape, 100, np.float32), **kwargs
    )


def _centers(sources):
    return sorted((int(f.peaks[0]["i_x"]), int(f.peaks[0]["i_y"])) for f in sources.footprints)


def test_stars_are_found_in_parent_coordinates():
    exposure = _sky(x0=1000, y0=-500)
    task = _task()
    result = task.run(exposure)
    assert _centers(result.sources) == [(1040, -470), (1090, -440)]
    assert result.sources["id"].tolist() == [1, 2] and result.sources["parent"].tolist() == [0, 0]
    assert (result.numPos, result.numNeg, result.numPosPeaks, result.negative) == (2, 0, 2, None)
    assert task.metadata["sigma"] == pytest.approx(SIGMA)
    assert (task.metadata["nGrow"], task.metadata["smoothingKernelWidth"]) == (4, 11)
    detected = (exposure.mask & exposure.mask_planes.bits(["DETECTED"])) != 0
    assert detected.sum() == sum(f.area for f in result.sources.footprints)
    for f in result.sources.footprints:
        assert detected[f.spans[0, 0] + 500, f.spans[0, 1] - 1000]
    edge = (exposure.mask & exposure.mask_planes.bits(["EDGE"])) != 0
    assert edge[:5].all() and edge[:, -5:].all() and not edge[5:-5, 5:-5].any()


def test_significance_is_the_peak_over_its_noise():
    exposure = _sky()
    smoothed = smooth(_sky(stars=()), gaussian_kernel(SIGMA, 7.0))
    noise = 10 / (2 * SIGMA * np.sqrt(np.pi))  # of white noise smoothed with a Gaussian
    assert np.sqrt(smoothed.variance[0:1][0, 0]) == pytest.approx(noise, rel=0.01)
    for threshold_type, expected in (
        ("pixel_stdev", noise),
        ("stdev", smoothed.image.std()),
        ("value", np.inf),
    ):
        result = _task(thresholdType=threshold_type, thresholdValue=7.0).run(exposure.copy())
        peaks = result.positive.peaks
        assert len(peaks) >= 2
        np.testing.assert_allclose(peaks["significance"], peaks["peakValue"] / expected, rtol=0.15)


def test_the_detected_mask_of_before_is_cleared():
    exposure = _sky(stars=())
    exposure.mask[:] = exposure.mask_planes.bits(["DETECTED", "DETECTED_NEGATIVE", "SAT"])
    assert len(_task(thresholdValue=6.0).run(exposure).sources) == 0
    assert set(np.unique(exposure.mask)) == {2, 2 + 16}


@pytest.mark.parametrize("polarity", ["positive", "negative", "both"])
@pytest.mark.parametrize("re_estimate", [False, True])
def test_polarity(polarity, re_estimate):
    exposure = _sky(stars=((40, 30, 4000.0), (90, 60, -3000.0)), shape=(200, 200))
    task = _task(Schema.minimal(), thresholdPolarity=polarity, reEstimateBackground=re_estimate)
    result = task.run(exposure)
    wanted = {"negative": [(90, 60)], "positive": [(40, 30)], "both": [(90, 60), (40, 30)]}[polarity]
    assert [tuple(f.peaks[0][["i_x", "i_y"]]) for f in result.sources.footprints] == wanted
    assert (result.positive is None) == (polarity == "negative")
    assert (result.negative is None) == (polarity == "positive")
    planes = exposure.mask_planes
    assert bool(exposure.mask[30, 40] & planes.bits(["DETECTED"])) == (polarity != "negative")
    assert bool(exposure.mask[60, 90] & planes.bits(["DETECTED_NEGATIVE"])) == (polarity != "positive")
    assert ("is_negative" in result.sources) == (polarity == "both")
    if polarity == "both":
        assert result.sources["is_negative"].tolist() == [True, False]
        assert (result.negative.peaks["significance"] > 5).all()
        assert sorted(result.sources.footprints.peaks["id"]) == [1, 2]


def test_growth_can_be_turned_off_or_kept_to_the_mask():
    grown = _task().run(_sky()).sources.footprints.areas
    exposure = _sky()
    result = _task(returnOriginalFootprints=True).run(exposure)
    assert (result.sources.footprints.areas < grown).all()
    detected = (exposure.mask & exposure.mask_planes.bits(["DETECTED"])) != 0
    assert detected.sum() == grown.sum()
    exposure = _sky()
    none = _task(nSigmaToGrow=0.0).run(exposure)
    np.testing.assert_array_equal(none.sources.footprints.areas, result.sources.footprints.areas)


def test_footprints_that_touch_are_one_unless_not_combined():
    stars = ((40, 30, 4000.0), (52, 30, 4000.0))
    (one,) = _task().run(_sky(stars)).sources.footprints
    assert len(one.peaks) == 2
    two = _task(combinedGrow=False).run(_sky(stars)).sources.footprints
    assert [len(f.peaks) for f in two] == [1, 1]
    exposure = _sky(((6, 6, 9000.0), *stars))
    for f in _task(combinedGrow=False, nSigmaToGrow=6.0).run(exposure).sources.footprints:
        assert f.spans.min() >= 0


def test_selection():
    assert len(_task(includeThresholdMultiplier=10.0).run(_sky()).sources) == 1
    assert len(_task(minPixels=10_000).run(_sky()).sources) == 0
    exposure = _sky()
    exposure.mask[30, 40] = exposure.mask_planes.bits(["SAT"])
    assert _centers(
        _task(excludeMaskPlanes=["SAT"], includeThresholdMultiplier=2.0).run(exposure).sources
    ) == [(90, 60)]


def test_masked_pixels_stay_out_of_the_noise():
    exposure = _sky(shape=(100, 100), stars=((40, 30, 4000.0),))
    exposure.image[60:] += np.tile([900, -900], (40, 50)).astype(np.float32)
    exposure.mask[60:] = exposure.mask_planes.bits(["BAD"])
    peaks = _task(thresholdType="stdev").run(exposure).positive.peaks
    noise = smooth(_sky(shape=(100, 100), stars=()), gaussian_kernel(SIGMA, 7.0)).image.std()
    assert peaks["significance"][0] == pytest.approx(peaks["peakValue"][0] / noise, rel=0.05)


def test_re_estimated_background_is_subtracted_and_listed():
    exposure = _sky(shape=(300, 300))
    exposure.image += 7
    background = BackgroundList()
    result = _task(reEstimateBackground=True, thresholdValue=20.0).run(exposure, background=background)
    assert result.background is background and len(background) == 1
    assert np.median(background.image()) == pytest.approx(7, abs=0.5)
    assert np.median(exposure.image) == pytest.approx(0, abs=0.5)
    again = _sky(shape=(300, 300))
    again.image += 7
    _task(reEstimateBackground=True, thresholdValue=20.0, adjustBackground=3.0).run(again)
    np.testing.assert_allclose(exposure.image - again.image, 3, atol=1e-4)


def test_background_ratio():
    ratio = np.full((300, 300), 2.0, np.float32)
    exposure = _sky(shape=(300, 300))
    exposure.image += 7
    variance = exposure.variance.copy()
    settings = {"reEstimateBackground": True, "doApplyFlatBackgroundRatio": True, "thresholdValue": 20.0}
    result = _task(**settings).run(exposure, ratio=ratio)
    assert np.median(result.background.image()) == pytest.approx(14, abs=1)
    assert np.median(exposure.image) == pytest.approx(0, abs=0.5)
    np.testing.assert_array_equal(exposure.variance, variance)
    with pytest.raises(UsageError, match="doApplyFlatBackgroundRatio"):
        _task(**settings).run(exposure)


def test_wide_background_is_left_out_only_for_a_while():
    exposure = _sky(shape=(300, 300))
    ramp = np.linspace(0, 400, 300, dtype=np.float32)
    exposure.image += ramp
    exposure.mask[:, :20] = exposure.mask_planes.bits(["NO_DATA"])
    exposure.image[:, :20] += 500
    before = exposure.image.copy()
    config = _config(doTempWideBackground=True, thresholdValue=10.0)
    config.tempWideBackground.binSize = 50
    result = SourceDetectionTask(config=config, name="detection").run(exposure)
    assert _centers(result.sources) == [(40, 30), (90, 60)]
    np.testing.assert_array_equal(exposure.image, before)
    assert _task(thresholdValue=10.0).run(exposure).sources.footprints.areas.max() > 20_000
    # a background that is fitted again is fitted to the exposure itself, and subtracted from it
    config.reEstimateBackground = True
    SourceDetectionTask(config=config, name="detection").run(exposure)
    assert abs(np.median(exposure.image[:, 250:])) < 20


def test_local_background_leaves_out_peaks_that_it_explains():
    # a bright wide galaxy with faint stars on it: its wings alone make peaks of noise
    exposure = _sky(((100, 100, 4000.0), (110, 112, 2500.0)), shape=(220, 220))
    y, x = np.indices(exposure.image.shape)
    exposure.image += 60 * np.exp(-((x - 104) ** 2 + (y - 104) ** 2) / (2 * 40.0**2)).astype(np.float32)
    (with_it,) = _task(doTempLocalBackground=True, minPixels=30).run(exposure.copy()).sources.footprints
    (without,) = _task(minPixels=30).run(exposure.copy()).sources.footprints
    np.testing.assert_array_equal(with_it.spans, without.spans)
    assert 2 <= len(with_it.peaks) < len(without.peaks)
    assert len(np.unique(with_it.peaks["id"])) == len(with_it.peaks)
    assert (np.diff(with_it.peaks["peakValue"]) <= 0).all()
    assert {(100, 100), (110, 112)} <= {tuple(p) for p in with_it.peaks[["i_x", "i_y"]].tolist()}


def test_threads_do_not_matter():
    one, two = _sky(shape=(700, 60)), _sky(shape=(700, 60))
    a = _task(thresholdValue=3.0).run(one)
    with threads.use(2):
        b = _task(thresholdValue=3.0).run(two)
    np.testing.assert_array_equal(a.positive.spans, b.positive.spans)
    np.testing.assert_array_equal(a.positive.peaks, b.positive.peaks)
    np.testing.assert_array_equal(one.mask, two.mask)
    assert len(a.sources) > 2


# ------------------------------------------------------------------------------------------- what goes wrong


def test_pixels_without_value_cost_only_themselves():
    exposure = _sky()
    exposure.image[50:53, 20:23] = np.nan
    exposure.image[80, 100] = np.inf
    exposure.variance[100, 20] = -1
    exposure.variance[90, 130] = np.nan
    found = _centers(_task().run(exposure).sources)
    assert {(40, 30), (90, 60)} <= set(found)
    assert all(x < 20 or y > 70 or (x, y) in {(40, 30), (90, 60)} for x, y in found)


def test_no_psf():
    with pytest.raises(PsfGenerationError, match="no PSF"):
        _task().run(_sky(psf=None))


@pytest.mark.parametrize("moments", [(np.nan, 1.0, 0.0), (0.0, 0.0, 0.0), (1.0, 1.0, 2.0), (-1.0, 1.0, 0.0)])
def test_psf_without_width(moments, monkeypatch):
    monkeypatch.setattr(GaussianPsf, "moments", lambda self, x, y: np.array([moments]))
    with pytest.raises(PsfGenerationError, match="no width"):
        _task().run(_sky())


def test_image_smaller_than_the_kernel():
    with pytest.raises(ProcessingError, match="8x50 pixels is smaller than the smoothing kernel, 11x11"):
        _task().run(_sky(stars=(), shape=(50, 8)))
    assert len(_task().run(_sky(stars=(), shape=(11, 11))).sources) == 0


def test_defaults_are_the_references():
    config = SourceDetectionConfig()
    assert config.tempLocalBackground.binSize == 64 and config.tempWideBackground.binSize == 512
    assert not config.tempLocalBackground.useApprox
    assert list(config.tempWideBackground.ignoredPixelMask) == ["BAD", "EDGE", "NO_DATA"]
    assert config.background.binSize == 128 and config.background.useApprox
    config.validate()


@needs_shared
def test_recorded_configuration_can_be_loaded():
    lines = reference("small", "outputs", "config.py").read_text().splitlines()
    mine = [line for line in lines if line.startswith("config.detection.") and "retarget" not in line]
    assert len(mine) > 60
    config = SourceDetectionConfig()
    exec("\n".join(mine), {"config": SimpleNamespace(detection=config)})
    assert config.compare(_config())
