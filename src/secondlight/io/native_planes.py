"""Planes of pixels in files of `lsst.images`, compressed as they are written, and read in threads.

`lsst.images` keeps all compressed planes, and astropy copies of them, until the file is complete, and makes two whole
images for each plane of a mask. Here nothing but a few tiles is in memory besides the pixels, and the file is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import EllipsisType
from typing import Any

import numpy as np
import pydantic
from astropy.io import fits
from lsst.images import Box, Mask, MaskSchema, MaskSerializationModel, VisitImageSerializationModel
from lsst.images.fits import (
    ExtensionKey,
    FitsInputArchive,
    FitsOpaqueMetadata,
    FitsOutputArchive,
    PrecompressedImage,
)
from lsst.images.serialization import ArrayReferenceModel, InputArchive, OutputArchive
from numpy.typing import NDArray

from .afw.hdus import FitsFile
from .tiles import TILE_ROWS, Rows, write_tiles

__all__ = ["MaskReader", "PlaneArchive", "PlaneReader", "StoredMask", "stand_ins"]

_MASK = "MASK"

#: Bits of a pixel of a mask in memory.
_BITS = 32


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


class PlaneReader(FitsInputArchive):
    """An archive that reads whole images by itself: set `path` before anything is deserialized."""

    path: Path
    _images: FitsFile | None = None

    def get_array(
        self, model: Any, *, slices: tuple[slice, ...] | EllipsisType = ..., **options: Any
    ) -> NDArray[Any]:
        """Return an image; headers of those that are read here are not kept."""
        if slices is ... and isinstance(model, ArrayReferenceModel) and isinstance(model.source, str):
            if self._images is None:
                self._images = FitsFile(self.path)
            key = ExtensionKey.from_str(model.source)
            for hdu in self._images.hdus:
                cards = hdu.header
                if (cards.get("EXTNAME"), cards.get("EXTVER", 1)) != (key.name, key.ver) or not hdu.is_image:
                    continue
                scaled = any(card in cards for card in ("BZERO", "BSCALE"))
                if cards.get("ZBITPIX", cards.get("BITPIX")) in (-32, 32) and not scaled:
                    return self._images.image(hdu)
        return super().get_array(model, slices=slices, **options)


class MaskReader:
    """Stands for the mask in a file's tree: reads its pixels without making an image of each plane.

    Parameters
    ----------
    model
        The mask in the tree; `reads` must be true of it.

    Attributes
    ----------
    pixels
        Once deserialized, the mask with the bits that its planes have by their places, int32.
    """

    def __init__(self, model: MaskSerializationModel[Any]) -> None:
        self._model = model
        self.bbox = model.bbox
        self.pixels: NDArray[np.int32] | None = None

    @staticmethod
    def reads(model: MaskSerializationModel[Any]) -> bool:
        """Tell whether the mask is one image of integers.

        Parameters
        ----------
        model
            The mask in the tree.
        """
        return (
            len(model.data) == 1
            and len(model.data[0].shape) == 2
            and model.dtype.to_numpy() == np.uint8
            and len(model.planes) <= _BITS
            and 0 < sum(plane is not None for plane in model.planes) <= MaskSchema.bits_per_element(np.int32)
        )

    def deserialize(self, archive: InputArchive[Any], *, bbox: Box | None = None) -> Mask:
        """Read the pixels; return a mask that has none of them, but all else."""
        stored = archive.get_array(self._model.data[0]).astype(np.int32, copy=False)
        moving: dict[int, int] = {}
        places = [place for place, plane in enumerate(self._model.planes) if plane is not None]
        for old, new in enumerate(places):
            moving[new - old] = moving.get(new - old, 0) | 1 << old
        if list(moving) == [0]:
            self.pixels = stored
        else:
            self.pixels = np.zeros_like(stored)
            for by, bits in moving.items():
                self.pixels |= (stored & np.int32(bits)) << by
        schema = MaskSchema(self._model.planes)
        nothing = np.broadcast_to(np.uint8(0), (*self.pixels.shape, schema.mask_size))
        return Mask(nothing, schema=schema, yx0=self.bbox.start)
