"""Judge catalogues of simulated scenes against the truth: the default configuration beside the reference's.

    python benchmarks/accuracy.py TOOL [--scenes N] [--size NX NY] [--work DIR]

TOOL is ``accuracy.py``, which judges one table against one truth. Scenes of different seeds are put side by side, so that it sees
one large one. ``--config-file reference`` stands for the reference, whose tables it reproduces (docs/parity.md).
"""

from __future__ import annotations

import argparse
import contextlib
import io
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


def main() -> None:
    """Parse arguments, simulate, run and judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tool", type=Path)
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--size", type=int, nargs=2, default=[2000, 1000])
    parser.add_argument("--work", type=Path, help="kept, and used again")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        work = arguments.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        truths, sources = [], {name: [] for name in CONFIGURATIONS}
        for seed in range(1, arguments.scenes + 1):
            scene = work / f"scene{seed}"
            if not (scene / "command.txt").exists():
                size = [str(n) for n in arguments.size]
                told = run(["simulate", str(scene), "--seed", str(seed), "--size", *size, "--overwrite"])
                (scene / "command.txt").write_text(
                    next(line for line in told.splitlines() if line.startswith("secondlight run"))
                )
            command = shlex.split((scene / "command.txt").read_text())[1:]
            command = command[: command.index("--out")]
            truths.append(moved(pq.read_table(scene / "truth" / "truth.parquet"), "x", APART * seed))
            for name, options in CONFIGURATIONS.items():
                out = scene / name
                run([*command, *options, "--out", str(out), "--overwrite"])
                table = pq.read_table(out / "sources.parquet")
                sources[name].append(moved(flat(table), "base_SdssCentroid_x", APART * seed))
        pq.write_table(
            pa.concat_tables([t.replace_schema_metadata(None) for t in truths]), work / "truth.parquet"
        )
        for name, tables in sources.items():
            path = work / f"{name}.parquet"
            pq.write_table(pa.concat_tables(tables), path)
            n = np.sum([len(t) for t in tables])
            print(f"\n{name}: {n} rows of {arguments.scenes} scenes", flush=True)
            subprocess.run([sys.executable, str(arguments.tool), str(path), str(work)], check=True)


if __name__ == "__main__":
    main()
