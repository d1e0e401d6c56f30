"""Errors that name the component of the file in which they arose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import starlink.Ast

from ...errors import InputError

__all__ = ["component"]


@contextmanager
def component(path: object, name: str | None = None) -> Iterator[None]:
    """Turn whatever a malformed file provokes into an error of one line.

    Parameters
    ----------
    path
        The file.
    name
        The component that is being read.

    Raises
    ------
    InputError
        Raised in place of the errors of the calls inside, with file and component before the message.
    """
    try:
        yield
    except InputError as error:
        message = str(error).removeprefix(f"{path}: ")
        raise InputError(message, path=path, part=name) from None
    except starlink.Ast.AstError as error:
        raise InputError(f"AST refuses it ({str(error).splitlines()[0]})", path=path, part=name) from None
    except KeyError as error:
        raise InputError(f"{error} is missing", path=path, part=name) from None
    except (ValueError, TypeError, LookupError, ArithmeticError, UnicodeError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"the stored values make no sense ({message})", path=path, part=name) from None
