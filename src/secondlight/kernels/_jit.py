"""The one decorator of every kernel, and where compiled kernels are kept.

Numba's own on-disk cache notices that a function's file changed, and not that the file of a kernel it calls did: after an
update it may run old code. Here each module's kernels are kept in a folder named by a hash of that module and of all kernel
modules it imports, so that what is found is what would be compiled.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

import numba
import numba.core.config
from numba.core.dispatcher import Dispatcher

from ._parts import call_as_part

__all__ = ["cache_directory", "jit", "jit_sum"]

_KERNELS = Path(__file__).parent
_PACKAGE = __name__.rpartition(".")[0]
_CACHE = "secondlight-kernels"

#: An import from a module; a parser of Python would take longer than all else that importing the kernels does.
_FROM_IMPORT = re.compile(r"^[ \t]*from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)", re.MULTILINE)
_WORD = re.compile(r"\w+")


def cache_directory() -> Path:
    """Return the folder that holds all compiled kernels: below ``NUMBA_CACHE_DIR`` if set, else in the user's cache."""
    base = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / _CACHE


def jit[F: Callable[..., object]](function: F) -> F:
    """Compile ``function`` on first use, keep it on disk, and let other threads run meanwhile.

    Division by zero gives inf or nan, as in NumPy: kernels report trouble by flags, never by exceptions.
    ``fastmath`` stays off: results must not depend on how the compiler regroups a sum, and NaN must be seen.
    ``SECONDLIGHT_NO_CACHE=1`` in the environment compiles anew in each process.

    Parameters
    ----------
    function
        A function in the subset of Python that Numba compiles.
    """
    return _compiled(function)


def jit_sum[F: Callable[..., object]](function: F) -> F:
    """Compile as `jit` does, and let the compiler regroup sums, so that it can keep several at once.

    For kernels that add up many double-precision terms and do nothing else: the last digit of a sum may differ between
    kinds of processors. NaN and infinity are seen as ever.

    Parameters
    ----------
    function
        A function in the subset of Python that Numba compiles.
    """
    return _compiled(function, fastmath={"reassoc"})


def _compiled[F: Callable[..., object]](function: F, **options: Any) -> F:
    options |= {"cache": not os.environ.get("SECONDLIGHT_NO_CACHE"), "nogil": True, "error_model": "numpy"}
    # no kernel is passed to C, and the wrapper for that would hold a second copy of it to compile
    options["no_cfunc_wrapper"] = True
    # Numba reads the folder when it decorates, and falls back to others if it cannot write there
    settings: Any = numba.core.config
    numbas, settings.CACHE_DIR = settings.CACHE_DIR, str(_folder(function.__module__))
    try:
        kernel = numba.njit(function, **options)
    finally:
        settings.CACHE_DIR = numbas
    if isinstance(kernel, Dispatcher):  # and not Python, as with NUMBA_DISABLE_JIT
        call_as_part(kernel, function, options)
    return cast(F, kernel)


@cache
def _folder(module: str) -> Path:
    digest = hashlib.sha256()
    for source in sorted(_sources(module)):
        digest.update(source.read_bytes())
    return cache_directory() / f"{module.removeprefix(_PACKAGE + '.')}-{digest.hexdigest()[:12]}"


def _sources(module: str) -> set[Path]:
    """The file of a kernel module, and those of all kernel modules that it imports, directly or not."""
    found: set[Path] = set()
    waiting = [_path(module)]
    while waiting:
        path = waiting.pop()
        if path is not None and path not in found:
            found.add(path)
            waiting += _imported(path)
    return found


@cache
def _imported(path: Path) -> set[Path]:
    """The files of the kernel modules that one of them imports."""
    package = [*_PACKAGE.split("."), *path.relative_to(_KERNELS).parts[:-1]]
    found: set[Path | None] = set()
    for dots, module, names in _FROM_IMPORT.findall(path.read_text(encoding="utf-8")):
        base = ".".join([*(package[: len(package) - len(dots) + 1] if dots else []), *filter(None, [module])])
        found |= {_path(base), *(_path(f"{base}.{name}") for name in _WORD.findall(names))}
    return {path for path in found if path is not None}


@cache
def _path(module: str) -> Path | None:
    """The file of a module of this package; `None` for any other."""
    if module != _PACKAGE and not module.startswith(_PACKAGE + "."):
        return None
    stem = _KERNELS.joinpath(*module.removeprefix(_PACKAGE).split(".")[1:])
    return next((p for p in (stem.with_suffix(".py"), stem / "__init__.py") if p.is_file()), None)
