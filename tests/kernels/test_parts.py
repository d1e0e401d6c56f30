"""Kernels that kernels call are parts of these: compiled once for all constants, and for themselves only when Python calls."""

from __future__ import annotations

import numpy as np

from secondlight.kernels._jit import jit, jit_sum


@jit
def _power(x: float, n: int) -> float:
    result = 1.0
    for _ in range(n):
        result *= x
    return result


@jit_sum
def _total(values: np.ndarray) -> float:
    total = 0.0
    for value in values:
        total += value
    return total


@jit
def _norms(values: np.ndarray) -> tuple[float, float]:
    cubes = np.empty(len(values))
    for i in range(len(values)):
        cubes[i] = _power(values[i], 3)
    return _power(_total(values), 2), _total(cubes)


def test_only_what_python_calls_is_compiled_for_itself():
    assert _norms(np.array([1.0, 2.0, 4.0])) == (49.0, 73.0)
    assert len(_norms.signatures) == 1
    assert not _power.signatures and not _total.signatures
    # two constants, one version
    part = next(
        c.cell_contents
        for c in _power.get_call_template.__closure__
        if c.cell_contents is not _power and hasattr(c.cell_contents, "overloads")
    )
    assert len(part.overloads) == 1


def test_called_from_python_it_is_compiled_as_ever():
    assert _power(3.0, 4) == 81.0
    assert len(_power.signatures) == 1


@jit
def _again(x: float) -> float:
    return _power(x, 5)


def test_what_python_called_before_serves_callers():
    _power(2.0, 2)
    assert _again(2.0) == 32.0
