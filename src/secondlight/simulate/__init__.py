"""A realistic visit with its truth: for the demonstration, tests and benchmarks.

GalSim draws the sky, so that the truth does not rest on Second Light's own PSF and measurement code. It is an extra
(``secondlight[sim]``) that only the making of visits needs: comparing and drawing go without.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from secondlight.errors import UsageError

if TYPE_CHECKING:
    from .butler import ingest_visit
    from .camera import Pointing
    from .files import run_arguments, write_visit
    from .picture import draw_picture
    from .repository_truth import compare_visit_with_truth, draw_visit
    from .truth import TruthComparison, compare_with_truth
    from .visit import SimulatedVisit, simulate_visit

__all__ = [
    "Pointing",
    "SimulatedVisit",
    "TruthComparison",
    "compare_visit_with_truth",
    "compare_with_truth",
    "draw_picture",
    "draw_visit",
    "ingest_visit",
    "run_arguments",
    "simulate_visit",
    "write_visit",
]

_HOMES = {
    "Pointing": "camera",
    "SimulatedVisit": "visit",
    "TruthComparison": "truth",
    "compare_visit_with_truth": "repository_truth",
    "compare_with_truth": "truth",
    "draw_picture": "picture",
    "draw_visit": "repository_truth",
    "ingest_visit": "butler",
    "run_arguments": "files",
    "simulate_visit": "visit",
    "write_visit": "files",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: GalSim takes its time, and may be missing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    except ModuleNotFoundError as error:
        if error.name != "galsim":
            raise
        raise UsageError("simulating a visit needs GalSim: pip install 'secondlight[sim]'") from None
