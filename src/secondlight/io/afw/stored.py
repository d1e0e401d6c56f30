"""Files that hold one stored object of whatever class (spec 11.8)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import InputError
from .archive import Archive
from .components import component
from .detector import read_detector
from .fields import read_ap_corr_map, read_field
from .filter_label import read_filter
from .footprints import stored_footprint
from .hdus import FitsFile
from .photo_calib import stored_photo_calib
from .polygon import read_polygon
from .summary_stats import read_summary_stats
from .visit_info import read_visit_info
from .wcs import read_wcs

__all__ = ["read_stored"]

_READERS: dict[str, Callable[[Archive, int], Any]] = {
    "SkyWcs": read_wcs,
    "TanWcs": read_wcs,
    "Wcs": read_wcs,
    "PhotoCalib": stored_photo_calib,
    "Calib": stored_photo_calib,
    "VisitInfo": read_visit_info,
    "Detector": read_detector,
    "FilterLabel": read_filter,
    "Polygon": read_polygon,
    "ApCorrMap": read_ap_corr_map,
    "ChebyshevBoundedField": read_field,
    "ProductBoundedField": read_field,
    "TransformBoundedField": read_field,
    "PixelAreaBoundedField": read_field,
    "ExposureSummaryStats": read_summary_stats,
    "Footprint": stored_footprint,
    "HeavyFootprintF": stored_footprint,
}

#: A file's own object is always the archive's first.
_FIRST = 1


def read_stored(path: str | Path) -> Any:
    """Read a file that holds one object: coordinates, a calibration, a visit record, a PSF, a footprint …

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    object
        What the reader of that class returns.

    Raises
    ------
    InputError
        Raised if the file cannot be read or the object is of a class unknown here.
    """
    with component(path):
        archive = Archive.standalone(FitsFile(path))
        name = archive.name(_FIRST)
        if name in _READERS:
            return _READERS[name](archive, _FIRST)
        from .psf import PSF_CLASSES, read_psf

        if name in PSF_CLASSES:
            return read_psf(archive, _FIRST)
        raise InputError(f"the stored object is of class {name!r}, which cannot be read")
