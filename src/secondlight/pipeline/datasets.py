"""Between what a Butler hands over and what the task works on, for both families of storage classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lsst.images
import numpy as np
from astropy import units
from astropy.table import Table
from lsst.pipe.base import Struct
from numpy.typing import NDArray

from ..errors import InputError
from ..io.tables import as_astropy
from ..model._native_info import scalars
from ..model.exposure import Exposure
from ..model.mask_planes import Mask
from ..model.visit_image import from_visit_image, mask_from_native, to_visit_image

__all__ = [
    "as_astropy",
    "calib_sources",
    "exposure",
    "flatten_metadata",
    "mask",
    "output_exposure",
    "plane",
]


def exposure(dataset: Exposure | lsst.images.VisitImage) -> Exposure:
    """Return an input exposure; its PSF, a first guess that is replaced, is left out.

    Parameters
    ----------
    dataset
        What the Butler returned.
    """
    return from_visit_image(dataset, psf=False) if isinstance(dataset, lsst.images.VisitImage) else dataset


def mask(dataset: Mask | lsst.images.Mask) -> Mask:
    """Return an input mask.

    Parameters
    ----------
    dataset
        What the Butler returned.
    """
    return mask_from_native(dataset) if isinstance(dataset, lsst.images.Mask) else dataset


def plane(dataset: lsst.images.Image | NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the pixels of an input image.

    Parameters
    ----------
    dataset
        What the Butler returned.
    """
    pixels = dataset.array if isinstance(dataset, lsst.images.Image) else dataset
    return np.ascontiguousarray(pixels, np.float32)


def calib_sources(table: Table, *, as_is: bool = False) -> Mapping[str, NDArray[np.generic]]:
    """Return the columns of the calibration sources, coordinates in radians.

    Parameters
    ----------
    table
        Table with ``coord_ra`` and ``coord_dec``; in radians if they have no unit.
    as_is
        Whether to leave coordinates in the unit they have.

    Raises
    ------
    InputError
        Raised if a column that is needed is missing.
    """
    lacking = [name for name in ("coord_ra", "coord_dec", "detector") if name not in table.colnames]
    if lacking:
        raise InputError(f"the table of calibration sources has no column {', '.join(lacking)}")
    columns: dict[str, NDArray[np.generic]] = {name: np.asarray(table[name]) for name in table.colnames}
    if not as_is:
        for name in ("coord_ra", "coord_dec"):
            unit = table[name].unit or units.rad
            columns[name] = np.asarray(columns[name], np.float64) * unit.to(units.rad)
    return columns


def output_exposure(result: Struct, storage_class: str) -> Exposure | lsst.images.VisitImage | None:
    """Return the output exposure as the type of its storage class; None if it lacks what that type must have.

    Parameters
    ----------
    result
        What `ReprocessVisitImageTask.run` returned, or had filled when it raised an error.
    storage_class
        Name of the storage class.
    """
    made: Exposure = result.exposure
    if storage_class != "VisitImage":
        return made
    if made.psf is None or made.wcs is None or made.detector is None:
        return None
    return to_visit_image(
        made,
        getattr(result, "background", None),
        photometric_scaling=getattr(result, "applied_photo_calib", None),
        instrumental_unit=result.instrumental_unit or "electron",
    )


def flatten_metadata(*holders: Any) -> None:
    """Make the metadata scalars only, nested ones under dotted names: neither file format can hold others.

    Parameters
    ----------
    *holders
        Objects with a dictionary ``metadata``; None is passed over.
    """
    for holder in holders:
        if holder is not None:
            holder.metadata = dict(scalars(holder.metadata))
