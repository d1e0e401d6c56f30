"""The Butler's face of the task: connections, storage classes, formatters, shipped pipelines.

Names are imported when first asked for: a formatter is often all that a reader of a dataset needs, and the task brings
the kernels with it. Where the overrides for afw's storage classes are in force, importing this package makes the names
of the stack's formatters known (`stack_names`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .stack_names import provide

if TYPE_CHECKING:
    from .connections import ReprocessVisitImageConnections
    from .task import ReprocessVisitImageConfig, ReprocessVisitImageTask

__all__ = ["ReprocessVisitImageConfig", "ReprocessVisitImageConnections", "ReprocessVisitImageTask"]

_HOMES = {
    "ReprocessVisitImageConfig": "task",
    "ReprocessVisitImageConnections": "connections",
    "ReprocessVisitImageTask": "task",
}


provide()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
