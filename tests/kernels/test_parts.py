"""Kernels that kernels call are parts of these: compiled once for all constants, and for themselves only when Python calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from secondlight.kernels._jit import jit, jit_sum


@pytest.fixture
def kernels(monkeypatch) -> Any:
    """Some that are compiled in this test, whatever earlier ones left on the disk."""
    monkeypatch.setenv("SECONDLIGHT_NO_CACHE", "1")

    class Kernels:
        @staticmethod
        @jit
        def power(x: float, n: int) -> float:
            result = 1.0
            for _ in range(n):
                result *= x
            return result

        @staticmethod
        @jit_sum
        def total(values: np.ndarray) -> float:
            total = 0.0
            for value in values:
                total += value
            return total

    power, total = Kernels.power, Kernels.total

    @jit
    def norms(values: np.ndarray) -> tuple[float, float]:
        cubes = np.empty(len(values))
        for i in range(len(values)):
            cubes[i] = power(values[i], 3)
        return power(total(values), 2), total(cubes)

    Kernels.norms = staticmethod(norms)
    return Kernels


def test_only_what_python_calls_is_compiled_for_itself(kernels):
    assert kernels.norms(np.array([1.0, 2.0, 4.0])) == (49.0, 73.0)
    assert len(kernels.norms.signatures) == 1
    assert not kernels.power.signatures and not kernels.total.signatures
    # two constants, one version
    part = next(
        c.cell_contents
        for c in kernels.power.get_call_template.__closure__
        if c.cell_contents is not kernels.power and hasattr(c.cell_contents, "overloads")
    )
    assert len(part.overloads) == 1


def test_called_from_python_it_is_compiled_as_ever(kernels):
    assert kernels.power(3.0, 4) == 81.0
    assert len(kernels.power.signatures) == 1


def test_what_python_called_before_serves_callers(kernels):
    values = np.array([1.0, 2.0, 4.0])
    assert kernels.power(2.0, 2) == 4.0 and kernels.total(values) == 7.0
    assert kernels.norms(values) == (49.0, 73.0)
