"""Single planes: images and masks in files of their own, and the cards of all planes (spec 11.3, 11.8)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...model.mask_planes import Mask, MaskPlanes
from .components import component
from .hdus import FitsFile, Hdu

__all__ = ["find_plane", "image_plane", "mask_plane", "origin", "read_image", "read_mask"]


def origin(header: Mapping[str, Any]) -> tuple[int, int]:
    """Return (x0, y0), the parent coordinates of an image's first pixel.

    Parameters
    ----------
    header
        The header of the image: the second coordinate system in it, ``A``, is that of the parent.
    """
    if header.get("CRPIX1A", 1.0) != 1.0 or header.get("CRPIX2A", 1.0) != 1.0:
        return 0, 0
    return round(float(header.get("CRVAL1A", 0.0))), round(float(header.get("CRVAL2A", 0.0)))


def image_plane(file: FitsFile, hdu: Hdu) -> NDArray[np.float32]:
    """Return the pixels of an image or variance plane.

    Parameters
    ----------
    file
        The file.
    hdu
        The plane in it.

    Raises
    ------
    InputError
        Raised if the plane has no pixels.
    """
    pixels = file.image(hdu)
    if not pixels.size:
        raise InputError("the image has no pixels", path=file.path, part=hdu.label)
    return pixels.astype(np.float32, copy=False)


def mask_plane(file: FitsFile, hdu: Hdu) -> tuple[NDArray[np.int32], MaskPlanes]:
    """Return the pixels of a mask plane, and the names of its bits.

    Parameters
    ----------
    file
        The file.
    hdu
        The plane in it.

    Raises
    ------
    InputError
        Raised if the pixels are no integers, or a bit number is impossible.
    """
    pixels = file.image(hdu)
    if pixels.dtype.kind == "f":
        # 32-bit unsigned integers come through their offset as floats
        if not (float(hdu.header.get("BZERO", 0)).is_integer() and hdu.header["BITPIX"] > 0):
            raise InputError("a mask must hold integers", path=file.path, part=hdu.label)
        pixels = pixels.astype(np.int64)
    planes = MaskPlanes({})
    for key, value in hdu.header.items():
        if key.upper().startswith("MP_"):
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 32:
                raise InputError(f"card {key} = {value!r} is no bit number", path=file.path, part=hdu.label)
            planes[key[3:].upper()] = value
    return pixels.astype(np.int32, copy=False), planes or MaskPlanes()


def find_plane(file: FitsFile, kind: str) -> Hdu | None:
    """Return the first image HDU of a kind, or `None`.

    Parameters
    ----------
    file
        The file.
    kind
        ``IMAGE``, ``MASK`` or ``VARIANCE``. The ancients mark their empty primary HDU too, which is passed over.
    """
    return next(
        (h for h in file.hdus if h.is_image and kind in (h.header.get("EXTTYPE"), h.header.get("EXTNAME"))),
        None,
    )


def _first_image(file: FitsFile, kind: str) -> Hdu:
    """Return the HDU of a kind if the file says so, else the first image."""
    hdu = find_plane(file, kind) or next((h for h in file.hdus if h.is_image), None)
    if hdu is None:
        what = "tables" if any(h.is_table for h in file.hdus) else "no data"
        raise InputError(f"an image is expected, but the file holds {what}", path=file.path)
    return hdu


def read_image(path: str | Path) -> tuple[NDArray[np.float32], int, int]:
    """Read an image, or the image plane of an exposure.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    image : ndarray
        Shape ``(ny, nx)``, float32.
    x0, y0 : int
        Parent coordinates of the first pixel.

    Raises
    ------
    InputError
        Raised if the file cannot be read or holds no image.
    """
    with component(path):
        file = FitsFile(path)
        hdu = _first_image(file, "IMAGE")
        return image_plane(file, hdu), *origin(hdu.header)


def read_mask(path: str | Path) -> Mask:
    """Read a mask, or the mask plane of an exposure.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Mask
        Its planes are those that the file names; the field's default ones if it names none.

    Raises
    ------
    InputError
        Raised if the file cannot be read or holds no mask.
    """
    with component(path):
        file = FitsFile(path)
        hdu = _first_image(file, "MASK")
        array, planes = mask_plane(file, hdu)
        return Mask(array, planes, *origin(hdu.header))
