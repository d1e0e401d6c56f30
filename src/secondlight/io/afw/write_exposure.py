"""Exposures as ``lsst.afw.image.ExposureF`` stores them (spec 11.3).

Compression, measured on a noisy frame of 4004 × 4096 pixels, in processor seconds for `write_exposure` and
`~secondlight.io.afw.exposure.read_exposure`:

===============  ===================================  =====  ====  ======
``compression``  planes                               write  read  size
===============  ===================================  =====  ====  ======
``gzip``         GZIP_2, 64 rows a tile; the default  0.7    0.4   99 MB
``none``         as they are                          0.1    0.1   197 MB
===============  ===================================  =====  ====  ======

Both are lossless, and cfitsio, with which the reference reads FITS, opens both. With ``gzip``, nearly all of the time is
spent in as many threads as `secondlight.threads` allows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from astropy.io import fits

from ...model.exposure import Exposure
from ..atomic import atomic_path
from .exposure import KEYS, NOT_METADATA, VERSION
from .visit_info import VISIT_INFO_CARDS
from .write_archive import ArchiveWriter
from .write_components import save_filter, save_polygon, save_summary_stats
from .write_detector import save_detector
from .write_fields import save_ap_corr_map, save_photo_calib
from .write_image import Compression, mask_cards, origin_cards, write_plane
from .write_psf import save_psf
from .write_table import Card, append_card, encode_header, header_cards
from .write_visit_info import visit_info_cards
from .write_wcs import fits_wcs_cards, save_wcs

__all__ = ["write_exposure"]

#: Where the archive's index is, counted from 1: behind the primary HDU and three planes.
_INDEX_HDU = 5

#: Attributes that go to the archive, in the order in which the reference's own files have them.
_SAVE: dict[str, Callable[[ArchiveWriter, Any], int]] = {
    "photo_calib": save_photo_calib,
    "summary_stats": save_summary_stats,
    "ap_corr_map": save_ap_corr_map,
    "wcs": save_wcs,
    "psf": save_psf,
    "filter": save_filter,
    "detector": save_detector,
    "valid_polygon": save_polygon,
}

#: Cards that are made from the detector.
_DETECTOR_CARDS = frozenset(("DETNAME", "DETSER"))


def write_exposure(
    path: str | os.PathLike[str],
    exposure: Exposure,
    *,
    compression: Compression = "gzip",
    overwrite: bool = False,
) -> None:
    """Write an exposure as a file that ``lsst.afw.image.ExposureF.readFits`` opens.

    `~secondlight.io.afw.exposure.read_exposure` gives all of it back. Keywords of the metadata become upper case.

    Parameters
    ----------
    path
        File to make.
    exposure
        The exposure; components that are `None` are not stored.
    compression
        ``gzip`` or ``none``; see the table above.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    InputError
        Raised if a component is of a kind for which the reference has no class.
    UsageError
        Raised if the file exists and ``overwrite`` is not set.
    """
    archive = ArchiveWriter()
    primary = encode_header(_primary_header(exposure, archive))
    planes = (
        ("IMAGE", exposure.image, "Image Data units", exposure.unit),
        ("MASK", exposure.mask, "Mask Data units", None),
        ("VARIANCE", exposure.variance, "Variance Data units", f"{exposure.unit}**2"),
    )
    wcs = (
        fits_wcs_cards(exposure.wcs, exposure.x0, exposure.y0, exposure.image.shape)
        if exposure.wcs is not None
        else []
    )
    with atomic_path(path, overwrite=overwrite) as staged, staged.open("wb") as stream:
        stream.write(primary)
        for kind, plane, comment, unit in planes:
            # afw gives a mask a BUNIT without a value, which checkers of FITS call an error: a mask has none here
            units: list[Card] = [("BUNIT", unit, comment)] if exposure.unit and unit is not None else []
            cards = [*wcs, *_plane_cards(exposure, kind, units)]
            write_plane(stream, plane, cards, compression)
        for hdu in archive.hdus():
            stream.write(hdu)


def _primary_header(exposure: Exposure, archive: ArchiveWriter) -> fits.Header:
    """Return the header of the file, and fill the archive that it refers to."""
    header = fits.Header(
        [
            ("SIMPLE", True, "file does conform to FITS standard"),
            ("BITPIX", 8, "number of bits per data pixel"),
            ("NAXIS", 0, "number of data axes"),
            ("EXTEND", True, "FITS dataset may contain extensions"),
        ]
    )
    made = _DETECTOR_CARDS if exposure.detector is not None else frozenset()
    kept = {key: value for key, value in exposure.metadata.items() if not _is_made(key) and key not in made}
    for card in header_cards(kept):
        append_card(header, card)
    append_card(header, ("EXPINFO_V", VERSION, ""))
    place = "HDU (1-indexed) containing the archive used to store ancillary objects"
    append_card(header, ("AR_HDU", _INDEX_HDU, place))
    for name, save in _SAVE.items():
        item = getattr(exposure, name)
        if item is None or (name == "summary_stats" and not item):
            continue
        key, generic = save(archive, item), KEYS[name][0]
        for keyword in (f"{generic}_ID", f"ARCHIVE_ID_{generic}"):
            append_card(header, (keyword, key, f"archive ID for generic component '{generic}'"))
    if exposure.detector is not None:
        append_card(header, ("DETNAME", exposure.detector.name, ""))
        append_card(header, ("DETSER", exposure.detector.serial, ""))
    if exposure.visit_info is not None:
        for card in visit_info_cards(exposure.visit_info):
            append_card(header, card)
    return header


def _is_made(key: str) -> bool:
    """Tell whether a card is made from the exposure itself."""
    key = key.upper()
    return bool(NOT_METADATA.match(key)) or key in VISIT_INFO_CARDS


def _plane_cards(exposure: Exposure, kind: str, units: list[Card]) -> Iterator[Card]:
    """Iterate over the cards of a plane behind those of its coordinates."""
    yield "LTV1", float(-exposure.x0), ""
    yield "LTV2", float(-exposure.y0), ""
    yield from units
    yield "INHERIT", True, ""
    yield "EXTTYPE", kind, ""
    yield "EXTNAME", kind, ""
    if kind == "MASK":
        yield from mask_cards(exposure.mask_planes)
    yield from origin_cards(exposure.x0, exposure.y0)
