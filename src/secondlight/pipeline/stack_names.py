"""Names that repositories of the stack use, where the stack is not to be used."""

from __future__ import annotations

import os
import sys

from .storage import afw_names_are_ours

__all__ = ["provide"]


def provide() -> None:
    """Let the names of the stack's formatters mean those of `afw_formatters`, if afw's storage classes mean our types.

    A repository keeps the name of the formatter of each dataset, ``lsst.obs.base.formatters.…``, and the Butler imports
    it to read. Nothing happens unless the overrides (`secondlight.pipeline.storage.overrides_path`) are in force.
    """
    if "DAF_BUTLER_CONFIG_PATH" in os.environ and afw_names_are_ours():
        from . import afw_formatters

        for module in ("fitsExposure", "fitsGeneric"):
            sys.modules[f"lsst.obs.base.formatters.{module}"] = afw_formatters
