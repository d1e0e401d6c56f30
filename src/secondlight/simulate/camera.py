"""A detector, a sky projection and a description of the visit, made from a few numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from astropy.io.fits import Header
from astropy.wcs import WCS
from lsst.images import Box, SkyProjection
from lsst.images.cameras import CameraFrameSet, Detector, DetectorAttributes, DetectorType, Orientation
from starlink import Ast

from secondlight.errors import UsageError
from secondlight.model.visit_info import VisitInfo

from .observing import PIXEL_SCALE

__all__ = [
    "INSTRUMENT",
    "Pointing",
    "detector_name",
    "make_detector",
    "make_sky_projection",
    "make_visit_info",
]

#: Instrument whose names, pixels and platescale are borrowed.
INSTRUMENT = "LSSTCam"

#: Rafts of science detectors in the order of detector ids: five by five without the corners.
_RAFTS = tuple(f"{y}{x}" for y in range(5) for x in range(5) if not (y in (0, 4) and x in (0, 4)))

_PIXEL_MM = 0.01

_DATE_TAI = 61000.25  # MJD of 2025-11-21T06:00

_LONGITUDE, _LATITUDE, _ELEVATION = -70.749417, -30.244639, 2663.0  # Cerro Pachón [deg], [deg], [m]


@dataclass(frozen=True, slots=True)
class Pointing:
    """Where the middle of the detector points.

    Parameters
    ----------
    ra, dec
        ICRS [deg]. The default is the Extended Chandra Deep Field South.
    rotation
        Angle of the image's y axis from north through east [deg].
    """

    ra: float = 53.13
    dec: float = -28.10
    rotation: float = 30.0


def detector_name(detector: int) -> str:
    """Return the name that LSSTCam's science detectors have: raft and place in it, ``R22_S11``.

    Parameters
    ----------
    detector
        Detector id, 0 to 188.

    Raises
    ------
    UsageError
        Raised if there is no such science detector.
    """
    raft, sensor = divmod(detector, 9)
    if not 0 <= raft < len(_RAFTS):
        raise UsageError(f"there is no science detector {detector}: LSSTCam has 0 to {9 * len(_RAFTS) - 1}")
    return f"R{_RAFTS[raft]}_S{sensor // 3}{sensor % 3}"


def make_detector(detector: int, bbox: Box, visit: int) -> Detector:
    """Return a detector in the middle of a distortion-free focal plane.

    Parameters
    ----------
    detector
        Detector id.
    bbox
        Box of its pixels.
    visit
        Visit id.
    """
    x_mid, y_mid = (bbox.x.min + bbox.x.max) / 2, (bbox.y.min + bbox.y.max) / 2
    pixels = Ast.Frame(2, f"Ident=DETECTOR_{detector}, Domain=PIXELS, Unit(1)=pixel, Unit(2)=pixel")
    pixels.Bottom_1, pixels.Top_1 = bbox.x.start, bbox.x.stop
    pixels.Bottom_2, pixels.Top_2 = bbox.y.start, bbox.y.stop
    frames = Ast.FrameSet(pixels)
    to_mm = Ast.CmpMap(Ast.ShiftMap([-x_mid, -y_mid]), Ast.ZoomMap(2, _PIXEL_MM), True)
    frames.addframe(1, to_mm, Ast.Frame(2, "Ident=FOCAL_PLANE, Domain=FOCAL_PLANE, Unit(1)=mm, Unit(2)=mm"))
    radian_per_mm = math.radians(PIXEL_SCALE / 3600) / _PIXEL_MM
    frames.addframe(
        2,
        Ast.ZoomMap(2, radian_per_mm),
        Ast.Frame(2, "Ident=FIELD_ANGLE, Domain=FIELD_ANGLE, Unit(1)=rad, Unit(2)=rad"),
    )
    attributes = DetectorAttributes(
        name=detector_name(detector),
        id=detector,
        type=DetectorType.SCIENCE,
        serial="simulated",
        bbox=bbox,
        orientation=Orientation(
            focal_plane_x=0.0,
            focal_plane_y=0.0,
            focal_plane_z=0.0,
            pixel_reference_x=x_mid,
            pixel_reference_y=y_mid,
        ),
        pixel_size=_PIXEL_MM,
        physical_type="simulated",
    )
    return Detector(attributes, [], CameraFrameSet(INSTRUMENT, _shim(frames)), visit=visit)


def _shim(frames: Any) -> Any:
    """Hand an AST frame set to the wrapper that lsst.images puts around pyast."""
    from lsst.images._transforms import _ast

    return _ast.FrameSet.fromString(str(frames))


def make_sky_projection(detector: Detector, pointing: Pointing) -> SkyProjection[Any]:
    """Return a TAN-SIP projection with a gentle distortion.

    Parameters
    ----------
    detector
        Whose pixels to project.
    pointing
        Where its middle points.
    """
    bbox = detector.bbox
    c, s = (f(math.radians(pointing.rotation)) * PIXEL_SCALE / 3600 for f in (math.cos, math.sin))
    header = Header(
        {
            "CTYPE1": "RA---TAN-SIP",
            "CTYPE2": "DEC--TAN-SIP",
            "RADESYS": "ICRS",
            "CRVAL1": pointing.ra,
            "CRVAL2": pointing.dec,
            "CRPIX1": (bbox.x.min + bbox.x.max) / 2 + 1,
            "CRPIX2": (bbox.y.min + bbox.y.max) / 2 + 1,
            # east is left of north: the x axis is mirrored
            "CD1_1": -c,
            "CD1_2": s,
            "CD2_1": s,
            "CD2_2": c,
            # at 2000 pixels from the middle these move a star by about a pixel
            "A_ORDER": 3,
            "A_2_0": 2e-7,
            "A_3_0": 1e-10,
            "A_1_2": 1e-10,
            "B_ORDER": 3,
            "B_1_1": 1e-7,
            "B_0_3": 1e-10,
            "B_2_1": 1e-10,
        }
    )
    return SkyProjection.from_fits_wcs(WCS(header), detector.frame, pixel_bounds=bbox)


def make_visit_info(visit: int, pointing: Pointing, exposure_time: float) -> VisitInfo:
    """Describe a visit in the middle of a night of November 2025.

    Parameters
    ----------
    visit
        Visit id.
    pointing
        Where it points.
    exposure_time
        Open-shutter time [s].
    """
    # UT1 is within a second of UTC, which TAI leads by 37 s
    ut1 = _DATE_TAI - 37 / 86400
    # IAU 2000 resolution B1.8; MJD 51544.5 is J2000.0
    era = 2 * math.pi * ((0.7790572732640 + 1.00273781191135448 * (ut1 - 51544.5)) % 1.0)
    ra, dec, latitude = (math.radians(v) for v in (pointing.ra, pointing.dec, _LATITUDE))
    hour = era + math.radians(_LONGITUDE) - ra
    alt = math.asin(math.sin(latitude) * math.sin(dec) + math.cos(latitude) * math.cos(dec) * math.cos(hour))
    az = math.atan2(
        -math.cos(dec) * math.sin(hour),
        math.sin(dec) * math.cos(latitude) - math.cos(dec) * math.cos(hour) * math.sin(latitude),
    )
    return VisitInfo(
        id=visit,
        exposure_time=exposure_time,
        dark_time=exposure_time + 1.0,
        date_tai=_DATE_TAI,
        ut1=ut1,
        era=era,
        boresight_ra=ra,
        boresight_dec=dec,
        boresight_az=az % (2 * math.pi),
        boresight_alt=alt,
        boresight_airmass=1 / math.sin(alt) if alt > math.radians(10) else math.nan,
        boresight_rot_angle=math.radians(pointing.rotation),
        rot_type="SKY",
        longitude=math.radians(_LONGITUDE),
        latitude=latitude,
        elevation=_ELEVATION,
        air_temperature=10.0,
        air_pressure=74_500.0,
        humidity=30.0,
        instrument=INSTRUMENT,
        observation_type="science",
        science_program="simulation",
        has_simulated_content=True,
    )
