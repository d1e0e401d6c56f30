"""Our exposure as `lsst.images.VisitImage`, and back.

What a `VisitImage` cannot hold as it is:

- Mask planes keep their bits; those that the field has renamed since (``SAT`` is ``SATURATED``) have the new name there
  and the old one here. Bits without a name are dropped.
- Fields of position of kinds that `lsst.images` cannot store become Chebyshev polynomials that agree to 1e-6, or are
  dropped with a warning if none of order 15 or less does.
- Backgrounds: see `background_map`. PSFs: see `secondlight.model.native_psf`.
- What `ObservationInfo` lacks of `VisitInfo` (UT1, Earth rotation angle, azimuth and altitude in mid-exposure) and the
  error of the photometric calibration go to the metadata, the former under the names of the reference's header cards.
- Metadata are scalars: what is nested is flattened to dotted names, and values that are neither numbers, strings nor
  booleans become strings. Numbers that are not finite are left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, cast

import astropy.units as u
import numpy as np
import pydantic
from lsst.images import (
    Box,
    DetectorFrame,
    Image,
    Mask,
    MaskPlane,
    MaskSchema,
    Polygon,
    SkyFrame,
    SkyProjection,
    Transform,
    TransformSerializationModel,
    VisitImage,
    get_legacy_optional_mask_planes,
    get_legacy_visit_image_mask_planes,
)
from lsst.images.fields import ChebyshevField, Field
from numpy.typing import NDArray

from ..errors import InputError
from ._native_fields import background_map, storable_field
from ._native_info import (
    cards_of,
    observation_info,
    scalars,
    summary_from_native,
    summary_to_native,
    visit_info_from,
)
from .background import BackgroundModel
from .exposure import Exposure, FilterLabel
from .mask_planes import Mask as MaskAlone
from .mask_planes import MaskPlanes
from .native_psf import from_native, to_native
from .photo_calib import PhotoCalib
from .visit_info import VisitInfo

__all__ = [
    "background_map",
    "from_visit_image",
    "mask_from_native",
    "mask_to_native",
    "storable_field",
    "to_visit_image",
]

#: Metadata key of the photometric calibration's error [nJy/count, or dimensionless once applied].
_CALIB_ERR = "PHOTOCALIB calibrationErr"

#: Descriptions of planes that the field's own list lacks.
_DESCRIPTIONS = {
    "DETECTED_NEGATIVE": "Pixel was part of a detected source with negative flux.",
    "STREAK": "Pixel was affected by a streak, such as that of a satellite.",
}


def to_visit_image(
    exposure: Exposure,
    backgrounds: Iterable[BackgroundModel] | None = None,
    *,
    photometric_scaling: PhotoCalib | None = None,
    instrumental_unit: str = "electron",
) -> VisitImage:
    """Return an exposure as a `lsst.images.VisitImage`, which shares its pixels.

    Parameters
    ----------
    exposure
        The exposure, with detector, WCS and PSF.
    backgrounds
        The background that was subtracted, the sum of these models [instrumental unit]; none if not given.
    photometric_scaling
        The calibration from instrumental units to nJy: the one that was applied if the image is in nJy,
        else the one that may be. If not given, that of the exposure, provided that it is not calibrated
        yet.
    instrumental_unit
        Unit of the image before calibration; used if the image is in nJy, and if it does not say its unit.

    Raises
    ------
    InputError
        Raised if the exposure lacks its detector, WCS or PSF, without which there is no visit image, or if
        its unit is unknown.
    """
    for name, part in (("detector", exposure.detector), ("WCS", exposure.wcs), ("PSF", exposure.psf)):
        if part is None:
            raise InputError(f"an exposure without {name} cannot be written as a visit image")
    assert exposure.detector is not None and exposure.wcs is not None and exposure.psf is not None
    info = exposure.visit_info or VisitInfo()
    frame = DetectorFrame(
        instrument=info.instrument,
        visit=info.id or None,
        detector=exposure.detector.id,
        bbox=exposure.detector.bbox,
    )
    unit = _unit(exposure.unit or instrumental_unit)
    calibrated = unit.is_equivalent(u.nJy)
    count = _unit(instrumental_unit) if calibrated else unit
    if photometric_scaling is None and not calibrated:
        photometric_scaling = exposure.photo_calib
    image = Image(exposure.image, yx0=(exposure.y0, exposure.x0), unit=unit)
    mask, schema = _mask_to_native(exposure.mask, exposure.mask_planes)
    metadata = dict(scalars(exposure.metadata)) | cards_of(info)
    if exposure.photo_calib is not None and exposure.photo_calib.err > 0:
        metadata[_CALIB_ERR] = exposure.photo_calib.err
    corrections = {
        name: storable
        for name, field in (exposure.ap_corr_map or {}).items()
        if (storable := storable_field(field, f"aperture correction {name}")) is not None
    }
    polygon = exposure.valid_polygon
    return VisitImage(
        image,
        mask=Mask(mask, yx0=(exposure.y0, exposure.x0), schema=schema),
        variance=Image(exposure.variance, yx0=(exposure.y0, exposure.x0), unit=unit**2),
        sky_projection=_in_frame(exposure.wcs, frame),
        bounds=None if polygon is None else Polygon(x_vertices=polygon[:, 0], y_vertices=polygon[:, 1]),
        obs_info=observation_info(info, exposure.detector, exposure.filter, exposure.metadata),
        summary_stats=summary_to_native(exposure.summary_stats),
        photometric_scaling=_scaling(photometric_scaling, exposure.detector.bbox, u.nJy / count),
        psf=to_native(exposure.psf, exposure.detector.bbox),
        detector=exposure.detector,
        aperture_corrections=corrections,
        backgrounds=background_map(backgrounds or (), count),
        band=exposure.filter.band if exposure.filter else "",
        metadata=metadata,
    )


def from_visit_image(
    visit_image: VisitImage, *, psf: bool = True, mask: NDArray[np.int32] | None = None
) -> Exposure:
    """Return the exposure that a `lsst.images.VisitImage` holds; it shares the pixels (not the mask).

    Parameters
    ----------
    visit_image
        Any, from this package or not. Its backgrounds are not kept.
    psf
        Whether to take the PSF; otherwise the exposure has none.
    mask
        The pixels of its mask as integers, each plane's bit at its place, if they are at hand; those of ``visit_image``
        are not looked at then.

    Raises
    ------
    InputError
        Raised if the mask has more planes than an exposure can hold.
    lsst.images.serialization.ArchiveReadError
        Raised if the PSF was read from a file by a library that could not make sense of it.
    """
    metadata = {k: v for k, v in dict(visit_image.metadata).items() if v is not None}
    array, planes = _mask_from_native(visit_image.mask, mask)
    err = float(str(metadata.pop(_CALIB_ERR, 0.0)))
    info = visit_info_from(visit_image.obs_info, metadata)
    physical = visit_image.obs_info.physical_filter or ""
    bounds = visit_image.bounds
    y0, x0 = visit_image.bbox.start
    return Exposure(
        np.asarray(visit_image.image.array, np.float32),
        array,
        np.asarray(visit_image.variance.array, np.float32),
        planes,
        x0=int(x0),
        y0=int(y0),
        unit=str(visit_image.unit),
        psf=from_native(visit_image.psf) if psf else None,
        wcs=visit_image.sky_projection,
        photo_calib=_photo_calib(visit_image, err),
        ap_corr_map=dict(visit_image.aperture_corrections) or None,
        visit_info=info,
        detector=visit_image.detector,
        filter=FilterLabel(visit_image.band, physical) if visit_image.band or physical else None,
        valid_polygon=_vertices(bounds, visit_image.bbox),
        summary_stats=summary_from_native(visit_image.summary_stats),
        metadata=metadata,
    )


def mask_to_native(mask: MaskAlone) -> Mask:
    """Return a mask by itself as one of `lsst.images`, with the same bits.

    Parameters
    ----------
    mask
        The mask.
    """
    array, schema = _mask_to_native(mask.array, mask.planes)
    return Mask(array, yx0=(mask.y0, mask.x0), schema=schema)


def mask_from_native(mask: Mask) -> MaskAlone:
    """Return a mask of `lsst.images` as one with the planes' old names.

    Parameters
    ----------
    mask
        Any, from this package or not.

    Raises
    ------
    InputError
        Raised if it has more planes than 32.
    """
    array, planes = _mask_from_native(mask)
    y0, x0 = mask.bbox.start
    return MaskAlone(array, planes, x0=int(x0), y0=int(y0))


def _unit(name: str) -> u.UnitBase:
    try:
        # FITS files of many origins write the unit in capitals
        return u.Unit("adu" if name == "ADU" else name)
    except ValueError:
        raise InputError(f"the image's unit {name!r} is not known") from None


def _scaling(calib: PhotoCalib | None, box: Box, unit: u.UnitBase) -> Field | None:
    if calib is None:
        return None
    if calib.is_constant:
        return ChebyshevField(box, np.array([[float(calib.mean)]]), unit=unit)
    field = storable_field(calib.field, "photometric calibration")
    if field is None or field.unit is not None:
        return field
    return cast(Field, field * unit)


def _photo_calib(visit_image: VisitImage, err: float) -> PhotoCalib | None:
    """Return the calibration that turns the pixels as they are into nJy."""
    if visit_image.unit.is_equivalent(u.nJy):
        return PhotoCalib.constant(float(visit_image.unit.to(u.nJy)), err, visit_image.bbox)
    field = visit_image.photometric_scaling
    if field is None:
        return None
    if isinstance(field, ChebyshevField) and field.is_constant:
        return PhotoCalib.constant(float(field.coefficients[0, 0]), err, field.bounds.bbox)
    if isinstance(field, ChebyshevField):
        return PhotoCalib.from_field(field, err)
    # as the reference does: the mean of a field that is no polynomial is its value in the middle
    box = field.bounds.bbox
    return PhotoCalib(float(field(x=box.x.center, y=box.y.center)), err, field)


def _renamed() -> dict[str, MaskPlane]:
    return get_legacy_visit_image_mask_planes() | get_legacy_optional_mask_planes()


def _mask_to_native(mask: NDArray[np.int32], planes: MaskPlanes) -> tuple[NDArray[np.uint8], MaskSchema]:
    """Return a mask as bytes with the same bits, the same memory where possible, and the schema that names them."""
    known = _renamed()
    slots: list[MaskPlane | None] = [None] * (max(planes.values(), default=-1) + 1)
    for name, bit in planes.items():
        plane = known.get(name)
        if plane is None or (plane.name != name and plane.name in planes):
            plane = MaskPlane(name, _DESCRIPTIONS.get(name, f"Mask plane {name}."))
        slots[bit] = plane
    schema = MaskSchema(slots)
    octets = mask.astype("<i4", copy=False).view(np.uint8).reshape(*mask.shape, 4)
    return octets[..., : schema.mask_size], schema


def _mask_from_native(
    mask: Mask, pixels: NDArray[np.int32] | None = None
) -> tuple[NDArray[np.int32], MaskPlanes]:
    """Return a mask as integers, unless they are given, and its planes; these keep their places if within 32 bits."""
    schema = mask.schema
    old_names = {plane.name: old for old, plane in _renamed().items()}
    names = set(schema.names)
    keep = len(schema) <= 32
    planes: dict[str, int] = {}
    places: list[tuple[str, int]] = []
    for place, plane in enumerate(schema):
        if plane is not None:
            old = old_names.get(plane.name, plane.name)
            bit = place if keep else len(planes)
            planes[plane.name if old in names else old] = bit
            places.append((plane.name, bit))
    if len(names) > 32:
        raise InputError(f"the mask has {len(names)} planes; at most 32 can be held")
    if keep and pixels is not None:
        return pixels, MaskPlanes(planes)
    if keep and schema.dtype == np.uint8:
        octets = np.zeros((*mask.array.shape[:2], 4), np.uint8)
        octets[..., : schema.mask_size] = mask.array
        return octets.view("<i4")[..., 0].astype(np.int32), MaskPlanes(planes)
    value = np.zeros(mask.array.shape[:2], np.uint32)
    for name, bit in places:
        value[mask.get(name)] |= np.uint32(1 << bit)
    return value.view(np.int32), MaskPlanes(planes)


class _NoPointer(pydantic.BaseModel):
    """Stands for the pointers into a file that the models allow and that are never used here."""

    pointer: str


def _in_frame(projection: SkyProjection[Any], frame: DetectorFrame) -> SkyProjection[DetectorFrame]:
    """Return a projection as one from the pixels of a detector."""
    if isinstance(projection.pixel_frame, DetectorFrame):
        return projection
    approximate = projection.fits_approximation
    parts = [projection] if approximate is None else [projection, approximate]
    transforms: list[Transform[DetectorFrame, SkyFrame]] = []
    for part in parts:
        # the one public way to set a transform's frame: its serialized form
        mappings: Any = [{"ast": part.show()}]
        tree: Any = TransformSerializationModel[_NoPointer](
            frames=[frame.serialize(), SkyFrame.ICRS.serialize()],
            bounds=[part.pixel_bounds.serialize() if part.pixel_bounds is not None else None, None],
            mappings=mappings,
        )
        transforms.append(tree.deserialize(None))
    return SkyProjection(*transforms)


def _vertices(bounds: Any, box: Box) -> NDArray[np.float64] | None:
    if isinstance(bounds, Polygon):
        vertices = np.column_stack([bounds.x_vertices, bounds.y_vertices]).astype(np.float64)
        closed = len(vertices) > 1 and np.array_equal(vertices[0], vertices[-1])
        return vertices[:-1] if closed else vertices
    if isinstance(bounds, Box):
        return None if bounds == box else _vertices(Polygon.from_box(bounds), box)
    warnings.warn(
        f"the image's region of validity, a {type(bounds).__name__}, is no polygon: dropped", stacklevel=3
    )
    return None
