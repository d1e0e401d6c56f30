"""Smooth functions of position, aperture corrections and photometric calibrations, as the reference stores them.

Layouts: spec 08.3, 10.1 and 11.4.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import starlink.Ast
from lsst.images import Box
from lsst.images.fields import BaseField, ChebyshevField, ProductField

from ...errors import InputError
from ...model.fields import PixelAreaField, TransformField
from ...model.photo_calib import PhotoCalib
from .fields import StoredFunction
from .stored_ast import dump_ast
from .write_archive import ArchiveWriter, write_standalone
from .write_table import StoredField
from .write_wcs import save_wcs

__all__ = [
    "box_fields",
    "box_values",
    "save_ap_corr_map",
    "save_field",
    "save_photo_calib",
    "write_photo_calib",
]

_MODULE = "lsst.afw.math"

_PRODUCT = (StoredField("id", "I", "", "archive IDs of the BoundedFields in the product"),)
_AP_CORR_MAP = (
    StoredField("name", "String", "", "name of the aperture correction", 64),
    StoredField("field", "I", "", "archive ID of the BoundedField object"),
)
_PHOTO_CALIB = (
    StoredField("calibrationMean", "D", "count", "mean calibration on this PhotoCalib's domain"),
    StoredField("calibrationErr", "D", "count", "1-sigma error on calibrationMean"),
    StoredField("isConstant", "Flag", "", "Is this spatially-constant?"),
    StoredField("field", "I", "", "archive ID of the BoundedField object"),
    StoredField("version", "I", "", "version of this PhotoCalib"),
)

#: Version of stored calibrations: nJy a count.
_PHOTO_CALIB_VERSION = 1

#: What stands for the box of a constant calibration that has none, here and in a file.
_NO_BOX = Box.factory[0:1, 0:1]
_EMPTY = {"bbox_min_x": [0], "bbox_min_y": [0], "bbox_max_x": [-1], "bbox_max_y": [-1]}


def box_fields(doc: str = "bounding box", name: str = "bbox") -> tuple[StoredField, ...]:
    """Return the columns that keep the inclusive corners of a box.

    Parameters
    ----------
    doc
        What the box is.
    name
        Common part of the names.
    """
    return tuple(
        StoredField(f"{name}_{end}_{axis}", "I", "pixel", f"{doc} ({end}imum)")
        for end in ("min", "max")
        for axis in "xy"
    )


def box_values(box: Box, name: str = "bbox") -> dict[str, list[int]]:
    """Return the values of these columns.

    Parameters
    ----------
    box
        The box.
    name
        Common part of the names.
    """
    corners = (("min_x", box.x.min), ("min_y", box.y.min), ("max_x", box.x.max), ("max_y", box.y.max))
    return {f"{name}_{corner}": [value] for corner, value in corners}


def save_field(archive: ArchiveWriter, field: BaseField) -> int:
    """Store a field; return its id.

    Parameters
    ----------
    archive
        Where to.
    field
        A Chebyshev, product or pixel-area field, or a transform read from such a file.

    Raises
    ------
    InputError
        Raised if the field is of another kind, for which the reference has no class.
    """
    match field:
        case ChebyshevField():
            return _save_chebyshev(archive, field, box_values(field.bounds.bbox))
        case ProductField():
            key = archive.new_id()
            table = archive.table(_PRODUCT)
            factors = [archive.once(operand, save_field) for operand in field.operands]
            archive.save(key, "ProductBoundedField", _MODULE, [(table, len(factors), {"id": factors})])
            return key
        case TransformField(function=StoredFunction(mapping=mapping)):
            return _save_transform(archive, field, mapping)
        case PixelAreaField():
            key = archive.new_id()
            layout = (
                *box_fields("Bounding box for field."),
                StoredField("wcs", "I", "", "Archive ID for SkyWcs instance."),
                StoredField("scaling", "D", "", "Scaling factor (including any transformation from rad^2."),
            )
            table = archive.table(layout)
            values: dict[str, Any] = {
                **box_values(field.bounds.bbox),
                "wcs": [archive.once(field.projection, save_wcs)],
                "scaling": [field.factor],
            }
            archive.save(key, "PixelAreaBoundedField", _MODULE, [(table, 1, values)])
            return key
    raise InputError(
        f"a field that is a {type(field).__name__} has no counterpart in afw and cannot be stored"
    )


def _save_chebyshev(archive: ArchiveWriter, field: ChebyshevField, box: Mapping[str, Any]) -> int:
    key = archive.new_id()
    coefficients = np.asarray(field.coefficients, np.float64)
    layout = (
        StoredField("order_x", "I", "", "maximum Chebyshev function order in x"),
        *box_fields(),
        StoredField(
            "coefficients",
            "ArrayD",
            "",
            "Chebyshev function coefficients, ordered by y then x",
            coefficients.size,
        ),
    )
    values = {"order_x": [coefficients.shape[1] - 1], **box, "coefficients": [coefficients.ravel()]}
    archive.save(key, "ChebyshevBoundedField", _MODULE, [(archive.table(layout), 1, values)])
    return key


def _save_transform(archive: ArchiveWriter, field: TransformField, mapping: Any) -> int:
    key = archive.new_id()
    if field.factor != 1.0:
        mapping = starlink.Ast.CmpMap(mapping, starlink.Ast.ZoomMap(1, field.factor), True)
    layout = (
        *box_fields(),
        StoredField("frameSet", "ArrayB", "", "FrameSet contained in the Transform"),
    )
    text = "1 TransformPoint2ToGeneric" + dump_ast(mapping)
    values: dict[str, Any] = {
        **box_values(field.bounds.bbox),
        "frameSet": [np.frombuffer(text.encode("ascii"), np.uint8)],
    }
    archive.save(key, "TransformBoundedField", _MODULE, [(archive.table(layout), 1, values)])
    return key


def save_ap_corr_map(archive: ArchiveWriter, ap_corr_map: Mapping[str, BaseField]) -> int:
    """Store a map of aperture corrections; return its id.

    Parameters
    ----------
    archive
        Where to.
    ap_corr_map
        Fields by the full name of the flux column.

    Raises
    ------
    InputError
        Raised if a field is of a kind that cannot be stored.
    """
    key = archive.new_id()
    table = archive.table(_AP_CORR_MAP)
    names = sorted(ap_corr_map)
    fields = [archive.once(ap_corr_map[name], save_field) for name in names]
    values = {"name": names, "field": fields}
    archive.save(key, "ApCorrMap", "lsst.afw.image", [(table, len(names), values)])
    return key


def save_photo_calib(archive: ArchiveWriter, calib: PhotoCalib) -> int:
    """Store a photometric calibration; return its id.

    Parameters
    ----------
    archive
        Where to.
    calib
        The calibration.

    Raises
    ------
    InputError
        Raised if its field is of a kind that cannot be stored.
    """
    key = archive.new_id()
    table = archive.table(_PHOTO_CALIB)
    field = calib.field
    if calib.is_constant and isinstance(field, ChebyshevField) and field.bounds.bbox == _NO_BOX:
        field_key = _save_chebyshev(archive, field, _EMPTY)
    else:
        field_key = archive.once(field, save_field)
    values = {
        "calibrationMean": [calib.mean],
        "calibrationErr": [calib.err],
        "isConstant": [calib.is_constant],
        "field": [field_key],
        "version": [_PHOTO_CALIB_VERSION],
    }
    # the class is one of the core library: no module needs to be imported for it
    archive.save(key, "PhotoCalib", "", [(table, 1, values)])
    return key


def write_photo_calib(path: str | os.PathLike[str], calib: PhotoCalib, *, overwrite: bool = False) -> None:
    """Write a photometric calibration as a file that ``lsst.afw.image.PhotoCalib.readFits`` opens.

    Parameters
    ----------
    path
        File to make.
    calib
        The calibration.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    InputError
        Raised if its field is of a kind that cannot be stored.
    UsageError
        Raised if the file exists and ``overwrite`` is not set.
    """
    write_standalone(path, calib, save_photo_calib, overwrite=overwrite)
