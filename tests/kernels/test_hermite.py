"""Cubic interpolation against the function that was tabulated."""

import numpy as np
import pytest

from secondlight.kernels.hermite import interpolate


@pytest.mark.parametrize("per_unit", [8, 32])
def test_error_is_within_its_bound(per_unit):
    t = np.arange(3 * per_unit + 1) / per_unit
    table = np.stack([np.sin(2 * t), 2 * np.cos(2 * t)], axis=1)
    places = np.linspace(0, len(table) - 1.001, 301)
    found = np.array([interpolate(table, p, per_unit) for p in places])
    # the fourth derivative is at most 2⁴
    assert np.abs(found - np.sin(2 * places / per_unit)).max() <= 16 / per_unit**4 / 384 + 1e-15
    assert interpolate(table, 5.0, per_unit) == table[5, 0]
