"""Images and masks in files of their own, and the compression of planes."""

from io import BytesIO

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.shared import needs_shared, reference
from secondlight import threads
from secondlight.errors import UsageError
from secondlight.io.afw.image import read_image, read_mask
from secondlight.io.afw.write_image import write_image, write_mask, write_plane
from secondlight.io.afw.write_table import empty_primary
from secondlight.io.tiles import gzip_2_tiles
from secondlight.model.mask_planes import Mask, MaskPlanes


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_image(tmp_path, compression):
    image = np.random.default_rng(1).normal(size=(70, 33)).astype(np.float32)
    image[0, :3] = np.nan, np.inf, -np.inf
    write_image(tmp_path / "i.fits", image, -3, 12, unit="nJy", compression=compression)
    back, x0, y0 = read_image(tmp_path / "i.fits")
    assert back.tobytes() == image.tobytes() and (x0, y0) == (-3, 12)
    with fits.open(tmp_path / "i.fits") as hdus:
        hdu = hdus[compression == "gzip"]
        assert hdu.header["BUNIT"] == "nJy"
        np.testing.assert_array_equal(hdu.data, image)
    with pytest.raises(UsageError, match="exists already"):
        write_image(tmp_path / "i.fits", image)


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_mask(tmp_path, compression):
    planes = MaskPlanes()
    planes.bit("A_LONG_NAME_OF_A_PLANE")
    array = np.random.default_rng(1).integers(-(1 << 31), 1 << 31, (70, 33)).astype(np.int32)
    write_mask(tmp_path / "m.fits", Mask(array, planes, 5, 6), compression=compression)
    back = read_mask(tmp_path / "m.fits")
    np.testing.assert_array_equal(back.array, array)
    assert (back.planes, back.x0, back.y0) == (planes, 5, 6)


@needs_shared
def test_recorded_mask(tmp_path):
    """The same bytes of pixels, the same cards."""
    path = reference("small", "inputs", "preliminary_visit_mask.fits")
    write_mask(tmp_path / "m.fits", read_mask(path))
    with fits.open(path) as theirs, fits.open(tmp_path / "m.fits") as ours:
        assert len(ours) == 1
        assert ours[0].data.tobytes() == theirs[0].data.tobytes()
        assert {(c.keyword, str(c.value)) for c in theirs[0].header.cards if c.keyword != "COMMENT"} == {
            (c.keyword, str(c.value)) for c in ours[0].header.cards
        }


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 150), st.integers(1, 40), st.sampled_from(["f4", "f8", "i4"]), st.integers(0, 2**32 - 1)
)
def test_any_plane_through_astropy(ny, nx, dtype, seed):
    """Twin: astropy decompresses what was compressed here."""
    raw = np.random.default_rng(seed).bytes(ny * nx * np.dtype(dtype).itemsize)
    plane = np.frombuffer(raw, dtype).reshape(ny, nx)
    for compression in ("none", "gzip"):
        stream = BytesIO(empty_primary())
        stream.seek(0, 2)
        write_plane(stream, plane, [("EXTNAME", "X", "")], compression)
        whole = stream.getvalue()
        assert len(whole) % 2880 == 0
        with fits.HDUList.fromstring(whole) as hdus:
            found = hdus["X"].data
            assert found.astype(dtype).tobytes() == raw


def test_cfitsio_reads_them(tmp_path):
    fitsio = pytest.importorskip("fitsio")
    rng = np.random.default_rng(2)
    image = rng.normal(size=(200, 31)).astype(np.float32)
    mask = rng.integers(0, 1 << 15, (200, 31)).astype(np.int32)
    write_image(tmp_path / "i.fits", image, compression="gzip")
    write_mask(tmp_path / "m.fits", Mask(mask, MaskPlanes()), compression="gzip")
    np.testing.assert_array_equal(fitsio.read(str(tmp_path / "i.fits"), 1), image)
    np.testing.assert_array_equal(fitsio.read(str(tmp_path / "m.fits"), 1), mask)
    part = fitsio.FITS(str(tmp_path / "i.fits"))[1][60:70, 3:9]
    np.testing.assert_array_equal(part, image[60:70, 3:9])


def test_threads_do_not_matter():
    plane = np.random.default_rng(3).normal(size=(1000, 100)).astype(np.float32)
    one = list(gzip_2_tiles(plane))
    with threads.use(4):
        four = list(gzip_2_tiles(plane))
    assert one == four
    assert len(one) == 16
