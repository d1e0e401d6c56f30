"""Where a CCD looks: its corners and centre on the sky, and how far from the zenith (spec 10.2)."""

from __future__ import annotations

import math
import warnings
from typing import Any

import erfa
import numpy as np
from lsst.images import Box, SkyProjection

from ..model.earth_rotation import earth_orientation
from ..model.visit_info import VisitInfo
from ..model.wcs import local_linear, pixel_to_sky

__all__ = ["sky_position", "zenith_distance"]


def sky_position(wcs: SkyProjection[Any], bbox: Box) -> dict[str, Any]:
    """Return the corners and the centre of a box on the sky.

    Parameters
    ----------
    wcs
        The WCS.
    bbox
        The image's box.

    Returns
    -------
    dict
        ``ra``, ``dec``, ``raCorners``, ``decCorners`` [deg], the corners anticlockwise in the image from the first
        pixel's outer corner, and ``pixelScale`` at the centre [arcsec/pixel].
    """
    x0, x1, y0, y1 = bbox.x.start, bbox.x.stop - 1, bbox.y.start, bbox.y.stop - 1
    xc, yc = 0.5 * (x0 + x1), 0.5 * (y0 + y1)
    x = np.array([x0 - 0.5, x1 + 0.5, x1 + 0.5, x0 - 0.5, xc])
    y = np.array([y0 - 0.5, y0 - 0.5, y1 + 0.5, y1 + 0.5, yc])
    ra, dec = (np.degrees(v).tolist() for v in pixel_to_sky(wcs, x, y))
    jacobian = local_linear(wcs, np.array([xc]), np.array([yc]))[0]
    return {
        "ra": ra[4],
        "dec": dec[4],
        "pixelScale": math.sqrt(abs(float(np.linalg.det(jacobian)))),
        "raCorners": ra[:4],
        "decCorners": dec[:4],
    }


def zenith_distance(visit_info: VisitInfo, ra: float, dec: float, *, tai_for_utc: bool = False) -> float:
    """Return the distance from the zenith in the middle of the observation, without refraction.

    Parameters
    ----------
    visit_info
        Date and observatory.
    ra, dec
        ICRS [deg].
    tai_for_utc
        Take the date, which is TAI, for UTC as the reference does: 37 s in time and up to 0.15° on the sky.

    Returns
    -------
    float
        [deg]; NaN if the date, the observatory or the position is not known.
    """
    place = (visit_info.longitude, visit_info.latitude, visit_info.elevation)
    if not all(math.isfinite(v) for v in (visit_info.date_tai, ra, dec, *place)):
        return math.nan
    tai1, tai2 = erfa.DJM0, visit_info.date_tai
    with warnings.catch_warnings():
        # a date for which no leap seconds are known yet
        warnings.simplefilter("ignore", erfa.ErfaWarning)
        utc1, utc2 = (tai1, tai2) if tai_for_utc else erfa.taiutc(tai1, tai2)
        earth = earth_orientation(float(utc1 - erfa.DJM0 + utc2))
        # no proper motion, parallax, velocity; no air
        _, zenith, *_ = erfa.atco13(
            *(math.radians(ra), math.radians(dec), 0.0, 0.0, 0.0, 0.0),
            *(utc1, utc2, earth.ut1_utc, *place, earth.x, earth.y),
            *(0.0, 0.0, 0.0, 1.0),
        )
    return math.degrees(float(zenith))
