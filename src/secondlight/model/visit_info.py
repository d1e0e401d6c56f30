"""What is known of the visit: times, pointing, site, weather."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

__all__ = ["VisitInfo"]


@dataclass(frozen=True, slots=True)
class VisitInfo:
    """Description of one visit, field by field as the reference keeps it (spec 11.3, 11.4).

    Parameters
    ----------
    id
        Visit id; 0 if unknown.
    exposure_time, dark_time
        [s].
    date_tai
        Middle of the observation, MJD (TAI) [day]; NaN if unknown.
    ut1
        MJD (UT1) [day].
    era
        Earth rotation angle [rad].
    boresight_ra, boresight_dec
        ICRS [rad].
    boresight_az, boresight_alt
        [rad].
    boresight_airmass
        Dimensionless.
    boresight_rot_angle
        [rad].
    rot_type
        ``UNKNOWN``, ``SKY``, ``HORIZON`` or ``MOUNT``.
    longitude, latitude
        Of the observatory, east positive [rad].
    elevation
        Of the observatory [m].
    air_temperature, air_pressure, humidity
        [Celsius], [pascal], [percent].
    instrument
        Instrument name.
    focus_z
        Defocal distance [mm].
    observation_type, science_program, observation_reason, object
        Free text.
    has_simulated_content
        Whether pixels were simulated.
    """

    id: int = 0
    exposure_time: float = nan
    dark_time: float = nan
    date_tai: float = nan
    ut1: float = nan
    era: float = nan
    boresight_ra: float = nan
    boresight_dec: float = nan
    boresight_az: float = nan
    boresight_alt: float = nan
    boresight_airmass: float = nan
    boresight_rot_angle: float = nan
    rot_type: str = "UNKNOWN"
    longitude: float = nan
    latitude: float = nan
    elevation: float = nan
    air_temperature: float = nan
    air_pressure: float = nan
    humidity: float = nan
    instrument: str = ""
    focus_z: float = nan
    observation_type: str = ""
    science_program: str = ""
    observation_reason: str = ""
    object: str = ""
    has_simulated_content: bool = False
