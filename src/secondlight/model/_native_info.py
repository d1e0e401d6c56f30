"""Descriptions of an observation as `lsst.images` holds them, and back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import astropy.units as u
import numpy as np
from astro_metadata_translator import ObservationInfo
from astropy.coordinates import Angle, EarthLocation, SkyCoord
from astropy.time import Time
from lsst.images import ObservationSummaryStats
from lsst.images.cameras import Detector
from lsst.images.serialization import ArchiveTree

from .exposure import FilterLabel
from .visit_info import VisitInfo

__all__ = [
    "cards_of",
    "observation_info",
    "scalars",
    "summary_from_native",
    "summary_to_native",
    "visit_info_from",
]

#: Parts of VisitInfo that ObservationInfo lacks: attribute, header card (spec 11.3), whether the card is in degrees.
_CARDS = (
    ("ut1", "MJD-AVG-UT1", False),
    ("era", "AVG-ERA", True),
    ("boresight_az", "BORE-AZ", True),
    ("boresight_alt", "BORE-ALT", True),
)

#: Fields of the summary statistics: those of the class less those of any serialized object.
_SUMMARY = [name for name in ObservationSummaryStats.model_fields if name not in ArchiveTree.model_fields]


def cards_of(info: VisitInfo) -> dict[str, float]:
    """Return what `ObservationInfo` lacks of a visit's description, by header card.

    Parameters
    ----------
    info
        The description.
    """
    values = {card: (getattr(info, attribute), degrees) for attribute, card, degrees in _CARDS}
    return {k: math.degrees(v) if degrees else v for k, (v, degrees) in values.items() if math.isfinite(v)}


def observation_info(
    info: VisitInfo, detector: Detector, label: FilterLabel | None, metadata: Mapping[str, Any]
) -> ObservationInfo:
    """Return the description of a visit as `lsst.images` holds it.

    Parameters
    ----------
    info
        The visit.
    detector
        The detector.
    label
        The filter; its name is empty if not given.
    metadata
        Header cards; the telescope is taken from TELESCOP.
    """

    def finite(value: float, unit: u.UnitBase) -> u.Quantity | None:
        return value * unit if math.isfinite(value) else None

    label = label or FilterLabel()
    known: dict[str, Any] = {
        "telescope": metadata.get("TELESCOP"),
        "instrument": info.instrument,
        "exposure_id": info.id or None,
        "visit_id": info.id or None,
        "exposure_time": finite(info.exposure_time, u.s),
        "dark_time": finite(info.dark_time, u.s),
        "focus_z": finite(info.focus_z, u.mm),
        "temperature": finite(info.air_temperature + 273.15, u.K),
        "pressure": finite(info.air_pressure, u.Pa),
        "relative_humidity": info.humidity if math.isfinite(info.humidity) else None,
        "boresight_airmass": info.boresight_airmass if math.isfinite(info.boresight_airmass) else None,
        "boresight_rotation_coord": info.rot_type.lower(),
        "observation_type": info.observation_type,
        "science_program": info.science_program,
        "observation_reason": info.observation_reason,
        "object": info.object,
        "has_simulated_content": info.has_simulated_content,
        "detector_num": detector.id,
        "detector_unique_name": detector.name,
        "detector_serial": detector.serial,
    }
    if math.isfinite(info.longitude + info.latitude + info.elevation):
        known["location"] = EarthLocation.from_geodetic(
            info.longitude * u.rad, info.latitude * u.rad, info.elevation * u.m
        )
    if math.isfinite(info.boresight_ra + info.boresight_dec):
        known["tracking_radec"] = SkyCoord(info.boresight_ra, info.boresight_dec, unit="rad", frame="icrs")
    if math.isfinite(info.boresight_rot_angle):
        known["boresight_rotation_angle"] = Angle(info.boresight_rot_angle, "rad")
    if math.isfinite(info.date_tai):
        half = info.exposure_time / 172800.0 if math.isfinite(info.exposure_time) else 0.0
        known["datetime_begin"] = Time(info.date_tai, -half, format="mjd", scale="tai")
        known["datetime_end"] = Time(info.date_tai, half, format="mjd", scale="tai")
    # an empty name of a filter is a name; other empty strings say nothing
    values: Any = {k: v for k, v in known.items() if v is not None and (not isinstance(v, str) or v)}
    return ObservationInfo(physical_filter=label.physical or label.band, **values)


def visit_info_from(obs: ObservationInfo, metadata: dict[str, Any]) -> VisitInfo:
    """Return the description of a visit; its cards are taken out of the metadata.

    Parameters
    ----------
    obs
        The description that `lsst.images` holds.
    metadata
        May hold what `cards_of` returned. Without, azimuth and altitude are those of the begin of the
        exposure, if known.
    """

    def number(value: Any, unit: Any = None) -> float:
        if value is None:
            return math.nan
        return float(value if unit is None else value.to_value(unit))

    known: dict[str, Any] = {}
    for attribute, card, degrees in _CARDS:
        if card in metadata:
            value = float(metadata.pop(card))
            known[attribute] = math.radians(value) if degrees else value
    if obs.altaz_begin is not None and "boresight_az" not in known:
        known["boresight_az"] = number(obs.altaz_begin.az, u.rad)
        known["boresight_alt"] = number(obs.altaz_begin.alt, u.rad)
    if obs.datetime_begin is not None and obs.datetime_end is not None:
        middle = obs.datetime_begin.tai + 0.5 * (obs.datetime_end.tai - obs.datetime_begin.tai)
        known["date_tai"] = float(middle.mjd)
    if obs.location is not None:
        site = obs.location.to_geodetic()
        known["longitude"], known["latitude"] = number(site.lon, u.rad), number(site.lat, u.rad)
        known["elevation"] = number(site.height, u.m)
    if obs.tracking_radec is not None:
        known["boresight_ra"] = number(obs.tracking_radec.icrs.ra, u.rad)
        known["boresight_dec"] = number(obs.tracking_radec.icrs.dec, u.rad)
    visit = obs.visit_id if obs.visit_id is not None else obs.exposure_id
    return VisitInfo(
        id=visit or 0,
        exposure_time=number(obs.exposure_time, u.s),
        dark_time=number(obs.dark_time, u.s),
        boresight_airmass=number(obs.boresight_airmass),
        boresight_rot_angle=number(obs.boresight_rotation_angle, u.rad),
        rot_type=(obs.boresight_rotation_coord or "unknown").upper(),
        air_temperature=number(obs.temperature, u.K) - 273.15,
        air_pressure=number(obs.pressure, u.Pa),
        humidity=number(obs.relative_humidity),
        instrument=obs.instrument or "",
        focus_z=number(obs.focus_z, u.mm),
        observation_type=obs.observation_type or "",
        science_program=obs.science_program or "",
        observation_reason=obs.observation_reason or "",
        object=obs.object or "",
        has_simulated_content=bool(obs.has_simulated_content),
        **known,
    )


def summary_to_native(stats: Mapping[str, Any]) -> ObservationSummaryStats:
    """Return summary statistics as `lsst.images` holds them; those it has no field for are dropped.

    Parameters
    ----------
    stats
        Values by the reference's names.
    """
    return ObservationSummaryStats(**{name: stats[name] for name in _SUMMARY if name in stats})


def summary_from_native(stats: ObservationSummaryStats) -> dict[str, Any]:
    """Return summary statistics by the reference's names.

    Parameters
    ----------
    stats
        Those of a visit image.
    """
    values = {name: getattr(stats, name) for name in _SUMMARY}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}


def scalars(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Iterate over metadata, nested mappings and sequences flattened to dotted names.

    Parameters
    ----------
    nested
        Values by name. Those that are neither numbers, strings nor booleans become strings; numbers that
        are not finite are left out, for neither JSON nor FITS has them.
    prefix
        Put before each name.
    """
    for key, item in nested.items():
        name = f"{prefix}{key}"
        value = item.item() if isinstance(item, np.generic) else item
        if isinstance(value, Mapping):
            yield from scalars(value, f"{name}.")
        elif isinstance(value, list | tuple | set | np.ndarray):
            yield from scalars({str(i): v for i, v in enumerate(value)}, f"{name}.")
        elif isinstance(value, float) and not math.isfinite(value):
            continue
        elif isinstance(value, bool | int | float | str):
            yield name, value
        elif value is not None:
            yield name, str(value)
