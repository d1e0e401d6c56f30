"""How close the results are to recorded runs of the reference, stage by stage and column by column.

    python benchmarks/parity.py REFERENCE_DIR [SCENE …] [--noise] [--variant NAME …]

REFERENCE_DIR holds one folder a scene with its ``inputs`` and ``outputs``, ``ids.py``, and beside it the folder ``tools``
with ``compare_sources.py``, which says when two values agree.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from secondlight import runner
from secondlight.io.native import read_visit_image

STAGES = ("background_subtracted", "repaired", "repaired_mask", "detected_mask")


def watched(stages: dict[str, Any]) -> type[runner.ReprocessVisitImageTask]:
    """The task, keeping the image and the footprints at the stages that were recorded."""

    class Watched(runner.ReprocessVisitImageTask):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            repair, detection, sky_sources = self.repair.run, self.detection.run, self.sky_sources.run

            def run_repair(exposure: Any) -> None:
                stages["background_subtracted"] = exposure.image.copy()
                repair(exposure)
                stages["repaired"], stages["repaired_mask"] = exposure.image.copy(), exposure.mask.copy()

            def run_detection(exposure: Any, **kwargs: Any) -> Any:
                result = detection(exposure, **kwargs)
                stages["detected_mask"] = exposure.mask.copy()
                return result

            def run_sky_sources(exposure: Any, catalog: Any, **kwargs: Any) -> None:
                sky_sources(exposure, catalog, **kwargs)
                # before the deblender shrinks those of blends
                stages["undeblended"] = rows_by_id(catalog["id"], catalog.footprints)

            self.sky_sources.run = run_sky_sources  # type: ignore[method-assign]
            self.repair.run = run_repair  # type: ignore[method-assign]
            self.detection.run = run_detection  # type: ignore[assignment]

    return Watched


def rows_by_id(ids: Any, footprints: Any) -> dict[int, dict[str, Any]]:
    """Peaks and spans of footprints in the layout of the recorded stages."""
    return {
        row: {
            "peaks": np.column_stack([f.peaks[name] for name in ("f_x", "f_y", "peakValue")])
            .ravel()
            .tolist(),
            "spans": f.spans.ravel().tolist(),
        }
        for row, f in zip(ids.tolist(), footprints, strict=True)
    }


def inputs_of(scene: Path, variant: Path | None) -> tuple[runner.Inputs, list[str]]:
    """The files of a scene, and the configuration files of its run."""
    directory = scene / "inputs"
    extra: dict[str, Path] = {}
    backgrounds = [directory / "background_1.fits", directory / "skyCorr.fits"]
    overrides: list[str] = []
    if variant is not None:
        overrides = [str(variant.with_suffix(".py"))]
        if (variant / "background_1.fits").exists():
            backgrounds = [variant / "background_1.fits"]
        for name, option in (
            ("initial_photoCalib.fits", "initial_photo_calib"),
            ("background_to_photometric_ratio.fits", "background_ratio"),
        ):
            if (variant / name).exists():
                extra[option] = variant / name
    inputs = runner.Inputs(
        exposures=sorted(directory.glob("postISRCCD_*.fits")),
        visit_summary=directory / "finalVisitSummary.fits",
        backgrounds=backgrounds,
        detector=42,
        preliminary_mask=directory / "preliminary_visit_mask.fits",
        calib_sources=directory / "finalized_src_table.parquet",
        **extra,
    )
    return inputs, [str(scene.parent / "ids.py"), "reference", *overrides]


def pixels(rows: list[dict[str, Any]], ours: list[dict[str, Any]]) -> str:
    """Say how many heavy footprints have the recorded pixels, to 1e-5 of the brightest."""
    pairs = [
        (np.asarray(r["heavy"]), np.asarray(o.get("heavy", []))) for r, o in zip(rows, ours, strict=True)
    ]
    pairs = [(theirs, mine) for theirs, mine in pairs if len(theirs)]
    same = sum(t.shape == m.shape and np.abs(t - m).max() <= 1e-5 * np.abs(t).max() for t, m in pairs)
    return f"; {len(pairs)} heavy, same pixels {same}" if pairs else ""


def statistics(made: Any, recorded: Path) -> str:
    """Say how many summary statistics agree to 1e-6 of their values, and by how much the worst differs."""
    known = json.loads(recorded.read_text())
    del known["version"]  # of the reference's class
    worst: dict[str, float] = {}
    for name, value in known.items():
        ours, theirs = np.atleast_1d(made[name]).astype(float), np.atleast_1d(value).astype(float)
        with np.errstate(all="ignore"):
            off = np.where(
                (ours == theirs) | (np.isnan(ours) & np.isnan(theirs)), 0.0, np.abs(ours / theirs - 1.0)
            )
        worst[name] = float(np.nan_to_num(off, nan=np.inf).max())
    first = max(worst, key=lambda name: worst[name])
    return (
        f"{sum(w <= 1e-6 for w in worst.values())} of {len(worst)} agree (worst {worst[first]:.1e}, {first})"
    )


def report(name: str, scene: Path, compare: ModuleType, noise: bool, variant: Path | None) -> None:
    """Run one scene and print how it compares."""
    stages: dict[str, Any] = {}
    runner.ReprocessVisitImageTask = watched(stages)  # type: ignore[misc]
    inputs, overrides = inputs_of(scene, variant)
    recorded = variant or scene / "outputs"
    values = [] if noise or variant else ["measurement.doReplaceWithNoise=False"]
    with tempfile.TemporaryDirectory() as out:
        runner.run_files(inputs, out=Path(out), config_files=overrides, config_values=values)
        table_made = compare.load(Path(out) / "sources.parquet")
        footprints = pq.read_table(Path(out) / "sources_footprints.parquet").to_pylist()
        made = read_visit_image(Path(out) / "pvi.fits").summary_stats
    print(f"\n{name}{' with noise replacement' if noise else ''}")
    if (recorded / "stages.npz").exists():
        known = np.load(recorded / "stages.npz")
        for stage in STAGES:
            different = int(
                np.count_nonzero(
                    ~((stages[stage] == known[stage]) | (np.isnan(stages[stage]) & np.isnan(known[stage])))
                )
            )
            print(f"  {stage}: {different} of {known[stage].size} pixels differ")
    written = {row["id"]: row for row in footprints}
    for stage in ("detection", "sky", "deblend"):
        if not (recorded / f"{stage}.parquet").exists():
            continue
        rows = pq.read_table(recorded / f"{stage}.parquet").to_pylist()
        ours = written if stage == "deblend" else stages["undeblended"]
        same = [ours.get(row["id"], {}) for row in rows]
        ids = sum(bool(s) for s in same)
        peaks = sum(s.get("peaks") == row["peaks"] for s, row in zip(same, rows, strict=True))
        spans = sum(s.get("spans") == row["spans"] for s, row in zip(same, rows, strict=True))
        print(
            f"  {stage}: {len(rows)} recorded; same id {ids}, peaks {peaks}, spans {spans}{pixels(rows, same)}"
        )
    if noise or variant is not None:
        print(f"  summary statistics: {statistics(made, recorded / 'summary_stats.json')}")
    table = recorded / "sources.parquet"
    if not noise and variant is None:
        table = scene / "outputs_no_noise" / "sources.parquet"
    if not table.exists():
        return
    theirs = compare.load(table)
    for rows, keep in (
        ("isolated", (theirs["parent"] == 0) & (theirs["deblend_nChild"] == 0)),
        ("all", theirs["parent"] >= 0),
    ):
        part = {k: v[keep] for k, v in theirs.items()}
        with np.errstate(all="ignore"):
            columns, how, paired, n, _ = compare.compare(table_made, part, None)
        there = [c for c in columns if c[3] != "missing"]
        short = sorted((c for c in there if c[1] < 0.999), key=lambda c: c[1])
        print(
            f"  {rows} rows: {paired} of {n} paired by {how}; columns agreeing in >= 99.9 % of rows: "
            f"{len(there) - len(short)} of {len(there)} ({len(columns) - len(there)} not made); "
            f"values agreeing: {100 * np.mean([c[1] for c in there]):.4f} %"
        )
        for column, share, worst, _ in short[:12]:
            print(f"    {100 * share:7.2f} %  {column} (worst {worst:.3g})")


def main() -> None:
    """Parse arguments and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reference", type=Path)
    parser.add_argument("scenes", nargs="*", default=["small", "snaps", "sdss_r"])
    parser.add_argument("--noise", action="store_true", help="replace neighbours by noise")
    parser.add_argument("--variant", action="append", default=[], help="a configuration, on the scene small")
    arguments = parser.parse_args()
    path = arguments.reference.parent / "tools" / "compare_sources.py"
    spec = importlib.util.spec_from_file_location("compare_sources", path)
    if spec is None or spec.loader is None or not path.exists():
        sys.exit(f"{path}: not there")
    compare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compare)
    if arguments.variant:
        for name in arguments.variant:
            report(
                name, arguments.reference / "small", compare, True, arguments.reference / "variants" / name
            )
        return
    for name in arguments.scenes:
        report(name, arguments.reference / name, compare, arguments.noise, None)


if __name__ == "__main__":
    main()
