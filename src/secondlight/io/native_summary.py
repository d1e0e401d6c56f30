"""The visit summary in files of `lsst.images`: the calibrations of a visit's detectors without the stack.

Upstream keeps them in an afw ``ExposureCatalog`` (`secondlight.io.afw.visit_summary`). The native form is one archive,
``.fits`` or ``.json`` by the name of the file, whose tree holds a list of records. Each part of a record is stored as
`lsst.images` stores it in a visit image, so that only the list, the photometric calibration and the visit's description
are layouts of our own. A part that upstream failed to make is absent. A photometric calibration alone is an archive too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pydantic
from lsst.images import Box, SkyProjection, SkyProjectionSerializationModel
from lsst.images.aperture_corrections import ApertureCorrectionMapSerializationModel
from lsst.images.cameras import Detector, DetectorSerializationModel
from lsst.images.fields import BaseField, FieldSerializationModel
from lsst.images.psfs import GaussianPSFSerializationModel, PiffSerializationModel, PSFExSerializationModel
from lsst.images.serialization import (
    ArchiveTree,
    InputArchive,
    OutputArchive,
    read_archive,
    write_archive,
)
from numpy.typing import NDArray

from ..errors import InputError
from ..model.native_psf import from_tree, to_native
from ..model.photo_calib import PhotoCalib
from ..model.psf import BatchPsf
from ..model.visit_image import storable_field
from ..model.visit_info import VisitInfo
from .afw.stored_ast import check_dumps

__all__ = [
    "VisitRecord",
    "VisitSummary",
    "read_photo_calib",
    "read_visit_summary",
    "write_photo_calib",
    "write_visit_summary",
]


@dataclass(frozen=True)
class VisitRecord:
    """What the summary holds of one detector; the parts that upstream could not make are `None`.

    Parameters
    ----------
    detector_id
        Detector id.
    bbox
        Box of its image.
    psf, wcs, photo_calib, ap_corr_map
        Final calibrations; ``ap_corr_map`` holds fields by the full name of the flux column.
    visit_info, detector
        Descriptions of the visit and the detector.
    valid_polygon
        Vertices (x, y) [pixel] of the valid region, shape ``(n, 2)``.
    """

    detector_id: int
    bbox: Box | None = None
    psf: BatchPsf | None = None
    wcs: SkyProjection[Any] | None = None
    photo_calib: PhotoCalib | None = None
    ap_corr_map: Mapping[str, BaseField] | None = None
    visit_info: VisitInfo | None = None
    detector: Detector | None = None
    valid_polygon: NDArray[np.float64] | None = None


class VisitSummary:
    """The records of one visit.

    Parameters
    ----------
    records
        One a detector.

    Raises
    ------
    ValueError
        Raised if two records are of one detector.
    """

    def __init__(self, records: Iterable[VisitRecord]) -> None:
        self._records = list(records)
        self._by_id = {r.detector_id: r for r in self._records}
        if len(self._by_id) != len(self._records):
            raise ValueError("two records of one detector")

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[VisitRecord]:
        return iter(self._records)

    @property
    def detectors(self) -> list[int]:
        """Ids of the detectors, in the order of the records."""
        return [r.detector_id for r in self._records]

    def find(self, detector: int) -> VisitRecord | None:
        """Return the record of a detector, or `None` if there is none.

        Parameters
        ----------
        detector
            Detector id.
        """
        return self._by_id.get(detector)

    def serialize(self, archive: OutputArchive[Any]) -> VisitSummarySerializationModel[Any]:
        """Store the summary; called by `lsst.images`."""
        return VisitSummarySerializationModel(
            records=[
                archive.serialize_direct(f"records/{i}", partial(_record_model, record))
                for i, record in enumerate(self._records)
            ]
        )

    @staticmethod
    def _get_archive_tree_type(pointer_type: type[Any]) -> type[VisitSummarySerializationModel[Any]]:
        return VisitSummarySerializationModel[pointer_type]  # type: ignore[valid-type]


class _Calibration:
    """A photometric calibration as the root of an archive."""

    def __init__(self, calib: PhotoCalib) -> None:
        self.calib = calib

    def serialize(self, archive: OutputArchive[Any]) -> PhotoCalibSerializationModel:
        return _photo_calib_model(self.calib, archive)

    @staticmethod
    def _get_archive_tree_type(pointer_type: type[Any]) -> type[PhotoCalibSerializationModel]:
        return PhotoCalibSerializationModel


class PhotoCalibSerializationModel(ArchiveTree):
    """A photometric calibration; see `PhotoCalib` for its parts."""

    SCHEMA_NAME: ClassVar[str] = "secondlight_photo_calib"
    SCHEMA_VERSION: ClassVar[str] = "1.0.0"
    MIN_READ_VERSION: ClassVar[int] = 1
    SCHEMA_URL_BASE: ClassVar[str] = "https://secondlight.invalid/schemas"
    PUBLIC_TYPE: ClassVar[type] = PhotoCalib

    mean: float = pydantic.Field(description="Mean calibration [nJy/count].")
    err: float = pydantic.Field(description="Its 1-sigma error [nJy/count].")
    is_constant: bool = pydantic.Field(description="Whether the mean holds everywhere.")
    field: FieldSerializationModel = pydantic.Field(description="Calibration by position [nJy/count].")

    def deserialize(self, archive: InputArchive[Any], **kwargs: Any) -> PhotoCalib:
        """Return the calibration; called by `lsst.images`."""
        return PhotoCalib(self.mean, self.err, self.field.deserialize(archive), self.is_constant)


class VisitRecordSerializationModel[P: pydantic.BaseModel](pydantic.BaseModel, ser_json_inf_nan="constants"):
    """The record of one detector; see `VisitRecord` for its parts."""

    detector_id: int
    bbox: Box | None = None
    psf: PiffSerializationModel | PSFExSerializationModel | GaussianPSFSerializationModel | None = (
        pydantic.Field(default=None, union_mode="left_to_right")
    )
    wcs: SkyProjectionSerializationModel[P] | None = None
    photo_calib: PhotoCalibSerializationModel | None = None
    ap_corr_map: ApertureCorrectionMapSerializationModel | None = None
    visit_info: dict[str, int | float | bool | str] | None = None
    detector: DetectorSerializationModel | None = None
    valid_polygon: list[tuple[float, float]] | None = None


class VisitSummarySerializationModel[P: pydantic.BaseModel](ArchiveTree):
    """The records of one visit."""

    SCHEMA_NAME: ClassVar[str] = "secondlight_visit_summary"
    SCHEMA_VERSION: ClassVar[str] = "1.0.0"
    MIN_READ_VERSION: ClassVar[int] = 1
    SCHEMA_URL_BASE: ClassVar[str] = "https://secondlight.invalid/schemas"
    PUBLIC_TYPE: ClassVar[type] = VisitSummary

    records: list[VisitRecordSerializationModel[P]] = pydantic.Field(description="One record a detector.")

    def deserialize(self, archive: InputArchive[Any], **kwargs: Any) -> VisitSummary:
        """Return the summary; called by `lsst.images`."""
        check_dumps(self)
        return VisitSummary(_record(model, archive) for model in self.records)


def write_visit_summary(path: str | Path, summary: VisitSummary) -> None:
    """Write a visit summary.

    Parameters
    ----------
    path
        Where to; must not exist. Its extension, ``.fits`` or ``.json``, chooses the format.
    summary
        The records.
    """
    write_archive(summary, str(path))


def read_visit_summary(path: str | Path) -> VisitSummary:
    """Read a visit summary that `write_visit_summary` wrote.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        Raised if the file is not such a summary.
    """
    return _read(path, VisitSummary, "visit summary")


def write_photo_calib(path: str | Path, calib: PhotoCalib) -> None:
    """Write a photometric calibration.

    Parameters
    ----------
    path
        Where to; must not exist. Its extension, ``.fits`` or ``.json``, chooses the format.
    calib
        The calibration.
    """
    write_archive(_Calibration(calib), str(path))


def read_photo_calib(path: str | Path) -> PhotoCalib:
    """Read a photometric calibration that `write_photo_calib` wrote.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        Raised if the file is not such a calibration.
    """
    return _read(path, PhotoCalib, "photometric calibration")


def _read[T](path: str | Path, cls: type[T], what: str) -> T:
    try:
        return read_archive(str(path), cls)
    except Exception as error:  # the libraries below raise all kinds for a damaged file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"not a readable {what} ({reason})", path=path) from error


def _record_model(record: VisitRecord, archive: OutputArchive[Any]) -> VisitRecordSerializationModel[Any]:
    model: VisitRecordSerializationModel[Any] = VisitRecordSerializationModel(detector_id=record.detector_id)
    model.bbox = record.bbox
    box = record.bbox or (record.detector.bbox if record.detector is not None else Box.factory[0:1, 0:1])
    if record.psf is not None:
        native: Any = to_native(record.psf, box)
        model.psf = archive.serialize_direct("psf", native.serialize)
    if record.wcs is not None:
        model.wcs = archive.serialize_direct("wcs", record.wcs.serialize)
    if record.photo_calib is not None:
        model.photo_calib = archive.serialize_direct(
            "photo_calib", partial(_photo_calib_model, record.photo_calib)
        )
    if record.ap_corr_map is not None:
        fields: dict[str, Any] = {
            name: stored
            for name, field in record.ap_corr_map.items()
            if (stored := storable_field(field, f"aperture correction {name}")) is not None
        }
        model.ap_corr_map = archive.serialize_direct(
            "ap_corr_map", partial(ApertureCorrectionMapSerializationModel.serialize, fields)
        )
    if record.visit_info is not None:
        model.visit_info = dataclasses.asdict(record.visit_info)
    if record.detector is not None:
        model.detector = archive.serialize_direct("detector", record.detector.serialize)
    if record.valid_polygon is not None:
        model.valid_polygon = [(float(x), float(y)) for x, y in record.valid_polygon]
    return model


def _record(model: VisitRecordSerializationModel[Any], archive: InputArchive[Any]) -> VisitRecord:
    def part(tree: Any) -> Any:
        return None if tree is None else tree.deserialize(archive)

    return VisitRecord(
        detector_id=model.detector_id,
        bbox=model.bbox,
        psf=from_tree(model.psf, archive) if model.psf is not None else None,
        wcs=part(model.wcs),
        photo_calib=part(model.photo_calib),
        ap_corr_map=part(model.ap_corr_map),
        visit_info=VisitInfo(**model.visit_info) if model.visit_info is not None else None,  # type: ignore[arg-type]
        detector=part(model.detector),
        valid_polygon=np.array(model.valid_polygon, float) if model.valid_polygon is not None else None,
    )


def _photo_calib_model(calib: PhotoCalib, archive: OutputArchive[Any]) -> PhotoCalibSerializationModel:
    field: Any = storable_field(calib.field, "photometric calibration")
    if field is None:
        raise InputError(f"a photometric calibration that is a {type(calib.field).__name__} cannot be stored")
    return PhotoCalibSerializationModel(
        mean=calib.mean,
        err=calib.err,
        is_constant=calib.is_constant,
        field=archive.serialize_direct("field", field.serialize),
    )
