"""What is known of the visit, from header cards or a stored record (spec 11.3, 11.4)."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan, radians
from typing import Any

import numpy as np
from astropy.time import Time

from ...errors import InputError
from ...model.visit_info import VisitInfo
from .archive import Archive

__all__ = [
    "DEGREES",
    "NUMBERS",
    "ROT_TYPES",
    "TEXTS",
    "VISIT_INFO_CARDS",
    "mjd_from_nanoseconds",
    "read_visit_info",
    "visit_info_from_header",
]

#: The newest layout of the stored record that is known here.
_VERSION = 5
_UNIX_EPOCH_MJD = 40587.0
_NO_TIME = np.iinfo(np.int64).min
#: Kinds of rotation angle, by their number in a file.
ROT_TYPES = ("UNKNOWN", "SKY", "HORIZON", "MOUNT")

#: Cards that hold numbers as they are, in degrees, and text: our name by card.
NUMBERS = {
    "EXPTIME": "exposure_time",
    "DARKTIME": "dark_time",
    "MJD-AVG-UT1": "ut1",
    "BORE-AIRMASS": "boresight_airmass",
    "OBS-ELEV": "elevation",
    "AIRTEMP": "air_temperature",
    "AIRPRESS": "air_pressure",
    "HUMIDITY": "humidity",
    "FOCUSZ": "focus_z",
}
DEGREES = {
    "AVG-ERA": "era",
    "BORE-RA": "boresight_ra",
    "BORE-DEC": "boresight_dec",
    "BORE-AZ": "boresight_az",
    "BORE-ALT": "boresight_alt",
    "BORE-ROTANG": "boresight_rot_angle",
    "OBS-LONG": "longitude",
    "OBS-LAT": "latitude",
}
TEXTS = {
    "INSTRUMENT": "instrument",
    "OBSTYPE": "observation_type",
    "PROGRAM": "science_program",
    "REASON": "observation_reason",
    "OBJECT": "object",
}

#: Every card that is understood here.
VISIT_INFO_CARDS = frozenset(
    {*NUMBERS, *DEGREES, *TEXTS, "DATE-AVG", "TIMESYS", "ROTTYPE", "IDNUM", "HAS-SIMULATED-CONTENT"}
)


def mjd_from_nanoseconds(count: int) -> float:
    """Return a time as MJD [day].

    Parameters
    ----------
    count
        Nanoseconds since the beginning of 1970.
    """
    return _UNIX_EPOCH_MJD + count / 86_400e9


def visit_info_from_header(header: Mapping[str, Any]) -> VisitInfo:
    """Return what the primary header of an exposure says of the visit.

    Parameters
    ----------
    header
        Cards; those that are missing leave the field at its default.

    Raises
    ------
    ValueError
        Raised if a card cannot be understood.
    """
    values: dict[str, Any] = {name: float(header[card]) for card, name in NUMBERS.items() if card in header}
    values |= {name: radians(float(header[card])) for card, name in DEGREES.items() if card in header}
    values |= {name: str(header[card]) for card, name in TEXTS.items() if isinstance(header.get(card), str)}
    if not values.get("instrument") and isinstance(header.get("INSTRUME"), str):
        values["instrument"] = header["INSTRUME"]
    if "DATE-AVG" in header:
        scale = str(header.get("TIMESYS", "UTC")).strip().lower()
        if scale not in Time.SCALES:
            raise ValueError(f"TIMESYS = {header['TIMESYS']!r} is no time system")
        values["date_tai"] = float(Time(str(header["DATE-AVG"]), format="isot", scale=scale).tai.mjd)
    if str(header.get("ROTTYPE", "")) in ROT_TYPES:
        values["rot_type"] = str(header["ROTTYPE"])
    if "IDNUM" in header:
        values["id"] = int(header["IDNUM"])
    values["has_simulated_content"] = bool(header.get("HAS-SIMULATED-CONTENT", False))
    return VisitInfo(**values)


def read_visit_info(archive: Archive, key: int) -> VisitInfo:
    """Return a stored visit record of any version.

    Parameters
    ----------
    archive
        The archive.
    key
        Id of a ``VisitInfo``.

    Raises
    ------
    InputError
        Raised if the object is of another class or of a version unknown here.
    """
    row = archive.table(key, "VisitInfo")
    version = row.scalar("version", 0)
    if version > _VERSION:
        raise InputError(
            f"VisitInfo is stored in version {version}; versions up to {_VERSION} can be read",
            path=archive.path,
            part=f"id {key}",
        )
    tai = row.scalar("tai")
    rot_type = row.scalar("rottype")
    return VisitInfo(
        id=row.scalar("idnum" if "idnum" in row else "id", 0),
        exposure_time=row.scalar("exposuretime"),
        dark_time=row.scalar("darktime"),
        date_tai=nan if tai == _NO_TIME else mjd_from_nanoseconds(tai),
        ut1=row.scalar("ut1"),
        era=row.scalar("era"),
        boresight_ra=row.scalar("boresightradec_ra"),
        boresight_dec=row.scalar("boresightradec_dec"),
        boresight_az=row.scalar("boresightazalt_az"),
        boresight_alt=row.scalar("boresightazalt_alt"),
        boresight_airmass=row.scalar("boresightairmass"),
        boresight_rot_angle=row.scalar("boresightrotangle"),
        rot_type=ROT_TYPES[rot_type] if 0 <= rot_type < len(ROT_TYPES) else ROT_TYPES[0],
        longitude=row.scalar("longitude"),
        latitude=row.scalar("latitude"),
        elevation=row.scalar("elevation"),
        air_temperature=row.scalar("airtemperature"),
        air_pressure=row.scalar("airpressure"),
        humidity=row.scalar("humidity"),
        instrument=row.scalar("instrumentlabel", ""),
        focus_z=row.scalar("focusz", nan),
        observation_type=row.scalar("observationType", ""),
        science_program=row.scalar("scienceProgram", ""),
        observation_reason=row.scalar("observationReason", ""),
        object=row.scalar("object", ""),
        has_simulated_content=row.scalar("hasSimulatedContent", False),
    )
