"""``python -m secondlight``: the command where its script is not on PATH."""

from __future__ import annotations

from .cli import main

main()
