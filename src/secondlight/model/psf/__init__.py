"""Point-spread functions evaluated at many positions in one call."""

from __future__ import annotations

from ._base import BatchPsf, PsfStamps

__all__ = ["BatchPsf", "PsfStamps"]
