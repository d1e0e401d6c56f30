"""Running the command line in this process."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers.shared import reference
from secondlight.cli import main


@dataclass
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


def secondlight(*args: object) -> Ended:
    """Run ``secondlight ARGS…``; errors of the user are exit statuses, those of the program are raised."""
    out, err = io.StringIO(), io.StringIO()
    status: int | str | None = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(a) for a in args])
        except SystemExit as end:
            status = end.code
    return Ended(int(status or 0), out.getvalue(), err.getvalue())


def scene_arguments(scene: str, *, out: Path, backgrounds: Sequence[Path] = ()) -> list[object]:
    """Arguments of ``secondlight run`` for a recorded scene, with the recorded ids and the reference's defects."""
    inputs = reference(scene, "inputs")
    arguments: list[object] = [
        *sorted(inputs.glob("postISRCCD_*.fits")),
        *("--visit-summary", inputs / "finalVisitSummary.fits"),
        *("--preliminary-mask", inputs / "preliminary_visit_mask.fits"),
        *("--calib-sources", inputs / "finalized_src_table.parquet"),
        *("--detector", 42, "--out", out, "--config-file", reference("ids.py"), "--config-file", "reference"),
    ]
    for path in backgrounds or (inputs / "background_1.fits", inputs / "skyCorr.fits"):
        arguments += ["--background", path]
    return arguments
