"""A repository as the stack makes them: its own configuration, afw's storage classes, real files of afw.

Needs the overrides in ``DAF_BUTLER_CONFIG_PATH``. As a program it makes one and runs the shipped pipeline in it; its
arguments are the folder of the repository, that of the recorded inputs, and files of configuration.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow.parquet as pq
from lsst.daf.butler import Butler, DatasetRef, DatasetType, FileDataset, Timespan
from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

import secondlight.pipeline  # noqa: F401  makes the names of the stack's formatters known
from helpers.pipelines import LABEL, execute, shipped
from secondlight.io.afw.exposure import read_exposure

INSTRUMENT, DETECTOR, RUN = "Recorded", 42, "recorded"
_STACK = "lsst.obs.base.formatters"

#: dataset type, storage class, dimensions, file, formatter recorded
_FILES = (
    ("preliminary_visit_mask", "Mask", "visit detector", "preliminary_visit_mask.fits", "fitsExposure.FitsMaskFormatter"),
    ("finalVisitSummary", "ExposureCatalog", "visit", "finalVisitSummary.fits", "fitsGeneric.FitsGenericFormatter"),
    ("calexpBackground", "Background", "visit detector", "background_1.fits", "fitsGeneric.FitsGenericFormatter"),
    ("skyCorr", "Background", "visit detector", "skyCorr.fits", "fitsGeneric.FitsGenericFormatter"),
    ("initial_photoCalib_detector", "PhotoCalib", "visit detector", "initial_photoCalib.fits", "fitsGeneric.FitsGenericFormatter"),
)  # fmt: skip


def make(root: Path, inputs: Path) -> None:
    """Make the repository and ingest the files, left where they are."""
    Butler.makeRepo(str(root))
    snaps = sorted(inputs.glob("postISRCCD_*.fits"))
    first = read_exposure(snaps[0], psf=False)
    visit = first.visit_info.id
    with Butler.from_config(str(root), writeable=True, run=RUN) as butler:
        _describe(butler, first, visit, len(snaps))

        def register(name, storage_class, dimensions):
            one = DatasetType(
                name, ["instrument", *dimensions.split()], storage_class, universe=butler.dimensions
            )
            butler.registry.registerDatasetType(one)
            return one

        def ingest(dataset_type, path, formatter, **data_id):
            data_id = butler.registry.expandDataId(instrument=INSTRUMENT, **data_id)
            needed = {k: data_id[k] for k in dataset_type.dimensions.required}
            ref = DatasetRef(dataset_type, butler.registry.expandDataId(needed), run=RUN)
            butler.ingest(FileDataset(str(path), ref, formatter=f"{_STACK}.{formatter}"), transfer="symlink")

        exposures = register("postISRCCD", "Exposure", "exposure detector")
        for k, path in enumerate(snaps):
            ingest(
                exposures, path, "fitsExposure.FitsExposureFormatter", exposure=visit + k, detector=DETECTOR
            )
        for name, storage_class, dimensions, file, formatter in _FILES:
            ingest(
                register(name, storage_class, dimensions),
                inputs / file,
                formatter,
                visit=visit,
                detector=DETECTOR,
            )
        stars = register("finalized_src_table", "ArrowAstropy", "visit")
        butler.put(
            pq.read_table(inputs / "finalized_src_table.parquet"), stars, instrument=INSTRUMENT, visit=visit
        )


def _describe(butler, first, visit, snaps):
    def insert(element, **values):
        butler.registry.syncDimensionData(element, {"instrument": INSTRUMENT} | values)

    sizes = {"visit_max": 2**35, "exposure_max": 2**35, "detector_max": 256, "visit_system": 0}
    butler.registry.syncDimensionData(
        "instrument", {"name": INSTRUMENT, "class_name": "nowhere.Recorded"} | sizes
    )
    insert("physical_filter", name="r", band="r")
    insert("detector", id=DETECTOR, full_name="R11_S20", raft="R11", name_in_raft="S20", purpose="SCIENCE")
    insert("day_obs", id=20260101)
    insert("group", name=str(visit))
    insert("visit_system", id=0, name="one-to-one")
    box, wcs = first.bbox, first.wcs
    x = [box.x.min, box.x.max, box.x.max, box.x.min]
    y = [box.y.min, box.y.min, box.y.max, box.y.max]
    sky = wcs.pixel_to_sky(x=x, y=y)
    corners = [UnitVector3d(LonLat.fromRadians(r, d)) for r, d in zip(sky.ra.rad, sky.dec.rad, strict=True)]
    region = ConvexPolygon.convexHull(corners)
    shared = {"day_obs": 20260101, "physical_filter": "r", "timespan": Timespan(None, None)}
    for k in range(snaps):
        insert(
            "exposure",
            id=visit + k,
            obs_id=str(visit + k),
            group=str(visit),
            exposure_time=30.0,
            **shared,
        )
    insert("visit", id=visit, name=str(visit), region=region, **shared)
    for k in range(snaps):
        insert("visit_definition", visit=visit, exposure=visit + k)
    insert("visit_system_membership", visit=visit, visit_system=0)
    insert("visit_detector_region", visit=visit, detector=DETECTOR, region=region)


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]))
    pipeline = shipped()
    for override in sys.argv[3:]:
        pipeline.addConfigFile(LABEL, override)
    execute(Path(sys.argv[1]), "out", pipeline, inputs=RUN)
