"""Cosmic rays found and repaired: parity with recorded runs, and what must hold beyond them."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from lsst.images import Box
from scipy.ndimage import binary_dilation, label

from helpers.shared import needs_shared, realdata, reference
from secondlight.errors import ProcessingError
from secondlight.io.afw.exposure import read_exposure
from secondlight.io.afw.image import read_mask
from secondlight.io.afw.visit_summary import read_visit_summary
from secondlight.model.exposure import Exposure
from secondlight.model.psf import GaussianPsf
from secondlight.model.psf.gaussian import gaussian_image
from secondlight.tasks.find_cosmic_rays import TooManyCosmicRays, find_cosmic_rays
from secondlight.tasks.repair import RepairConfig, RepairTask
from secondlight.tasks.snap_combine import SnapCombineTask

SIGMA = 1.7


def gaussian_psf(sigma=SIGMA, size=25):
    return GaussianPsf(sigma, size, size, bounds=Box.from_shape((1000, 1000)))


def repair(exposure, **options):
    config = RepairConfig()
    for name, value in options.items():
        where, _, field = name.rpartition("__")
        target = config
        for part in where.split("__") if where else ():
            target = getattr(target, part)
        setattr(target, field, value)
    config.validate()
    task = RepairTask(config=config)
    task.run(exposure)
    return task.metadata


def recorded(scene):
    """The exposure as it reaches the repair, and what the reference made of it."""
    snaps = [read_exposure(p) for p in sorted(reference(scene, "inputs").glob("postISRCCD_*.fits"))]
    exposure = SnapCombineTask().run(snaps)
    preliminary = read_mask(reference(scene, "inputs", "preliminary_visit_mask.fits"))
    spike = (preliminary.array & preliminary.planes.bits(["SPIKE"])) != 0
    if spike.any():
        exposure.mask[spike] |= exposure.mask_planes.bit("SPIKE")
    with np.load(reference(scene, "outputs", "stages.npz")) as stages:
        exposure.image[:] = stages["background_subtracted"]
        expected = stages["repaired"], stages["repaired_mask"]
    exposure.psf = read_visit_summary(reference(scene, "inputs", "finalVisitSummary.fits")).find(42).psf
    return exposure, expected


def hit_image(seed=1, shape=(220, 240), rays=30, stars=15):
    """Noise, stars, and straight tracks; returns the exposure, the image without tracks and where the tracks are."""
    rng = np.random.default_rng(seed)
    truth = np.zeros(shape)
    for _ in range(stars):
        y, x = rng.integers(15, shape[0] - 15), rng.integers(15, shape[1] - 15)
        star = gaussian_image(25, 25, SIGMA, *rng.uniform(-0.5, 0.5, 2)) * rng.uniform(3000, 200000)
        truth[y - 12 : y + 13, x - 12 : x + 13] += star
    variance = (truth + 900).astype(np.float32)
    clean = (truth + rng.normal(0, np.sqrt(variance))).astype(np.float32)
    charge = np.zeros(shape, np.float32)
    for _ in range(rays):
        y, x, angle = rng.uniform(5, shape[0] - 5), rng.uniform(5, shape[1] - 5), rng.uniform(0, 2 * np.pi)
        for step in np.arange(0, rng.uniform(2, 12), 0.5):
            j, i = round(y + step * np.sin(angle)), round(x + step * np.cos(angle))
            if 1 <= j < shape[0] - 1 and 1 <= i < shape[1] - 1:
                charge[j, i] += 700
    exposure = Exposure(clean + charge, np.zeros(shape, np.int32), variance + charge, psf=gaussian_psf())
    return exposure, clean, charge > 0


@pytest.mark.parametrize("scene", ["small", "snaps", "sdss_r"])
@needs_shared
def test_parity(scene):
    """With its defects, the reference's pixels and mask bit for bit."""
    exposure, (image, mask) = recorded(scene)
    metadata = repair(exposure, reproduceReferenceDefects=True)
    np.testing.assert_array_equal(exposure.image, image)
    np.testing.assert_array_equal(exposure.mask, mask)
    assert metadata["cosmic_ray_count"] >= label(mask & exposure.mask_planes.bits(["CR"]), np.ones((3, 3)))[1]


@pytest.mark.parametrize("scene", ["small", "snaps"])
@needs_shared
def test_against_the_truth(scene):
    """Without the defects: as complete as the reference, on the same cosmic rays."""
    exposure, (_, mask) = recorded(scene)
    repair(exposure)
    cr = exposure.mask_planes.bits(["CR"])
    ours, theirs = (exposure.mask & cr) != 0, (mask & cr) != 0
    with np.load(reference(scene, "truth", "cr_truth.npz")) as truth:
        hit = truth["cr_truth"].any(axis=0)
    near = binary_dilation(hit, iterations=2)
    assert (ours & ~near).sum() <= (theirs & ~near).sum() + 2
    assert (ours & hit).sum() >= 0.97 * (theirs & hit).sum()
    assert label(ours, np.ones((3, 3)))[1] == label(theirs, np.ones((3, 3)))[1]


@needs_shared
def test_real_tracks():
    """Long tracks on a real frame with a flat sky become sky: the recipe beside the frame."""
    with fits.open(realdata("cosmic_rays", "hsc_crs.fits")) as hdus:
        image = hdus[0].data.astype(np.float32)
    median = float(np.median(image))
    exposure = Exposure(image, np.zeros(image.shape, np.int32), image.copy())
    config = RepairConfig().cosmicray
    found = find_cosmic_rays(exposure, gaussian_image(29, 29, 2.0), median + 30, config)
    assert found.count >= 8
    repaired = exposure.image.reshape(-1)[found.pixels]
    assert abs(repaired.mean(dtype=float) - median) < 5
    # no pixel of a track still stands out, and nothing is noisier than the sky
    assert repaired.max() < median + 5 * np.sqrt(median)
    assert repaired.std() < np.sqrt(median)


@pytest.mark.parametrize("seed", range(1, 6))
def test_tracks_are_found_and_stars_are_not(seed):
    exposure, clean, hit = hit_image(seed)
    metadata = repair(exposure)
    cr = (exposure.mask & exposure.mask_planes.bits(["CR"])) != 0
    np.testing.assert_array_equal(cr, (exposure.mask & exposure.mask_planes.bits(["INTRP"])) != 0)
    # what lies on a bright star cannot be told from it
    assert (cr & hit).sum() > 0.9 * hit.sum()
    # growth does not run away, whatever the neighbourhood
    assert (cr & ~binary_dilation(hit, iterations=2)).sum() <= 1
    assert (cr & ~hit).sum() < 0.15 * hit.sum()
    assert metadata["cosmic_ray_count"] > 20
    error = (exposure.image - clean)[cr & hit] / np.sqrt(900)
    # a median, because tracks on stars err by more; noise would give 1.41
    assert 1.4826 * np.median(abs(error)) < 1.2


def test_untouched_pixels_keep_their_bits():
    exposure, _, _ = hit_image()
    before = exposure.copy()
    repair(exposure)
    cr = (exposure.mask & exposure.mask_planes.bits(["CR"])) != 0
    np.testing.assert_array_equal(exposure.image[~cr], before.image[~cr])
    np.testing.assert_array_equal(exposure.variance, before.variance)
    assert (exposure.mask[~cr] == 0).all()


@pytest.mark.parametrize("defects", [False, True])
def test_too_many_leaves_the_exposure_as_it_was(defects):
    """Both when the search overflows and when only the growth does."""
    plain, _, _ = hit_image()
    plain.mask[5, 5] = plain.mask_planes.bits(["CR", "SUSPECT"])
    counted = plain.copy()
    config = RepairConfig().cosmicray
    config.niteration = 0
    exposure = plain.copy()
    n = len(find_cosmic_rays(exposure, gaussian_image(25, 25, SIGMA), 0.0, config).pixels)
    for limit in (0, 5, n + 3):
        with pytest.raises(TooManyCosmicRays, match=f"the {limit} pixels") as error:
            repair(counted, cosmicray__nCrPixelMax=limit, reproduceReferenceDefects=defects)
        assert error.value.metadata == {"maxCosmicRays": limit}
        np.testing.assert_array_equal(counted.image, plain.image)
        np.testing.assert_array_equal(counted.mask, plain.mask)


@pytest.mark.parametrize("defects", [False, True])
def test_keep(defects):
    exposure, _, _ = hit_image()
    before = exposure.copy()
    repaired = exposure.copy()
    repair(exposure, cosmicray__keepCRs=True, reproduceReferenceDefects=defects)
    repair(repaired, reproduceReferenceDefects=defects)
    cr, interpolated = (exposure.mask_planes.bits([name]) for name in ("CR", "INTRP"))
    assert not (exposure.mask & interpolated).any()
    np.testing.assert_array_equal(exposure.mask & cr, repaired.mask & cr)
    if not defects:
        np.testing.assert_array_equal(exposure.image, before.image)


def test_old_marks_are_cleared():
    exposure, _, _ = hit_image(rays=0)
    exposure.mask[50, 60] = exposure.mask_planes.bits(["CR", "SUSPECT"])
    metadata = repair(exposure)
    assert metadata["cosmic_ray_count"] == 0
    assert exposure.mask[50, 60] == exposure.mask_planes.bits(["SUSPECT"])


@pytest.mark.parametrize("defects", [False, True])
def test_with_a_background_in_bins(defects):
    """The reference fails with AttributeError here."""
    exposure, clean, hit = hit_image()
    sky = (1000 + np.linspace(0, 400, exposure.image.shape[1])).astype(np.float32)
    exposure.image += sky
    before = exposure.copy()
    metadata = repair(exposure, cosmicray__background__binSize=64, reproduceReferenceDefects=defects)
    cr = (exposure.mask & exposure.mask_planes.bits(["CR"])) != 0
    assert metadata["cosmic_ray_count"] > 20
    np.testing.assert_array_equal(exposure.image[~cr], before.image[~cr])
    assert (cr & hit).sum() > 0.9 * hit.sum()
    assert abs((exposure.image - sky - clean)[cr & hit].mean()) < 15
    flat, _, _ = hit_image()
    repair(flat, cosmicray__background__binSize=64, cosmicray__keepCRs=True)
    assert ((flat.mask & flat.mask_planes.bits(["CR"])) != 0).sum() > 0


def test_masked_pixels_are_left_alone():
    exposure, _, hit = hit_image()
    bad = exposure.mask_planes.bits(["SAT"])
    exposure.mask[:, :120] = bad
    before = exposure.image.copy()
    repair(exposure)
    np.testing.assert_array_equal(exposure.image[:, :120], before[:, :120])
    assert (exposure.mask[:, :120] == bad).all()
    assert (exposure.mask[:, 120:][hit[:, 120:]] != 0).any()


def test_charge_that_was_interpolated_goes_with_its_ray():
    """Upstream fills a bad column from its neighbours, and those were hit."""
    exposure, _, _ = hit_image(rays=0, stars=0)
    exposure.image[100, 90:110] += 5000
    exposure.image[100, 99:101] = (exposure.image[100, 98] + exposure.image[100, 101]) / 2
    exposure.mask[:, 99:101] = exposure.mask_planes.bits(["BAD", "INTRP"])
    repair(exposure)
    assert (exposure.mask[100, 90:110] & exposure.mask_planes.bits(["CR"]) != 0).all()
    assert abs(exposure.image[100, 90:110]).max() < 5 * 30


def test_nan_pixels_do_not_spread():
    exposure, _, _ = hit_image()
    holes = np.random.default_rng(9).random(exposure.image.shape) < 0.02
    exposure.image[holes] = np.nan
    repair(exposure)
    np.testing.assert_array_equal(np.isnan(exposure.image), holes)


def test_height_in_counts():
    """A negative minSigma is a height above zero."""
    exposure, _, hit = hit_image(stars=0)
    repair(exposure, cosmicray__minSigma=-300.0, cosmicray__niteration=0)
    found = (exposure.mask & exposure.mask_planes.bits(["CR"])) != 0
    assert 0 < (found & hit).sum() == found.sum()


def test_nothing_to_do():
    exposure, _, _ = hit_image()
    before = exposure.copy()
    metadata = repair(exposure, doCosmicRay=False)
    np.testing.assert_array_equal(exposure.image, before.image)
    assert "cosmic_ray_count" not in metadata


def test_a_psf_is_needed():
    exposure, _, _ = hit_image()
    exposure.psf = None
    with pytest.raises(ProcessingError, match="without a PSF"):
        repair(exposure)


def test_configuration_of_the_reference():
    """Every field of the reference's configuration is here with its default."""
    config = RepairConfig()
    assert config.interp.fallbackValueType == "MEANCLIP"
    assert config.interp.modelPsf.defaultFwhm == 3.0
    assert config.cosmicray.background.statisticsProperty == "MEDIAN"
    if reference("small", "outputs", "config.py").exists():
        saved = reference("small", "outputs", "config.py").read_text().splitlines()
        for line in saved:
            if line.startswith("config.repair."):
                left, _, value = line.partition("=")
                assert eval(left, {"config": SimpleNamespace(repair=config)}) == eval(value), line
