"""A FITS file as a list of header-and-bytes units, mapped into memory and read only where touched.

astropy parses the headers and decompresses tiles; walking the file here gives exact messages for files that
end early and keeps table bytes within reach of `table.Table`, which astropy would decode row by row.
"""

from __future__ import annotations

import gzip
import mmap
import re
import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ...errors import InputError
from ..tiles import gunzip_tiles

__all__ = ["FitsFile", "Hdu", "Header"]

_BLOCK = 2880
_COMMENTARY = frozenset(("", "COMMENT", "HISTORY", "CONTINUE"))
_END = b"END" + b" " * 77
_DTYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
#: The form of a column of byte arrays in the heap: P has descriptors of 32 bits, Q of 64.
_DESCRIPTOR = re.compile(r"^[01]?([PQ])B(?:\(\d+\))?$")
#: A primary HDU without data, to stand before an extension that astropy shall decompress.
_EMPTY_PRIMARY = fits.PrimaryHDU().header.tostring().encode("ascii")


class Header(Mapping[str, Any]):
    """The cards of a header by keyword. Comments are left out, and so are cards that cannot be parsed or are empty.

    Parameters
    ----------
    header
        The header as astropy holds it.
    """

    def __init__(self, header: fits.Header) -> None:
        self._header = header

    def __getitem__(self, key: str) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cards that bend the standard are read all the same
            try:
                value = self._header[key]
            except (fits.VerifyError, ValueError, LookupError):
                raise KeyError(key) from None
        # a keyword with an asterisk gives a header of all that match
        if isinstance(value, fits.card.Undefined | fits.Header) or key in _COMMENTARY:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key for key in self._header if key in self))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def repeated(self, key: str) -> list[Any]:
        """Return the values of all cards of one keyword.

        Parameters
        ----------
        key
            The keyword.
        """
        values = []
        for card in self._header.cards:
            if card.keyword == key:
                try:
                    values.append(card.value)
                except (fits.VerifyError, ValueError):
                    continue
        return values


@dataclass(frozen=True)
class Hdu:
    """One header and where its data lie.

    Parameters
    ----------
    index
        Number in the file, from 0.
    header
        The parsed header.
    start
        Offset of the header's first byte.
    data_start, size
        Offset and length of the data, padding excluded [byte].
    """

    index: int
    header: Header
    start: int
    data_start: int
    size: int

    @property
    def is_table(self) -> bool:
        """Whether this is a binary table that is not a compressed image."""
        return bool(self.header.get("XTENSION") == "BINTABLE" and not self.header.get("ZIMAGE", False))

    @property
    def is_image(self) -> bool:
        """Whether this holds a two-dimensional image."""
        if self.header.get("ZIMAGE", False):
            return bool(self.header.get("ZNAXIS", 0) == 2)
        return bool(self.header.get("XTENSION", "IMAGE") == "IMAGE" and self.header.get("NAXIS", 0) == 2)

    @property
    def label(self) -> str:
        """Number and name, for messages."""
        name = self.header.get("EXTNAME") or self.header.get("EXTTYPE")
        return f"HDU {self.index} ({name})" if name else f"HDU {self.index}"


class FitsFile:
    """All HDUs of one file; gzip is undone on the fly.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        Raised if the file is missing, is not FITS, or ends early.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._map, self._bytes = _load(self.path)
        if self._bytes[:9].tobytes() != b"SIMPLE  =":
            raise InputError("this is not a FITS file", path=path)
        self.hdus: list[Hdu] = []
        offset = 0
        while offset < len(self._bytes):
            hdu = self._scan(offset)
            if hdu is None:
                break
            self.hdus.append(hdu)
            offset = hdu.data_start + -(-hdu.size // _BLOCK) * _BLOCK

    def _scan(self, start: int) -> Hdu | None:
        """Read the header that begins at ``start``; `None` for trailing bytes that are no HDU."""
        index = len(self.hdus)
        if index > 0 and self._bytes[start : start + 8].tobytes() != b"XTENSION":
            return None
        stop = start
        while True:
            block = self._bytes[stop : stop + _BLOCK].tobytes()
            if len(block) < _BLOCK:
                raise InputError(
                    "the file ends within this header: it is truncated", path=self.path, part=f"HDU {index}"
                )
            stop += _BLOCK
            if any(block[i : i + 80] == _END for i in range(0, _BLOCK, 80)):
                break
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                header = Header(fits.Header.fromstring(self._bytes[start:stop].tobytes()))
            axes = [int(header[f"NAXIS{i + 1}"]) for i in range(int(header["NAXIS"]))]
            size = abs(int(header["BITPIX"])) // 8 * prod(axes) if axes else 0
            if index > 0:
                size = (size + int(header.get("PCOUNT", 0))) * int(header.get("GCOUNT", 1))
            if int(header["BITPIX"]) not in _DTYPES or min(axes, default=0) < 0 or size < 0:
                raise ValueError("impossible size")
        except (KeyError, ValueError, TypeError, fits.VerifyError) as error:
            raise InputError(
                f"the cards that give the size of this HDU make no sense ({error})",
                path=self.path,
                part=f"HDU {index}",
            ) from None
        hdu = Hdu(index, header, start, stop, size)
        if stop + size > len(self._bytes):
            raise InputError(
                f"the file ends {stop + size - len(self._bytes)} bytes before this HDU does: it is truncated",
                path=self.path,
                part=hdu.label,
            )
        return hdu

    def __len__(self) -> int:
        return len(self.hdus)

    def data(self, hdu: Hdu) -> NDArray[np.uint8]:
        """Return the bytes of one HDU's data.

        Parameters
        ----------
        hdu
            One of `hdus`.

        Returns
        -------
        ndarray
            Shape ``(size,)``, uint8, not copied.
        """
        return self._bytes[hdu.data_start : hdu.data_start + hdu.size]

    def find(self, **cards: Any) -> Hdu | None:
        """Return the first HDU whose header has all these cards, or `None`.

        Parameters
        ----------
        **cards
            Keywords and values.
        """
        return next((h for h in self.hdus if all(h.header.get(k) == v for k, v in cards.items())), None)

    def image(self, hdu: Hdu) -> NDArray[Any]:
        """Return the pixels of an image HDU, decompressed and scaled, in the machine's byte order.

        Parameters
        ----------
        hdu
            One of `hdus`.

        Returns
        -------
        ndarray
            Shape ``(ny, nx)``; floating point, or integer as stored (uint16 if 16-bit with offset 32768).

        Raises
        ------
        InputError
            Raised if that HDU holds no image, or its tiles cannot be decompressed.
        """
        header = hdu.header
        if not hdu.is_image:
            kind = "a table" if hdu.is_table else "no two-dimensional image"
            raise InputError(
                f"an image is expected here, but this holds {kind}", path=self.path, part=hdu.label
            )
        if header.get("ZIMAGE", False):
            pixels = self._decompress(hdu)
            if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
                # what was read of the file would count as this process's memory
                self._map.madvise(mmap.MADV_DONTNEED)
            return pixels
        pixels = self._stored(hdu)
        zero, scale = float(header.get("BZERO", 0)), float(header.get("BSCALE", 1))
        if zero == 32768 and scale == 1 and pixels.dtype == np.int16:
            return (pixels.astype(np.int32) + 32768).astype(np.uint16)
        if zero != 0 or scale != 1:
            return np.asarray(pixels * scale + zero)
        return pixels

    def _stored(self, hdu: Hdu) -> NDArray[Any]:
        """Return the pixels of an image that is not compressed, in the machine's byte order."""
        shape = int(hdu.header["NAXIS2"]), int(hdu.header["NAXIS1"])
        kind = np.dtype(_DTYPES[int(hdu.header["BITPIX"])])
        native = kind.newbyteorder("=")
        if self._map is None:
            return self.data(hdu).view(kind).reshape(shape).astype(native)
        # not through the map: its pages would be a second copy
        pixels = np.fromfile(self.path, kind, shape[0] * shape[1], offset=hdu.data_start).reshape(shape)
        return pixels if kind.isnative else pixels.byteswap(inplace=True).view(native)

    def _decompress(self, hdu: Hdu) -> NDArray[Any]:
        pixels = self._gunzip(hdu)
        if pixels is not None:
            return pixels
        stop = hdu.data_start + -(-hdu.size // _BLOCK) * _BLOCK
        whole = _EMPTY_PRIMARY + self._bytes[hdu.start : stop].tobytes()
        whole += b"\0" * (-len(whole) % _BLOCK)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with fits.HDUList.fromstring(whole) as hdus:
                    pixels = np.asarray(hdus[1].data)
        except Exception as error:  # astropy's decompressors raise errors of many kinds
            raise InputError(
                f"the tiles cannot be decompressed ({error})", path=self.path, part=hdu.label
            ) from None
        return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)

    def _gunzip(self, hdu: Hdu) -> NDArray[Any] | None:
        """Decompress what this package and the survey's pipelines write, in threads; `None` if it is anything else.

        That is: four-byte numbers without scaling in tiles of whole rows, GZIP_1 or GZIP_2. What is damaged is also left
        to astropy, which knows why.
        """
        header = hdu.header
        shape = int(header.get("ZNAXIS2", 0)), int(header.get("ZNAXIS1", 0))
        descriptor = _DESCRIPTOR.match(str(header.get("TFORM1", "")))
        dtype = {-32: np.dtype(np.float32), 32: np.dtype(np.int32)}.get(header.get("ZBITPIX", 0))
        rows = header.get("ZTILE2", 1)
        plain = (
            descriptor is not None
            and dtype is not None
            and header.get("ZCMPTYPE") in ("GZIP_1", "GZIP_2")
            and header.get("ZQUANTIZ", "NONE") == "NONE"
            and header.get("TFIELDS") == 1
            and header.get("TTYPE1") == "COMPRESSED_DATA"
            and header.get("ZTILE1", shape[1]) == shape[1]
            and isinstance(rows, int)
            and rows > 0
            and not any(key in header for key in ("BZERO", "BSCALE", "ZZERO", "ZSCALE", "ZBLANK", "BLANK"))
        )
        if not plain:
            return None
        assert descriptor is not None and dtype is not None  # as found just above
        data = self.data(hdu)
        kind = np.dtype(">i4" if descriptor[1] == "P" else ">i8")
        count = int(header["NAXIS2"])
        if int(header["NAXIS1"]) != 2 * kind.itemsize:
            return None
        heap = int(header.get("THEAP", int(header["NAXIS1"]) * count))
        places = data[: 2 * kind.itemsize * count].view(kind).reshape(count, 2).astype(np.int64)
        tiles = [data[heap + start : heap + start + size] for size, start in places]
        return gunzip_tiles(tiles, shape, rows, dtype, shuffled=header["ZCMPTYPE"] == "GZIP_2")


def _load(path: Path) -> tuple[mmap.mmap | None, NDArray[np.uint8]]:
    """Return the bytes of a file, and the map of it that they come from, if any."""
    try:
        with path.open("rb") as stream:
            magic = stream.read(2)
        if magic == b"\x1f\x8b":
            return None, np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8)
        if not magic:
            raise InputError("the file is empty", path=path)
        with path.open("rb") as stream:
            whole = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        return whole, np.frombuffer(whole, np.uint8)
    except FileNotFoundError:
        raise InputError("no such file", path=path) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"the gzip data cannot be decompressed ({error})", path=path) from None
    except OSError as error:
        raise InputError(f"the file cannot be opened ({error.strerror})", path=path) from None
