"""The vectorisable exponential against NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondlight.kernels.exponential import EXP_MIN, exp


@given(st.floats(EXP_MIN, 700.0))
def test_equals_numpy(x):
    assert exp(x) == pytest.approx(float(np.exp(x)), rel=1e-15)


def test_whole_range():
    x = np.linspace(EXP_MIN, 700.0, 20001)
    np.testing.assert_allclose([exp(v) for v in x], np.exp(x), rtol=1e-15)
    assert exp(0.0) == 1.0
