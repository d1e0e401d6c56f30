"""One configuration of the whole task in a process of its own; prints JSON.

python -m benchmarks._whole {compute,files} SCENE_FOLDER THREADS [REPEATS [FIELD=VALUE...]]
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measuring import StageClock, peak_mib, reset_peak
from benchmarks._scenes import WARM_UP, inputs_of
from secondlight import threads
from secondlight.overrides import build_config
from secondlight.reprocess import ReprocessVisitImageTask
from secondlight.runner import read_inputs, run_files

__all__ = ["digest"]


def digest(result: Any) -> str:
    """Return a hash of every number that a run made: planes, columns, footprints and their pixels, statistics."""
    catalog, exposure = result.sources_footprints, result.exposure
    footprints = catalog.footprints
    total = hashlib.sha256()
    for array in (
        *(exposure.image, exposure.mask, exposure.variance),
        *(catalog[name] for name in catalog.schema.names),
        *(footprints.span_offsets, footprints.spans, footprints.peak_offsets, footprints.peaks),
        *(footprints.heavy_offsets, footprints.heavy.image, footprints.heavy.mask, footprints.heavy.variance),
    ):
        total.update(np.ascontiguousarray(array).tobytes())
    total.update(repr(exposure.summary_stats).encode())
    return total.hexdigest()


def _compute(folder: Path, n_threads: int, overrides: list[str]) -> dict[str, Any]:
    config = build_config([], overrides)
    arguments = read_inputs(inputs_of(folder), config)
    reset_peak()
    clock = StageClock()
    task = ReprocessVisitImageTask(config, on_stage=clock)
    with threads.use(n_threads):
        result = task.run(**arguments)
        stages = clock.stop()
    catalog = result.sources_footprints
    return {
        "stages": stages,
        "peak_mib": peak_mib(),
        "digest": digest(result),
        "rows": len(catalog),
        "children": int((catalog["parent"] != 0).sum()),
    }


def _files(folder: Path, n_threads: int, overrides: list[str]) -> dict[str, Any]:
    reset_peak()
    clock = StageClock()
    with tempfile.TemporaryDirectory() as out:
        run_files(
            inputs_of(folder),
            out=Path(out) / "out",
            config_values=overrides,
            threads=n_threads,
            on_stage=clock,
        )
        stages = clock.stop()
        size = {p.name: p.stat().st_size for p in (Path(out) / "out").iterdir()}
    return {"stages": stages, "peak_mib": peak_mib(), "bytes": size}


def main() -> None:
    """Warm up on a small scene, run, print."""
    mode, folder, n_threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    repeats = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    work = {"compute": _compute, "files": _files}[mode]
    overrides = sys.argv[5:]
    work(WARM_UP.folder(), n_threads, overrides)
    runs = [work(folder, n_threads, overrides) for _ in range(repeats)]
    best = min(runs, key=lambda run: sum(cpu for cpu, _ in run["stages"].values()))
    # memory that an earlier run left behind would count against a later one
    print(json.dumps(best | {"peak_mib": runs[0]["peak_mib"]}))


if __name__ == "__main__":
    main()
