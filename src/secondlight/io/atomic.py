"""Outputs that appear complete or not at all.
 Files are written under another name in the same folder, so that the last step is a rename, which a file
system does in one go: a process that is killed leaves what was there before (and perhaps a hidden
``.secondlight-*`` file or folder, never read).
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UsageError

__all__ = ["atomic_outputs", "atomic_path"]


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


@contextmanager
def atomic_outputs(
    directory: str | os.PathLike[str], names: Iterable[str], *, overwrite: bool = False
) -> Iterator[Path]:
    """Write several files that appear together when the ``with`` block ends without an error.

    A new folder appears with all its files in one rename. In a folder that exists they are renamed one by
    one, in the order of ``names``, and put back as they were should one rename fail; put the name last
    whose presence shall mean that the set is complete.

    Parameters
    ----------
    directory
        The folder of the outputs; made if missing.
    names
        Every file that may be written. Those that the block does not write are left as they are.
    overwrite
        Whether to replace existing files.

    Yields
    ------
    Path
        The folder to write to.

    Raises
    ------
    UsageError
        Raised if one of the files exists and ``overwrite`` is not set, before anything is written; or if
        the folder is a file.
    ValueError
        Raised if a file was written that is not in ``names``.
    """
    final = Path(directory).absolute()
    order = list(names)
    if final.exists() and not final.is_dir():
        raise UsageError(f"{final} is a file, not a folder for outputs")
    for name in order:
        if (final / name).exists() and not overwrite:
            raise _refuse(final / name)
    final.parent.mkdir(parents=True, exist_ok=True)
    staged = _hidden(final if final.is_dir() else final.parent)
    staged.mkdir()
    try:
        yield staged
        if foreign := sorted({p.name for p in staged.iterdir()} - set(order)):
            raise ValueError(f"{foreign[0]} was written but not announced as an output")
        written = [name for name in order if (staged / name).exists()]
        for name in written:
            _sync(staged / name)
        if not final.exists():
            staged.rename(final)
        else:
            _move_in(staged, final, written, overwrite)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _move_in(staged: Path, final: Path, names: list[str], overwrite: bool) -> None:
    """Rename files into a folder; should one fail, undo those before it."""
    kept = staged / "kept"
    kept.mkdir()
    done: list[str] = []
    try:
        for name in names:
            target = final / name
            if target.exists():
                if not overwrite:
                    raise _refuse(target)
                # a second name for the old file, so that it never vanishes from under its own
                try:
                    os.link(target, kept / name)
                except OSError:  # a file system without links
                    shutil.copy2(target, kept / name)
            (staged / name).replace(target)
            done.append(name)
    except BaseException:
        for name in reversed(done):
            if (kept / name).exists():
                (kept / name).replace(final / name)
            else:
                (final / name).unlink()
        raise
