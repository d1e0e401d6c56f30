"""Configuration from override files and KEY=VALUE pairs, as the field's users write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lsst.pipe.base.configOverrides import ConfigOverrides

from .configs import shipped, shipped_names
from .errors import UsageError
from .reprocess import ReprocessVisitImageConfig

__all__ = ["build_config"]


def build_config(files: Sequence[str] = (), values: Sequence[str] = ()) -> ReprocessVisitImageConfig:
    """Make a configuration: defaults, then files in order, then values in order; validated.

    Parameters
    ----------
    files
        Paths of override files (``config.detection.thresholdValue = 6.0``), or names of shipped ones.
    values
        ``KEY=VALUE`` pairs (``detection.thresholdValue=6.0``).

    Raises
    ------
    UsageError
        Raised if a file is missing or faulty, a field does not exist, or a value does not fit its field.
    """
    config = ReprocessVisitImageConfig()
    for name in files:
        path = Path(name)
        if not path.is_file():
            found = shipped(name)
            if found is None:
                raise UsageError(
                    f"{name}: no such configuration file, and not a shipped one ({', '.join(shipped_names())})"
                )
            path = found
        try:
            config.load(str(path))
        except Exception as error:
            # an override file is the user's own Python: anything may be raised in it
            raise UsageError(f"{name}: {type(error).__name__}: {error}") from error
    for pair in values:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"--config {pair}: expected KEY=VALUE")
        override = ConfigOverrides()
        override.addValueOverride(key.strip(), value.strip())
        try:
            override.applyTo(config)
        except Exception as error:
            raise UsageError(f"--config {pair}: {error}") from error
    try:
        config.validate()
    except ValueError as error:
        raise UsageError(f"configuration: {error}") from error
    return config
