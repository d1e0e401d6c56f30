"""The source table with the names, units and types of the survey's data releases (``Source`` of DP2).

The columns are those of the Science Data Model's schema (``dp2.yaml`` of ``lsst-sdm-schemas``); each is one column of ours
under another name, or one of the observation.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..model.catalog import SourceCatalog
from ..model.exposure import FilterLabel
from .atomic import atomic_path

__all__ = ["STANDARD_COLUMNS", "StandardColumn", "write_standardized_sources"]

_DEGREES = math.degrees(1.0)


@dataclass(frozen=True, slots=True)
class StandardColumn:
    """One column of the standardized table.

    Parameters
    ----------
    name
        Its name.
    source
        Name of the column of ours that it holds, or an alias; ``band`` and ``physical_filter`` are of the filter.
    type
        ``long``, ``int``, ``short``, ``double``, ``float``, ``boolean`` or ``char``, as the Science Data Model says.
    unit
        Unit, as spelled there; empty if dimensionless.
    scale
        What our values are multiplied by.
    """

    name: str
    source: str
    type: str
    unit: str = ""
    scale: float = 1.0


def _flux(name: str, source: str, *, flag: bool = False) -> Iterator[StandardColumn]:
    """A calibrated flux and its error."""
    yield StandardColumn(name, f"{source}_flux", "double", "nJy")
    yield StandardColumn(f"{name}Err", f"{source}_fluxErr", "double", "nJy")
    if flag:
        yield StandardColumn(f"{name}_flag", f"{source}_flag", "boolean")


def _inst_flux(name: str, source: str) -> Iterator[StandardColumn]:
    """A flux in counts and its error."""
    yield StandardColumn(f"{name}_instFlux", f"{source}_instFlux", "double", "count")
    yield StandardColumn(f"{name}_instFluxErr", f"{source}_instFluxErr", "double", "count")


def _flags(name: str, source: str, *flags: str) -> Iterator[StandardColumn]:
    """Flags under another prefix; an empty flag is the prefix itself."""
    for flag in flags:
        tail = f"_{flag}" if flag else ""
        yield StandardColumn(f"{name}{tail}", f"{source}{tail}", "boolean")


def _moments(name: str, source: str) -> Iterator[StandardColumn]:
    """Second moments."""
    for moment in ("xx", "yy", "xy"):
        yield StandardColumn(f"i{moment}{name}", f"{source}_{moment}", "double", "pixel**2")


def _columns() -> Iterator[StandardColumn]:
    """Declare the table, in the order of the release."""
    yield StandardColumn("sourceId", "id", "long")
    yield StandardColumn("parentSourceId", "parent", "long")
    for axis in "xy":
        yield StandardColumn(axis, f"slot_Centroid_{axis}", "double", "pixel")
    for axis in "xy":
        yield StandardColumn(f"{axis}Err", f"slot_Centroid_{axis}Err", "float", "pixel")
    for axis in ("ra", "dec"):
        yield StandardColumn(axis, f"coord_{axis}", "double", "deg", _DEGREES)
    for axis in ("ra", "dec"):
        yield StandardColumn(f"{axis}Err", f"coord_{axis}Err", "float", "deg", _DEGREES)
    yield StandardColumn("ra_dec_Cov", "coord_ra_dec_Cov", "float", "deg**2", _DEGREES**2)
    yield from _flux("calibFlux", "slot_CalibFlux")
    for radius in (3, 6, 9, 12, 17, 25, 35, 50, 70):
        yield from _flux(f"ap{radius:02d}Flux", f"base_CircularApertureFlux_{radius}_0", flag=True)
    yield from _flux("sky", "base_LocalBackground")
    yield from _flux("psfFlux", "slot_PsfFlux")
    yield from _moments("", "slot_Shape")
    yield from _moments("PSF", "slot_PsfShape")
    yield from _moments("DebiasedPSF", "ext_shapeHSM_HsmPsfMomentsDebiased")
    yield from _flux("gaussianFlux", "base_GaussianFlux")
    yield StandardColumn("extendedness", "base_ClassificationExtendedness_value", "double")
    yield StandardColumn("sizeExtendedness", "base_ClassificationSizeExtendedness_value", "double")
    yield StandardColumn("blendedness_abs", "base_Blendedness_abs", "double")
    yield from _flags("blendedness_flag", "base_Blendedness_flag", "", "noCentroid", "noShape")
    for radius in (12, 17, 35, 50):
        name, source = f"apFlux_{radius}_0", f"base_CircularApertureFlux_{radius}_0"
        # only the aperture that calibrates is told in full
        particular = ("apertureTruncated", "sincCoeffsTruncated") if radius == 12 else ()
        yield from _flags(f"{name}_flag", f"{source}_flag", "", *particular)
        yield from _inst_flux(name, source)
    compensated = "base_NormalizedCompensatedTophatFlux"
    yield from _flags("normCompTophatFlux_flag", f"{compensated}_flag", "")
    yield from _inst_flux("normCompTophatFlux", compensated)
    yield from _flags("extendedness_flag", "base_ClassificationExtendedness_flag", "")
    yield from _flags("sizeExtendedness_flag", "base_ClassificationSizeExtendedness_flag", "")
    yield StandardColumn("footprintArea_value", "base_FootprintArea_value", "int", "pixel")
    yield StandardColumn("invalidPsfFlag", "base_InvalidPsf_flag", "boolean")
    yield StandardColumn("jacobian_flag", "base_Jacobian_flag", "boolean")
    yield StandardColumn("jacobian_value", "base_Jacobian_value", "double")
    yield from _inst_flux("localBackground", "base_LocalBackground")
    yield from _flags("localBackground_flag", "base_LocalBackground_flag", "", "noGoodPixels", "noPsf")
    yield from _flags(
        "pixelFlags",
        "base_PixelFlags_flag",
        *("bad", "cr", "crCenter", "edge", "interpolated", "interpolatedCenter", "nodata", "offimage"),
        *("saturated", "saturatedCenter", "suspect", "suspectCenter"),
    )
    for name in ("apCorr", "apCorrErr"):
        yield StandardColumn(f"psfFlux_{name}", f"base_PsfFlux_{name}", "double")
    yield StandardColumn("psfFlux_area", "base_PsfFlux_area", "float", "pixel")
    yield from _flags("psfFlux_flag", "base_PsfFlux_flag", "", "apCorr", "edge", "noGoodPixels")
    yield from _flags("gaussianFlux_flag", "base_GaussianFlux_flag", "")
    yield from _flags(
        "centroid_flag",
        "base_SdssCentroid_flag",
        *("", "almostNoSecondDerivative", "badError", "edge", "noSecondDerivative", "notAtMaximum"),
        "resetToPeak",
    )
    yield from _flags("variance_flag", "base_Variance_flag", "", "emptyFootprint")
    yield StandardColumn("variance_value", "base_Variance_value", "double")
    yield from _flags("calib_astrometry", "calib_astrometry", "used")
    yield from _flags("calib_photometry", "calib_photometry", "reserved", "used")
    yield from _flags("calib_psf", "calib_psf", "candidate", "reserved", "used")
    yield from _flags("deblend", "deblend", "deblendedAsPsf", "hasStrayFlux", "masked")
    yield StandardColumn("deblend_nChild", "deblend_nChild", "int")
    yield from _flags(
        *("deblend", "deblend"),
        *("parentTooBig", "patchedTemplate", "rampedTemplate", "skipped", "tooManyPeaks"),
    )
    outside = ("", "no_pixels", "not_contained", "parent_source")
    yield from _flags("hsmPsfMoments_flag", "ext_shapeHSM_HsmPsfMoments_flag", *outside)
    yield from _flags(
        "iDebiasedPSF_flag", "ext_shapeHSM_HsmPsfMomentsDebiased_flag", *outside, "galsim", "edge"
    )
    yield from _flags(
        "hsmShapeRegauss_flag",
        "ext_shapeHSM_HsmShapeRegauss_flag",
        *("", "galsim", "no_pixels", "not_contained", "parent_source"),
    )
    yield StandardColumn("sky_source", "sky_source", "boolean")
    yield StandardColumn("visit", "visit", "long")
    yield StandardColumn("detector", "detector", "short")
    yield StandardColumn("band", "band", "char")
    yield StandardColumn("physical_filter", "physical_filter", "char")


#: The table, column by column.
STANDARD_COLUMNS = tuple(_columns())


def write_standardized_sources(
    path: str | os.PathLike[str],
    catalog: SourceCatalog,
    label: FilterLabel | None,
    *,
    overwrite: bool = False,
) -> None:
    """Write the standardized source table as parquet.

    A column whose source was not measured is null, as in a database. Units and descriptions are where
    `astropy.table.Table.read` looks, and in the metadata of each field.

    Parameters
    ----------
    path
        File to make.
    catalog
        The complete source table.
    label
        The filter.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    UsageError
        Raised if the file exists and ``overwrite`` is not set.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq
    from astropy.table import Column, Table
    from astropy.table.meta import get_yaml_from_table

    types = {
        "long": pa.int64(),
        "int": pa.int32(),
        "short": pa.int16(),
        "double": pa.float64(),
        "float": pa.float32(),
        "boolean": pa.bool_(),
        "char": pa.string(),
    }
    filters = {} if label is None else {"band": label.band, "physical_filter": label.physical}

    def values(column: StandardColumn) -> Any:
        kind = types[column.type]
        if filters.get(column.source):
            return pa.repeat(pa.scalar(filters[column.source], kind), len(catalog))
        if column.source not in catalog:
            return pa.nulls(len(catalog), kind)
        array = catalog[column.source]
        return pa.array(array if column.scale == 1.0 else column.scale * array.astype(np.float64)).cast(kind)

    fields, described = [], Table()
    for column in STANDARD_COLUMNS:
        known = column.source in catalog
        doc = catalog.schema[column.source].doc if known else f"{column.name} of the observation"
        if not known and column.type != "char":
            doc = "not measured"
        about = {"description": doc, **({"unit": column.unit} if column.unit else {})}
        fields.append(pa.field(column.name, types[column.type], metadata=about))
        dtype = "str" if column.type == "char" else types[column.type].to_pandas_dtype()
        described[column.name] = Column([], dtype=dtype, unit=column.unit or None, description=doc)
    yaml = "\n".join(get_yaml_from_table(described))
    schema = pa.schema(fields, metadata={b"table_meta_yaml": yaml.encode()})
    table = pa.Table.from_arrays([values(column) for column in STANDARD_COLUMNS], schema=schema)
    repeating = [c.name for c in STANDARD_COLUMNS if c.type in ("long", "int", "short", "char")]
    with atomic_path(path, overwrite=overwrite) as staged:
        pq.write_table(table, staged, compression="zstd", use_dictionary=repeating)
