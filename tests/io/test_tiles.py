"""Unit and property: tiles of GZIP_2, ours read by others and those of others read by us."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from astropy.io import fits

from secondlight import threads
from secondlight.io.afw.hdus import FitsFile
from secondlight.io.tiles import TILE_ROWS, gunzip_tiles, gzip_2_tiles


def planes():
    rng = np.random.default_rng(2)
    noise = rng.normal(100.0, 12.0, (150, 301)).astype(np.float32)
    yield "noise", noise
    yield "constant", np.full((130, 17), 3.25, np.float32)
    yield "flags", (rng.random((129, 200)) < 0.1).astype(np.int32) << 5
    yield "random bits", rng.integers(0, 2**32, (64, 2000), np.uint32).view(np.int32)
    yield "not finite", np.where(noise > 100, np.float32(np.nan), np.float32(-np.inf))
    yield "a view", noise[::2, 3:90]
    yield "one pixel", np.array([[7]], np.int32)
    yield "short", rng.integers(0, 9, (70, 33)).astype(np.int16)
    yield "double", rng.normal(size=(65, 40))
    yield "empty", np.zeros((0, 5), np.float32)


PLANES = dict(planes())


def significance(pixels):
    stored = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">"))
    return stored.view(np.uint8).reshape(-1, pixels.itemsize).T.tobytes()


@pytest.mark.parametrize("name", PLANES)
def test_gzip_finds_the_bytes_by_significance(name):
    plane = PLANES[name]
    tiles = list(gzip_2_tiles(plane))
    assert len(tiles) == -(-len(plane) // TILE_ROWS)
    for i, tile in enumerate(tiles):
        part = plane[i * TILE_ROWS : (i + 1) * TILE_ROWS]
        assert gzip.decompress(tile) == significance(part)


@pytest.mark.parametrize("name", [n for n, plane in PLANES.items() if plane.itemsize == 4 and plane.size])
def test_what_was_compressed_comes_back_with_any_number_of_threads(name):
    plane = PLANES[name]
    one = list(gzip_2_tiles(plane))
    with threads.use(4):
        four = list(gzip_2_tiles(plane))
        back = gunzip_tiles(four, plane.shape, TILE_ROWS, plane.dtype, shuffled=True)
    assert one == four
    assert back is not None and back.tobytes() == plane.tobytes()


def test_no_larger_than_what_general_compression_makes():
    plane = PLANES["noise"]
    general = gzip.compress(significance(plane[:TILE_ROWS]), 6)
    assert len(next(gzip_2_tiles(plane))) <= len(general)


@pytest.mark.parametrize("damage", ["cut", "bit", "length", "missing"])
def test_damaged_tiles_are_noticed(damage):
    plane = PLANES["noise"]
    tiles = [np.frombuffer(t, np.uint8).copy() for t in gzip_2_tiles(plane)]
    rows = TILE_ROWS
    if damage == "cut":
        tiles[1] = tiles[1][:-20]
    elif damage == "bit":
        tiles[0][len(tiles[0]) // 2] ^= 4
    elif damage == "length":
        rows -= 1
    else:
        del tiles[-1]
    assert gunzip_tiles(tiles, plane.shape, rows, plane.dtype, shuffled=True) is None


@pytest.mark.parametrize(
    ("compression", "kind"),
    # floats are rounded by RICE_1
    [(c, k) for c in ("GZIP_1", "GZIP_2") for k in (np.float32, np.int32, np.int16)]
    + [("RICE_1", np.int32), ("RICE_1", np.int16)],
)
@pytest.mark.parametrize("tile", [(301, 1), (301, 64), (100, 10)])
def test_images_that_astropy_compressed(tmp_path, compression, tile, kind):
    plane = PLANES["noise"].astype(kind)
    image = fits.CompImageHDU(plane, compression_type=compression, tile_shape=tile[::-1], quantize_level=0)
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(tmp_path / "a.fits")
    file = FitsFile(tmp_path / "a.fits")
    back = file.image(file.hdus[1])
    assert back.dtype == plane.dtype and back.tobytes() == plane.tobytes()
