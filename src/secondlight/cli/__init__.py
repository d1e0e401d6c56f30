"""The command line: argument handling, and nothing else."""

from __future__ import annotations

from ._main import main

__all__ = ["main"]
