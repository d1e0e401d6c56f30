"""Photometric calibrations: ``PhotoCalib``, the older ``Calib``, and header cards (spec 10.1, 11.4)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...model.photo_calib import REFERENCE_FLUX, PhotoCalib
from .archive import Archive
from .components import component
from .fields import read_field
from .hdus import FitsFile

__all__ = ["photo_calib_from_header", "read_photo_calib", "stored_photo_calib"]


def read_photo_calib(path: str | Path) -> PhotoCalib:
    """Read a file that holds one photometric calibration.

    Parameters
    ----------
    path
        The file; the calibration is the archive's object 1.

    Raises
    ------
    InputError
        Raised if the file cannot be read, holds something else, or a version unknown here.
    """
    with component(path):
        return stored_photo_calib(Archive.standalone(FitsFile(path)), 1)


def stored_photo_calib(archive: Archive, key: int) -> PhotoCalib:
    """Return a stored calibration.

    Parameters
    ----------
    archive
        The archive.
    key
        Id of a ``PhotoCalib``, or of a ``Calib`` of older versions.

    Raises
    ------
    InputError
        Raised if the object is of another class or version (0 is not in nJy; the reference refuses it too).
    """
    row = archive.table(key, "PhotoCalib", "Calib")
    with component(archive.path, f"{archive.name(key)} (id {key})"):
        if archive.name(key) == "Calib":
            return _from_flux_mag0(row.scalar("fluxmag0"), row.scalar("fluxmag0.err"))
        version = row.scalar("version", 0)
        if version != 1:
            raise InputError(f"stored in version {version}; only version 1 (nJy per count) can be read")
        return PhotoCalib(
            row.scalar("calibrationMean"),
            row.scalar("calibrationErr"),
            archive.once(row.scalar("field"), read_field),
            is_constant=row.scalar("isConstant"),
        )


def photo_calib_from_header(header: Mapping[str, Any]) -> PhotoCalib | None:
    """Return the calibration that exposures before version 1 keep in their header, or `None`.

    Parameters
    ----------
    header
        Cards.
    """
    flux = float(header.get("FLUXMAG0", 0.0))
    return _from_flux_mag0(flux, float(header.get("FLUXMAG0ERR", 0.0))) if flux > 0 else None


def _from_flux_mag0(flux: float, error: float) -> PhotoCalib:
    """Counts of an object of magnitude 0, and their error."""
    return PhotoCalib.constant(REFERENCE_FLUX / flux, REFERENCE_FLUX * error / flux**2)
