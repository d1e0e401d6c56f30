"""Outputs that appear complete or not at all.

Files are written under another name in the same folder, so that the last step is a rename, which a file system does in
one go: a process that is killed leaves what was there before (and perhaps a hidden ``.secondlight-*`` file or folder,
never read).
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UsageError

__all__ = ["atomic_outputs", "atomic_path", "check_folder"]


def _refuse(path: Path) -> UsageError:
    return UsageError(f"{path} exists already; ask for overwriting to replace it")


def _hidden(parent: Path) -> Path:
    return parent / f".secondlight-{uuid.uuid4().hex[:12]}"


def _sync(path: Path) -> None:
    """Force a file's contents to the disk, so that the rename cannot outlive them in a power cut."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


@contextmanager
def atomic_path(path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Write one file under another name; rename it when the ``with`` block ends without an error.

    Parameters
    ----------
    path
        The final name. Missing parent folders are made.
    overwrite
        Whether to replace an existing file.

    Yields
    ------
    Path
        The name to write to, with the suffix of ``path``.

    Raises
    ------
    UsageError
        Raised if the file exists and ``overwrite`` is not set, before anything is written.
    """
    final = Path(path)
    if final.exists() and not overwrite:
        raise _refuse(final)
    final.parent.mkdir(parents=True, exist_ok=True)
    staged = _hidden(final.parent)
    staged = staged.with_name(staged.name + final.suffix)
    try:
        yield staged
        _sync(staged)
        if final.exists() and not overwrite:
            raise _refuse(final)
        staged.replace(final)
    finally:
        staged.unlink(missing_ok=True)


def check_folder(directory: str | os.PathLike[str]) -> None:
    """Refuse a folder that cannot be made or written into, before there is anything to write.

    Parameters
    ----------
    directory
        The folder; need not exist.

    Raises
    ------
    UsageError
        Raised if it is a file or in one, or may not be written to.
    """
    final = Path(directory).absolute()
    there = next(p for p in (final, *final.parents) if p.exists())
    if not there.is_dir():
        raise UsageError(f"{there} is a file, not a folder for outputs")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"{there} may not be written to: no outputs can be made in {directory}")


@contextmanager
def atomic_outputs(directory: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Write several files that appear together when the ``with`` block ends without an error.

    A new folder appears with all its files in one rename. Into a folder that exists they are renamed one by
    one, in the order in which they were written, and put back as they were should one rename fail; so write
    the file last whose presence shall mean that the set is complete. What else lies in the folder stays as
    it is.

    Parameters
    ----------
    directory
        The folder of the outputs; made if missing.
    overwrite
        Whether to replace files of the same names.

    Yields
    ------
    Path
        The folder to write to.

    Raises
    ------
    UsageError
        Raised if the folder is a file, or if a file of the same name exists and ``overwrite`` is not set.
    """
    final = Path(directory).absolute()
    check_folder(directory)
    final.parent.mkdir(parents=True, exist_ok=True)
    staged = _hidden(final if final.is_dir() else final.parent)
    staged.mkdir()
    try:
        yield staged
        written = sorted(staged.iterdir(), key=lambda p: (p.stat().st_mtime_ns, p.name))
        for path in written:
            _sync(path)
        if not final.exists():
            staged.rename(final)
        else:
            _move_in(written, final, overwrite)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _move_in(files: list[Path], final: Path, overwrite: bool) -> None:
    """Rename files into a folder; should one fail, undo those before it."""
    targets = [final / path.name for path in files]
    for target in targets:
        if target.exists() and not overwrite:
            raise _refuse(target)
    kept: dict[Path, Path] = {}
    done: list[Path] = []
    try:
        for path, target in zip(files, targets, strict=True):
            if target.exists():
                # a second name for the old file, so that it never vanishes from under its own
                kept[target] = _hidden(path.parent)
                try:
                    os.link(target, kept[target])
                except OSError:  # a file system without links
                    shutil.copy2(target, kept[target])
            path.replace(target)
            done.append(target)
    except BaseException:
        for target in reversed(done):
            if target in kept:
                kept[target].replace(target)
            else:
                target.unlink()
        raise
