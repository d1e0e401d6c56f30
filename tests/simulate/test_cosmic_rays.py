"""Tracks of charge."""

import numpy as np
import pytest
from scipy.ndimage import label

from secondlight.simulate.cosmic_rays import draw_cosmic_rays


def test_number_goes_with_time_and_area():
    charge = draw_cosmic_rays(np.random.default_rng(2), (1000, 1000), 200.0)
    _, n = label(charge > 0, np.ones((3, 3)))
    # one a second and million pixels; sideways diffusion splits a few, crossings merge some
    assert n == pytest.approx(200, rel=0.25)


def test_tracks_are_bright_thin_and_of_many_lengths():
    charge = draw_cosmic_rays(np.random.default_rng(2), (1000, 1000), 200.0)
    groups, _ = label(charge > 0, np.ones((3, 3)))
    areas = np.bincount(groups.ravel())[1:]
    sums = np.bincount(groups.ravel(), charge.ravel())[1:]
    assert np.median(sums) > 3000.0
    assert areas.max() > 4 * np.median(areas)


def test_charge_is_whole_electrons_and_seeded():
    a, b = (draw_cosmic_rays(np.random.default_rng(5), (300, 300), 100.0) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(a, np.rint(a))
    assert a.min() >= 0 and a.max() > 0
