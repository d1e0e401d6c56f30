"""One CCD of the survey's camera: seconds of each stage, memory, and the same beside other packages.

    python -m benchmarks.ccd [--write docs/performance.md README.md] [--only PART …] [--repeats N]

Simulates the CCD once. Each configuration runs in a fresh process, on kernels that are compiled; CPU seconds are those of all
threads, user and system. Needs the extra ``bench``; source-extractor takes part if it is installed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks._measuring import child, run_command, setting
from benchmarks._others import source_extractor
from benchmarks._page import finish, page_parser, seconds
from benchmarks._scenes import CCD, WARM_UP, inputs_of
from benchmarks._tables import table

#: CPU seconds of the reference on one core like ours, reading and writing left out, for 5,656 sources; its largest memory.
REFERENCE = {
    "measurement": 99.0,
    "post_calculations": 15.0,
    "deblend": 7.0,
    "compute_summary_stats": 5.0,
    "detection": 1.8,
    "sky_sources": 1.4,
    "repair": 0.7,
}
REFERENCE_TOTAL = 130.0
REFERENCE_MIB = 1030.0

#: Detector images of a first data release, and of the whole survey.
RELEASES = (5_000_000, 37_000_000)

#: Stages that take less CPU than this are not worth a row [s].
_NOTHING = 0.005

_PER_SOURCE = {"deblend", "measurement", "post_calculations"}
_READ_WRITE = ("read", "write")
_ALL = len(os.sched_getaffinity(0))


def _total(run: dict[str, Any]) -> tuple[float, float]:
    return sum(s[0] for s in run["stages"].values()), sum(s[1] for s in run["stages"].values())


def _stages(runs: dict[tuple[str, int], dict[str, Any]]) -> str:
    """The table of stages: the computing, and reading and writing around it."""
    one, many = runs["compute", 1], runs["compute", _ALL]
    rows: list[list[Any]] = []
    files = {n: runs["files", n]["stages"] for n in (1, _ALL)}
    stages = {
        1: one["stages"] | {k: files[1][k] for k in _READ_WRITE},
        _ALL: many["stages"] | {k: files[_ALL][k] for k in _READ_WRITE},
    }
    names = ["read", *one["stages"], "write"]
    for name in names:
        cpu, wall = stages[1][name]
        if cpu < _NOTHING and name not in REFERENCE:
            continue
        per_source = name in _PER_SOURCE
        rate = one["rows"] / cpu if per_source else CCD.megapixels / cpu
        theirs = REFERENCE.get(name)
        rows.append(
            [
                f"`{name}`",
                seconds(cpu),
                seconds(wall),
                *(seconds(s) for s in stages[_ALL][name]),
                f"{rate:,.0f} {'sources' if per_source else 'Mpixel'}/s",
                theirs,
                f"{theirs / cpu:,.0f}" if theirs else None,
            ]
        )
    cpu, wall = _total(one)
    rows.append(
        [
            "**all but read and write**",
            seconds(cpu),
            seconds(wall),
            *(seconds(s) for s in _total(many)),
            f"{one['rows'] / cpu:,.0f} sources/s",
            REFERENCE_TOTAL,
            f"{REFERENCE_TOTAL / cpu:,.1f}",
        ]
    )
    header = ["stage", "CPU s, 1 thread", "wall s", f"CPU s, {_ALL} threads", "wall s", "rate, 1 thread"]
    return table([*header, "reference, CPU s", "times faster"], rows)


def _whole(runs: dict[tuple[str, int], dict[str, Any]], folder: Path) -> str:
    """The table of whole runs, ours and others'."""
    rows: list[list[Any]] = []

    def add(name: str, cpu: float, wall: float, peak: float, n: Any) -> None:
        rows.append([name, seconds(cpu), seconds(wall), f"{peak:,.0f}", f"{n:,}" if n else None])

    n_rows = runs["compute", 1]["rows"]
    for (mode, n), run in runs.items():
        if mode == "compute" and n not in (1, _ALL):
            continue
        what = "pixels in memory" if mode == "compute" else "from afw files to native ones"
        add(f"secondlight, {what}, {n} thread{'s' * (n > 1)}", *_total(run), run["peak_mib"], n_rows)
    spent, peak = _command(folder)
    add("`secondlight run`, start-up and all, 1 thread", spent.cpu, spent.wall, peak, n_rows)
    theirs = source_extractor(folder)
    if theirs is None:
        print("source-extractor is not installed: left out", file=sys.stderr)
    else:
        add(
            "source-extractor, from file to file, 1 thread",
            *(theirs[k] for k in ("cpu", "wall", "peak_mib", "rows")),
        )
    theirs = child("benchmarks._others", "photutils", folder)
    add("photutils, pixels in memory, 1 thread", *(theirs[k] for k in ("cpu", "wall", "peak_mib", "rows")))
    return table(["whole run", "CPU s", "wall s", "peak memory, MiB", "rows"], rows)


def _command(folder: Path) -> Any:
    inputs = inputs_of(folder)
    arguments: list[Any] = [*inputs.exposures, "--visit-summary", inputs.visit_summary]
    for background in inputs.backgrounds:
        arguments += ["--background", background]
    arguments += ["--preliminary-mask", inputs.preliminary_mask, "--calib-sources", inputs.calib_sources]
    with tempfile.TemporaryDirectory() as out:
        return run_command(
            [
                *(sys.executable, "-c", "from secondlight.cli import main; main()", "run", *arguments),
                *("--detector", str(inputs.detector), "--out", Path(out) / "out", "--quiet"),
            ]
        )


def _identical(runs: dict[tuple[str, int], dict[str, Any]]) -> str:
    digests = {n: run["digest"] for (mode, n), run in runs.items() if mode == "compute"}
    counts = ", ".join(map(str, digests))
    if len(set(digests.values())) == 1:
        share = _total(runs["compute", _ALL])[1] / _total(runs["compute", 1])[1]
        return (
            f"Every number of image, table and footprints is the same to the last bit at {counts} threads. With {_ALL} "
            f"threads the clock on the wall shows {share:.2f} of one thread's time."
        )
    return f"RESULTS DIFFER between {counts} threads: {digests}"


def _projection(runs: dict[tuple[str, int], dict[str, Any]]) -> str:
    """Core-hours of data releases, with the arithmetic."""
    compute, files = _total(runs["compute", 1])[0], _total(runs["files", 1])[0]
    rows = []
    for name, cost in (
        ("reference, reading and writing left out", REFERENCE_TOTAL),
        ("secondlight, reading and writing left out", compute),
        ("secondlight, from afw files to native ones", files),
    ):
        hours = [f"{n * cost / 3600:,.0f}" for n in RELEASES]
        rows.append([name, seconds(cost), *hours])
    header = ["core-hours", "CPU s a CCD", *(f"{n / 1e6:.0f} million CCDs" for n in RELEASES)]
    first = RELEASES[0]
    sentence = (
        f"Core-hours are CCDs × CPU seconds / 3600: {first:,} × {compute:.2f} / 3600 = {first * compute / 3600:,.0f}, where "
        f"the reference spends {first:,} × {REFERENCE_TOTAL:.0f} / 3600 = {first * REFERENCE_TOTAL / 3600:,.0f}. A process a "
        f"core needs {runs['files', 1]['peak_mib']:,.0f} MiB of memory, the reference's {REFERENCE_MIB:,.0f}."
    )
    return f"{table(header, rows)}\n\n{sentence}"


def _peers(folder: Path) -> str:
    found = child("benchmarks._peers", folder)
    own = {row["stage"]: row["cpu"] for row in found["rows"] if row["name"] == "secondlight"}
    rows = []
    for row in found["rows"]:
        per_source = row["stage"] in ("apertures", "adaptive moments")
        amount = found["sources"] if per_source else found["pixels"] / 1e6
        rows.append(
            [
                row["stage"],
                row["name"],
                seconds(row["cpu"]),
                f"{amount / row['cpu']:,.0f} {'sources' if per_source else 'Mpixel'}/s",
                None if row["name"] == "secondlight" else f"{row['cpu'] / own[row['stage']]:.1f}",
                f"{row['made']:,}",
            ]
        )
    header = ["stage", "by", "CPU s", "rate", "times as long as secondlight", "made"]
    return table(header, rows)


def _piff() -> str:
    rows = [
        [
            f"{row['n']:,} {row['name']}",
            f"{1e3 * row['piff']:.1f}",
            f"{1e3 * row['batch']:.2f}",
            f"{row['piff'] / row['batch']:.0f}",
            f"{row['difference']:.0e}",
        ]
        for row in child("benchmarks.piff_draw", "--json")
    ]
    header = [
        "PSF images, 25 × 25",
        "`piff.PSF.draw`, CPU ms",
        "one batch, CPU ms",
        "times faster",
        "largest difference, of the peak",
    ]
    return table(header, rows)


def main() -> int:
    """Measure, print, and write; return 1 if results depend on the number of threads."""
    parser = page_parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=["ccd", "peers", "piff"], help="only these parts")
    parser.add_argument(
        "--repeats", type=int, default=1, help="runs with one thread, and with all; the best counts"
    )
    options = parser.parse_args()
    parts = options.only or ["ccd", "peers", "piff"]
    folder = CCD.folder()
    # what is not compiled yet is compiled here: the compiler's memory would count in the first measurement
    child("benchmarks._whole", "compute", WARM_UP.folder(), 1)
    line = setting()
    blocks: dict[str, str] = {}
    wrong = False
    if "ccd" in parts:
        runs: dict[tuple[str, int], dict[str, Any]] = {}
        for mode, counts in (("compute", sorted({1, 2, 4, _ALL})), ("files", sorted({1, _ALL}))):
            for n in counts:
                repeats = options.repeats if n in (1, _ALL) else 1
                print(f"{mode}, {n} threads", file=sys.stderr, flush=True)
                runs[mode, n] = child("benchmarks._whole", mode, folder, n, repeats)
        first = runs["compute", 1]
        scene = f"{CCD.nx} × {CCD.ny} pixels, {first['rows']:,} rows of which {first['children']:,} are deblended children."
        same = _identical(runs)
        wrong = same.startswith("RESULTS")
        blocks["stages"] = f"{line}\n\n{scene}\n\n{_stages(runs)}\n\n{same}"
        blocks["whole"] = _whole(runs, folder)
        blocks["projection"] = _projection(runs)
    if "peers" in parts:
        blocks["peers"] = f"{line}\n\n{_peers(folder)}"
    if "piff" in parts:
        blocks["piff"] = _piff()
    finish(blocks, options.write)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
