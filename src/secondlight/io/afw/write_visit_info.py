"""What is known of the visit, as header cards and as a stored record (spec 11.3, 11.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import degrees, inf, isfinite, isnan, nextafter, radians
from typing import Any

import numpy as np

from ...model.visit_info import VisitInfo
from .visit_info import DEGREES, NUMBERS, ROT_TYPES, TEXTS, mjd_from_nanoseconds
from .write_archive import ArchiveWriter
from .write_table import Card, StoredField

__all__ = ["save_visit_info", "visit_info_cards"]

#: Version of the stored record.
_VERSION = 5
_NO_TIME = int(np.iinfo(np.int64).min)
_DAY = 86_400 * 10**9
_MJD_OF_EPOCH = 40587

_POINT = "sky position of boresight at middle of exposure"
_REFRACTED = "refracted apparent topocentric position of boresight at middle of exposure"
_RECORD = (
    StoredField("exposuretime", "D", "s", "exposure duration"),
    StoredField("darktime", "D", "s", "time from CCD flush to readout"),
    StoredField("tai", "L", "nsec", "TAI date and time at middle of exposure as nsec from unix epoch"),
    StoredField("ut1", "D", "MJD", "UT1 date and time at middle of exposure"),
    StoredField("era", "Angle", "", "earth rotation angle at middle of exposure"),
    StoredField("boresightradec_ra", "Angle", "", _POINT),
    StoredField("boresightradec_dec", "Angle", "", _POINT),
    StoredField("boresightazalt_az", "Angle", "", _REFRACTED),
    StoredField("boresightazalt_alt", "Angle", "", _REFRACTED),
    StoredField("boresightairmass", "D", "", "airmass at boresight, relative to zenith at sea level"),
    StoredField("boresightrotangle", "Angle", "", "rotation angle at boresight at middle of exposure"),
    StoredField("rottype", "I", "MJD", "rotation type; see VisitInfo.getRotType for details"),
    StoredField("latitude", "Angle", "", "latitude of telescope (+ is east of Greenwich)"),
    StoredField("longitude", "Angle", "", "longitude of telescope"),
    StoredField("elevation", "D", "", "elevation of telescope"),
    StoredField("airtemperature", "D", "C", "air temperature"),
    StoredField("airpressure", "D", "Pascal", "air pressure"),
    StoredField("humidity", "D", "", "humidity (%)"),
    StoredField("instrumentlabel", "String", "", "Short name of the instrument that took this data"),
    StoredField("version", "I", "", "version of this VisitInfo"),
    StoredField("idnum", "L", "", "identifier of this full focal plane exposure"),
    StoredField("focusz", "D", "mm", "defocal distance"),
    StoredField("observationType", "String", "", "type of this observation (e.g. science, flat, bias)"),
    StoredField("scienceProgram", "String", "", "observing program (survey or proposal) identifier"),
    StoredField("observationReason", "String", "", "reason this observation was taken, or its purpose"),
    StoredField("object", "String", "", "object of interest or field name"),
    StoredField("hasSimulatedContent", "Flag", "", "Was any part of this observation simulated?"),
)

_COMMENTS = {
    "DATE-AVG": "TAI date at middle of observation",
    "ROTTYPE": "Type of rotation angle",
    "IDNUM": "identifier of this full focal plane exposure",
    "HAS-SIMULATED-CONTENT": "Was any part of this observation simulated?",
    "FOCUSZ": "Defocal distance",
}

#: The order of the cards in files of the reference.
_ORDER = (
    *(
        "EXPTIME",
        "DARKTIME",
        "DATE-AVG",
        "TIMESYS",
        "MJD-AVG-UT1",
        "AVG-ERA",
        "BORE-RA",
        "BORE-DEC",
        "BORE-AZ",
    ),
    *("BORE-ALT", "BORE-AIRMASS", "BORE-ROTANG", "ROTTYPE", "OBS-LONG", "OBS-LAT", "OBS-ELEV", "AIRTEMP"),
    *("AIRPRESS", "HUMIDITY", "INSTRUMENT", "IDNUM", "FOCUSZ", "OBSTYPE", "PROGRAM", "REASON", "OBJECT"),
    "HAS-SIMULATED-CONTENT",
)


def visit_info_cards(info: VisitInfo) -> Iterator[Card]:
    """Iterate over the cards that describe a visit; what is not known has none.

    Parameters
    ----------
    info
        The visit.
    """
    values: dict[str, Any] = {card: getattr(info, name) for card, name in NUMBERS.items()}
    for card, name in DEGREES.items():
        angle = getattr(info, name)
        values[card] = _shortest(degrees(angle), angle, radians) if isfinite(angle) else angle
    values = {card: value for card, value in values.items() if isfinite(value)}
    values |= {card: text for card, name in TEXTS.items() if (text := getattr(info, name))}
    if not isnan(info.date_tai):
        moment = np.datetime64(_nanoseconds(info.date_tai), "ns")
        values |= {"DATE-AVG": str(moment), "TIMESYS": "TAI"}
    values["ROTTYPE"] = info.rot_type
    if info.id:
        values["IDNUM"] = info.id
    values["HAS-SIMULATED-CONTENT"] = info.has_simulated_content
    for card in _ORDER:
        if card in values:
            yield card, values[card], _COMMENTS.get(card, "")


def _shortest(value: float, target: float, convert: Callable[[float], float]) -> float:
    """Return the number of fewest digits near a value that a conversion takes to a target, if there is one."""
    for candidate in (value, nextafter(value, inf), nextafter(value, -inf)):
        for digits in range(10, 18):
            short = float(f"{candidate:.{digits}g}")
            if convert(short) == target:
                return short
    return value


def _nanoseconds(mjd: float) -> int:
    """Return a time as nanoseconds since 1970, the roundest of those that are the same as a floating-point MJD."""
    day = int(mjd // 1)
    exact = (day - _MJD_OF_EPOCH) * _DAY + round((mjd - day) * _DAY)
    for power in range(9, 0, -1):
        step = 10**power
        rounded = round(exact / step) * step
        if mjd_from_nanoseconds(rounded) == mjd:
            return int(rounded)
    return exact


def save_visit_info(archive: ArchiveWriter, info: VisitInfo) -> int:
    """Store the description of a visit; return its id.

    Parameters
    ----------
    archive
        Where to.
    info
        The visit.
    """
    key = archive.new_id()
    values = (
        *(info.exposure_time, info.dark_time),
        _NO_TIME if isnan(info.date_tai) else _nanoseconds(info.date_tai),
        *(info.ut1, info.era, info.boresight_ra, info.boresight_dec, info.boresight_az, info.boresight_alt),
        *(info.boresight_airmass, info.boresight_rot_angle, ROT_TYPES.index(info.rot_type)),
        *(info.latitude, info.longitude, info.elevation),
        *(info.air_temperature, info.air_pressure, info.humidity, info.instrument, _VERSION, info.id),
        *(info.focus_z, info.observation_type, info.science_program, info.observation_reason, info.object),
        info.has_simulated_content,
    )
    columns = {f.name: [value] for f, value in zip(_RECORD, values, strict=True)}
    archive.save(key, "VisitInfo", "", [(archive.table(_RECORD), 1, columns)])
    return key
