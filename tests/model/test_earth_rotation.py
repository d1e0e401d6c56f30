"""Earth orientation against astropy's own reading of the same table."""

import math

import astropy_iers_data
import numpy as np
import pytest
from astropy.utils.iers import IERS_A

from secondlight.model.earth_rotation import earth_orientation

ARCSEC = math.radians(1 / 3600)


@pytest.fixture(scope="module")
def table():
    return IERS_A.open(astropy_iers_data.IERS_A_FILE)


@pytest.mark.parametrize("mjd", [42000.0, 50123.25, 57753.75, 57754.5, 60000.123, 61000.0])
def test_astropy(table, mjd):
    ours = earth_orientation(mjd)
    # 57754 is a leap second: astropy's table interpolates UT1-UTC across it by steps, too
    assert ours.ut1_utc == pytest.approx(table.ut1_utc(mjd + 2400000.5).to_value("s"), abs=1e-4)
    x, y = (v.to_value("rad") for v in table.pm_xy(mjd + 2400000.5))
    np.testing.assert_allclose([ours.x, ours.y], [x, y], rtol=0, atol=1e-3 * ARCSEC)


def test_ut1_does_not_jump_at_a_leap_second():
    """UTC stands still for a second at the end of 2016, and with it UT1-UTC gains one; UT1 itself goes on."""
    before, after = earth_orientation(57754.0 - 1e-6), earth_orientation(57754.0)
    assert after.ut1_utc - before.ut1_utc == pytest.approx(1.0, abs=1e-3)


def test_outside_the_table_the_nearest_day_stands():
    assert earth_orientation(10000.0) == earth_orientation(41684.0)
    late = earth_orientation(99999.0)
    assert late == earth_orientation(88888.0)
    assert abs(late.ut1_utc) < 0.9 and math.isfinite(late.x)


def test_unknown_date():
    assert math.isnan(earth_orientation(math.nan).ut1_utc)
