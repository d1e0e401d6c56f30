"""Running a shipped pipeline on a repository by the field's own commands, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import yaml

from ..errors import ProcessingError, UsageError
from .repository import shipped_pipeline, shipped_site

__all__ = ["bps_arguments", "pipetask_arguments", "run_command"]

#: Where the commands are defined; a virtual environment that is not activated has them beside its Python only.
_COMMANDS = {"pipetask": "lsst.ctrl.mpexec.cli.pipetask:main", "bps": "lsst.ctrl.bps.cli.bps:main"}


def pipetask_arguments(
    repository: str, inputs: str, output: str, *, pipeline: str = "reprocessVisitImage", processes: int = 2
) -> list[str]:
    """Return the arguments of ``pipetask`` that run a shipped pipeline.

    Parameters
    ----------
    repository
        Folder or URL of the repository.
    inputs
        Collection of the inputs.
    output
        Collection that is to hold the outputs.
    pipeline
        Name of the shipped pipeline.
    processes
        How many quanta to run at a time.
    """
    where = ["-b", repository, "-p", str(shipped_pipeline(pipeline)), "-i", inputs, "-o", output]
    return ["run", *where, "-j", str(processes), "--register-dataset-types"]


def bps_arguments(repository: str, inputs: str, output: str, folder: Path, *, jobs: int = 2) -> list[str]:
    """Return the arguments of ``bps`` that run a shipped pipeline on this machine; write the file that they name.

    Parameters
    ----------
    repository, inputs, output
        As for `pipetask_arguments`.
    folder
        Gets ``submit.yaml``, and later bps's graphs and logs.
    jobs
        How many jobs to run at a time; each gets an equal share of at most eight detectors.

    Raises
    ------
    UsageError
        Raised if bps's Parsl plugin is not installed.
    """
    try:
        there = find_spec("lsst.ctrl.bps.parsl") is not None
    except ModuleNotFoundError:
        there = False
    if not there:
        raise UsageError("bps needs its Parsl plugin: pip install 'secondlight[bps]'")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "submit.yaml"
    content = {
        "includeConfigs": [str(shipped_site("local"))],
        "submitPath": f"{folder.resolve()}/{{outputRun}}",
        "site": {"local": {"cores": jobs, "run_dir": str(folder.resolve() / "parsl")}},
    }
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return ["submit", str(file), "-b", repository, "-i", inputs, "-o", output]


def run_command(
    command: str, arguments: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None
) -> None:
    """Run one of the field's commands to its end.

    Parameters
    ----------
    command
        ``pipetask`` or ``bps``.
    arguments
        Its arguments.
    log
        Gets what it prints.
    environment
        Variables to add to those of this process.

    Raises
    ------
    ProcessingError
        Raised if it ends with another status than 0.
    """
    module, _, function = _COMMANDS[command].partition(":")
    # jobs find pipetask and secondlight on the path
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as stream:
        ended = subprocess.run(
            [sys.executable, "-c", f"from {module} import {function}; {function}()", *arguments],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": path, **(environment or {})},
            check=False,
        )
    if ended.returncode:
        raise ProcessingError(f"{command} ended with status {ended.returncode}: see {log}")
