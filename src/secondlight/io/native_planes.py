"""Planes of pixels in files of `lsst.images`, compressed as they are written.

`lsst.images` keeps all compressed planes, and astropy copies of them, until the file is complete, and makes two whole
images for each plane of a mask. Here nothing but a few tiles is in memory besides the pixels, and the file is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
from astropy.io import fits
from lsst.images import Box, Mask, MaskSchema, VisitImageSerializationModel
from lsst.images.fits import FitsOpaqueMetadata, FitsOutputArchive, PrecompressedImage
from lsst.images.serialization import ArrayReferenceModel, OutputArchive
from numpy.typing import NDArray

from .tiles import TILE_ROWS, Rows, write_tiles

__all__ = ["PlaneArchive", "StoredMask", "stand_ins"]

_MASK = "MASK"


class StoredMask:
    """A mask as `lsst.images` stores it: integers, whose bits are its planes without gaps.

    Parameters
    ----------
    mask
        The mask.
    """

    def __init__(self, mask: Mask) -> None:
        self.mask = mask
        # planes whose numbers change by as much move together, byte by byte
        self._moving: dict[tuple[int, int], int] = {}
        for new, old in enumerate(_places(mask)):
            byte, bit = divmod(old, 8)
            self._moving[byte, new - bit] = self._moving.get((byte, new - bit), 0) | 1 << bit

    @staticmethod
    def fits(mask: Mask) -> bool:
        """Tell whether one image holds all planes of a mask, which is made of bytes.

        Parameters
        ----------
        mask
            The mask.
        """
        return (
            0 < len(_places(mask)) <= MaskSchema.bits_per_element(np.int32) and mask.array.dtype == np.uint8
        )

    def __len__(self) -> int:
        return len(self.mask.array)

    def __getitem__(self, rows: slice, /) -> NDArray[np.int32]:
        octets = self.mask.array[rows]
        pixels = np.zeros(octets.shape[:2], np.int32)
        for (byte, by), bits in self._moving.items():
            some = (octets[:, :, byte] & np.uint8(bits)).astype(np.int32)
            pixels |= some << by if by >= 0 else some >> -by
        return pixels


def _places(mask: Mask) -> list[int]:
    return [place for place, plane in enumerate(mask.schema) if plane is not None]


class PlaneArchive(FitsOutputArchive):
    """An archive that writes some of its images by itself: `write_planes` before anything is serialized."""

    _file: Path
    _rows: Mapping[str, Rows]

    def write_planes(self, path: Path, rows: Mapping[str, Rows]) -> None:
        """Set which images to compress and write as they come.

        Parameters
        ----------
        path
            The file that the archive writes to.
        rows
            The images by their names in the file; the archive's opaque metadata are `stand_ins` for them.
        """
        self._file, self._rows = path, rows

    def serialize_direct[T: pydantic.BaseModel | None](
        self, name: str, serializer: Callable[[OutputArchive[Any]], T]
    ) -> T:
        """Serialize, but of a mask only the first row: the other pixels are compressed elsewhere."""
        stored = self._rows.get(_MASK)
        if name != _MASK.lower() or not isinstance(stored, StoredMask):
            return super().serialize_direct(name, serializer)
        y, x = stored.mask.bbox.y, stored.mask.bbox.x
        row = stored.mask[Box.factory[y.start : y.start + 1, x.start : x.stop]]
        model: Any = super().serialize_direct(
            name, lambda archive: row.serialize(archive, save_projection=False)
        )
        for array in model.data:
            array.shape = list(stored.mask.bbox.shape)
        return model  # type: ignore[no-any-return]

    def add_array(
        self, array: NDArray[Any], *, name: str | None = None, **options: Any
    ) -> ArrayReferenceModel:
        """Add an image; write it if it is one of those that are compressed here."""
        model = super().add_array(array, name=name, **options)
        rows = self._rows.get((name or "").upper())
        if rows is not None:
            hdu = self._hdu_list.pop()
            wcs = rows.mask.fits_wcs if isinstance(rows, StoredMask) else None
            if wcs is not None:
                # that of one row differs in the last digit
                hdu.header.update(wcs.to_header(relax=True))
            self._write(hdu, rows)
        return model

    def _write(self, hdu: fits.BinTableHDU, rows: Rows) -> None:
        """Write one image behind all that came before it, and forget it: the index is made from the file."""
        primary = self._hdu_list[0].header
        if "DATAMODL" not in primary:
            # the header must not grow once there is something behind it
            kind = VisitImageSerializationModel
            primary.set("DATAMODL", f"{kind.SCHEMA_URL_BASE}/{kind.SCHEMA_NAME}-{kind.SCHEMA_VERSION}")
        self._hdu_list.flush()

        def header(size: int, largest: int) -> bytes:
            hdu.header["PCOUNT"], hdu.header["TFORM1"] = size, f"QB({largest})"
            text: str = hdu.header.tostring()
            return text.encode("ascii")

        with self._file.open("r+b") as stream:
            stream.seek(0, 2)
            write_tiles(stream, header, rows)


def stand_ins(rows: Mapping[str, Rows]) -> FitsOpaqueMetadata:
    """Return metadata that make an archive give images the headers of compressed ones, without compressing them.

    Parameters
    ----------
    rows
        The images by their names in the file.
    """
    opaque = FitsOpaqueMetadata()
    for name, plane in rows.items():
        height, first = len(plane), plane[:1]
        header = fits.Header(
            [
                ("ZIMAGE", True),
                ("ZBITPIX", -32 if first.dtype.kind == "f" else 32),
                ("ZNAXIS", 2),
                ("ZNAXIS1", first.shape[1]),
                ("ZNAXIS2", height),
                ("ZTILE1", first.shape[1]),
                ("ZTILE2", TILE_ROWS),
                ("ZCMPTYPE", "GZIP_2"),
            ]
        )
        if first.dtype.kind == "f":
            header["ZQUANTIZ"] = "NONE"
        # descriptors of 64 bits, as of tiles: see `write_tiles`
        table = fits.BinTableHDU.from_columns(
            [fits.Column("COMPRESSED_DATA", "QB")], nrows=-(-height // TILE_ROWS)
        )
        opaque.precompressed[name] = PrecompressedImage(header, table.data)
    return opaque
