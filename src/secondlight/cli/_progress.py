"""A line on standard error that says which stage is running."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console

__all__ = ["Progress"]


class Progress:
    """Shows the current stage: a live line on a terminal, one line for every slow stage elsewhere.

    Parameters
    ----------
    enabled
        Whether to show anything.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._enabled = enabled
        self._status = self._console.status("starting") if enabled and self._console.is_terminal else None
        self._current: tuple[str, float] | None = None

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        if self._status is not None:
            self._status.stop()

    def stage(self, name: str) -> None:
        """Say that a stage begins.

        Parameters
        ----------
        name
            The stage.
        """
        self._end()
        self._current = (name, time.perf_counter())
        if self._status is not None:
            self._status.update(name.replace("_", " "))

    def _end(self) -> None:
        if self._current is None or not self._enabled:
            return
        name, start = self._current
        seconds = time.perf_counter() - start
        # anything under two seconds needs no line
        if seconds > 2:
            self._console.print(f"{name.replace('_', ' ')}: {seconds:.1f} s", style="dim")
        self._current = None
