"""Visit summaries as the reference stores them: an ``ExposureCatalog``, one record a detector (spec 11.6)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from lsst.images import Box, SkyProjection
from lsst.images.cameras import Detector
from lsst.images.fields import BaseField
from numpy.typing import NDArray

from ...model.photo_calib import PhotoCalib
from ...model.psf import BatchPsf
from ...model.visit_info import VisitInfo
from ..atomic import atomic_path
from .visit_summary import VERSION, VisitSummary
from .write_archive import ArchiveWriter
from .write_components import save_polygon
from .write_detector import save_detector
from .write_fields import box_fields, box_values, save_ap_corr_map, save_photo_calib
from .write_psf import save_psf
from .write_table import StoredField, empty_primary, table_hdu
from .write_visit_info import save_visit_info
from .write_wcs import save_wcs

__all__ = ["SummaryRecord", "user_fields", "write_visit_summary"]


class SummaryRecord(Protocol):
    """What a summary holds of one detector: those of afw files and those of `secondlight.io.native_summary`."""

    @property
    def detector_id(self) -> int:
        """Detector id."""

    @property
    def bbox(self) -> Box | None:
        """Box of its image."""

    @property
    def psf(self) -> BatchPsf | None:
        """The PSF model."""

    @property
    def wcs(self) -> SkyProjection[Any] | None:
        """World coordinates."""

    @property
    def photo_calib(self) -> PhotoCalib | None:
        """Photometric calibration."""

    @property
    def ap_corr_map(self) -> Mapping[str, BaseField] | None:
        """Aperture corrections."""

    @property
    def visit_info(self) -> VisitInfo | None:
        """Description of the visit."""

    @property
    def detector(self) -> Detector | None:
        """Description of the detector."""

    @property
    def valid_polygon(self) -> NDArray[np.float64] | None:
        """Vertices of the valid region."""


#: Columns of archive ids: name, what the reference calls its objects, our attribute, and how it is stored.
_COMPONENTS: tuple[tuple[str, str, str, Callable[[ArchiveWriter, Any], int] | None], ...] = (
    ("wcs", "Wcs", "wcs", save_wcs),
    ("psf", "Psf", "psf", save_psf),
    ("photoCalib", "PhotoCalib", "photo_calib", save_photo_calib),
    ("apCorrMap", "ApCorrMap", "ap_corr_map", save_ap_corr_map),
    ("validPolygon", "Polygon", "valid_polygon", save_polygon),
    ("visitInfo", "VisitInfo", "visit_info", save_visit_info),
    ("transmissionCurve", "TransmissionCurve", "", None),
    ("detector", "Detector", "detector", save_detector),
)
_FIELDS = (
    *(StoredField(name, "I", "", f"archive ID for {kind} object") for name, kind, _, _ in _COMPONENTS),
    StoredField("id", "L", "", "unique ID"),
    *box_fields(),
)

#: The box of a detector that has none.
_EMPTY = {"bbox_min_x": [0], "bbox_min_y": [0], "bbox_max_x": [-1], "bbox_max_y": [-1]}

#: Our name of a column's type by its letter in the file.
_TYPES = {"K": "L", "J": "I", "I": "U", "E": "F", "D": "D", "A": "String", "B": "ArrayB"}


def user_fields(summary: VisitSummary) -> tuple[StoredField, ...]:
    """Return the declarations of what a summary that was read has beyond the columns of all summaries.

    Parameters
    ----------
    summary
        The summary.
    """
    known = {f.name for f in _FIELDS} | {"calib"}
    fields = []
    for field in summary.declared.values():
        if field.name in known:
            continue
        kind, length = "Flag" if field.kind == "Flag" else _TYPES[field.code], 0
        if field.kind in ("Array", "String"):
            kind = kind if field.kind == "String" or kind == "ArrayB" else f"Array{kind}"
            length = max(field.count, 0)
        elif field.kind == "Angle":
            kind = "Angle"
        fields.append(StoredField(field.name, kind, field.unit, field.doc, length))
    return tuple(fields)


def write_visit_summary(
    path: str | os.PathLike[str],
    records: Iterable[SummaryRecord],
    *,
    fields: Sequence[StoredField] = (),
    columns: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a visit summary as a file that ``lsst.afw.table.ExposureCatalog.readFits`` opens.

    Objects that records share are stored once. Transmission curves are not kept.

    Parameters
    ----------
    path
        File to make.
    records
        One a detector, such as a summary that was read; sorted by detector id for ``find`` of the reference.
    fields
        Declarations of further columns, such as `user_fields` of a summary.
    columns
        Their values by name, in the order of the records.
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
    rows = list(records)
    order = sorted(range(len(rows)), key=lambda i: rows[i].detector_id)
    values: dict[str, list[Any]] = {f.name: [] for f in _FIELDS}
    for i in order:
        _save(archive, rows[i], values)
    for f in fields:
        values[f.name] = [(columns or {})[f.name][i] for i in order]
    table = table_hdu(
        (*_FIELDS, *fields),
        values,
        len(rows),
        [("EXPTABLE_VER", VERSION, "Exposure table version")],
        kind="EXPOSURE",
    )
    with atomic_path(path, overwrite=overwrite) as staged, staged.open("wb") as stream:
        for hdu in (empty_primary(), table, *archive.hdus()):
            stream.write(hdu)


def _save(archive: ArchiveWriter, record: SummaryRecord, values: dict[str, list[Any]]) -> None:
    """Store the components of a record and append its values."""
    # the reference's own files have the PSF before the coordinates
    for name, _, attribute, save in sorted(_COMPONENTS, key=lambda c: c[0] != "psf"):
        item = getattr(record, attribute) if attribute else None
        values[name].append(0 if item is None or save is None else archive.once(item, save))
    values["id"].append(record.detector_id)
    for name, corner in (_EMPTY if record.bbox is None else box_values(record.bbox)).items():
        values[name] += corner
