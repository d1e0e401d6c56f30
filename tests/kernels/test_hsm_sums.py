"""Sums under an elliptical weight in double precision, against NumPy."""

import numpy as np
import pytest

from secondlight.kernels.hsm_sums import HSM_EMPTY, HSM_OK, HSM_SINGULAR, fourth_moment, weighted_sums


def twin(stamp, bounds, x, y, mxx, mxy, myy):
    i0, i1, j0, j1 = bounds
    dy, dx = (
        a[i0:i1, j0:j1]
        for a in np.mgrid[: stamp.shape[0], : stamp.shape[1]] - np.array([y, x])[:, None, None]
    )
    p = np.linalg.inv([[mxx, mxy], [mxy, myy]])
    rho2 = p[0, 0] * dx * dx + 2 * p[0, 1] * dx * dy + p[1, 1] * dy * dy
    v = np.where(rho2 <= -2 * np.log(1e-7), stamp[i0:i1, j0:j1] * np.exp(-0.5 * rho2), 0.0)
    return [np.sum(v * t) for t in (1, dx, dy, dx * dx, dx * dy, dy * dy)], np.sum(v * rho2**2)


@pytest.mark.parametrize(
    "moments",
    [
        (3.0, 0.4, 2.5),
        (0.1, 0.02, 0.08),
        (60.0, -55.0, 60.0),
        (400.0, 0.0, 1.0),
        (1.0, 0.0, 400.0),
        (0.02, 0.0, 30.0),
    ],
)
@pytest.mark.parametrize("width", [4, 7, 41, 50])
def test_twin(moments, width):
    rng = np.random.default_rng(3)
    stamp = rng.normal(1.0, 1.0, (41, 50))
    bounds = np.array([2, 40, 9, 9 + width - 2]) if width < 41 else np.array([0, 41, 0, width])
    x, y = 0.5 * (bounds[2] + bounds[3]) - 0.7, 20.3
    rows, sums = np.empty((4, 41)), np.empty(6)
    assert weighted_sums(stamp, bounds, x, y, *moments, rows, sums) == HSM_OK
    expected, fourth = twin(stamp, bounds, x, y, *moments)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(sums, expected, rtol=1e-11, atol=1e-12 * scale)
    assert fourth_moment(stamp, bounds, x, y, *moments, rows) == pytest.approx(
        fourth, rel=1e-10, abs=1e-11 * scale
    )


def test_nothing_to_sum():
    stamp, rows, sums = np.ones((9, 9)), np.empty((4, 9)), np.empty(6)
    whole = np.array([0, 9, 0, 9])
    assert weighted_sums(stamp, whole, 4.0, 4.0, 1.0, 1.0, 1.0, rows, sums) == HSM_SINGULAR
    assert weighted_sums(stamp, whole, 4.0, -90.0, 1.0, 0.0, 1.0, rows, sums) == HSM_EMPTY
