"""A recorded scene as it is when its summary statistics are computed, without running what comes before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from secondlight.io.afw.background import read_background
from secondlight.io.afw.exposure import read_exposure
from secondlight.io.afw.visit_summary import read_visit_summary
from secondlight.io.tables import read_footprints, read_sources
from secondlight.model.background import BackgroundList
from secondlight.model.catalog import SourceCatalog
from secondlight.model.exposure import Exposure
from secondlight.tasks.snap_combine import SnapCombineTask

from .shared import reference


@dataclass(frozen=True)
class Summarized:
    """Uncalibrated image, the reference's table and backgrounds, and its summary."""

    exposure: Exposure
    sources: SourceCatalog
    background: BackgroundList
    summary: dict[str, Any]


@cache
def summarized(name: str, table: str | None = None) -> Summarized:
    """Read a scene; ``table`` is the folder of another run of it, whose table and summary are taken."""
    inputs, outputs = reference(name, "inputs"), reference(name, "outputs")
    other = outputs if table is None else reference(*table.split("/"))
    record = read_visit_summary(inputs / "finalVisitSummary.fits").find(42)
    exposure = SnapCombineTask().run(
        [read_exposure(f, psf=False) for f in sorted(inputs.glob("postISRCCD_*.fits"))]
    )
    stages = np.load(outputs / "stages.npz")
    exposure.image, exposure.mask = stages["repaired"], stages["detected_mask"]
    exposure.psf, exposure.wcs = record.psf, record.wcs
    exposure.photo_calib, exposure.ap_corr_map = record.photo_calib, record.ap_corr_map
    files = [inputs / f"{stem}.fits" for stem in ("background_1", "skyCorr")]
    return Summarized(
        exposure,
        read_sources(other / "sources.parquet"),
        BackgroundList(model for f in files if f.exists() for model in read_background(f)),
        json.loads((other / "summary_stats.json").read_text()),
    )


def deblended_footprints(name: str) -> SourceCatalog:
    """The footprints of a scene after deblending, sky sources included."""
    return read_footprints(reference(name, "outputs", "deblend.parquet"))
