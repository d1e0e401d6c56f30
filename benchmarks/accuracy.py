"""Judge catalogues of simulated scenes against the truth: the default configuration beside the reference's.

    python benchmarks/accuracy.py TOOL [--scenes N] [--size NX NY] [--noise N] [--work DIR]

TOOL is ``accuracy.py``, which judges one table against one truth. Scenes of different seeds are put side by side, so that it sees
one large one. ``--config-file reference`` stands for the reference, whose tables it reproduces (docs/parity.md).

One stream of noise, in the place of neighbours, goes through all footprints of an image: whatever changes one of them changes
the noise beside all later sources, by chance. With ``--noise N`` each configuration is run with N streams, and the mean of
each number is printed, with the uncertainty of that mean.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from secondlight.cli import main as secondlight

#: Scenes are this far apart [pixel].
APART = 10000.0

CONFIGURATIONS = {"default": [], "reference": ["--config-file", "reference"]}


def run(arguments: list[str]) -> str:
    """Run a command of ``secondlight`` here, and return what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        secondlight(arguments)
    return out.getvalue()


def moved(table: pa.Table, column: str, by: float) -> pa.Table:
    """Return a table with one column moved."""
    return table.set_column(table.column_names.index(column), column, pc.add(table[column], by))


def flat(table: pa.Table) -> pa.Table:
    """Return the columns that hold a number or a flag a row, without what belongs to one file."""
    names = [f.name for f in table.schema if not pa.types.is_nested(f.type)]
    return table.select(names).replace_schema_metadata(None)


def pooled(scenes: dict[int, list[str]], options: list[str], out: Path) -> int:
    """Process the scenes of some seeds, by their commands, and put their sources into one table; return their number."""
    tables = []
    for seed, command in scenes.items():
        with tempfile.TemporaryDirectory() as directory:
            run([*command, *options, "--out", directory, "--overwrite"])
            table = pq.read_table(Path(directory) / "sources.parquet")
        tables.append(moved(flat(table), "base_SdssCentroid_x", APART * seed))
    pq.write_table(pa.concat_tables(tables), out)
    return sum(len(t) for t in tables)


def judged(tool: Path, table: Path, work: Path) -> dict[str, list[float]]:
    """Return what the tool finds, by name."""
    out = work / "judged.json"
    command = [sys.executable, str(tool), str(table), str(work), "--json", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {name: np.atleast_1d(value).tolist() for name, value in json.loads(out.read_text()).items()}


def print_means(found: dict[str, list[dict[str, list[float]]]]) -> None:
    """Print each number's mean over the streams of noise and its uncertainty, the configurations side by side."""
    print("| | " + " | ".join(found) + " |\n|---|" + "---|" * len(found))
    for name in next(iter(found.values()))[0]:
        cells = []
        for results in found.values():
            values = np.array([r[name] for r in results])
            mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))
            error[error < 1e-9] = 0  # all equal, but for rounding
            cells.append(", ".join(f"{m:.4g} ± {e:.1g}" for m, e in zip(mean, error, strict=True)))
        print(f"| {name} | " + " | ".join(cells) + " |")


def main() -> None:
    """Parse arguments, simulate, run and judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tool", type=Path)
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--size", type=int, nargs=2, default=[2000, 1000])
    parser.add_argument("--noise", type=int, default=1, metavar="N", help="streams of noise to run with")
    parser.add_argument("--work", type=Path, help="kept, and used again")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        work = arguments.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        truths, scenes = [], {}
        for seed in range(1, arguments.scenes + 1):
            scene = work / f"scene{seed}"
            if not (scene / "command.txt").exists():
                size = [str(n) for n in arguments.size]
                told = run(["simulate", str(scene), "--seed", str(seed), "--size", *size, "--overwrite"])
                (scene / "command.txt").write_text(
                    next(line for line in told.splitlines() if line.startswith("secondlight run"))
                )
            command = shlex.split((scene / "command.txt").read_text())[1:]
            scenes[seed] = command[: command.index("--out")]
            truths.append(moved(pq.read_table(scene / "truth" / "truth.parquet"), "x", APART * seed))
        pq.write_table(
            pa.concat_tables([t.replace_schema_metadata(None) for t in truths]), work / "truth.parquet"
        )
        found: dict[str, list[dict[str, list[float]]]] = {name: [] for name in CONFIGURATIONS}
        for name, options in CONFIGURATIONS.items():
            path = work / f"{name}.parquet"
            for stream in range(1, arguments.noise + 1):
                seed_option = ["--config", f"measurement.noiseReplacer.noiseSeedMultiplier={stream}"]
                n = pooled(scenes, [*options, *seed_option], path)
                if arguments.noise == 1:
                    print(f"\n{name}: {n} rows of {arguments.scenes} scenes", flush=True)
                    subprocess.run([sys.executable, str(arguments.tool), str(path), str(work)], check=True)
                else:
                    found[name].append(judged(arguments.tool, path, work))
        if arguments.noise > 1:
            print_means(found)


if __name__ == "__main__":
    main()
