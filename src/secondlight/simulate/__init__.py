"""A realistic visit with its truth: for the demonstration, tests and benchmarks.

GalSim draws the sky, so that the truth does not rest on Second Light's own PSF and measurement code.
"""

from __future__ import annotations

__all__: list[str] = []
