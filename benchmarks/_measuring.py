"""Time and memory of what one process does, and processes that are made for nothing but one measurement."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = [
    "ROOT",
    "Spent",
    "StageClock",
    "best_of",
    "child",
    "measured",
    "peak_mib",
    "reset_peak",
    "run_command",
    "setting",
]

ROOT = Path(__file__).resolve().parents[1]

_PACKAGES = ("secondlight", "numpy", "numba", "photutils", "sep", "galsim", "piff")


@dataclass
class Spent:
    """CPU seconds of all threads (user and system) and wall-clock seconds."""

    cpu: float = 0.0
    wall: float = 0.0


@contextmanager
def measured() -> Iterator[Spent]:
    """Measure a ``with`` block; the result is filled in at its end."""
    spent = Spent()
    wall, cpu = time.perf_counter(), time.process_time()
    yield spent
    spent.cpu, spent.wall = time.process_time() - cpu, time.perf_counter() - wall


def best_of(work: Callable[[], object], repeats: int = 3) -> Spent:
    """Return the time of the run that took the least CPU: others had to share caches and memory.

    Parameters
    ----------
    work
        What to measure; run once more beforehand, to compile and to touch its inputs.
    repeats
        Number of runs.
    """
    work()
    runs = []
    for _ in range(repeats):
        with measured() as spent:
            work()
        runs.append(spent)
    return min(runs, key=lambda s: s.cpu)


class StageClock:
    """An observer of stages that reads the process's clocks as each begins."""

    def __init__(self) -> None:
        self._marks: list[tuple[str, float, float]] = []

    def __call__(self, stage: str) -> None:
        self._marks.append((stage, time.process_time(), time.perf_counter()))

    def stop(self) -> dict[str, list[float]]:
        """End the last stage; return CPU and wall seconds of each."""
        self("")
        return {
            name: [cpu1 - cpu0, wall1 - wall0]
            for (name, cpu0, wall0), (_, cpu1, wall1) in zip(self._marks, self._marks[1:], strict=False)
        }


def peak_mib() -> float:
    """Return the largest memory this process held since it began, or since `reset_peak` [MiB].

    From the kernel's account of this process's own pages: ``ru_maxrss`` of a new process begins with its parent's.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024.0**2 if sys.platform == "darwin" else 1024.0)


def reset_peak() -> None:
    """Let `peak_mib` begin anew, where the system allows that."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def child(module: str, *arguments: object) -> Any:
    """Run a module of this folder in a fresh process; return what it prints as JSON on its last line.

    Parameters
    ----------
    module
        Such as ``benchmarks._whole``.
    *arguments
        Of its command line.

    Raises
    ------
    RuntimeError
        Raised if it fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} {arguments} ended with status {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def run_command(command: Sequence[str | Path], cwd: Path | None = None) -> tuple[Spent, float]:
    """Run another program, silently; return its time and its largest memory [MiB].

    Parameters
    ----------
    command
        Program and arguments.
    cwd
        Where to run it.

    Raises
    ------
    RuntimeError
        Raised if it fails.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        [str(c) for c in command], cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with status {process.returncode}")
    return Spent(usage.ru_utime + usage.ru_stime, wall), usage.ru_maxrss / 1024.0


def setting() -> str:
    """Return one line that says where and when, and with which versions."""
    found = []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    load = ", ".join(f"{v:.1f}" for v in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, commit {_commit()}; {_processor()}, {len(os.sched_getaffinity(0))} cores, "
        f"load averages {load} at the start; Python {platform.python_version()}, {', '.join(found)}."
    )


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=9"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
