"""PSFs written in afw's layout: all kinds come back, and Piff itself loads the pickles."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

from helpers.psfs import every_psf, piff_psf
from helpers.shared import needs_shared, reference
from secondlight.errors import InputError
from secondlight.io.afw.archive import Archive
from secondlight.io.afw.hdus import FitsFile
from secondlight.io.afw.piff_pickle import read_piff_pickle
from secondlight.io.afw.psf import PSF_CLASSES, read_psf
from secondlight.io.afw.write_archive import write_standalone
from secondlight.io.afw.write_piff_pickle import piff_pickle
from secondlight.io.afw.write_psf import save_psf
from secondlight.model.psf import (
    AffineWcs,
    FieldWcs,
    FixedKernel,
    KernelPsf,
    LinearCombinationKernel,
    PiffInterpolation,
    PiffPsf,
    WrappedPsf,
)

X, Y = np.array([3.0, 200.25, 511.4, 1000.0]), np.array([5.0, 900.75, 499.3, 0.0])
STORABLE = {name: psf for name, psf in every_psf().items() if not isinstance(psf, WrappedPsf)}
CLASSES = {
    "gaussian": "GaussianPsf",
    "gaussian of lsst.images": "GaussianPsf",
    "single gaussian": "SingleGaussianPsf",
    "fixed kernel": "KernelPsf",
    "combined kernel": "PcaPsf",
    "psfex": "PsfexPsf",
}


def there_and_back(path, psf):
    write_standalone(path, psf, save_psf, overwrite=True)
    archive = Archive.standalone(FitsFile(path))
    return archive.name(1), read_psf(archive, 1)


def assert_same_images(a, b, atol=1e-12):
    np.testing.assert_allclose(b.kernel_images(X, Y), a.kernel_images(X, Y), rtol=0, atol=atol)
    one, two = a.stellar_images(X, Y), b.stellar_images(X, Y)
    np.testing.assert_array_equal([two.x0, two.y0], [one.x0, one.y0])
    np.testing.assert_allclose(two.images, one.images, rtol=0, atol=atol)
    assert b.average_position == pytest.approx(a.average_position, abs=0)


@pytest.mark.parametrize("name", STORABLE)
def test_every_kind(tmp_path, name):
    psf = STORABLE[name]
    stored, back = there_and_back(tmp_path / "psf.fits", psf)
    assert stored == CLASSES.get(name, "PiffPsf") and stored in PSF_CLASSES
    assert type(back) is type(psf)
    if name == "gaussian of lsst.images":
        # the reference's class of that name shifts the kernel image of a star
        np.testing.assert_array_equal(back.kernel_images(X, Y), psf.kernel_images(X, Y))
    else:
        assert_same_images(psf, back)


def test_constant_amplitudes(tmp_path):
    components = np.stack([every_psf()["fixed kernel"].kernel.image, np.ones((19, 19)) / 361])
    psf = KernelPsf(LinearCombinationKernel(components, [1.0, 0.25], 8, 9), (1.0, 2.0))
    stored, back = there_and_back(tmp_path / "psf.fits", psf)
    assert stored == "PcaPsf"
    assert_same_images(psf, back)
    mixed = LinearCombinationKernel(components, [1.0, STORABLE["combined kernel"].kernel.weights[0]], 9, 9)
    with pytest.raises(InputError, match="some of whose weights vary"):
        there_and_back(tmp_path / "psf.fits", KernelPsf(mixed))


def test_not_the_middle_pixel(tmp_path):
    kernel = FixedKernel(every_psf()["fixed kernel"].kernel.image, 7, 12)
    _, back = there_and_back(tmp_path / "psf.fits", KernelPsf(kernel))
    assert (back.kernel.x_centre, back.kernel.y_centre) == (7, 12)
    assert_same_images(KernelPsf(kernel), back)


WCS = {
    "scale": AffineWcs((0.2, 0.0, 0.0, 0.2)),
    "turned": AffineWcs((0.15, 0.1, -0.11, 0.16)),
    "scale from elsewhere": AffineWcs((0.2, 0.0, 0.0, 0.2), (10.0, 5.0), (1.5, -2.0)),
    "turned from elsewhere": AffineWcs((0.15, 0.1, -0.11, 0.16), (10.0, 5.0), (1.5, -2.0)),
}


@pytest.mark.parametrize("keys", [("u", "v"), ("x", "y"), ("colorValue", "u")])
@pytest.mark.parametrize("wcs", WCS)
def test_piff_draws_our_pickle(wcs, keys):
    """Piff loads it without help and draws what we draw."""
    pytest.importorskip("piff")
    from helpers.piff_objects import draw

    one = piff_psf(keys=keys)
    psf = PiffPsf(one.grid, one.interpolation, WCS[wcs], one.stars, height=25, width=25, options=one.options)
    width, height, loaded = pickle.loads(piff_pickle(psf))
    assert (width, height, type(loaded).__name__) == (25, 25, "SimplePSF")
    color = {} if psf.color is None else {"colorValue": psf.color}
    stamps, kernels = psf.stellar_images(X, Y), psf.kernel_images(X, Y)
    for i in range(len(X)):
        image, x0, y0 = draw(loaded, X[i], Y[i], 25, star=True, **color)
        assert (x0, y0) == (stamps.x0[i], stamps.y0[i])
        np.testing.assert_allclose(stamps.images[i], image, rtol=0, atol=1e-9)
        image, _, _ = draw(loaded, X[i], Y[i], 25, star=False, **color)
        np.testing.assert_allclose(kernels[i], image, rtol=0, atol=1e-9)
    # what the stack asks of the stars
    used = [s for s in loaded.stars if not s.is_flagged and not s.is_reserve]
    assert len(used) == psf.stars.used.sum()
    mean = np.mean([(s.image_pos.x, s.image_pos.y) for s in used], axis=0)
    assert tuple(mean) == pytest.approx(psf.average_position)
    assert [s.data.properties.get("colorValue") for s in loaded.stars] == [0.5, 0.7, None, None]


def test_our_reader_reads_it_through_its_list():
    psf = piff_psf()
    back = read_piff_pickle(piff_pickle(psf))
    assert_same_images(psf, back, atol=0)
    np.testing.assert_equal(vars(back.stars), vars(psf.stars))
    # what came from a file is written as it was
    assert piff_pickle(back) == piff_pickle(psf)


@needs_shared
@pytest.mark.parametrize("path", [("inputs", "finalVisitSummary.fits"), ("outputs", "pvi.fits")])
def test_recorded_bytes_are_kept(path):
    archive = Archive(FitsFile(reference("small", *path)))
    key = next(k for k in archive.ids if archive.name(k) == "PiffPsf")
    assert piff_pickle(read_psf(archive, key)) == archive.table(key)["bytes"][0].tobytes()


def test_piff_models_that_cannot_be_stored():
    one = piff_psf()
    sky = PiffPsf(one.grid, one.interpolation, FieldWcs(None), one.stars, height=25, width=25)
    with pytest.raises(InputError, match="did not come from an afw file"):
        piff_pickle(sky)
    part = one.interpolation
    other = PiffInterpolation(part.keys, part.mask, part.coefficients, "chebyshev")
    with pytest.raises(InputError, match="chebyshev polynomials"):
        piff_pickle(PiffPsf(one.grid, other, one.wcs, one.stars, height=25, width=25))


def test_unknown_psf(tmp_path):
    with pytest.raises(InputError, match="WrappedPsf has no counterpart"):
        there_and_back(tmp_path / "psf.fits", every_psf()["wrapped"])


def test_nothing_of_piff_is_imported():
    code = (
        "import sys, secondlight.io.afw.write_exposure; "
        "assert not {'piff', 'galsim', 'lsst.afw'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
