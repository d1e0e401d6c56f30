"""The detector, its amplifiers and the camera's coordinate systems (spec 11.4)."""

from __future__ import annotations

from collections import deque
from typing import Any

import astropy.units as u
import starlink.Ast
from lsst.images import Box
from lsst.images.cameras import (
    Amplifier,
    AmplifierCalibrations,
    AmplifierRawGeometry,
    CameraFrameSet,
    CameraFrameSetSerializationModel,
    Detector,
    DetectorAttributes,
    DetectorType,
    Orientation,
    ReadoutCorner,
)

from .archive import Archive
from .components import component
from .fields import read_box
from .stored_ast import dump_ast, read_mapping
from .table import Table

__all__ = ["DETECTOR_TYPES", "READOUT_CORNERS", "read_detector"]

#: Types of detectors and corners of amplifiers, by their number in a file.
DETECTOR_TYPES = (DetectorType.SCIENCE, DetectorType.FOCUS, DetectorType.GUIDER, DetectorType.WAVEFRONT)
READOUT_CORNERS = (ReadoutCorner.LL, ReadoutCorner.LR, ReadoutCorner.UR, ReadoutCorner.UL)

#: A coordinate system of a camera: its name and the detector it belongs to, empty for the camera's own.
type System = tuple[str, str]

_FOCAL_PLANE: System = ("FocalPlane", "")
_FIELD_ANGLE: System = ("FieldAngle", "")


def read_detector(archive: Archive, key: int, instrument: str = "", visit: int | None = None) -> Detector:
    """Return a stored detector.

    Parameters
    ----------
    archive
        The archive.
    key
        Id of a ``Detector``.
    instrument
        Name of the instrument, which the file keeps with the visit.
    visit
        Id of the visit; `None` if the detector belongs to none.

    Raises
    ------
    InputError
        Raised if the object is of another class, or stored inconsistently.

    Notes
    -----
    A camera that says nothing of field angles, as in synthetic files, gives a detector whose
    ``to_field_angle`` cannot be applied.
    """
    archive.expect(key, "Detector")
    with component(archive.path, f"Detector (id {key})"):
        row, amplifiers = archive.tables(key)
        box = read_box(row)
        if box is None:
            raise ValueError("the detector's box is empty")
        attributes = DetectorAttributes(
            name=row.scalar("name"),
            id=row.scalar("id"),
            type=DETECTOR_TYPES[row.scalar("type")],
            serial=row.scalar("serial"),
            bbox=box,
            orientation=Orientation(
                focal_plane_x=row.scalar("fpPosition_x"),
                focal_plane_y=row.scalar("fpPosition_y"),
                focal_plane_z=row.scalar("fpPosition_z", 0.0),
                pixel_reference_x=row.scalar("refPoint_x"),
                pixel_reference_y=row.scalar("refPoint_y"),
                yaw=row.scalar("yaw") * u.rad,
                pitch=row.scalar("pitch") * u.rad,
                roll=row.scalar("roll") * u.rad,
            ),
            pixel_size=row.scalar("pixelSize_x"),
            physical_type=row.scalar("physicalType", ""),
        )
        frames = _frames(archive, row.scalar("transformMap"), attributes, instrument)
        return Detector(
            attributes,
            [_amplifier(amplifiers.rows(i, 1)) for i in range(len(amplifiers))],
            frames,
            visit=visit,
        )


def _amplifier(row: Table) -> Amplifier:
    name, corner = row.scalar("name"), READOUT_CORNERS[row.scalar("readoutcorner")]
    box = _extent_box(row, "bbox")
    if box is None:
        raise ValueError(f"the box of amplifier {name!r} is empty")
    flip_x, flip_y = row.scalar("raw_flip_x"), row.scalar("raw_flip_y")
    raw: dict[str, Any] = {
        part: _extent_box(row, f"raw_{stored}bbox")
        for part, stored in (
            ("bbox", ""),
            ("data_bbox", "data"),
            ("serial_overscan_bbox", "horizontaloverscan"),
            ("parallel_overscan_bbox", "verticaloverscan"),
        )
    }
    geometry = None
    # some cameras, and all test cameras, leave the raw geometry empty
    if all(raw.values()):
        geometry = AmplifierRawGeometry(
            **raw,
            prescan_bbox=_extent_box(row, "raw_prescanbbox"),
            flip_x=flip_x,
            flip_y=flip_y,
            x_offset=row.scalar("raw_xyoffset_x"),
            y_offset=row.scalar("raw_xyoffset_y"),
            readout_corner=corner,
        )
    return Amplifier(
        name=name,
        bbox=box,
        # stored for the raw image: the assembled one may be flipped
        readout_corner=corner.apply_flips(y=flip_y, x=flip_x),
        assembled_raw_geometry=geometry,
        unassembled_raw_geometry=None,
        nominal_calibrations=AmplifierCalibrations(
            gain=row.scalar("gain"),
            read_noise=row.scalar("readnoise"),
            saturation=row.scalar("saturation"),
            suspect_level=row.scalar("suspectlevel"),
            linearity_coefficients=row["linearity_coeffs"][0],
            linearity_type=row.scalar("linearity_type"),
        ),
    )


def _extent_box(row: Table, name: str) -> Box | None:
    (x0, y0), (nx, ny) = ((int(v[0]) for v in row.pair(f"{name}_{part}")) for part in ("min", "extent"))
    return Box.factory[y0 : y0 + ny, x0 : x0 + nx] if nx > 0 and ny > 0 else None


def _frames(archive: Archive, key: int, detector: DetectorAttributes, instrument: str) -> CameraFrameSet:
    """Gather the focal plane, the field angles and this detector's pixels in one AST frame set."""
    links = _links(archive, key)
    frames = starlink.Ast.FrameSet(_ast_frame("FOCAL_PLANE", "mm"))
    to_angle = _path(archive, links, _FOCAL_PLANE, _FIELD_ANGLE)
    if to_angle is None:
        # defined in neither direction: whoever asks for field angles gets an error, not a number
        to_angle = starlink.Ast.MathMap(2, 2, ["x", "y"], ["a", "b"])
    frames.addframe(1, to_angle, _ast_frame("FIELD_ANGLE", "rad"))
    to_pixels = _path(archive, links, _FOCAL_PLANE, ("Pixels", detector.name))
    if to_pixels is None:
        raise ValueError(
            f"no transform leads from the focal plane to the pixels of detector {detector.name!r}"
        )
    pixels = _ast_frame(f"DETECTOR_{detector.id:03d}", "pix")
    for axis, interval in ((1, detector.bbox.x), (2, detector.bbox.y)):
        setattr(pixels, f"Bottom_{axis}", interval.min)
        setattr(pixels, f"Top_{axis}", interval.max)
    frames.addframe(1, to_pixels, pixels)
    tree = CameraFrameSetSerializationModel(instrument=instrument, ast=dump_ast(frames))
    camera: CameraFrameSet = tree.deserialize(None)  # type: ignore[arg-type]
    return camera


def _ast_frame(ident: str, unit: str) -> Any:
    frame = starlink.Ast.Frame(2, f"Ident={ident}")
    for axis, label in ((1, "x"), (2, "y")):
        setattr(frame, f"Unit_{axis}", unit)
        setattr(frame, f"Label_{axis}", label)
    return frame


def _links(archive: Archive, key: int) -> dict[System, list[tuple[System, int, bool]]]:
    """Return the links of each system to others: (system, id of the transform, whether it leads there)."""
    archive.expect(key, "TransformMap")
    tables = archive.tables(key)
    if len(tables) == 2:  # before 2019: systems and transforms apart
        names, table = tables
        pairs = zip(names["sysName"], names["detectorName"], strict=True)
        systems = dict(zip(names["id"].tolist(), pairs, strict=True))
        ends = [(systems[a], systems[b]) for a, b in zip(table["from"], table["to"], strict=True)]
    else:
        (table,) = tables
        starts = zip(table["fromSysName"], table["fromSysDetectorName"], strict=True)
        stops = zip(table["toSysName"], table["toSysDetectorName"], strict=True)
        ends = list(zip(starts, stops, strict=True))
    links: dict[System, list[tuple[System, int, bool]]] = {}
    for (start, stop), transform in zip(ends, table["transform"].tolist(), strict=True):
        links.setdefault(start, []).append((stop, transform, True))
        links.setdefault(stop, []).append((start, transform, False))
    return links


def _path(
    archive: Archive, links: dict[System, list[tuple[System, int, bool]]], start: System, stop: System
) -> Any:
    """Compose the shortest chain of stored transforms between two systems; `None` if there is none."""
    reached: dict[System, tuple[System, int, bool] | None] = {start: None}
    queue = deque([start])
    while queue and stop not in reached:
        here = queue.popleft()
        for there, transform, forward in links.get(here, []):
            if there not in reached:
                reached[there] = (here, transform, forward)
                queue.append(there)
    if stop not in reached:
        return None
    whole = None
    while (step := reached[stop]) is not None:
        stop, transform, forward = step
        mapping = read_mapping(archive, transform).copy()
        if not forward:
            mapping.invert()
        whole = mapping if whole is None else starlink.Ast.CmpMap(mapping, whole, True)
    return whole.simplify() if whole is not None else starlink.Ast.UnitMap(2)
