"""The one decorator of every kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numba

__all__ = ["jit"]


def jit[F: Callable[..., object]](function: F) -> F:
    """Compile ``function`` on first use, keep it on disk, and let other threads run meanwhile.

    Division by zero gives inf or nan, as in NumPy: kernels report trouble by flags, never by exceptions.
    ``fastmath`` stays off: results must not depend on how the compiler regroups a sum, and NaN must be seen.

    Parameters
    ----------
    function
        A function in the subset of Python that Numba compiles.
    """
    return cast(F, numba.njit(function, cache=True, nogil=True, error_model="numpy"))
