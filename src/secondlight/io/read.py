"""Reading inputs whose format shows only when the file is opened."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

from astropy.io import fits

from ..errors import InputError
from ..model.exposure import Exposure
from .afw.exposure import read_exposure as read_afw_exposure
from .afw.visit_summary import read_visit_summary
from .native import read_visit_image

__all__ = ["read_exposure", "read_visit_summary"]


def read_exposure(path: str | os.PathLike[str], *, psf: bool = True) -> Exposure:
    """Read an exposure in the reference's FITS layout, or a visit image of `lsst.images` in FITS or JSON.

    The format is told from the content: JSON begins with a brace; among FITS files those of `lsst.images`
    name their data model in the card DATAMODL.

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
    try:
        with path.open("rb") as stream:
            head = stream.read(2)
        with (gzip.open if head == b"\x1f\x8b" else open)(path, "rb") as stream:
            head = stream.read(64)
        if head.lstrip()[:1] == b"{":
            return read_visit_image(path, psf=psf)
        if not head.startswith(b"SIMPLE  ="):
            raise InputError("is neither a FITS file nor JSON", path=path)
        native = "DATAMODL" in fits.getheader(path)
    except OSError as error:
        reason = error.strerror or (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"cannot be read ({reason})", path=path) from error
    return read_visit_image(path, psf=psf) if native else read_afw_exposure(path, psf=psf)
