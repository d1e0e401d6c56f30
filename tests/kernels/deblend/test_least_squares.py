"""Twin: numpy.linalg.lstsq; nested models from one factorisation."""

from __future__ import annotations

import numpy as np
import pytest

from secondlight.kernels.deblend.least_squares import has_full_rank, residual, triangularise


def _factorised(columns, data):
    a = np.vstack([columns, data]).astype(float)
    diagonal, lengths = np.empty(len(columns)), np.empty(len(columns))
    triangularise(a, diagonal, lengths)
    return a, diagonal, lengths


@pytest.mark.parametrize(("n", "m"), [(1, 2), (4, 20), (7, 9), (9, 130)])
def test_residuals_of_all_leading_columns(n, m):
    rng = np.random.default_rng(n)
    columns, data = rng.normal(size=(n, m)) * 10.0 ** rng.integers(-3, 3, (n, 1)), rng.normal(size=m)
    a, diagonal, lengths = _factorised(columns, data)
    for k in range(1, n + 1):
        solution, chisq, rank, _ = np.linalg.lstsq(columns[:k].T, data, rcond=-1)
        assert rank == k and has_full_rank(diagonal, lengths, k, m)
        np.testing.assert_allclose(residual(a, k), chisq[0], rtol=1e-10)
        np.testing.assert_allclose(a[n, k - 1] / diagonal[k - 1], solution[-1], rtol=1e-9)


@pytest.mark.parametrize("kind", ["equal", "zero", "sum", "scaled"])
def test_dependent_columns_are_told(kind):
    rng = np.random.default_rng(2)
    columns = rng.normal(size=(4, 40))
    columns[3] = {
        "equal": columns[1],
        "zero": 0,
        "sum": columns[0] + columns[1] - columns[2],
        "scaled": 1e-3 * columns[2],
    }[kind]
    _, diagonal, lengths = _factorised(columns, rng.normal(size=40))
    assert has_full_rank(diagonal, lengths, 3, 40)
    assert not has_full_rank(diagonal, lengths, 4, 40)
    if (
        kind == "zero"
    ):  # of the others LAPACK may think otherwise: their smallest singular values are roundings
        assert len(np.linalg.lstsq(columns.T, np.ones(40), rcond=-1)[1]) == 0


def test_as_many_columns_as_rows_leave_no_residual():
    rng = np.random.default_rng(3)
    for m in (2, 3):
        _, diagonal, lengths = _factorised(rng.normal(size=(3, m)), rng.normal(size=m))
        assert not has_full_rank(diagonal, lengths, 3, m)
