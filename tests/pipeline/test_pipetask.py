"""The command line of the field, in processes of its own: killed in the middle, and resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
from lsst.daf.butler import Butler

from helpers.pipelines import INPUTS, LABEL, VISIT
from secondlight.pipeline.repository import shipped_pipeline

OUTPUTS = ("pvi", "sources_detector", "sources_detector_footprints", "pvi_background")


def pipetask(root, *extra):
    arguments = [
        "-b",
        root,
        "-p",
        shipped_pipeline(LABEL),
        "-i",
        INPUTS,
        "-o",
        "out",
        "--output-run",
        "out/run",
    ]
    command = [sys.executable, "-c", "from lsst.ctrl.mpexec.cli.pipetask import main; main()", "run"]
    command += [str(a) for a in (*arguments, *extra, "-j", 2, "--register-dataset-types")]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def test_killed_and_resumed_makes_everything_once(repository, executed):
    killed = pipetask(repository)
    end = time.monotonic() + 300
    while time.monotonic() < end and killed.poll() is None:
        if list((repository / "out").rglob("sources_detector_LSST*.parq")):
            break
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()

    resumed = pipetask(repository, "--extend-run", "--skip-existing", "--clobber-outputs")
    log, _ = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, log
    with Butler.from_config(str(repository), collections=["out/run"]) as butler:
        for name in OUTPUTS:
            detectors = [ref.dataId["detector"] for ref in butler.query_datasets(name, find_first=False)]
            assert sorted(detectors) == [90, 91, 92], name
        # the one without a PSF was a quantum without work, not a failed one
        ended = butler.query_datasets(f"{LABEL}_metadata", find_first=False)
        assert sorted(ref.dataId["detector"] for ref in ended) == [90, 91, 92, 93]
        for detector in (90, 91, 92):
            ours, theirs = (b.get("sources_detector", detector=detector, **VISIT) for b in (butler, executed))
            assert ours.colnames == theirs.colnames
            for name in ours.colnames:
                assert np.asarray(ours[name]).tobytes() == np.asarray(theirs[name]).tobytes(), name
