"""Planes of pixels as the reference stores them: images and masks in files of their own, and the planes of exposures.

Layouts: spec 11.3 and 11.8.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Literal

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ...model.mask_planes import Mask, MaskPlanes
from ..atomic import atomic_path
from ..tiles import TILE_ROWS, write_tiles
from .write_table import Card, append_card, empty_primary, encode_header

__all__ = ["Compression", "mask_cards", "origin_cards", "write_image", "write_mask", "write_plane"]

type Compression = Literal["gzip", "none"]

_BLOCK = 2880
_BITPIX = {"f4": -32, "f8": -64, "i4": 32}


def origin_cards(x0: int, y0: int) -> Iterator[Card]:
    """Iterate over the cards that keep the parent coordinates of an image's first pixel.

    Parameters
    ----------
    x0, y0
        The coordinates.
    """
    for axis in (1, 2):
        yield f"CTYPE{axis}A", "LINEAR", "Type of projection"
    for axis, name in ((1, "Column"), (2, "Row")):
        yield f"CRPIX{axis}A", 1.0, f"{name} Pixel Coordinate of Reference"
    for axis, name, value in ((1, "Column", x0), (2, "Row", y0)):
        yield f"CRVAL{axis}A", float(value), f"{name} pixel of Reference Pixel"
    for axis, name in ((1, "Column"), (2, "Row")):
        yield f"CUNIT{axis}A", "PIXEL", f"{name} unit"


def mask_cards(planes: MaskPlanes) -> Iterator[Card]:
    """Iterate over the cards that name the bits of a mask.

    Parameters
    ----------
    planes
        The names and bit numbers.
    """
    for name in sorted(planes):
        yield f"MP_{name}", planes[name], ""


def write_plane(
    stream: BinaryIO,
    plane: NDArray[Any],
    cards: Iterable[Card],
    compression: Compression,
    *,
    primary: bool = False,
) -> None:
    """Write one HDU that holds an image.

    Parameters
    ----------
    stream
        Where to write.
    plane
        Shape ``(ny, nx)``, float32, float64 or int32.
    cards
        What the header says besides the layout.
    compression
        ``gzip``: tiles of GZIP_2, lossless. ``none``: as they are.
    primary
        Whether this is the file's first HDU, which cannot be compressed.
    """
    height, width = plane.shape
    bitpix = _BITPIX[plane.dtype.str[1:]]
    if compression == "gzip":
        cards = list(cards)
        write_tiles(
            stream, lambda size, largest: _compressed_header(plane.shape, bitpix, cards, size, largest), plane
        )
        return
    header = fits.Header(
        [
            ("SIMPLE", True, "file does conform to FITS standard")
            if primary
            else ("XTENSION", "IMAGE", "IMAGE extension"),
            ("BITPIX", bitpix, "number of bits per data pixel"),
            ("NAXIS", 2, "number of data axes"),
            ("NAXIS1", width, "length of data axis 1"),
            ("NAXIS2", height, "length of data axis 2"),
        ]
    )
    if primary:
        append_card(header, ("EXTEND", True, "FITS dataset may contain extensions"))
    else:
        append_card(header, ("PCOUNT", 0, "required keyword; must = 0"))
        append_card(header, ("GCOUNT", 1, "required keyword; must = 1"))
    for card in cards:
        append_card(header, card)
    stream.write(encode_header(header))
    for start in range(0, height, TILE_ROWS):
        stream.write(plane[start : start + TILE_ROWS].astype(plane.dtype.newbyteorder(">")).tobytes())
    stream.write(bytes(-plane.nbytes % _BLOCK))


def _compressed_header(
    shape: tuple[int, ...], bitpix: int, cards: list[Card], size: int, largest: int
) -> bytes:
    header = fits.Header()
    layout: list[Card] = [
        ("XTENSION", "BINTABLE", "binary table extension"),
        ("BITPIX", 8, "8-bit bytes"),
        ("NAXIS", 2, "2-dimensional binary table"),
        ("NAXIS1", 16, "width of table in bytes"),
        ("NAXIS2", -(-shape[0] // TILE_ROWS), "number of rows in table"),
        ("PCOUNT", size, "size of special data area"),
        ("GCOUNT", 1, "one data group (required keyword)"),
        ("TFIELDS", 1, "number of fields in each row"),
        ("TTYPE1", "COMPRESSED_DATA", "label for field   1"),
        ("TFORM1", f"1QB({largest})", "data format of field: variable length array"),
        ("ZIMAGE", True, "extension contains compressed image"),
        ("ZBITPIX", bitpix, "data type of original image"),
        ("ZNAXIS", 2, "dimension of original image"),
        ("ZNAXIS1", shape[1], "length of original image axis"),
        ("ZNAXIS2", shape[0], "length of original image axis"),
        ("ZTILE1", shape[1], "size of tiles to be compressed"),
        ("ZTILE2", TILE_ROWS, "size of tiles to be compressed"),
        ("ZCMPTYPE", "GZIP_2", "compression algorithm"),
    ]
    if bitpix < 0:
        layout.append(("ZQUANTIZ", "NONE", "Lossless compression without quantization"))
    for card in (*layout, *cards):
        append_card(header, card)
    return encode_header(header)


def write_image(
    path: str | os.PathLike[str],
    image: NDArray[np.float32],
    x0: int = 0,
    y0: int = 0,
    *,
    unit: str = "",
    compression: Compression = "none",
    overwrite: bool = False,
) -> None:
    """Write an image as a file that ``lsst.afw.image.ImageF.readFits`` opens.

    Parameters
    ----------
    path
        File to make.
    image
        Shape ``(ny, nx)``, float32.
    x0, y0
        Parent coordinates of its first pixel.
    unit
        Its unit, if it is to be kept.
    compression
        ``gzip`` or ``none``; both are lossless.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    UsageError
        Raised if the file exists and ``overwrite`` is not set.
    """
    cards = [("BUNIT", unit, "Image Data units")] if unit else []
    _write_plane(path, np.asarray(image, np.float32), [*cards, *origin_cards(x0, y0)], compression, overwrite)


def write_mask(
    path: str | os.PathLike[str], mask: Mask, *, compression: Compression = "none", overwrite: bool = False
) -> None:
    """Write a mask as a file that ``lsst.afw.image.Mask.readFits`` opens.

    Parameters
    ----------
    path
        File to make.
    mask
        The mask.
    compression
        ``gzip`` or ``none``.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    UsageError
        Raised if the file exists and ``overwrite`` is not set.
    """
    cards = [*mask_cards(mask.planes), *origin_cards(mask.x0, mask.y0)]
    _write_plane(path, np.asarray(mask.array, np.int32), cards, compression, overwrite)


def _write_plane(
    path: str | os.PathLike[str],
    plane: NDArray[Any],
    cards: list[Card],
    compression: Compression,
    overwrite: bool,
) -> None:
    with atomic_path(path, overwrite=overwrite) as staged, staged.open("wb") as stream:
        if compression == "gzip":
            stream.write(empty_primary())
        write_plane(stream, plane, cards, compression, primary=compression == "none")
