"""Noise, bleeding, defects."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondlight.model.mask_planes import MaskPlanes
from secondlight.simulate.ccd import Defects, bleed, expose
from secondlight.simulate.observing import FULL_WELL, READ_NOISE

PLANES = MaskPlanes()


def flat(level, shape=(256, 256)):
    return np.full(shape, float(level))


def no_defects(shape=(256, 256)):
    return Defects(np.zeros(shape, bool))


@pytest.mark.parametrize("level", [10.0, 1000.0, 50_000.0])
def test_noise_equals_the_variance_plane(level):
    shape = (512, 512)
    readout = expose(np.random.default_rng(1), flat(level, shape), flat(0, shape), no_defects(shape), PLANES)
    # the variance of a variance from n pixels is 2/n: 0.3 % here
    assert readout.image.var(dtype=float) == pytest.approx(level + READ_NOISE**2, rel=0.01)
    # counts that read noise makes negative are taken as none: only that can raise the mean of the variance plane
    assert readout.variance.mean(dtype=float) == pytest.approx(
        level + READ_NOISE**2, rel=0.01 if level > 100 else 0.02
    )


def test_cosmic_rays_add_their_charge():
    rays = flat(0)
    rays[100, 100] = 5000.0
    with_, without = (
        expose(np.random.default_rng(1), flat(100), r, no_defects(), PLANES) for r in (rays, flat(0))
    )
    np.testing.assert_allclose(with_.image - without.image, rays, atol=1e-3)
    assert with_.variance[100, 100] - without.variance[100, 100] == pytest.approx(5000.0)


def test_saturated_pixels_hold_the_full_well_and_are_marked():
    expected = flat(500)
    expected[100, 50] = 5 * FULL_WELL
    readout = expose(np.random.default_rng(1), expected, flat(0), no_defects(), PLANES)
    saturated = (readout.mask & PLANES.bits(["SAT"])) != 0
    assert set(np.flatnonzero(saturated.any(axis=0))) == {50}
    assert 4 <= saturated.sum() <= 6
    assert np.all(readout.image[saturated] == np.float32(FULL_WELL))
    assert readout.image.max() == np.float32(FULL_WELL)


def test_bad_columns_are_interpolated_and_marked():
    defects = Defects(np.zeros((256, 256), bool))
    defects.bad[:, 7] = True
    readout = expose(np.random.default_rng(1), flat(500), flat(0), defects, PLANES)
    assert np.all(readout.mask[:, 7] == PLANES.bits(["BAD", "INTRP"]))
    np.testing.assert_allclose(
        readout.image[:, 7], (readout.image[:, 6] + readout.image[:, 8]) / 2, rtol=1e-5
    )


def test_border_without_data():
    readout = expose(np.random.default_rng(1), flat(500), flat(0), no_defects(), PLANES, no_data_border=3)
    edge = readout.mask == PLANES.bits(["NO_DATA"])
    assert edge.sum() == 256**2 - 250**2
    assert np.all(np.isnan(readout.image[edge])) and np.all(np.isfinite(readout.image[~edge]))


def test_defects_are_columns():
    bad = Defects.draw(np.random.default_rng(3), (200, 1500)).bad
    assert np.count_nonzero(bad[-1]) == 3
    # a bad column is bad from some row to the far end
    assert np.all(np.diff(bad.astype(int), axis=0) >= 0)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 39), st.floats(0, 8)), max_size=6))
def test_bleeding_keeps_charge_below_the_well(sources):
    column = np.full((40, 1), 1000.0)
    for row, wells in sources:
        column[row] += wells * FULL_WELL
    out = bleed(column)
    assert out.max() <= FULL_WELL
    # charge is moved, never made; none is lost unless it runs off an end, which fills the pixel there
    lost = column.sum() - out.sum()
    assert lost >= -1e-6
    if max(out[0, 0], out[-1, 0]) < FULL_WELL:
        assert lost == pytest.approx(0.0, abs=1e-6)


def test_bleeding_is_symmetric():
    column = np.zeros((41, 1))
    column[20] = 7 * FULL_WELL
    np.testing.assert_allclose(bleed(column), bleed(column)[::-1])
