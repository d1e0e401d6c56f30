"""Walking a file: images as astropy reads them; files that are missing, cut short or something else."""

import gzip
import warnings

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.shared import needs_shared, realdata, reference
from secondlight.errors import InputError
from secondlight.io.afw.background import read_background
from secondlight.io.afw.exposure import read_exposure
from secondlight.io.afw.hdus import FitsFile
from secondlight.io.afw.source_catalog import read_source_catalog
from secondlight.io.afw.visit_summary import read_visit_summary


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.int64, np.float32, np.float64])
def test_images(tmp_path, dtype):
    pixels = np.arange(12).reshape(3, 4).astype(dtype)
    pixels[0, 0] = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else np.nan
    path = tmp_path / "image.fits"
    fits.PrimaryHDU(pixels).writeto(path)
    file = FitsFile(path)
    ours = file.image(file.hdus[0])
    assert ours.dtype == dtype
    np.testing.assert_array_equal(ours, pixels)


def test_scaled_image(tmp_path):
    path = tmp_path / "image.fits"
    hdu = fits.PrimaryHDU(np.array([[0.5, 10.5]]))
    hdu.scale("int16", bscale=0.5, bzero=3)
    hdu.writeto(path)
    file = FitsFile(path)
    np.testing.assert_array_equal(file.image(file.hdus[0]), [[0.5, 10.5]])


@pytest.mark.parametrize("compression", ["RICE_1", "GZIP_2"])
def test_compressed_image(tmp_path, compression):
    pixels = np.random.default_rng(1).integers(-1000, 1000, (40, 50)).astype(np.int32)
    path = tmp_path / "image.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, compression_type=compression)]).writeto(path)
    file = FitsFile(path)
    assert file.hdus[1].is_image and not file.hdus[1].is_table
    np.testing.assert_array_equal(file.image(file.hdus[1]), pixels)


def test_gzip(tmp_path):
    plain, packed = tmp_path / "a.fits", tmp_path / "a.fits.gz"
    fits.PrimaryHDU(np.eye(3)).writeto(plain)
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    file = FitsFile(packed)
    np.testing.assert_array_equal(file.image(file.hdus[0]), np.eye(3))
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"a.fits.gz: the gzip data cannot be decompressed"):
        FitsFile(packed)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), (b"", "the file is empty"), (b"PAR1....", "not a FITS file")],
)
def test_not_fits(tmp_path, content, message):
    path = tmp_path / "x.fits"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"x.fits: .*{message}"):
        FitsFile(path)


def test_folder(tmp_path):
    with pytest.raises(InputError, match="cannot be opened"):
        FitsFile(tmp_path)


def test_damaged_tiles(tmp_path):
    path = tmp_path / "image.fits"
    fits.HDUList(
        [fits.PrimaryHDU(), fits.CompImageHDU(np.arange(10000, dtype=np.int32).reshape(100, 100))]
    ).writeto(path)
    file = FitsFile(path)
    raw = bytearray(path.read_bytes())
    start = file.hdus[1].data_start
    raw[start : start + 800] = b"\xff" * 800  # the descriptors of the tiles
    path.write_bytes(raw)
    file = FitsFile(path)
    with pytest.raises(InputError, match=r"HDU 1.*tiles cannot be decompressed"):
        file.image(file.hdus[1])


def test_header_that_bends_the_standard(tmp_path):
    path = tmp_path / "image.fits"
    fits.PrimaryHDU(header=fits.Header([("AAA", 1), ("BBB", 2)])).writeto(path)
    raw = bytearray(path.read_bytes())
    where = raw.index(b"BBB     =")
    raw[where : where + 30] = b"BBB     = not a value at all  "
    path.write_bytes(raw)
    header = FitsFile(path).hdus[0].header
    assert header["AAA"] == 1
    assert "BBB" not in header and header.get("BBB", 7) == 7
    assert "BBB" not in dict(header)


def assert_readable_or_refused(read, path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            read(path)
        except InputError as error:
            assert str(error).startswith(f"{path}: ")
            assert "\n" not in str(error)


def read_all_of_summary(path):
    for record in read_visit_summary(path):
        _ = (record.wcs, record.photo_calib, record.ap_corr_map, record.detector, record.valid_polygon)


SAMPLES = {
    "exposure": (
        lambda p: read_exposure(p, psf=False),
        "realdata",
        "lsst_files",
        "afw_tests",
        "exposure-version-2.fits",
    ),
    "old exposure": (lambda p: read_exposure(p, psf=False), "realdata", "hsc", "HSC-0908120-056-small.fits"),
    "catalog": (read_source_catalog, "realdata", "lsst_files", "afw_tests", "sourceCatalog-hsc-v2.fits"),
    "background": (read_background, "reference", "small", "inputs", "background_1.fits"),
    "summary": (read_all_of_summary, "realdata", "lsst_files", "jointcal_cfht", "visitSummary-849375.fits"),
}


def sample(name):
    read, room, *parts = SAMPLES[name]
    return read, (realdata if room == "realdata" else reference)(*parts)


@needs_shared
@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fraction=st.floats(0, 1, exclude_max=True))
def test_truncated(tmp_path, name, fraction):
    """Property: a file that ends early is refused in one line (or what is left is a whole file)."""
    read, source = sample(name)
    raw = source.read_bytes()
    path = tmp_path / "cut.fits"
    path.write_bytes(raw[: int(fraction * len(raw))])
    assert_readable_or_refused(read, path)


@needs_shared
@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    damage=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=20
    )
)
def test_damaged(tmp_path, name, damage):
    """Property: bytes that flip never cause a traceback, a warning or a crash."""
    read, source = sample(name)
    raw = bytearray(source.read_bytes())
    for where, value in damage:
        raw[int(where * len(raw))] = value
    path = tmp_path / "damaged.fits"
    path.write_bytes(raw)
    assert_readable_or_refused(read, path)
