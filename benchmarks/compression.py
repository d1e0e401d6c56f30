"""Size against processor seconds of the ways to compress an image, for the page about files.

    python -m benchmarks.compression [PVI.fits]

Takes the planes of a native `pvi.fits`; without one, of an image of noise with a slope. Everything runs in one thread.
"""

from __future__ import annotations

import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from lsst.images.serialization import write_archive
from numpy.typing import NDArray

from benchmarks._measuring import best_of
from secondlight import threads
from secondlight.io.native import read_visit_image, write_visit_image
from secondlight.io.tiles import TILE_ROWS, gunzip_tiles, gzip_2_tiles
from secondlight.model.exposure import Exposure
from secondlight.model.visit_image import to_visit_image

__all__: list[str] = []


def planes(path: Path | None) -> tuple[Exposure | None, dict[str, NDArray[np.float32]]]:
    """Return the exposure in a file, if there is one, and the planes to compress."""
    if path is not None:
        exposure = read_visit_image(path)
        return exposure, {"image": exposure.image, "variance": exposure.variance}
    rng = np.random.default_rng(1)
    sky = np.linspace(900.0, 1000.0, 4096, dtype=np.float32)
    noise = rng.standard_normal((4004, 4096), dtype=np.float32)
    return None, {"image": noise * np.sqrt(sky), "variance": sky + np.float32(0.1) * noise}


def deflated(plane: NDArray[np.float32], level: int, strategy: int) -> list[NDArray[np.uint8]]:
    """Compress tiles as GZIP_2 with one setting of zlib for all bytes."""
    tiles = []
    for start in range(0, len(plane), TILE_ROWS):
        part = np.ascontiguousarray(plane[start : start + TILE_ROWS], ">f4")
        deflate = zlib.compressobj(level, zlib.DEFLATED, 31, strategy=strategy)
        content = (
            deflate.compress(np.ascontiguousarray(part.view(np.uint8).reshape(-1, 4).T)) + deflate.flush()
        )
        tiles.append(np.frombuffer(content, np.uint8))
    return tiles


def of_planes(images: dict[str, NDArray[np.float32]]) -> None:
    """Print the table of ways to deflate tiles."""
    ways: dict[str, Callable[[NDArray[np.float32]], list[NDArray[np.uint8]] | list[bytes]]] = {
        "zlib, level 1": lambda p: deflated(p, 1, zlib.Z_DEFAULT_STRATEGY),
        "zlib, level 6": lambda p: deflated(p, 6, zlib.Z_DEFAULT_STRATEGY),
        "zlib, Huffman only": lambda p: deflated(p, 1, zlib.Z_HUFFMAN_ONLY),
        "zlib, run lengths and Huffman": lambda p: deflated(p, 1, zlib.Z_RLE),
        "the same, incompressible bytes stored (used)": lambda p: list(gzip_2_tiles(p)),
    }
    print("| GZIP_2 tiles made by | plane | compress | decompress | size |")
    print("|---|---|---|---|---|")
    for way, compress in ways.items():
        for name, plane in images.items():
            tiles = compress(plane)

            def undo(tiles: list[NDArray[np.uint8]] = tiles, plane: NDArray[np.float32] = plane) -> None:
                back = gunzip_tiles(
                    tiles, (len(plane), plane.shape[1]), TILE_ROWS, plane.dtype, shuffled=True
                )
                assert back is not None and np.array_equal(back.view(np.uint32), plane.view(np.uint32))

            took = best_of(lambda plane=plane, compress=compress: compress(plane))
            size = sum(len(tile) for tile in tiles) / plane.nbytes
            print(
                f"| {way} | {name} | {took.cpu:.2f} s | {best_of(undo).cpu:.2f} s | {100 * size:.1f} % |",
                flush=True,
            )


def of_files(exposure: Exposure) -> None:
    """Print the table of whole files."""
    print("\n| `pvi.fits` | write | read | size | lossless |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.fits"
        for compression, lossless in (("gzip", "yes (default)"), ("none", "yes"), ("lossy", "no")):
            took = best_of(
                lambda compression=compression: write_visit_image(
                    path, exposure, compression=compression, overwrite=True
                )
            )
            back = best_of(lambda: read_visit_image(path))
            size = path.stat().st_size / 1e6
            print(
                f"| `{compression}` | {took.cpu:.1f} s | {back.cpu:.1f} s | {size:.0f} MB | {lossless} |",
                flush=True,
            )

        def by_itself() -> None:
            path.unlink(missing_ok=True)
            write_archive(to_visit_image(exposure), str(path))

        took = best_of(by_itself, 1)
        back = best_of(lambda: read_visit_image(path), 1)
        size = path.stat().st_size / 1e6
        print(f"| (`lsst.images` by itself) | {took.cpu:.1f} s | {back.cpu:.1f} s | {size:.0f} MB | yes |")


if __name__ == "__main__":
    with threads.use(1):
        exposure, images = planes(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
        of_planes(images)
        if exposure is not None:
            of_files(exposure)
