"""Running a shipped pipeline in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lsst.daf.butler import Butler
from lsst.pipe.base import Pipeline
from lsst.pipe.base.separable_pipeline_executor import SeparablePipelineExecutor

from secondlight.pipeline.repository import shipped_pipeline

LABEL = "reprocessVisitImage"
INPUTS = "LSSTCam/simulated/2025112000123"
VISIT = {"instrument": "LSSTCam", "visit": 2025112000123}


def shipped(name: str = LABEL, **config: Any) -> Pipeline:
    """A shipped pipeline with values of its task's configuration changed; `__` stands for a dot."""
    pipeline = Pipeline.from_uri(str(shipped_pipeline(name)))
    for key, value in config.items():
        pipeline.addConfigOverride(LABEL, key.replace("__", "."), value)
    return pipeline


def execute(
    root: Path, run: str, pipeline: Pipeline, where: str = "", *, inputs: str = INPUTS, **options: Any
) -> None:
    """Run a pipeline on the simulated visit, or on another collection."""
    with Butler.from_config(str(root), writeable=True, collections=[inputs], run=run) as butler:
        executor = SeparablePipelineExecutor(butler, **options)
        graph = executor.build_quantum_graph(pipeline, where=where)
        executor.pre_execute_qgraph(graph, register_dataset_types=True, save_versions=False)
        executor.run_pipeline(graph)
