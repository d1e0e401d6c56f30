"""Second Light: the final image and source table of every CCD."""

from __future__ import annotations

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("secondlight")
