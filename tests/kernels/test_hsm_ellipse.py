"""Moments on their way to the table, against the same steps in NumPy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondlight.kernels.hsm_ellipse import pass_on_moments


def twin(xx, yy, xy):
    """Size and distortion in single precision; reduced shear; distortion; moments; semi-axes and angle; moments."""
    f32 = np.float32
    sigma = float(f32((xx * yy - xy * xy) ** 0.25))
    e = complex(float(f32((xx - yy) / (xx + yy))), float(f32(2 * xy / (xx + yy))))
    g = e / (1 + math.sqrt(1 - abs(e) ** 2))
    e = 2 * g / (1 + abs(g) ** 2)
    scale = sigma**2 / math.sqrt(1 - abs(e) ** 2)
    values, vectors = np.linalg.eigh(
        scale * np.array([[1 + e.real, e.imag], [e.imag, 1 - e.real]]),
    )
    matrix = vectors @ np.diag(values) @ vectors.T
    return matrix[0, 0], matrix[1, 1], matrix[0, 1]


@given(a=st.floats(0.3, 30), q=st.floats(0.05, 1), theta=st.floats(-1.5, 1.5))
def test_twin(a, q, theta):
    b = q * a
    cos, sin = math.cos(theta), math.sin(theta)
    xx, yy, xy = (a * cos) ** 2 + (b * sin) ** 2, (a * sin) ** 2 + (b * cos) ** 2, (a * a - b * b) * cos * sin
    moments = np.array([[xx, yy, xy]])
    pass_on_moments(moments)
    np.testing.assert_allclose(moments[0], twin(xx, yy, xy), rtol=1e-12, atol=1e-12 * a * a)
    # not more is lost than the last digits of a size and a distortion in single precision
    np.testing.assert_allclose(moments[0], [xx, yy, xy], rtol=3e-7 / q**2, atol=3e-7 * a * a)


@pytest.mark.parametrize("row", [(math.nan, 1.0, 0.0), (1.0, 1.0, 1.0), (-1.0, -1.0, 0.0), (1.0, 1.0, 2.0)])
def test_no_ellipse(row):
    moments = np.array([row])
    pass_on_moments(moments)
    np.testing.assert_array_equal(moments, [row])
