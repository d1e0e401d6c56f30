"""The layout: a room imports only rooms below it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import secondlight

ROOT = Path(secondlight.__file__).parent
#: From the top down; what stands in one line may not import one another.
ROOMS = (
    ("__main__",),
    ("cli",),
    ("selfcheck", "simulate"),
    ("pipeline",),
    ("runner",),
    ("overrides",),
    ("reprocess",),
    ("tasks",),
    ("measurement",),
    ("io",),
    ("model",),
    ("kernels",),
)
#: Importable from everywhere but the kernels.
COMMON = {"errors", "threads", "configs"}
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}


def imported(path: Path) -> set[str]:
    """The rooms of this package that a module imports."""
    package = ["secondlight", *path.relative_to(ROOT).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            names = [stem, *(f"{stem}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "secondlight" and len(parts) > 1:
                found.add(parts[1])
    return found


MODULES = sorted(
    p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*.py") if p.name != "__init__.py" or p.parent != ROOT
)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module):
    room = module.split("/")[0].removesuffix(".py")
    for other in imported(ROOT / module) - {room} - ({"__version__"}):
        if other in COMMON:
            assert room != "kernels", f"{module} imports {other}"
        elif other in LEVEL:
            assert room in COMMON or LEVEL[other] > LEVEL[room], (
                f"{module} imports {other}, which lies above it"
            )
            assert room not in COMMON, f"{module} imports {other}"


def test_every_room_has_its_place():
    rooms = {m.split("/")[0].removesuffix(".py") for m in MODULES}
    assert rooms - COMMON == set(LEVEL) & rooms
