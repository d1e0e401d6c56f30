"""Split blends into their sources (spec 06)."""

from __future__ import annotations

from ._config import SourceDeblendConfig
from ._task import SourceDeblendTask

__all__ = ["SourceDeblendConfig", "SourceDeblendTask"]
