"""Stored PSFs: files of the stack, and what the stack measured on them."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from helpers.shared import needs_shared, realdata, reference
from secondlight.errors import InputError
from secondlight.io.afw.archive import Archive
from secondlight.io.afw.hdus import FitsFile
from secondlight.io.afw.psf import PSF_CLASSES, read_psf
from secondlight.io.afw.summary_stats import read_summary_stats
from secondlight.model.psf import GaussianPsf, KernelPsf, LinearCombinationKernel, PiffPsf, PsfexPsf

SIZES = {"small": (1024, 1000), "snaps": (1024, 1000), "sdss_r": (2048, 1361)}

pytestmark = needs_shared


def read(path):
    archive = Archive(FitsFile(path))
    (key,) = (k for k in archive.ids if archive.name(k) in PSF_CLASSES)
    return read_psf(archive, key)


def summary(scene):
    return json.loads(reference(scene, "outputs", "summary_stats.json").read_text())


@pytest.fixture(scope="module", params=SIZES)
def scene(request):
    path = reference(request.param, "inputs", "finalVisitSummary.fits")
    return request.param, read(path), summary(request.param)


def test_moments_at_the_centre(scene):
    name, psf, stats = scene
    x, y = (0.5 * (size - 1) for size in SIZES[name])
    xx, yy, xy = psf.moments([x], [y])[0]
    scale = stats["psfIxx"] + stats["psfIyy"]
    assert (xx, yy) == pytest.approx((stats["psfIxx"], stats["psfIyy"]), rel=1e-6)
    assert xy == pytest.approx(stats["psfIxy"], abs=1e-7 * scale)
    assert (xx * yy - xy * xy) ** 0.25 == pytest.approx(stats["psfSigma"], rel=1e-6)
    assert psf.effective_area([x], [y])[0] == pytest.approx(stats["psfArea"], rel=1e-9)


def test_changes_over_the_image(scene):
    name, psf, stats = scene
    from astropy.io import fits

    header = fits.getheader(reference(name, "inputs", "postISRCCD_0.fits"), "MASK")
    with np.load(reference(name, "outputs", "stages.npz")) as stages:
        mask = stages["detected_mask"]
    planes = ("BAD", "CR", "EDGE", "INTRP", "NO_DATA", "SAT", "SUSPECT")
    bad = sum(1 << header[f"MP_{plane}"] for plane in planes)
    y, x = np.mgrid[0 : mask.shape[0] : 96, 0 : mask.shape[1] : 96]
    good = (mask[y, x] & bad) == 0
    fluxes = psf.aperture_flux(max(2.0, 3.0 * stats["psfSigma"]), x[good], y[good])
    assert np.ptp(fluxes) == pytest.approx(stats["psfApFluxDelta"], abs=1e-8)
    shape = psf.moments(x[good], y[good])
    assert np.ptp(np.sqrt(0.5 * (shape[:, 0] + shape[:, 1]))) == pytest.approx(
        stats["psfTraceRadiusDelta"], abs=2e-7
    )


def test_moments_at_every_source(scene):
    name, psf, _ = scene
    columns = [f"base_SdssShape_{c}" for c in ("x", "y", "psf_xx", "psf_yy", "psf_xy")]
    table = pq.read_table(reference(name, "outputs", "sources.parquet"), columns=columns)
    x, y, *expected = (table[c].to_numpy() for c in columns)
    expected = np.stack(expected, axis=1)
    use = np.isfinite(x) & np.isfinite(y) & np.isfinite(expected).all(axis=1)
    assert use.sum() > 290
    measured = psf.moments(x[use], y[use])
    np.testing.assert_allclose(measured, expected[use], rtol=0, atol=1e-6 * expected[use].max())


def test_average_position(scene):
    name, psf, _ = scene
    if name == "sdss_r":
        assert isinstance(psf, KernelPsf)
        assert psf.average_position == (1024.0, 680.5)
    else:
        assert isinstance(psf, PiffPsf)
        assert psf.average_position == pytest.approx((psf.stars.x.mean(), psf.stars.y.mean()))
        assert psf.grid.lanczos == 11 and psf.grid.conserve_dc
        assert psf.options.psf["piff_version"] == "1.7.0"


def test_pca():
    psf = read(realdata("lsst_files", "jointcal_cfht", "calexp-849375-12_2017_PcaPsf.fits.fz"))
    assert isinstance(psf, KernelPsf) and isinstance(psf.kernel, LinearCombinationKernel)
    assert psf.kernel.components.shape == (4, 33, 33)
    assert psf.average_position == pytest.approx((1145.8585847826457, 2735.894658928816))
    assert np.isfinite(psf.moments([500.0], [900.0])).all()


def test_psfex():
    archive = Archive(FitsFile(realdata("lsst_files", "jointcal_cfht", "calexp-849375-12.fits.fz")))
    keys = {archive.name(key): key for key in archive.ids}
    psf = read_psf(archive, keys["PsfexPsf"])
    assert isinstance(psf, PsfexPsf)
    assert psf.components.shape == (6, 81, 81)
    assert psf.pixel_step == 0.5 and psf.degree == (2,)
    assert psf.average_position == pytest.approx((946.9817498886108, 2455.0951930139836))
    assert psf.kernel_bbox.shape == (41, 41)
    # what the stack measured at the centre of this image
    stats = read_summary_stats(archive, keys["ExposureSummaryStats"])
    expected = [stats[name] for name in ("psfIxx", "psfIyy", "psfIxy")]
    np.testing.assert_allclose(psf.moments([1023.5], [2305.5])[0], expected, rtol=0, atol=2e-6)
    assert psf.effective_area([1023.5], [2305.5])[0] == pytest.approx(stats["psfArea"], rel=2e-6)


@pytest.mark.parametrize("name", ["calexp.fits", "calexp_EXPINFO_V1.fits"])
def test_gaussian(name):
    psf = read(realdata("lsst_files", "obs_base", name))
    assert isinstance(psf, GaussianPsf)
    assert psf.sigma == 4.0 and psf.shape == (3, 3)


def test_other_objects_are_refused():
    archive = Archive(FitsFile(reference("small", "inputs", "finalVisitSummary.fits")))
    with pytest.raises(InputError, match=r"finalVisitSummary\.fits: id 2: .*'SkyWcs'"):
        read_psf(archive, 2)
