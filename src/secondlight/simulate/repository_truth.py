"""Outputs in a Butler repository against the truth that the visit was simulated with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import Table, vstack
from lsst.daf.butler import Butler

from secondlight.errors import ProcessingError
from secondlight.io.tables import read_sources
from secondlight.model.visit_image import from_visit_image

from .butler import TRUTH
from .picture import draw_picture
from .truth import TruthComparison, compare_with_truth

__all__ = ["compare_visit_with_truth", "draw_visit"]

#: Detectors are laid side by side at this distance [pixel], so that none is near another.
_APART = 100_000

_X, _Y = "base_SdssCentroid_x", "base_SdssCentroid_y"


def compare_visit_with_truth(butler: Butler, dataset_type: str = "sources_detector") -> TruthComparison:
    """Judge the source tables of all detectors together.

    Parameters
    ----------
    butler
        Its default collections are those of the outputs and of the simulated visit.
    dataset_type
        Name of the source tables.

    Raises
    ------
    ProcessingError
        Raised if there are no source tables.
    """
    tables, truths = [], []
    for place, ref in enumerate(butler.query_datasets(dataset_type, explain=False)):
        table, truth = butler.get(ref), butler.get(TRUTH, ref.dataId)
        for columns, name in ((table, _X), (truth, "x")):
            columns[name] = np.asarray(columns[name]) + place * _APART
        tables.append(table)
        truths.append(truth)
    if not tables:
        raise ProcessingError(f"no detector left a dataset {dataset_type}")
    sources: Table = vstack(tables, metadata_conflicts="silent")
    return compare_with_truth(
        {name: np.asarray(sources[name]) for name in sources.colnames},
        vstack(truths, metadata_conflicts="silent"),
    )


def draw_visit(butler: Butler, path: Path) -> None:
    """Draw the first detector that has outputs.

    Parameters
    ----------
    butler
        Its default collections are those of the outputs.
    path
        Where the picture goes.
    """
    ref = min(butler.query_datasets("pvi"), key=lambda ref: int(ref.dataId["detector"]))
    exposure = from_visit_image(butler.get(ref))
    with butler.getURI("sources_detector", ref.dataId).as_local() as local:
        catalog = read_sources(local.ospath)
    catalog.footprints = butler.get("sources_detector_footprints", ref.dataId).footprints
    figure = draw_picture(
        exposure.image,
        exposure.mask,
        exposure.mask_planes,
        catalog,
        x0=exposure.x0,
        y0=exposure.y0,
        title=f"Second Light: detector {ref.dataId['detector']} of a simulated visit, reprocessed",
    )
    figure.savefig(path, dpi=100)
