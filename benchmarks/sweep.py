"""Run many simulated scenes through the command line and check what must hold of any output.

    python benchmarks/sweep.py [--work DIR] [--only TEXT] [--seed N] [--long] [--keep]

Each scene is simulated, run with one thread and with two, in the default configuration and in the reference's, and judged: exit
status, silence, ids, footprints, unflagged NaN, equal bytes whatever the threads, fluxes and positions against the truth.
Prints a line a run; the exit status is the number of runs that fail. ``--long`` adds scenes of a whole detector.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from helpers.invariants import broken, differences, load  # noqa: E402

COMMAND = [sys.executable, "-c", "from secondlight.cli import main; main()"]


@dataclass(frozen=True)
class Scene:
    """A simulated scene, and whether it takes long."""

    name: str
    options: str
    long: bool = False


SCENES = (
    Scene("tiny", "--size 64 64"),
    Scene("narrow", "--size 64 800"),
    Scene("empty", "--size 500 400 --density 0"),
    Scene("few", "--size 500 400 --density 0.02"),
    Scene("usual", "--size 1000 800"),
    Scene("usual-snaps", "--size 1000 800 --snaps 2"),
    Scene("border", "--size 700 600 --no-data-border 40"),
    Scene("wide-border", "--size 300 300 --no-data-border 120"),
    Scene("flat-ratio", "--size 700 600 --flat-ratio"),
    Scene("flat-ratio-snaps", "--size 700 600 --flat-ratio --snaps 2"),
    Scene("crowded", "--size 1000 800 --density 8"),
    Scene("crowded-snaps", "--size 800 600 --density 8 --snaps 2"),
    Scene("crowded-3-border-snaps", "--size 700 900 --density 3 --no-data-border 30 --snaps 2"),
    Scene("afw", "--size 700 600 --format afw --flat-ratio --no-data-border 20"),
    Scene("g", "--size 800 600 --band g"),
    Scene("i", "--size 800 600 --band i --density 3"),
    Scene("z", "--size 800 600 --band z"),
    Scene("u", "--size 800 600 --band u"),
    Scene("y", "--size 800 600 --band y --density 3"),
    Scene("detector", "--size 4096 4004", long=True),
    Scene("detector-sparse", "--size 4096 4004 --density 0.02", long=True),
    Scene("detector-crowded", "--size 4096 4004 --density 8", long=True),
    Scene("detector-snaps", "--size 4096 4004 --snaps 2", long=True),
)

#: Options of each way to run a scene.
WAYS = {"default": [], "reference": ["--config-file", "reference"]}


def simulate(scene: Scene, folder: Path, seed: int) -> list[str]:
    """Make a scene; return the arguments of its run, without ``--out``."""
    done = subprocess.run(
        [*COMMAND, "simulate", folder, *scene.options.split(), "--seed", str(seed)],
        capture_output=True,
        text=True,
        check=True,
    )
    arguments = done.stdout.split()[2:]
    i = arguments.index("--out")
    return arguments[:i] + arguments[i + 2 :]


def run(arguments: list[str], out: Path, *more: str) -> list[str]:
    """Run; return what is wrong with how it ended."""
    done = subprocess.run(
        [*COMMAND, "run", *arguments, "--out", out, "--quiet", *more],
        capture_output=True,
        text=True,
        check=False,
    )
    said = (done.stdout + done.stderr).strip().splitlines()
    found = [f"exit status {done.returncode}"] if done.returncode else []
    return found + ([f"says: {said[-1]} ({len(said)} lines)"] if said else [])


def judged(out: Path, truth: Path) -> tuple[list[str], str]:
    """Compare bright isolated stars with the truth: what is wrong, and the numbers."""
    from scipy.spatial import cKDTree

    rows, true = load(out / "sources.parquet"), load(truth / "truth.parquet")
    record = json.loads((out / "metadata.json").read_text())
    text = f"{record['counts']['sources']:6d} sources {sum(record['seconds'].values()):7.1f} s {record['peak_rss_mib']:6.0f} MiB"
    good = (rows["parent"] == 0) & ~rows["sky_source"] & ~rows["base_PsfFlux_flag"]
    if "deblend_nChild" in rows:
        good &= rows["deblend_nChild"] == 0
    for flag in ("saturated", "edge", "bad", "cr", "interpolatedCenter"):
        good &= ~rows[f"base_PixelFlags_flag_{flag}"]
    xy = np.column_stack([true["x"], true["y"]])
    crowd = cKDTree(xy)
    pulls, offsets = [], []
    error = rows["base_PsfFlux_instFluxErr"]
    tree = cKDTree(np.column_stack([rows["slot_Centroid_x"], rows["slot_Centroid_y"]])[good])
    pick = np.flatnonzero(good)
    for t in np.flatnonzero(true["kind"] == "star") if len(pick) else ():
        near, k = tree.query(xy[t])
        neighbours = [j for j in crowd.query_ball_point(xy[t], 15) if j != t]
        if near > 1 or any(true["flux"][j] > 0.03 * true["flux"][t] for j in neighbours):
            continue
        if true["flux"][t] < 20 * error[pick[k]]:
            continue
        pulls.append(rows["base_PsfFlux_instFlux"][pick[k]] / true["flux"][t] - 1)
        offsets.append(rows["slot_Centroid_x"][pick[k]] - true["x"][t])
    if len(pulls) < 5:
        return [], text
    bias, shift = float(np.median(pulls)), float(np.median(offsets))
    text += f"  {len(pulls)} stars: flux {100 * bias:+.2f} %, x {shift:+.4f}"
    found = []
    # the noise of the median of stars with S/N > 20, and 2 % for the light of faint neighbours
    if abs(bias) > 0.02 + 0.1 / np.sqrt(len(pulls)):
        found.append(f"flux bias {100 * bias:+.2f} %")
    if abs(shift) > 0.01 + 0.2 / np.sqrt(len(pulls)):
        found.append(f"centroid bias {shift:+.3f} pixel")
    return found, text


def main() -> int:
    """Run the sweep; return the number of runs that fail."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--work", type=Path, help="folder for scenes and outputs; a temporary one if not given"
    )
    parser.add_argument("--only", default="", help="only scenes whose name holds this text")
    parser.add_argument("--seed", type=int, default=1, help="seed of the simulations")
    parser.add_argument("--long", action="store_true", help="whole detectors too")
    parser.add_argument("--keep", action="store_true", help="keep scenes and outputs")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="sweep-"))
    failed = 0
    for scene in SCENES:
        if options.only not in scene.name or (scene.long and not options.long):
            continue
        folder = work / scene.name
        shutil.rmtree(folder, ignore_errors=True)
        arguments = simulate(scene, folder, options.seed)
        for way, more in WAYS.items():
            one, two = folder / way, folder / f"{way}-2"
            found, text = run(arguments, one, *more), ""
            if not found:
                biases, text = judged(one, folder / "truth")
                found += broken(one, defects=way == "reference") + biases
                found += run(arguments, two, *more, "--threads", "2") or [
                    f"differs with two threads: {name}" for name in differences(one, two)
                ]
            failed += bool(found)
            print(f"{scene.name:18s} {way:10s} {text}  {'; '.join(found) or 'well'}", flush=True)
        if not options.keep:
            shutil.rmtree(folder)
    if not options.keep and not options.work:
        shutil.rmtree(work)
    return failed


if __name__ == "__main__":
    sys.exit(main())
