"""base_SdssCentroid on a batch."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.measuring import gaussian_stars, measure, square_footprints

NAME = "base_SdssCentroid"


@given(
    dx=st.floats(-0.5, 0.49),
    dy=st.floats(-0.5, 0.49),
    x0=st.integers(-1000, 1000),
    y0=st.integers(-1000, 1000),
)
@settings(max_examples=15)
def test_star_at_any_place_and_origin(dx, dy, x0, y0):
    """Property: a star is found to 2 % of a pixel in the parent's coordinates, wherever the image begins."""
    x, y = x0 + 30 + dx, y0 + 32 + dy
    catalog = measure(gaussian_stars((64, 60), x, y, 1e4, x0=x0, y0=y0), square_footprints(x, y), [NAME])
    assert math.hypot(catalog[f"{NAME}_x"][0] - x, catalog[f"{NAME}_y"][0] - y) < 0.02
    assert not catalog[f"{NAME}_flag"][0]
    assert 0 < catalog[f"{NAME}_xErr"][0] < 0.01


def test_pull_in_a_batch():
    """Property: centres scatter about the truth as their errors say (which are a fifth too large)."""
    rng = np.random.default_rng(8)
    gy, gx = np.mgrid[:12, :12].reshape(2, -1) * 40.0 + 30.0
    x, y = gx + rng.uniform(-0.5, 0.5, 144), gy + rng.uniform(-0.5, 0.5, 144)
    exposure = gaussian_stars((500, 500), x, y, np.full(144, 3e3), noise=5.0, seed=4)
    catalog = measure(exposure, square_footprints(x, y), [NAME])
    assert not catalog[f"{NAME}_flag"].any()
    pull = np.r_[
        (catalog[f"{NAME}_x"] - x) / catalog[f"{NAME}_xErr"],
        (catalog[f"{NAME}_y"] - y) / catalog[f"{NAME}_yErr"],
    ]
    assert abs(pull.mean()) < 0.15
    assert pull.std() == pytest.approx(0.82, abs=0.1)


def test_flags_of_a_batch():
    """Each source gets its own flags: fine, near the edge, at the edge, off the image, no maximum."""
    x, y = [30.0, 6.0, 2.0, 300.0, 50.0], [30.0, 30.0, 50.0, 30.0, 55.0]
    exposure = gaussian_stars((80, 80), x, y, [1e4, 1e4, 1e4, 1e4, -1e4])
    catalog = measure(exposure, square_footprints(x, y), [NAME])

    def rows(flag):
        return np.flatnonzero(catalog[f"{NAME}_{flag}"]).tolist()

    assert rows("flag") == [1, 2, 3, 4]
    assert rows("flag_near_edge") == [1]
    assert rows("flag_edge") == [2, 3]
    assert rows("flag_notAtMaximum") == [4]
    assert rows("flag_noSecondDerivative") == rows("flag_almostNoSecondDerivative") == []
    np.testing.assert_array_equal(catalog[f"{NAME}_x"][2:], x[2:])


def test_footprint_check_follows_the_origin():
    """The centre is looked up in the footprint in parent coordinates; the check can be switched off."""
    exposure = gaussian_stars((60, 60), 130.4, 230.0, 1e4, x0=100, y0=200)
    narrow = square_footprints([130.0], [230.0], half=0)
    wide = measure(exposure, narrow, [NAME])
    assert not wide[f"{NAME}_flag"][0]
    exposure = gaussian_stars((60, 60), 130.8, 230.0, 1e4, x0=100, y0=200)
    assert measure(exposure, narrow, [NAME])[f"{NAME}_flag_resetToPeak"][0]

    def unchecked(config):
        config.plugins[NAME].doFootprintCheck = False

    assert measure(exposure, narrow, [NAME], unchecked)[f"{NAME}_x"][0] == pytest.approx(130.8, abs=0.03)
