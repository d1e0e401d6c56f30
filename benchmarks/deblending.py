"""The deblender: blends and children per second beside photutils and sep, and blends made to break it.

    python -m benchmarks.deblending [--reference REFERENCE_DIR] [--write docs/performance.md README.md]

With REFERENCE_DIR, which holds recorded runs, its scene ``small`` is deblended, too; a crowded one is simulated.
Needs the extra ``bench``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks._measuring import child, setting
from benchmarks._page import finish, page_parser, seconds
from benchmarks._scenes import CROWDED, WARM_UP
from benchmarks._tables import table

_HOSTILE = {
    "thousand": "all peaks of the crowded image in one footprint as large as it",
    "nebula": "a hundred of them on a nebula that covers the image",
    "nan": "the largest blend of the crowded image, one pixel NaN",
    "off-edge": "the same, half of it off the image",
    "saturated": "the same, all its pixels saturated",
}


def _speed(scenes: dict[str, Path]) -> str:
    rows: list[list[Any]] = []
    for name, folder in scenes.items():
        for row in child("benchmarks._deblend", "speed", folder)["rows"]:
            rows.append(
                [
                    name,
                    row["name"],
                    row["threads"],
                    seconds(row["cpu"]),
                    seconds(row["wall"]),
                    *(f"{row[k]:,}" if row[k] is not None else None for k in ("blends", "children")),
                    f"{row['blends'] / row['cpu']:,.0f}" if row["blends"] is not None else None,
                    f"{row['children'] / row['cpu']:,.0f}",
                ]
            )
    header = ["scene", "by", "threads", "CPU s", "wall s", "blends", "children"]
    return table([*header, "blends / CPU s", "children / CPU s"], rows)


def _hostile(folder: Path) -> str:
    rows = []
    for what, text in _HOSTILE.items():
        found = child("benchmarks._deblend", what, folder)
        rows.append(
            [
                text,
                f"{found['area']:,}",
                f"{found['peaks']:,}",
                f"{found['children']:,}",
                seconds(found["cpu"]),
                seconds(found["wall"]),
                f"{found['peak_mib']:,.0f} ({found['before_mib']:,.0f} before)",
                ", ".join(found["flags"]),
            ]
        )
    header = ["blend", "pixels", "peaks", "children", "CPU s, 1 thread", "wall s", "peak memory, MiB"]
    return table([*header, "flags"], rows)


def main() -> None:
    """Measure, print, and write."""
    parser = page_parser(__doc__)
    parser.add_argument("--reference", type=Path, help="folder with recorded runs")
    options = parser.parse_args()
    crowded = CROWDED.folder()
    # what is not compiled yet is compiled here: the compiler's memory would count in the first measurement
    child("benchmarks._whole", "compute", WARM_UP.folder(), 1)
    line = setting()
    scenes = {"crowded": crowded}
    if options.reference:
        scenes = {"small": options.reference.resolve() / "small"} | scenes
    finish(
        {"deblending": f"{line}\n\n{_speed(scenes)}", "hostile": _hostile(crowded)},
        options.write,
    )


if __name__ == "__main__":
    main()
