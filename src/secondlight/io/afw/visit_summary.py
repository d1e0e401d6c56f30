"""The visit summary: one record a detector, with the calibrations of the visit (spec 11.6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lsst.images import Box, SkyProjection
from lsst.images.cameras import Detector
from lsst.images.fields import BaseField
from numpy.typing import NDArray

from ...errors import InputError
from ...model.photo_calib import PhotoCalib
from ...model.visit_info import VisitInfo
from .archive import Archive
from .components import component
from .detector import read_detector
from .exposure import pixel_frame
from .fields import read_ap_corr_map, read_box
from .hdus import FitsFile
from .photo_calib import stored_photo_calib
from .polygon import read_polygon
from .table import Table
from .visit_info import read_visit_info
from .wcs import PIXELS, read_wcs

if TYPE_CHECKING:
    from ...model.psf import BatchPsf

__all__ = ["VERSION", "VisitRecord", "VisitSummary", "read_visit_summary"]

#: The newest layout of the table that is known here.
VERSION = 5

#: Columns that hold ids of stored objects, in any version.
_ARCHIVE_COLUMNS = frozenset(
    (
        "wcs",
        "psf",
        "photoCalib",
        "calib",
        "apCorrMap",
        "validPolygon",
        "visitInfo",
        "transmissionCurve",
        "detector",
    )
)


class VisitRecord:
    """What the summary holds of one detector. The components are read when first asked for; `None` if absent.

    Parameters
    ----------
    summary
        The summary that this is a row of.
    row
        Row number.
    """

    def __init__(self, summary: VisitSummary, row: int) -> None:
        self._summary = summary
        self._table = summary._table.rows(row, 1)
        self.row = row
        self.detector_id = int(self._table.scalar("id"))

    def __getitem__(self, name: str) -> Any:
        """Return the value of a column."""
        return self._summary.columns[name][self.row]

    def _id(self, *names: str) -> int:
        return next((int(self._table.scalar(n)) for n in names if n in self._table), 0)

    def _part(self, name: str) -> str:
        return f"detector {self.detector_id}: {name}"

    @cached_property
    def bbox(self) -> Box | None:
        """Box of the detector's image; `None` if empty."""
        return read_box(self._table)

    @cached_property
    def visit_info(self) -> VisitInfo | None:
        """Description of the visit."""
        with component(self._summary.path, self._part("visitInfo")):
            key = self._id("visitInfo")
            return self._summary._archive.once(key, read_visit_info) if key else None

    @cached_property
    def detector(self) -> Detector | None:
        """Description of the detector."""
        key, visit = self._id("detector"), self.visit_info
        if not key:
            return None
        with component(self._summary.path, self._part("detector")):
            return read_detector(
                self._summary._archive,
                key,
                visit.instrument if visit else "",
                (visit.id or None) if visit else None,
            )

    @cached_property
    def wcs(self) -> SkyProjection[Any] | None:
        """World coordinates."""
        key = self._id("wcs")
        if not key:
            return None
        frame = PIXELS if self.bbox is None else pixel_frame(self.bbox, self.detector_id, self.visit_info)
        with component(self._summary.path, self._part("wcs")):
            return read_wcs(self._summary._archive, key, frame)

    @cached_property
    def psf(self) -> BatchPsf | None:
        """The PSF model."""
        with component(self._summary.path, self._part("psf")):
            key = self._id("psf")
            if not key:
                return None
            from .psf import read_psf

            psf: BatchPsf = self._summary._archive.once(key, read_psf)
            return psf

    @cached_property
    def photo_calib(self) -> PhotoCalib | None:
        """Photometric calibration."""
        with component(self._summary.path, self._part("photoCalib")):
            key = self._id("photoCalib", "calib")
            return self._summary._archive.once(key, stored_photo_calib) if key else None

    @cached_property
    def ap_corr_map(self) -> Mapping[str, BaseField] | None:
        """Aperture corrections: field by full name of the flux column."""
        with component(self._summary.path, self._part("apCorrMap")):
            key = self._id("apCorrMap")
            return self._summary._archive.once(key, read_ap_corr_map) if key else None

    @cached_property
    def valid_polygon(self) -> NDArray[np.float64] | None:
        """Vertices (x, y) [pixel] of the valid region, shape ``(n, 2)``."""
        with component(self._summary.path, self._part("validPolygon")):
            key = self._id("validPolygon")
            return self._summary._archive.once(key, read_polygon) if key else None


class VisitSummary:
    """The records of one visit.

    Parameters
    ----------
    path
        The file.
    table
        The table of records.
    archive
        The archive that the records refer to.

    Attributes
    ----------
    columns
        Values by name, one a record, without the ids of stored objects.
    declared
        What the file says of these columns, by name.
    """

    def __init__(self, path: Path, table: Table, archive: Archive) -> None:
        self.path = path
        self._table = table
        self._archive = archive
        self.declared = {name: field for name, field in table.fields.items() if name not in _ARCHIVE_COLUMNS}
        self.columns: dict[str, Any] = {name: table[name] for name in self.declared}
        self._row_of = {int(key): row for row, key in reversed(list(enumerate(table["id"])))}

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, row: int) -> VisitRecord:
        if not 0 <= row < len(self):
            raise IndexError(row)
        return VisitRecord(self, row)

    def __iter__(self) -> Iterator[VisitRecord]:
        return (self[row] for row in range(len(self)))

    @property
    def detectors(self) -> list[int]:
        """Ids of the detectors, in the order of the records."""
        return [int(key) for key in self._table["id"]]

    def find(self, detector: int) -> VisitRecord | None:
        """Return the record of a detector, or `None` if there is none.

        Parameters
        ----------
        detector
            Id of the detector.
        """
        row = self._row_of.get(detector)
        return None if row is None else self[row]


def read_visit_summary(path: str | Path) -> VisitSummary:
    """Read a visit summary of any version.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        Raised if the file cannot be read, or holds something else.
    """
    with component(path):
        file = FitsFile(path)
        hdu = file.find(AFW_TYPE="EXPOSURE")
        if hdu is None:
            kind = next((h.header["AFW_TYPE"] for h in file.hdus if "AFW_TYPE" in h.header), None)
            found = f"one of {kind} records" if kind else "none"
            raise InputError(f"a table of exposure records is expected, but the file holds {found}")
        version = int(hdu.header.get("EXPTABLE_VER", 0))
        if version > VERSION:
            raise InputError(
                f"the table is stored in version {version}; versions up to {VERSION} can be read",
                part=hdu.label,
            )
        return VisitSummary(Path(path), Table(file, hdu), Archive(file))
