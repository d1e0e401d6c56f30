"""The detector, its amplifiers and its place in the camera, as the reference stores them (spec 11.4)."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import Any

import numpy as np
import starlink.Ast
from lsst.images import Box
from lsst.images.cameras import Amplifier, AmplifierCalibrations, AmplifierRawGeometry, Detector

from .detector import DETECTOR_TYPES, READOUT_CORNERS
from .stored_ast import parse_ast
from .write_archive import ArchiveWriter
from .write_fields import box_fields, box_values
from .write_table import StoredField
from .write_wcs import save_mapping

__all__ = ["save_detector"]

_MODULE = "lsst.afw.cameraGeom"
_VERSION = 2

_POSITION = "Focal plane position of reference point"
_REFERENCE = "Pixel position of reference point"
_DETECTOR = (
    StoredField("name", "String", "", "Name of the detector"),
    StoredField("id", "I", "", "Integer ID for the detector"),
    StoredField("type", "I", "", "Raw DetectorType enum value"),
    StoredField("serial", "String", "", "Serial name of the detector"),
    *box_fields("Detector bounding box"),
    *(StoredField(f"pixelSize_{axis}", "D", "mm", "Physical pixel size") for axis in "xy"),
    *(StoredField(f"fpPosition_{axis}", "D", "mm", _POSITION) for axis in "xyz"),
    *(StoredField(f"refPoint_{axis}", "D", "pixel", _REFERENCE) for axis in "xy"),
    StoredField("yaw", "Angle", "", "Rotation about Z (X to Y), 1st rotation"),
    StoredField("pitch", "Angle", "", "Rotation about Y' (Z'=Z to X'), 2nd rotation"),
    StoredField("roll", "Angle", "", "Rotation about X'' (Y''=Y' to Z''), 3rd rotation"),
    StoredField("transformMap", "I", "", "Archive ID of TransformMap"),
    StoredField("crosstalk", "ArrayF", "", "Crosstalk matrix, flattened"),
    StoredField("physicalType", "String", "", "Physical type of the detector"),
    StoredField("version", "I", "", "version of this Detector"),
)

_SYSTEM, _SYSTEM_DETECTOR = "Camera coordinate system name.", "Camera coordinate system detector name."
_TRANSFORM_MAP = (
    StoredField("fromSysName", "String", "", _SYSTEM),
    StoredField("fromSysDetectorName", "String", "", _SYSTEM_DETECTOR),
    StoredField("toSysName", "String", "", _SYSTEM),
    StoredField("toSysDetectorName", "String", "", _SYSTEM_DETECTOR),
    StoredField("transform", "I", "", "Archive ID of the transform."),
)


def _extent_fields(name: str, doc: str) -> tuple[StoredField, ...]:
    return tuple(
        StoredField(f"{name}_{part}_{axis}", "I", "pixel", f"{doc}, {text}")
        for part, text in (("min", "min point"), ("extent", "extent"))
        for axis in "xy"
    )


_UNUSED = "use `nan` if no such level applies"
_ASSEMBLING = "offset for assembling a raw CCD image: desired xy0 - raw xy0; 0,0 if raw data comes assembled"
_AMPLIFIER = (
    StoredField("name", "String", "", "name of amplifier location in camera"),
    *_extent_fields("bbox", "bbox of amplifier image data on assembled image"),
    StoredField("gain", "D", "electron adu^-1", "amplifier gain"),
    StoredField("saturation", "D", "adu", f"level above which pixels are considered saturated; {_UNUSED}"),
    StoredField(
        "suspectlevel",
        "D",
        "adu",
        "level above which pixels are considered suspicious, meaning they may be affected by unknown systematics; "
        "for example if non-linearity corrections above a certain level are unstable then that would be a useful "
        f"value for suspectLevel; {_UNUSED}",
    ),
    StoredField("readnoise", "D", "electron", "amplifier read noise"),
    StoredField("readoutcorner", "I", "", "readout corner, in the frame of the assembled image"),
    StoredField("linearity_coeffs", "ArrayD", "", "coefficients for linearity fit up to cubic"),
    StoredField("linearity_type", "String", "", "type of linearity model"),
    StoredField(
        "hasrawinfo", "Flag", "", "is raw amplifier information available (e.g. untrimmed bounding boxes)?"
    ),
    *_extent_fields("raw_bbox", "entire amplifier bbox on raw image"),
    *_extent_fields("raw_databbox", "image data bbox on raw image"),
    StoredField("raw_flip_x", "Flag", "", "flip row order to make assembled image?"),
    StoredField("raw_flip_y", "Flag", "", "flip column order to make an assembled image?"),
    *(StoredField(f"raw_xyoffset_{axis}", "I", "pixel", _ASSEMBLING) for axis in "xy"),
    *_extent_fields("raw_horizontaloverscanbbox", "usable horizontal overscan bbox on raw image"),
    *_extent_fields("raw_verticaloverscanbbox", "usable vertical overscan region raw image"),
    *_extent_fields("raw_prescanbbox", "usable (horizontal) prescan bbox on raw image"),
    StoredField("linearityThreshold", "D", "", "Minimum ADU level to apply linearity."),
    StoredField("linearityMaximum", "D", "", "Maximum ADU level to apply linearity."),
    StoredField("linearityUnits", "String", "", "Input units for linearity relation."),
)

#: What an amplifier has of which nothing is known.
_UNKNOWN = AmplifierCalibrations(
    gain=nan,
    read_noise=nan,
    saturation=nan,
    suspect_level=nan,
    linearity_coefficients=np.empty(0),
    linearity_type="",
)


def save_detector(archive: ArchiveWriter, detector: Detector) -> int:
    """Store a detector; return its id.

    Parameters
    ----------
    archive
        Where to.
    detector
        The detector. Of the camera's coordinate systems it knows, and the file keeps, the focal plane, the field angles
        and its own pixels. Crosstalk, and the range in which linearity was corrected, are not known and left empty.
    """
    key = archive.new_id()
    table = archive.table(_DETECTOR)
    orientation = detector.orientation
    values: dict[str, list[Any]] = {
        "name": [detector.name],
        "id": [detector.id],
        "type": [DETECTOR_TYPES.index(detector.type)],
        "serial": [detector.serial],
        **box_values(detector.bbox),
        "pixelSize_x": [detector.pixel_size],
        "pixelSize_y": [detector.pixel_size],
        "fpPosition_x": [orientation.focal_plane_x],
        "fpPosition_y": [orientation.focal_plane_y],
        "fpPosition_z": [orientation.focal_plane_z],
        "refPoint_x": [orientation.pixel_reference_x],
        "refPoint_y": [orientation.pixel_reference_y],
        "yaw": [orientation.yaw.to_value("rad")],
        "pitch": [orientation.pitch.to_value("rad")],
        "roll": [orientation.roll.to_value("rad")],
        "transformMap": [_save_transforms(archive, detector)],
        "crosstalk": [[]],
        "physicalType": [detector.physical_type],
        "version": [_VERSION],
    }
    amplifiers = [_amplifier(amplifier) for amplifier in detector.amplifiers]
    columns = {f.name: [a[f.name] for a in amplifiers] for f in _AMPLIFIER}
    pieces = [(table, 1, values), (archive.table(_AMPLIFIER), len(amplifiers), columns)]
    archive.save(key, "Detector", _MODULE, pieces)
    return key


def _save_transforms(archive: ArchiveWriter, detector: Detector) -> int:
    """Store how the detector's coordinate systems hang together: all from the focal plane."""
    key = archive.new_id()
    table = archive.table(_TRANSFORM_MAP)
    to_pixels = parse_ast(detector.to_focal_plane.show())[0]
    to_pixels.invert()
    to_angle = starlink.Ast.CmpMap(to_pixels, parse_ast(detector.to_field_angle.show())[0], True).simplify()
    links = [("FieldAngle", "", to_angle), ("Pixels", detector.name, to_pixels)]
    # a camera may say nothing of field angles
    links = [link for link in links if link[2].TranForward or link[2].TranInverse]
    values = {
        "fromSysName": ["FocalPlane"] * len(links),
        "fromSysDetectorName": [""] * len(links),
        "toSysName": [name for name, _, _ in links],
        "toSysDetectorName": [name for _, name, _ in links],
        "transform": [save_mapping(archive, mapping) for _, _, mapping in links],
    }
    archive.save(key, "TransformMap", _MODULE, [(table, len(links), values)])
    return key


def _amplifier(amplifier: Amplifier) -> Mapping[str, Any]:
    raw = amplifier.assembled_raw_geometry or amplifier.unassembled_raw_geometry
    nominal = amplifier.nominal_calibrations or _UNKNOWN
    corner = amplifier.readout_corner if raw is None else raw.readout_corner
    return {
        "name": amplifier.name,
        **_extent("bbox", amplifier.bbox),
        "gain": nominal.gain,
        "saturation": nominal.saturation,
        "suspectlevel": nominal.suspect_level,
        "readnoise": nominal.read_noise,
        "readoutcorner": READOUT_CORNERS.index(corner),
        "linearity_coeffs": nominal.linearity_coefficients,
        "linearity_type": nominal.linearity_type,
        # so in all files of the reference, whether there is any or not
        "hasrawinfo": False,
        **_raw(raw),
        "linearityThreshold": 0.0,
        "linearityMaximum": 0.0,
        "linearityUnits": "",
    }


def _raw(raw: AmplifierRawGeometry | None) -> dict[str, Any]:
    return {
        **_extent("raw_bbox", raw and raw.bbox),
        **_extent("raw_databbox", raw and raw.data_bbox),
        "raw_flip_x": raw is not None and raw.flip_x,
        "raw_flip_y": raw is not None and raw.flip_y,
        "raw_xyoffset_x": raw.x_offset if raw is not None else 0,
        "raw_xyoffset_y": raw.y_offset if raw is not None else 0,
        **_extent("raw_horizontaloverscanbbox", raw and raw.serial_overscan_bbox),
        **_extent("raw_verticaloverscanbbox", raw and raw.parallel_overscan_bbox),
        **_extent("raw_prescanbbox", raw and raw.prescan_bbox),
    }


def _extent(name: str, box: Box | None) -> dict[str, int]:
    """First pixel and size of a box; all 0 if there is none."""
    values = (0, 0, 0, 0) if box is None else (box.x.start, box.y.start, box.x.size, box.y.size)
    return dict(
        zip(
            (f"{name}_{part}_{axis}" for part in ("min", "extent") for axis in "xy"),
            map(int, values),
            strict=True,
        )
    )
