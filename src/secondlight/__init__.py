"""Second Light: the final image and source table of every CCD."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .reprocess import ReprocessVisitImageConfig, ReprocessVisitImageTask

__all__ = ["ReprocessVisitImageConfig", "ReprocessVisitImageTask", "__version__"]

__version__ = version("secondlight")


def __getattr__(name: str) -> object:
    """Import the task when it is first asked for: what it needs takes seconds to import."""
    if name in ("ReprocessVisitImageConfig", "ReprocessVisitImageTask"):
        return getattr(import_module(".reprocess", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
