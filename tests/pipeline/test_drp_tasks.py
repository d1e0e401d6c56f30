"""The distribution that gives the task its name in the stack: alone, and beside the real one."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "drp_tasks"
SOURCE = ROOT / "src"


def python(code, *paths):
    """Run code with folders at the head of the path."""
    path = os.pathsep.join([*map(str, paths), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_the_stacks_name_means_this_task():
    code = (
        "from lsst.drp.tasks.reprocess_visit_image import ReprocessVisitImageTask, ReprocessVisitImageConfig\n"
        "import lsst.daf.butler, secondlight.pipeline as ours\n"
        "assert ReprocessVisitImageTask is ours.ReprocessVisitImageTask\n"
        "from lsst.pipe.base import Pipeline\n"
        "p = Pipeline('mine')\n"
        "p.addTask('lsst.drp.tasks.reprocess_visit_image.ReprocessVisitImageTask', 'reprocessVisitImage')\n"
        "print(p.to_graph().tasks['reprocessVisitImage'].task_class.__module__)"
    )
    assert python(code, SOURCE) == "secondlight.pipeline.task"


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_the_real_one_wins(first, tmp_path):
    package = tmp_path / "lsst" / "drp" / "tasks"
    package.mkdir(parents=True)
    extend = "import pkgutil\n__path__ = pkgutil.extend_path(__path__, __name__)\n"
    for folder in (package.parents[1], package.parent):
        (folder / "__init__.py").write_text(extend)
    # as there: the innermost package does not share its name
    (package / "__init__.py").write_text("")
    (package / "reprocess_visit_image.py").write_text("ReprocessVisitImageTask = 'theirs'\n")
    (package / "forced_measurement.py").write_text("here = True\n")
    paths = [SOURCE, tmp_path] if first == "ours" else [tmp_path, SOURCE]
    code = (
        "from lsst.drp.tasks.reprocess_visit_image import ReprocessVisitImageTask\n"
        "from lsst.drp.tasks.forced_measurement import here\n"
        "print(ReprocessVisitImageTask)"
    )
    assert python(code, *paths) == "theirs"


def test_the_wheel_leaves_the_namespace_alone(tmp_path):
    pytest.importorskip("setuptools")
    code = (
        "import os, sys\nfrom setuptools import build_meta\n"
        f"os.chdir({str(tmp_path / 'copy')!r})\nprint(build_meta.build_wheel({str(tmp_path)!r}))"
    )
    subprocess.run(["cp", "-r", ROOT, tmp_path / "copy"], check=True)
    name = python(code).splitlines()[-1]
    with zipfile.ZipFile(tmp_path / name) as wheel:
        files = {n for n in wheel.namelist() if n.endswith(".py")}
    assert files == {
        "lsst/drp/__init__.py",
        "lsst/drp/tasks/__init__.py",
        "lsst/drp/tasks/reprocess_visit_image.py",
    }
