"""What a quantum costs beyond its computing: imports, graph, provenance; a detector a process against detectors that share one.

Run as ``python benchmarks/quantum_cost.py --detectors 8 --size 512 512``. A visit is simulated into a fresh repository and processed
in several ways; for each the CPU seconds (user and system, of all its processes) of every command are printed, and the same
divided by the number of detectors. "quantum" is what the quanta took themselves, reading and writing of datasets included, by the
CPU times in their metadata. All else is overhead.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lsst.daf.butler import Butler

from secondlight.pipeline.repository import create_repository, shipped_pipeline
from secondlight.selfcheck import check
from secondlight.simulate import ingest_visit

LABEL = "reprocessVisitImage"


class Ways:
    """The ways to process the visit of one repository; each returns CPU seconds by part."""

    def __init__(self, root: Path, inputs: str, work: Path) -> None:
        self.root, self.inputs, self.work = root, inputs, work

    def _cpu(self, *command: str) -> float:
        """Run a command, and return the CPU seconds of it and of all its children."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        program, *arguments = command
        ended = subprocess.run(
            [sys.executable, Path(sys.executable).parent / program, *arguments],
            capture_output=True,
            text=True,
            cwd=self.work,
            env=os.environ | {"PATH": path},
            check=False,
        )
        if ended.returncode:
            sys.exit(f"{' '.join(map(str, command))}\n{ended.stdout}{ended.stderr}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def pipetask(self, processes: int, *extra: str, name: str = "pipetask") -> tuple[str, dict[str, float]]:
        """``pipetask run``: one process for all quanta, or one for each."""
        run = f"{name}-{processes}/run"
        options = ["-b", str(self.root), "-p", str(shipped_pipeline(LABEL)), "-i", self.inputs]
        output = ["-o", run.partition("/")[0], "--output-run", run, "--register-dataset-types"]
        return run, {"run": self._cpu("pipetask", "run", *options, *output, *extra, "-j", str(processes))}

    def jobs(self, size: int) -> tuple[str, dict[str, float]]:
        """What ``bps`` runs, step by step and without a scheduler: jobs of so many detectors each."""
        run = f"jobs-{size}/run"
        graph = str(self.work / f"jobs-{size}.qg")
        options = ["-b", str(self.root), "-p", str(shipped_pipeline(LABEL)), "-i", self.inputs]
        output = ["-o", run.partition("/")[0], "--output-run", run]
        parts = {
            "graph": self._cpu(
                "pipetask", "qgraph", *options, *output, "--save-qgraph", graph, "--qgraph-datastore-records"
            ),
            "init": self._cpu("pipetask", "pre-exec-init-qbb", str(self.root), graph),
        }
        nodes = self._nodes(graph)
        parts["jobs"] = sum(
            self._cpu("pipetask", "run-qbb", str(self.root), graph, "--qgraph-node-id", ",".join(some))
            for some in (nodes[i : i + size] for i in range(0, len(nodes), size))
        )
        parts["final"] = self._cpu(
            "butler", "aggregate-graph", graph, str(self.root), "--register-dataset-types", "-j", "1"
        )
        return run, parts

    @staticmethod
    def _nodes(graph: str) -> list[str]:
        from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

        with PredictedQuantumGraph.open(graph) as reader:
            reader.read_thin_graph()
            return [str(uuid) for uuid in reader.finish().quanta_by_task[LABEL].values()]

    def quanta(self, run: str) -> tuple[float, int]:
        """CPU seconds of all quanta of a run, and their number."""
        with Butler.from_config(str(self.root)) as butler:
            refs = butler.query_datasets(f"{LABEL}_metadata", collections=run)
            times = [butler.get(ref)["quantum"] for ref in refs]
        return sum(t.getScalar("endCpuTime") - t.getScalar("startCpuTime") for t in times), len(times)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--detectors", type=int, default=8)
    parser.add_argument("--size", type=int, nargs=2, default=(512, 512))
    arguments = parser.parse_args()
    print("compiling kernels, simulating …", file=sys.stderr)
    check()
    work = Path(tempfile.mkdtemp(prefix="secondlight-cost-"))
    try:
        root = work / "repo"
        create_repository(root)
        with Butler.from_config(str(root), writeable=True) as butler:
            inputs = ingest_visit(
                butler,
                detectors=range(90, 90 + arguments.detectors),
                pipeline=LABEL,
                size=tuple(arguments.size),
            )
        _table(Ways(root, inputs, work), arguments.detectors)
    finally:
        shutil.rmtree(work)


def _table(ways: Ways, detectors: int) -> None:
    # one detector beforehand: what the self-check leaves to be compiled is not a cost of each quantum
    ways.pipetask(1, "-d", "detector = 90", name="warm")
    rows = [
        ("`pipetask run -j 2`: a process a detector", ways.pipetask, 2),
        ("`pipetask run -j 1`: one process", ways.pipetask, 1),
        ("bps, a job a detector", ways.jobs, 1),
        (f"bps, {detectors} detectors a job", ways.jobs, detectors),
    ]
    print("| CPU seconds a detector | graph | init | jobs | final | total | quantum | overhead |")
    print("|---|---|---|---|---|---|---|---|")
    for name, way, argument in rows:
        run, parts = way(argument)
        quanta, n = ways.quanta(run)
        assert n == detectors
        parts["jobs"] = parts.pop("run", 0.0) or parts["jobs"]
        cells = [
            f"{parts[part] / n:.2f}" if part in parts else "" for part in ("graph", "init", "jobs", "final")
        ]
        total = sum(parts.values())
        cells += [f"{v / n:.2f}" for v in (total, quanta, total - quanta)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
