"""A realistic visit with its truth: for the demonstration, tests and benchmarks.

GalSim draws the sky, so that the truth does not rest on Second Light's own PSF and measurement code.
"""

from __future__ import annotations

from .files import run_arguments, write_visit
from .picture import draw_picture
from .truth import compare_with_truth
from .visit import SimulatedVisit, simulate_visit

__all__ = [
    "SimulatedVisit",
    "compare_with_truth",
    "draw_picture",
    "run_arguments",
    "simulate_visit",
    "write_visit",
]
