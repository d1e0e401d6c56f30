"""What a run costs for more sources and for more pixels: straight lines, and their slopes.

    python -m benchmarks.scaling [--write docs/performance.md README.md] [--quick]

Simulates a whole CCD with 700 to 50,000 rows, and images of 1 to 64 megapixels with as many objects each; half an hour at
first, later the simulated files are there. CPU seconds are those of one thread, reading and writing left out.
"""

from __future__ import annotations

from typing import Any

from benchmarks._measuring import child, setting
from benchmarks._page import finish, page_parser, seconds
from benchmarks._scenes import CCD, WARM_UP, Scene
from benchmarks._tables import Line, fit_line, table

#: Objects of a field, in units of `secondlight.simulate`: the number of rows is what is found of them.
_DENSITIES = (0.04, 0.3, 0.98, 3, 10)
#: In the densest fields most light is in footprints that are too large to be deblended by default.
_WITHOUT_LIMIT = "deblend.maxFootprintArea=1000000"

#: Images of 1 to 64 megapixels with 1,600 objects each.
_SIZES = ((1024, 1000), (2048, 2002), (4096, 4004), (8192, 8008))
_OBJECTS_PER_MEGAPIXEL = 1.64

_MORE_SOURCES = [Scene(CCD.nx, CCD.ny, density) for density in _DENSITIES]
_MORE_PIXELS = [Scene(nx, ny, round(_OBJECTS_PER_MEGAPIXEL / (nx * ny / 1e6), 4)) for nx, ny in _SIZES]


def _run(scene: Scene) -> dict[str, Any]:
    run: dict[str, Any] = child("benchmarks._whole", "compute", scene.folder(), 1, 1, _WITHOUT_LIMIT)
    of_sources = sum(run["stages"][name][0] for name in ("deblend", "measurement", "post_calculations"))
    cpu = sum(s[0] for s in run["stages"].values())
    return run | {"scene": scene, "cpu": cpu, "of_sources": of_sources, "others": cpu - of_sources}


def _points(runs: list[dict[str, Any]]) -> str:
    rows = [
        [
            f"{run['scene'].megapixels:.1f}",
            f"{run['rows']:,}",
            seconds(run["cpu"]),
            seconds(run["of_sources"]),
            seconds(run["others"]),
            f"{run['peak_mib']:,.0f}",
        ]
        for run in runs
    ]
    header = ["Mpixel", "rows", "CPU s", "deblending, measuring", "all else", "peak memory, MiB"]
    return table(header, rows)


def _worst(line: Line) -> str:
    return f"{100 * line.worst:.0f} %"


def _lines(sources: list[dict[str, Any]], pixels: list[dict[str, Any]]) -> str:
    rows: list[list[Any]] = []
    n = [run["rows"] for run in sources]
    size = [run["scene"].megapixels for run in pixels]
    for what, key in (("CPU, all", "cpu"), ("CPU, deblending and measuring", "of_sources")):
        line = fit_line(n, [run[key] for run in sources])
        rows.append(
            [
                f"{what}, against sources",
                seconds(line.offset),
                f"{1e3 * line.slope:.3f} ms a row",
                _worst(line),
            ]
        )
    for what, key in (("CPU, all", "cpu"), ("CPU, all but deblending and measuring", "others")):
        line = fit_line(size, [run[key] for run in pixels])
        rows.append(
            [
                f"{what}, against pixels",
                seconds(line.offset),
                f"{1e3 * line.slope:.1f} ms a Mpixel",
                _worst(line),
            ]
        )
    line = fit_line(n, [run["peak_mib"] for run in sources])
    rows.append(
        [
            "memory against sources",
            f"{line.offset:,.0f} MiB",
            f"{1024 * line.slope:.1f} KiB a row",
            _worst(line),
        ]
    )
    line = fit_line(size, [run["peak_mib"] for run in pixels])
    rows.append(
        ["memory against pixels", f"{line.offset:,.0f} MiB", f"{line.slope:.1f} MiB a Mpixel", _worst(line)]
    )
    return table(["straight line", "at zero", "slope", "farthest point from it"], rows)


def main() -> None:
    """Measure, print, and write."""
    parser = page_parser(__doc__)
    parser.add_argument("--quick", action="store_true", help="only the smaller half of the points")
    options = parser.parse_args()
    # what is not compiled yet is compiled here: the compiler's memory would count in the first measurement
    child("benchmarks._whole", "compute", WARM_UP.folder(), 1)
    scenes = [points[: 3 if options.quick else None] for points in (_MORE_SOURCES, _MORE_PIXELS)]
    for scene in (*scenes[0], *scenes[1]):
        scene.folder()
    line = setting()
    sources, pixels = ([_run(scene) for scene in points] for points in scenes)
    finish(
        {
            "scaling": "\n\n".join(
                (
                    line,
                    f"One CCD, {CCD.nx} × {CCD.ny} pixels, with more and more sources:",
                    _points(sources),
                    "More and more pixels with as many objects, which crowd the smallest:",
                    _points(pixels),
                    _lines(sources, pixels),
                )
            )
        },
        options.write,
    )


if __name__ == "__main__":
    main()
