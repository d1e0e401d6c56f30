"""Real SDSS frames against the LSST stack's catalogue of 2018: medians and scatters of what both measured.

    python benchmarks/sdss.py

Run 4192, camcol 4, field 300, bands g, r and i, found where the tests find them. Sources are the stack's isolated (none other
within 20 pixels), unflagged ones with S/N > 20.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.command import secondlight
from helpers.sdss import FILTERS, expected_sources, write_frame
from secondlight.io.tables import read_sources

ISOLATION = 20.0

#: Column, how the two are compared.
DIFFERENCES = [f"base_SdssCentroid_{c}" for c in "xy"]
RATIOS = [
    "base_SdssCentroid_xErr", "base_SdssShape_xx", "base_SdssShape_yy", "base_SdssShape_xxErr",
    "base_PsfFlux_instFlux", "base_PsfFlux_instFluxErr", "base_GaussianFlux_instFlux",
    "base_GaussianFlux_instFluxErr", "base_CircularApertureFlux_6_0_instFlux",
    "base_CircularApertureFlux_6_0_instFluxErr",
]  # fmt: skip


def mad(values: np.ndarray) -> float:
    """Return the standard deviation that the median absolute deviation tells."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def main() -> None:
    """Run the bands and print."""
    everything = expected_sources()
    # an id is exposure << 26 | counter, and an exposure's id holds the filter
    bands = (everything["id"].astype(np.int64) >> 26) // 100000 % 10
    for band in "gri":
        with tempfile.TemporaryDirectory() as folder:
            arguments = write_frame(band, Path(folder))
            ended = secondlight("run", *arguments, "--out", Path(folder) / "out")
            if ended.status:
                sys.exit(ended.err)
            ours = read_sources(Path(folder) / "out" / "sources.parquet")
        stack = {n: v[bands == FILTERS.index(band)] for n, v in everything.items()}
        number = {n: v.astype(float) for n, v in stack.items() if "flag" not in n}
        bad = np.logical_or.reduce([v == "True" for n, v in stack.items() if "flag" in n])
        position = np.column_stack([number["base_SdssCentroid_x"], number["base_SdssCentroid_y"]])
        there = np.isfinite(position).all(axis=1)
        alone = np.zeros(len(there), bool)
        tree = cKDTree(position[there])
        alone[there] = [len(near) == 1 for near in tree.query_ball_point(tree.data, ISOLATION)]
        pick = alone & ~bad & (number["base_PsfFlux_instFlux"] > 20 * number["base_PsfFlux_instFluxErr"])
        leaf = ours["deblend_nChild"] == 0
        mine = np.column_stack([ours["base_SdssCentroid_x"], ours["base_SdssCentroid_y"]])[leaf]
        distance, index = cKDTree(mine).query(position[pick])
        found = distance < 0.5
        print(f"\n{band}: {pick.sum()} sources, {found.sum()} found within 0.5 pixel")
        rows = np.flatnonzero(leaf)[index[found]]
        for name in DIFFERENCES:
            d = ours[name][rows] - number[name][pick][found]
            pull = d / number[f"{name}Err"][pick][found]
            print(
                f"  {name:45s} difference {np.median(d):+.5f}, scatter {mad(d):.5f} pixel; {mad(pull):.4f} of its error"
            )
        for name in RATIOS:
            with np.errstate(all="ignore"):
                r = ours[name][rows] / number[name][pick][found]
            r = r[np.isfinite(r)]
            print(f"  {name:45s} ratio {np.median(r):.5f}, scatter {mad(r):.5f}")
        for name in ("base_PsfFlux", "base_GaussianFlux", "base_CircularApertureFlux_6_0"):
            with np.errstate(all="ignore"):
                r = ours[f"{name}_instFlux"] / ours[f"{name}_instFluxErr"]
                r = r[rows] / (number[f"{name}_instFlux"] / number[f"{name}_instFluxErr"])[pick][found]
            r = r[np.isfinite(r)]
            print(f"  {name + ', S/N':45s} ratio {np.median(r):.5f}, scatter {mad(r):.5f}")


if __name__ == "__main__":
    main()
