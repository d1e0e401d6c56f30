"""The field's own commands, in processes of their own: pipetask, bps, butler."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from helpers.pipelines import INPUTS, LABEL
from secondlight.pipeline.repository import shipped_pipeline, shipped_site

#: Where the commands of this environment are; a job of bps finds them by name.
BIN = Path(sys.executable).parent


def environment(**changes: str) -> dict[str, str]:
    """The environment of a user who has activated the virtual environment."""
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, **changes}


def start(*command: object, cwd: Path | None = None, **changes: str) -> subprocess.Popen[str]:
    """Start a command of this environment at the head of a process group of its own."""
    program, *arguments = (str(a) for a in command)
    return subprocess.Popen(
        [sys.executable, BIN / program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        # a shell would say where it is: bps puts its files there
        env=environment(**({"PWD": str(cwd)} if cwd else {}), **changes),
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], timeout: float = 900) -> str:
    """Wait for a command that must succeed, and return what it printed."""
    log, _ = process.communicate(timeout=timeout)
    assert process.returncode == 0, log
    return log


def pipetask(root: object, *extra: object, run: str = "out/run", **changes: str) -> subprocess.Popen[str]:
    """Start ``pipetask run`` with the shipped pipeline on the simulated visit, two processes at a time."""
    return start(
        "pipetask",
        "run",
        *("-b", root, "-p", shipped_pipeline(LABEL), "-i", INPUTS),
        *("-o", run.partition("/")[0], "--output-run", run, "-j", 2, "--register-dataset-types"),
        *extra,
        **changes,
    )


def bps(root: object, cwd: Path, *extra: object, output: str = "bps", **changes: str) -> str:
    """Run ``bps submit`` on this machine to its end and return its output run; `cwd` gets logs and graphs."""
    run = f"{output}/run"
    options = ("-b", root, "-i", INPUTS, "-o", output, "--output-run", run, *extra)
    finish(start("bps", "submit", shipped_site("local"), *options, cwd=cwd, **changes))
    return run


def logs(folder: Path) -> Mapping[str, str]:
    """What the jobs of bps printed, by name of the file."""
    return {p.name: p.read_text() for p in folder.rglob("*.std*")}
