"""The command line of the field, in processes of its own: killed ten times at random moments, and resumed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
from lsst.daf.butler import Butler

from helpers import commands
from helpers.outputs import caveats, digests
from secondlight.pipeline.repository import recover_repository

RESUME = ("--extend-run", "--skip-existing", "--clobber-outputs")
KILLS = 10


def files(root: Path) -> int:
    """Number of files that the run has left so far, whole or not."""
    return sum(1 for path in (root / "out").rglob("*") if path.is_file())


def kill_at_random(process, root: Path, rng: np.random.Generator) -> bool:
    """Kill a run and its processes; tell whether it was still running.

    The moment is random: some seconds after the start, while it imports, builds its graph or registers collections; or a
    fraction of a second after some more files have appeared, which is while quanta run and write.
    """
    wanted = files(root) + int(rng.integers(0, 4))
    pause = rng.uniform(0, 0.5) if wanted > files(root) else rng.uniform(0, 8)
    end = time.monotonic() + 300
    while time.monotonic() < end and process.poll() is None and files(root) < wanted:
        time.sleep(0.01)
    time.sleep(pause)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return running


def test_killed_ten_times_and_resumed_makes_everything_once(repository, executed):
    rng = np.random.default_rng(20251120)
    killed = 0
    for attempt in range(KILLS):
        process = commands.pipetask(repository, *(RESUME if attempt else ()))
        killed += kill_at_random(process, repository, rng)
        recover_repository(repository)
    # the last ones may have found everything done
    assert killed >= KILLS // 2
    commands.finish(commands.pipetask(repository, *RESUME))
    with Butler.from_config(str(repository)) as butler:
        assert digests(butler, "out/run") == digests(executed, "out")
        # the one without a PSF was a quantum without work, not a failed one
        assert sorted(caveats(butler, "out/run")) == [90, 91, 92, 93]
        assert butler.collections.get_info("out").children[0] == "out/run"
