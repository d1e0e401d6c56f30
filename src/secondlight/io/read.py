"""Reading inputs whose format shows only when the file is opened."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path

from ..errors import InputError
from ..model.exposure import Exposure
from ..model.photo_calib import PhotoCalib
from . import native_summary
from .afw import photo_calib as afw_photo_calib
from .afw import visit_summary as afw_visit_summary
from .afw.exposure import read_exposure as read_afw_exposure
from .native import read_visit_image

__all__ = ["read_exposure", "read_photo_calib", "read_visit_summary"]

_CARD = 80  # bytes of a FITS header card


def _is_native(path: Path) -> bool:
    """Tell a file of `lsst.images` (JSON, or FITS that names its data model) from the reference's FITS.

    Raises
    ------
    InputError
        Raised if the file cannot be opened, or is neither FITS nor JSON.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(2)
        with (gzip.open if head == b"\x1f\x8b" else open)(path, "rb") as stream:
            head = stream.read(_CARD)
            if head.lstrip()[:1] == b"{":
                return True
            if not head.startswith(b"SIMPLE  ="):
                raise InputError("is neither a FITS file nor JSON", path=path)
            # a damaged header is for the reader to complain of: here only the one card counts
            while len(head) == _CARD and not head.startswith(b"END "):
                if head.startswith(b"DATAMODL"):
                    return True
                head = stream.read(_CARD)
            return False
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"cannot be read ({reason})", path=path) from error


def read_exposure(path: str | os.PathLike[str], *, psf: bool = True) -> Exposure:
    """Read an exposure in the reference's FITS layout, or a visit image of `lsst.images` in FITS or JSON.

    Parameters
    ----------
    path
        The file; may be compressed by gzip.
    psf
        Whether to read the PSF; otherwise the exposure has none.

    Raises
    ------
    InputError
        Raised if the file cannot be read, or holds no exposure.
    """
    path = Path(path)
    return read_visit_image(path, psf=psf) if _is_native(path) else read_afw_exposure(path, psf=psf)


def read_visit_summary(
    path: str | os.PathLike[str],
) -> afw_visit_summary.VisitSummary | native_summary.VisitSummary:
    """Read a visit summary: the reference's ExposureCatalog, or the native form.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        Raised if the file cannot be read, or holds no visit summary.
    """
    path = Path(path)
    if _is_native(path):
        return native_summary.read_visit_summary(path)
    return afw_visit_summary.read_visit_summary(path)


def read_photo_calib(path: str | os.PathLike[str]) -> PhotoCalib:
    """Read a photometric calibration stored by itself, by the reference or in the native form.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        Raised if the file cannot be read, or holds no photometric calibration.
    """
    path = Path(path)
    if _is_native(path):
        return native_summary.read_photo_calib(path)
    return afw_photo_calib.read_photo_calib(path)
