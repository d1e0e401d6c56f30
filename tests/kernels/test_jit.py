"""Unit: where compiled kernels are kept, and that it changes with every source that matters."""

from __future__ import annotations

import subprocess
import sys

from secondlight.kernels import _jit


def test_sources_follow_imports():
    names = {p.name for p in _jit._sources("secondlight.kernels.sdss_shape")}
    assert {"sdss_shape.py", "sdss_moments.py", "_jit.py"} <= names
    assert "piff.py" not in names


def test_each_module_has_its_own_folder():
    one, two = (_jit._folder(f"secondlight.kernels.{m}") for m in ("spans", "convolve"))
    assert one != two and one.parent == two.parent == _jit.cache_directory()
    assert one.name.startswith("spans-")


def test_folder_changes_with_what_is_called(monkeypatch, tmp_path):
    package = tmp_path / "kernels"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "caller.py").write_text("from .callee import f\n")
    (package / "callee.py").write_text("f = 1\n")
    monkeypatch.setattr(_jit, "_KERNELS", package)
    before = _jit._folder.__wrapped__("secondlight.kernels.caller")
    (package / "callee.py").write_text("f = 2\n")
    assert _jit._folder.__wrapped__("secondlight.kernels.caller") != before


_COLD = """
import numpy as np
from secondlight.kernels.pixels import position_to_index
from secondlight.kernels.spans import find_runs
print(position_to_index(2.6))
"""


def test_many_processes_start_cold_on_one_cache(tmp_path):
    """None crashes, none gets another answer (numba issues 4807 and 10128)."""
    import os

    environment = dict(os.environ, NUMBA_CACHE_DIR=str(tmp_path))
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _COLD], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(6)
    ]
    ended = [p.communicate() for p in running]
    assert [p.returncode for p in running] == [0] * 6, ended
    assert {out for out, _ in ended} == {b"3\n"}
    assert list(tmp_path.rglob("*.nbi"))
