"""Configuration from override files and KEY=VALUE pairs, as the field's users write them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
            raise UsageError(f"{name}: {type(error).__name__}: {_brief(error)}") from error
    for pair in values:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"--config {pair}: expected KEY=VALUE")
        try:
            _assign(config, key.strip(), value.strip())
        except Exception as error:
            # as above: fields check values with code of their own
            raise UsageError(f"--config {pair}: {_brief(error)}") from error
    try:
        config.validate()
    except ValueError as error:
        raise UsageError(f"configuration: {_brief(error)}") from error
    return config


def _brief(error: Exception) -> str:
    """What is wrong, without where in the source the field is defined, which `lsst.pex.config` adds."""
    return " ".join(str(error).split()).split(" For more information see the Field definition")[0]


def _assign(config: Any, key: str, text: str) -> None:
    """Assign to a field named as in an override file, for instance ``measurement.plugins["base_Jacobian"].pixelScale``."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    *path, last = _steps(ast.parse(f"config.{key}", mode="eval").body)
    for is_item, name in path:
        config = config[name] if is_item else getattr(config, name)
    is_item, name = last
    if is_item:
        config[name] = value
    elif not hasattr(config, name):
        raise AttributeError(f"there is no field {name!r} here")
    else:
        setattr(config, name, value)


def _steps(node: ast.expr) -> list[tuple[bool, Any]]:
    """The attributes and items that lead from the configuration to a field: (whether an item, its name)."""
    match node:
        case ast.Name():
            return []
        case ast.Attribute(value=inner, attr=name):
            return [*_steps(inner), (False, name)]
        case ast.Subscript(value=inner, slice=ast.Constant(value=name)):
            return [*_steps(inner), (True, name)]
    raise ValueError('the name of a field may hold only dots and ["name"]')
