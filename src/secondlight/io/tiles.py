"""Image tiles compressed as the FITS standard's GZIP_2, and back, in parallel.

The bytes of a tile's pixels are sorted by significance, then deflated. Of a noisy image the first bytes (sign and exponent)
are few values in no order, and the last ones are noise. So searching for repeated strings, which is where deflating
usually spends its time, finds nothing: here each plane of bytes is run-length and Huffman coded if its values are unevenly
frequent, and stored as it is if not. Any FITS library reads the result.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import threads
from ..kernels.byte_planes import join_bytes, split_bytes

__all__ = ["TILE_ROWS", "Rows", "gunzip_tiles", "gzip_2_tiles", "write_tiles"]

#: Rows in a tile: large tiles compress better, small ones let cut-outs be read faster.
TILE_ROWS = 64

#: Bits of information a byte above which coding would save less than one part in fifty, and is left.
_INCOMPRESSIBLE = 7.84

#: A gzip member's head: deflated, no name, no time (so that the same pixels give the same bytes), unknown system.
_GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"

#: The last block of a deflated stream, without contents.
_DEFLATE_END = b"\x01\0\0\xff\xff"

#: Bytes that a stored block holds at most.
_STORED = 0xFFFF

#: Deflated bytes never become more than this many times themselves: a header that says so is damaged.
_GREATEST_RATIO = 1032

#: Asks zlib for gzip's head and trailer, and the largest window.
_GZIP_BITS = 31

#: Headers and data of FITS fill whole blocks of so many bytes.
_BLOCK = 2880


class Rows(Protocol):
    """An image that is asked for some rows at a time: an array, or what makes its rows only then."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def __getitem__(self, rows: slice, /) -> NDArray[Any]:
        """Return some of them, shape ``(n, nx)``, numbers of any type."""


def gzip_2_tiles(plane: Rows) -> Iterator[bytes]:
    """Compress an image without loss, a few tiles ahead of those that have been taken.

    Parameters
    ----------
    plane
        The image.

    Yields
    ------
    bytes
        A tile: `TILE_ROWS` full rows, the last one perhaps fewer.
    """
    starts = range(0, len(plane), TILE_ROWS)
    return threads.in_order(
        lambda i: _gzip(*_bytes_by_significance(plane[starts[i] : starts[i] + TILE_ROWS])), len(starts)
    )


def write_tiles(stream: BinaryIO, header: Callable[[int, int], bytes], plane: Rows) -> None:
    """Write a compressed image as it is compressed: header, descriptors of the tiles, tiles.

    Parameters
    ----------
    stream
        Where to write; it must be possible to go back.
    header
        Makes the header from the sizes of all tiles together (``PCOUNT``) and of the largest one, in whole blocks; its
        own size must not depend on them. The one column has descriptors of 64 bits, since a plane's tiles may pass 2 GiB.
    plane
        The image.
    """
    start = stream.tell()
    sizes = np.zeros(-(-len(plane) // TILE_ROWS), np.int64)
    # the space of what is known at the end
    stream.write(header(0, 0) + bytes(16 * len(sizes)))
    for i, tile in enumerate(gzip_2_tiles(plane)):
        stream.write(tile)
        sizes[i] = len(tile)
    stream.write(bytes(-(16 * len(sizes) + int(sizes.sum())) % _BLOCK))
    end = stream.tell()
    stream.seek(start)
    stream.write(header(int(sizes.sum()), int(sizes.max(initial=0))))
    stream.write(np.column_stack([sizes, np.cumsum(sizes) - sizes]).astype(">i8").tobytes())
    stream.seek(end)


def _bytes_by_significance(pixels: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return one row of bytes for each byte of a pixel, the most significant first, and how frequent each value is."""
    width = pixels.dtype.itemsize
    planes = np.empty((width, pixels.size), np.uint8)
    counts = np.zeros((width, 256), np.int64)
    if width == 4:
        native = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("="))
        split_bytes(native.view(np.uint32), planes, counts)
        return planes, counts
    stored = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">"))
    planes[:] = stored.view(np.uint8).reshape(-1, width).T
    for plane, count in zip(planes, counts, strict=True):
        count[:] = np.bincount(plane, minlength=256)
    return planes, counts


def _gzip(planes: NDArray[np.uint8], counts: NDArray[np.int64]) -> bytes:
    """Return one gzip member that holds the planes one after the other."""
    frequency = counts / max(planes.shape[1], 1)
    bits = -(frequency * np.log2(frequency, where=frequency > 0, out=np.zeros_like(frequency))).sum(axis=1)
    parts: list[bytes | memoryview] = [_GZIP_HEAD]
    for plane, information in zip(planes, bits, strict=True):
        if information > _INCOMPRESSIBLE:
            for start in range(0, len(plane), _STORED):
                block = plane[start : start + _STORED]
                size = len(block)
                parts += [bytes((0, size & 255, size >> 8, ~size & 255, ~size >> 8 & 255)), block.data]
        else:
            deflate = zlib.compressobj(1, zlib.DEFLATED, -15, strategy=zlib.Z_RLE)
            # a flush ends at a whole byte, where the next block can begin
            parts += [deflate.compress(plane), deflate.flush(zlib.Z_SYNC_FLUSH)]
    parts += [_DEFLATE_END, zlib.crc32(planes).to_bytes(4, "little")]
    parts.append((planes.size & 0xFFFFFFFF).to_bytes(4, "little"))
    return b"".join(parts)


def gunzip_tiles(
    tiles: Sequence[NDArray[np.uint8] | bytes],
    shape: tuple[int, int],
    rows: int,
    dtype: np.dtype[Any],
    *,
    shuffled: bool,
) -> NDArray[Any] | None:
    """Decompress an image of four-byte pixels.

    Parameters
    ----------
    tiles
        The bytes of each tile.
    shape
        Rows and columns of the image.
    rows
        Rows in a tile, all columns wide; the last tile perhaps has fewer.
    dtype
        Type of the pixels, four bytes in the machine's order.
    shuffled
        Whether the bytes are sorted by significance (GZIP_2) or in the order of the pixels (GZIP_1).

    Returns
    -------
    ndarray
        The image; `None` if a tile is damaged or not of the size expected.
    """
    size = dtype.itemsize * shape[0] * shape[1]
    if len(tiles) != -(-shape[0] // rows) or size > _GREATEST_RATIO * sum(len(tile) for tile in tiles):
        return None
    out = np.empty(shape, dtype)
    good: list[bool] = []

    def work(begin: int, end: int) -> None:
        for i in range(begin, end):
            part = out[i * rows : (i + 1) * rows]
            try:
                content = np.frombuffer(zlib.decompress(tiles[i], _GZIP_BITS, part.nbytes), np.uint8)
            except zlib.error:
                content = np.empty(0, np.uint8)
            good.append(content.size == part.nbytes)
            if good[-1] and shuffled:
                join_bytes(content.reshape(4, -1), part.view(np.uint32))
            elif good[-1]:
                part[:] = content.view(dtype.newbyteorder(">")).reshape(part.shape)

    threads.map_chunks(work, len(tiles), 1)
    return out if all(good) else None
