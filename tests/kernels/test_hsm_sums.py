"""Sums under an elliptical weight in double precision, against NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondlight.kernels.hsm_sums import (
    HSM_EMPTY,
    HSM_LONG,
    HSM_OK,
    HSM_SINGULAR,
    fourth_moment,
    panels_of,
    weighted_sums,
    workspace,
)

CUT = (-2 * np.log(1e-7), 1e-7)


def twin(stamp, x, y, mxx, mxy, myy, cut):
    dy, dx = np.mgrid[: stamp.shape[0], : stamp.shape[1]] - np.array([y, x])[:, None, None]
    p = np.linalg.inv([[mxx, mxy], [mxy, myy]])
    rho2 = p[0, 0] * dx * dx + 2 * p[0, 1] * dx * dy + p[1, 1] * dy * dy
    v = np.where(rho2 <= cut[0], stamp * np.exp(-0.5 * rho2), 0.0)
    return [np.sum(v * t) for t in (1, dx, dy, dx * dx, dx * dy, dy * dy)], np.sum(v * rho2**2)


@pytest.mark.parametrize(
    "moments",
    [
        (3.0, 0.4, 2.5),
        (0.1, 0.02, 0.08),
        (60.0, -55.0, 60.0),
        (60.0, 57.0, 60.0),
        (7000.0, -6000.0, 6500.0),
        (400.0, 0.0, 1.0),
        (1.0, 0.0, 400.0),
        (0.02, 0.0, 30.0),
        (0.02, 0.736, 30.0),
        (30.0, -0.736, 0.02),
    ],
)
@pytest.mark.parametrize("width", [4, 7, 41, 50, 300])
@pytest.mark.parametrize("cut", [CUT, (56.25, np.exp(-56.25 / 2))])
def test_twin(moments, width, cut):
    rng = np.random.default_rng(3)
    stamp = rng.normal(1.0, 1.0, (41, 301))
    bounds = np.array([2, 40, 9, 9 + width - 2]) if width < 41 else np.array([0, 41, 0, width])
    part = stamp[bounds[0] : bounds[1], bounds[2] : bounds[3]]
    x, y = 0.5 * part.shape[1] - 0.7, 18.3
    panels, (h, w), sums = panels_of(stamp, bounds), part.shape, np.empty(6)
    assert weighted_sums(panels, h, w, x, y, *moments, cut, *workspace(h), sums) == HSM_OK
    expected, fourth = twin(part, x, y, *moments, cut)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(sums, expected, rtol=1e-11, atol=1e-12 * scale)
    assert fourth_moment(panels, h, w, x, y, *moments, cut) == pytest.approx(
        fourth, rel=1e-10, abs=1e-11 * scale
    )


@given(
    st.floats(-4.0, 6.0),
    st.floats(-4.0, 6.0),
    st.floats(-0.959, 0.959),
    st.floats(-10.0, 80.0),
    st.floats(-10.0, 40.0),
)
def test_any_weight(log_xx, log_yy, correlation, x, y):
    mxx, myy = np.exp(log_xx), np.exp(log_yy)
    moments = (mxx, correlation * np.sqrt(mxx * myy), myy)
    stamp, sums = np.random.default_rng(3).normal(1.0, 1.0, (30, 70)), np.empty(6)
    status = weighted_sums(
        panels_of(stamp, np.array([0, 30, 0, 70])), 30, 70, x, y, *moments, CUT, *workspace(30), sums
    )
    expected, _ = twin(stamp, x, y, *moments, CUT)
    if status == HSM_EMPTY:
        assert not np.any(expected)
    else:
        assert status == HSM_OK
        # weights at the very edge may be in or out
        scale = 1e-6 * np.array([1.0, *np.sqrt([mxx, myy]), mxx, np.sqrt(mxx * myy), myy])
        np.testing.assert_array_less(np.abs(sums - expected), 1e-9 * np.abs(expected) + scale)


def test_nothing_to_sum():
    panels, sums = panels_of(np.ones((9, 9)), np.array([0, 9, 0, 9])), np.empty(6)
    work = workspace(9)
    assert weighted_sums(panels, 9, 9, 4.0, 4.0, 1.0, 1.0, 1.0, CUT, *work, sums) == HSM_SINGULAR
    assert weighted_sums(panels, 9, 9, 4.0, -90.0, 1.0, 0.0, 1.0, CUT, *work, sums) == HSM_EMPTY
    assert weighted_sums(panels, 9, 9, 4.0, 4.0, 1.0, 0.97, 1.0, CUT, *work, sums) == HSM_LONG
    assert weighted_sums(panels, 9, 9, -90.0, 4.0, 1.0, 0.0, 1.0, CUT, *work, sums) == HSM_OK
    assert not sums.any()
