"""Numba kernels: flat arrays in, arrays and flag bits out.

No units, no exceptions, nothing imported from the rooms above. Each is serial and releases the GIL;
`secondlight.threads` splits the work. Each has a readable NumPy twin in its test.
"""

from __future__ import annotations

from ._jit import cache_directory, jit

__all__ = ["cache_directory", "jit"]
