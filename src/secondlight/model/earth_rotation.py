"""The orientation of the Earth on a date, from the table of the IERS that comes with astropy.

`astropy.utils.iers` reads all fifty years of it, which takes seconds, and may go to the network for a newer one; here
two lines are read. The table ``finals2000A.all`` has lines of equal length, one a day
(https://maia.usno.navy.mil/ser7/readme.finals2000A).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import floor, isnan, nan, radians
from pathlib import Path

import astropy_iers_data
import numpy as np
from numpy.typing import NDArray

__all__ = ["EarthOrientation", "earth_orientation"]

#: Columns of the table: MJD; then pole x, pole y [arcsec] and UT1-UTC [s] of Bulletin B, final, and A, rapid or
#: predicted.
_MJD = slice(7, 15)
_FINAL = (slice(134, 144), slice(144, 154), slice(154, 165))
_RAPID = (slice(18, 27), slice(37, 46), slice(58, 68))


@dataclass(frozen=True, slots=True)
class EarthOrientation:
    """How the Earth is turned: ``ut1_utc`` [s], and the pole's position ``x``, ``y`` [rad]."""

    ut1_utc: float
    x: float
    y: float


@lru_cache(maxsize=1)
def _lines() -> NDArray[np.bytes_]:
    path = Path(astropy_iers_data.IERS_A_FILE)
    with path.open("rb") as file:
        length = len(file.readline())
    return np.memmap(path, mode="r", dtype=f"S{length}", shape=(path.stat().st_size // length,))


def _values(line: bytes) -> NDArray[np.float64] | None:
    """Return pole x, pole y and UT1-UTC of a line; `None` if it is beyond the predictions."""
    for columns in (_FINAL, _RAPID):
        parts = [line[c].strip() for c in columns]
        if all(parts):
            return np.array([float(p) for p in parts])
    return None


def earth_orientation(mjd_utc: float) -> EarthOrientation:
    """Return the orientation of the Earth.

    Parameters
    ----------
    mjd_utc
        Date, MJD (UTC) [day].

    Returns
    -------
    EarthOrientation
        Linear between days; before and after the table, that of its first or last day. NaN for a date that is NaN.
    """
    if isnan(mjd_utc):
        return EarthOrientation(nan, nan, nan)
    lines = _lines()
    first = float(bytes(lines[0])[_MJD])
    day = min(max(mjd_utc - first, 0.0), len(lines) - 1.0)
    i = floor(day)
    # the last lines of the table are empty but for the date
    while i > 0 and _values(bytes(lines[i])) is None:
        i -= 1
        day = float(i)
    here = _values(bytes(lines[i]))
    assert here is not None
    after = _values(bytes(lines[i + 1])) if i + 1 < len(lines) else None
    if after is None:
        after = here
    # UT1-UTC jumps at a leap second, UT1 does not
    after[2] -= round(after[2] - here[2])
    x, y, ut1_utc = (here + (day - i) * (after - here)).tolist()
    return EarthOrientation(ut1_utc, radians(x / 3600.0), radians(y / 3600.0))
