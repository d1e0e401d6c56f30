"""One small visit shared by the tests of this folder."""

import pytest

from secondlight.simulate.visit import simulate_visit


@pytest.fixture(scope="session")
def small_visit():
    return simulate_visit(256, 256, seed=3)
