"""Exposures of any version (spec 11.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import inf, nan
from pathlib import Path
from typing import Any

from lsst.images import Box, DetectorFrame, GeneralFrame

from ...errors import InputError
from ...model.exposure import Exposure
from ...model.visit_info import VisitInfo
from .archive import Archive
from .components import component
from .detector import read_detector
from .fields import read_ap_corr_map
from .filter_label import filter_from_header, read_filter
from .hdus import FitsFile, Hdu
from .image import find_plane, image_plane, mask_plane, origin
from .photo_calib import photo_calib_from_header, stored_photo_calib
from .polygon import read_polygon
from .summary_stats import read_summary_stats
from .visit_info import VISIT_INFO_CARDS, visit_info_from_header
from .wcs import PIXELS, projection_from_header, read_wcs

__all__ = ["KEYS", "NOT_METADATA", "VERSION", "pixel_frame", "read_exposure"]

#: The newest layout of an exposure that is known here.
VERSION = 2

#: Cards that describe the file rather than the observation, or that become attributes of the exposure.
NOT_METADATA = re.compile(
    r"^(SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|INHERIT|EXTNAME|EXTTYPE|EXTVER|BZERO|BSCALE|CHECKSUM|DATASUM"
    r"|Z(IMAGE|TENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|CMPTYPE|TILE\d+|NAME\d+|VAL\d+|QUANTIZ|DITHER0|BLANK|SIMPLE|EXTEND)"
    r"|T(FIELDS|TYPE\d+|FORM\d+)|LTV[12]|(CTYPE|CRPIX|CRVAL|CUNIT)[12]A?|(CD|PC)[12]_[12]|PV[12]_\d+|[AB]P?_(ORDER|\d_\d)"
    r"|WCSAXES|RADESYS|EQUINOX|LONPOLE|LATPOLE|BUNIT|AR_HDU|EXPINFO_V|FLUXMAG0(ERR)?|ARCHIVE_ID_\w+|MP_\w+"
    r"|(SKYWCS|WCS|PSF|PHOTOCALIB|DETECTOR|VALID_POLYGON|AP_CORR_MAP|FILTER|SUMMARY_STATS|COADD_INPUTS|TRANSMISSION_CURVE)_ID)$"
)

#: Words for the numbers that a card cannot hold.
_NOT_FINITE = {"NAN": nan, "+INFINITY": inf, "-INFINITY": -inf}

#: Our spelling of units by any other.
_UNITS = {
    "adu": "adu",
    "counts": "count",
    "dn": "DN",
    "electron": "electron",
    "electrons": "electron",
    "e-": "electron",
    "njy": "nJy",
}

#: Keys of the archive's components, the newest first.
KEYS = {
    "wcs": ("SKYWCS", "WCS"),
    "psf": ("PSF",),
    "photo_calib": ("PHOTOCALIB",),
    "detector": ("DETECTOR",),
    "valid_polygon": ("VALID_POLYGON",),
    "ap_corr_map": ("AP_CORR_MAP",),
    "filter": ("FILTER",),
    "summary_stats": ("SUMMARY_STATS",),
}


def read_exposure(path: str | Path, *, psf: bool = True) -> Exposure:
    """Read an exposure that the reference wrote, in any version of its layout.

    Parameters
    ----------
    path
        The file.
    psf
        Whether to read the PSF. Without, an exposure can be read whose PSF is of a kind unknown here.

    Returns
    -------
    Exposure
        Components that the file does not hold are `None`.

    Raises
    ------
    InputError
        Raised if the file cannot be read; the message names the HDU or component at fault.
    """
    with component(path):
        file = FitsFile(path)
        return _Reader(file).read(psf=psf)


def pixel_frame(
    bbox: Box, detector: int | None, visit_info: VisitInfo | None, header: dict[str, Any] | None = None
) -> DetectorFrame | GeneralFrame:
    """Return the frame of a detector's pixels, or of any pixels if the detector is not known.

    Parameters
    ----------
    bbox
        Box of the detector.
    detector
        Its id.
    visit_info
        Gives instrument and visit.
    header
        Cards that may name the instrument if the visit does not.
    """
    if detector is None:
        return PIXELS
    instrument = (visit_info.instrument if visit_info else "") or str((header or {}).get("INSTRUME", ""))
    visit = visit_info.id if visit_info and visit_info.id else None
    return DetectorFrame(instrument=instrument, visit=visit, detector=detector, bbox=bbox)


class _Reader:
    """One file while it is being read."""

    def __init__(self, file: FitsFile) -> None:
        self.file = file
        self.header = dict(file.hdus[0].header)
        version = self.header.get("EXPINFO_V", 0)
        if not isinstance(version, int) or version > VERSION:
            raise InputError(
                f"the exposure is stored in version {version}; versions up to {VERSION} can be read"
            )
        self.image, self.mask, self.variance = self._planes()
        self._archive: Archive | None = None

    def _planes(self) -> Iterator[Hdu]:
        for kind in ("IMAGE", "MASK", "VARIANCE"):
            plane = find_plane(self.file, kind)
            if plane is None:
                raise InputError(f"there is no {kind} plane: this is no exposure")
            yield plane

    def _id(self, name: str) -> int:
        for key in KEYS[name]:
            for card in (f"ARCHIVE_ID_{key}", f"{key}_ID"):
                value = self.header.get(card, 0)
                if isinstance(value, int) and not isinstance(value, bool) and value != 0:
                    return value
        return 0

    @property
    def archive(self) -> Archive:
        """The archive, whose place is counted from 1 in the header."""
        if self._archive is None:
            place = self.header.get("AR_HDU")
            self._archive = Archive(self.file, int(place) - 1 if place is not None else None)
        return self._archive

    def read(self, *, psf: bool) -> Exposure:
        image = image_plane(self.file, self.image)
        mask, mask_planes = mask_plane(self.file, self.mask)
        variance = image_plane(self.file, self.variance)
        if not image.shape == mask.shape == variance.shape:
            raise InputError(
                f"image {image.shape}, mask {mask.shape} and variance {variance.shape} differ in shape"
            )
        x0, y0 = origin(self.image.header)
        with component(self.file.path, "visit info"):
            visit_info = visit_info_from_header(self.header)
        exposure = Exposure(
            image,
            mask,
            variance,
            mask_planes,
            x0,
            y0,
            unit=self._unit(),
            visit_info=visit_info,
        )
        exposure.metadata = self._metadata()
        if self._id("detector"):
            with component(self.file.path, "DETECTOR"):
                exposure.detector = read_detector(
                    self.archive, self._id("detector"), visit_info.instrument, visit_info.id or None
                )
        self._calibrations(exposure)
        if psf and self._id("psf"):
            from .psf import read_psf

            with component(self.file.path, "PSF"):
                exposure.psf = read_psf(self.archive, self._id("psf"))
        return exposure

    def _calibrations(self, exposure: Exposure) -> None:
        path, detector = self.file.path, exposure.detector
        frame = (
            pixel_frame(detector.bbox, detector.id, exposure.visit_info, self.header)
            if detector is not None
            else PIXELS
        )
        with component(path, "WCS"):
            if self._id("wcs"):
                exposure.wcs = read_wcs(self.archive, self._id("wcs"), frame)
            else:
                exposure.wcs = projection_from_header(self.image.header, frame, exposure.x0, exposure.y0)
        with component(path, "PHOTOCALIB"):
            if self._id("photo_calib"):
                exposure.photo_calib = stored_photo_calib(self.archive, self._id("photo_calib"))
            else:
                exposure.photo_calib = photo_calib_from_header(self.header)
        with component(path, "FILTER"):
            if self._id("filter"):
                exposure.filter = read_filter(self.archive, self._id("filter"))
            else:
                exposure.filter = filter_from_header(self.header)
        with component(path, "AP_CORR_MAP"):
            if self._id("ap_corr_map"):
                exposure.ap_corr_map = read_ap_corr_map(self.archive, self._id("ap_corr_map"))
        with component(path, "VALID_POLYGON"):
            if self._id("valid_polygon"):
                exposure.valid_polygon = read_polygon(self.archive, self._id("valid_polygon"))
        with component(path, "SUMMARY_STATS"):
            if self._id("summary_stats"):
                exposure.summary_stats = read_summary_stats(self.archive, self._id("summary_stats"))

    def _unit(self) -> str:
        """Return the unit of the image, which old files spell in many ways or keep in the primary header."""
        unit = str(self.image.header.get("BUNIT", self.header.get("BUNIT", ""))).strip()
        return _UNITS.get(unit.lower(), unit)

    def _metadata(self) -> dict[str, Any]:
        """Return what the primary and image headers say that is held nowhere else."""
        merged = dict(self.image.header) | self.header
        return {
            k: _NOT_FINITE.get(v, v) if isinstance(v, str) else v
            for k, v in merged.items()
            if not NOT_METADATA.match(k) and k not in VISIT_INFO_CARDS
        }
