"""Configuration override files shipped with the package: load one with ``--config-file NAME``."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["shipped", "shipped_names"]


def shipped_names() -> list[str]:
    """Return the names of the shipped override files, without ``.py``."""
    here = Path(str(files(__name__)))
    return sorted(p.stem for p in here.glob("*.py") if p.stem != "__init__")


def shipped(name: str) -> Path | None:
    """Return the path of a shipped override file, or `None` if there is none of that name.

    Parameters
    ----------
    name
        ``reference``, ``configs/reference.py`` and ``reference.py`` all name the same file.
    """
    stem = Path(name).name.removesuffix(".py")
    return Path(str(files(__name__))) / f"{stem}.py" if stem in shipped_names() else None
