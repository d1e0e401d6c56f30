"""Text dumps of AST objects, as the reference stores coordinate mappings (spec 11.4).

The dumps go to `lsst.images` through its serialization models: its public way to make a transform or a set of
camera frames from AST text, whatever AST binding it runs on.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pydantic
import starlink.Ast
from lsst.images import Transform, TransformSerializationModel
from numpy.typing import NDArray

from ...errors import InputError
from .archive import Archive

__all__ = ["check_dumps", "dump_ast", "make_transform", "parse_ast", "read_mapping", "split_stored"]

#: One line of a dump: the begin, end or base class of an object, or an attribute.
_LINE = re.compile(r"^ *(?:(Begin|End|IsA) ([A-Z]\w*)(?:\s+#.*)?\s*|([A-Z]\w*) =(?: (.*))?)$")

#: What an object cannot do without. The library, written in C, does not check: it crashes.
_NEEDED = {
    "Frame": ("Naxes",),
    "SkyFrame": ("Naxes",),
    "FrameSet": ("Nframe",),
    "CmpMap": ("Nin", "MapA", "MapB"),
    "TranMap": ("Nin", "MapA", "MapB"),
    "WcsMap": ("Nin", "Type"),
}
_BASES = frozenset(("Object", "Mapping", "Frame", "Axis", "FrameSet", "SkyFrame", "CmpMap", "Map"))

#: What begins so is a dump.
_BEGIN = re.compile(r"\s*(?:#.*\n\s*)*Begin [A-Z]")

_HEAD = re.compile(rb"^(\d+) (\w+)\s+(?:[01]\s+)?(?=Begin)")


class _NoPointer(pydantic.BaseModel):
    """Stands for the pointers into a file that the models allow and that are never used here."""

    pointer: str


class _Lines:
    """Source and sink of an AST channel."""

    def __init__(self, text: str = "") -> None:
        self.lines = text.splitlines()
        self._next = 0

    def astsource(self) -> str | None:
        if self._next == len(self.lines):
            return None
        self._next += 1
        return self.lines[self._next - 1]

    def astsink(self, line: str) -> None:
        self.lines.append(line)


def parse_ast(text: str) -> list[Any]:
    """Return the AST objects of a dump, in order.

    Parameters
    ----------
    text
        One dump or several behind each other.

    Raises
    ------
    ValueError
        Raised if the text is no AST dump.
    """
    _check(text)
    channel = starlink.Ast.Channel(_Lines(text))
    objects = []
    try:
        while (item := channel.read()) is not None:
            objects.append(item)
    except starlink.Ast.AstError as error:
        raise ValueError(str(error).splitlines()[0]) from None
    return objects


def check_dumps(tree: pydantic.BaseModel) -> None:
    """Check every AST dump in a tree of `lsst.images`, which hands them to the library as they are.

    Parameters
    ----------
    tree
        The tree of a file.

    Raises
    ------
    ValueError
        Raised if one is damaged.
    """
    todo: list[Any] = [tree]
    while todo:
        item = todo.pop()
        if isinstance(item, pydantic.BaseModel):
            todo += [value for _, value in item]
        elif isinstance(item, dict):
            todo += item.values()
        elif isinstance(item, list | tuple):
            todo += item
        elif isinstance(item, str) and _BEGIN.match(item):
            _check(item)


def _check(text: str) -> None:
    """Check that objects are nested well and have what they need, so that a damaged dump is refused and no more."""
    open_objects: list[tuple[str, dict[str, str]]] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            raise ValueError(f"{line.strip()[:40]!r} is no line of a dump")
        verb, name, attribute, value = match.groups()
        if verb == "Begin":
            open_objects.append((name, {}))
        elif not open_objects:
            raise ValueError(f"{line.strip()[:40]!r} is outside any object")
        elif attribute:
            open_objects[-1][1][attribute] = value or ""
        elif verb == "IsA":
            if name not in _BASES:
                raise ValueError(f"class {name[:40]!r} is unknown")
        else:
            begun, attributes = open_objects.pop()
            needed = list(_NEEDED.get(begun, ("Nin",) if begun.endswith("Map") else ()))
            if begun == "FrameSet":
                n = int(attributes.get("Nframe", "0").split()[0])
                needed += [f"Frm{i}" for i in range(1, n + 1)] + [f"Map{i}" for i in range(2, n + 1)]
            if begun == "WcsMap" and not re.match(r'"[A-Z0-9]+"', attributes.get("Type", "")):
                raise ValueError("the projection of a WcsMap has no name")
            if begun != name or not attributes.keys() >= set(needed):
                raise ValueError(f"object {begun[:40]!r} is incomplete")
    if open_objects:
        raise ValueError(f"object {open_objects[-1][0][:40]!r} does not end")


def dump_ast(item: Any) -> str:
    """Return the dump of an AST object.

    Parameters
    ----------
    item
        The object.
    """
    sink = _Lines()
    starlink.Ast.Channel(None, sink, options="Comment=0").write(item)
    return "\n".join(sink.lines) + "\n"


def split_stored(raw: NDArray[np.uint8], *, where: dict[str, Any]) -> list[Any]:
    """Return the AST objects of a stored byte string: version, class, perhaps a flag, then dumps.

    Parameters
    ----------
    raw
        The bytes.
    where
        ``path`` and ``part`` for the message of an error.

    Raises
    ------
    InputError
        Raised if the version is unknown or the dump cannot be parsed.
    """
    text = raw.tobytes()
    head = _HEAD.match(text)
    if head is None or int(head[1]) != 1:
        raise InputError(f"the stored mapping begins with {text[:24]!r}: no AST dump of version 1", **where)
    try:
        objects = parse_ast(text[head.end() :].decode("ascii", "replace"))
    except ValueError as error:
        raise InputError(f"the stored mapping cannot be parsed ({error})", **where) from None
    if not objects:
        raise InputError("the stored mapping is empty", **where)
    return objects


def read_mapping(archive: Archive, key: int) -> Any:
    """Return a stored mapping between points of the plane, as an AST object.

    Parameters
    ----------
    archive
        The archive.
    key
        Id of a ``TransformPoint2ToPoint2`` (or a transform between other spaces).
    """
    table = archive.table(key, "TransformPoint2ToPoint2", "TransformPoint2ToSpherePoint")
    where = {"path": archive.path, "part": f"{archive.name(key)} (id {key})"}
    return split_stored(np.concatenate(table["bytes"]), where=where)[0]


def make_transform(item: Any, frame_in: Any, frame_out: Any) -> Transform[Any, Any]:
    """Wrap an AST mapping as a transform between two frames.

    Parameters
    ----------
    item
        An AST mapping.
    frame_in, frame_out
        Frames of `lsst.images`.
    """
    mappings: list[Any] = [{"ast": dump_ast(item)}]
    tree: Any = TransformSerializationModel[_NoPointer](
        frames=[frame_in.serialize(), frame_out.serialize()],
        bounds=[None, None],
        mappings=mappings,
    )
    transform: Transform[Any, Any] = tree.deserialize(None)
    return transform
