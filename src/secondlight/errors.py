"""The exception tree, by who must act.

::

    SecondLightError
    ├── UsageError        the caller: an option or configuration is wrong             exit status 2
    ├── InputError        the owner of the file: unreadable or inconsistent input     exit status 3
    ├── ProcessingError   nobody: this data cannot be processed (an AlgorithmError)   exit status 4
    └── NoWorkError       upstream: the calibrations of this detector are missing     exit status 4
"""

from __future__ import annotations

from typing import Any

from lsst.pipe.base import AlgorithmError, UpstreamFailureNoWorkFound

__all__ = ["InputError", "NoWorkError", "ProcessingError", "SecondLightError", "UsageError"]


class SecondLightError(Exception):
    """Base of every error that Second Light raises on purpose.

    The message is one sentence that names the file and the value at fault.
    """

    exit_status: int = 1


class UsageError(SecondLightError):
    """An option, argument or configuration value is wrong."""

    exit_status = 2


class InputError(SecondLightError):
    """An input cannot be read, or contradicts another input.

    Parameters
    ----------
    message
        What is wrong, in one sentence.
    path
        The file at fault; put before the message.
    part
        The HDU, component or column at fault; put between file and message.
    """

    exit_status = 3

    def __init__(self, message: str, *, path: object = None, part: str | None = None) -> None:
        where = ": ".join(str(p) for p in (path, part) if p is not None)
        super().__init__(f"{where}: {message}" if where else message)
        self.path = path
        self.part = part


class ProcessingError(SecondLightError, AlgorithmError):
    """The data was read, and cannot be processed.

    Parameters
    ----------
    message
        What is wrong, in one sentence.
    **metadata
        Numbers that describe the failure, kept in the outputs' metadata.
    """

    exit_status = 4

    def __init__(self, message: str, **metadata: Any) -> None:
        super().__init__(message)
        self._metadata = metadata

    @property
    def metadata(self) -> dict[str, Any]:
        """Numbers that describe the failure."""
        return self._metadata


class NoWorkError(SecondLightError, UpstreamFailureNoWorkFound):
    """Upstream made nothing to process for this detector."""

    exit_status = 4
