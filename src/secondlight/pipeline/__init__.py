"""The Butler's face of the task: connections, storage classes, formatters, shipped pipelines.

Names are imported when first asked for: a formatter is often all that a reader of a dataset needs, and the task brings
the kernels with it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .connections import ReprocessVisitImageConnections
    from .task import ReprocessVisitImageConfig, ReprocessVisitImageTask

__all__ = ["ReprocessVisitImageConfig", "ReprocessVisitImageConnections", "ReprocessVisitImageTask"]

_HOMES = {
    "ReprocessVisitImageConfig": "task",
    "ReprocessVisitImageConnections": "connections",
    "ReprocessVisitImageTask": "task",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
