"""What must hold of the outputs of any run, whatever the scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from secondlight.io.native import read_visit_image
from secondlight.io.tables import read_footprints
from secondlight.runner import OUTPUTS

#: Tables whose bytes must not depend on the number of threads.
EXACT = ("sources.parquet", "sources_footprints.parquet", "pvi_background.fits")


def load(path: Path) -> dict[str, Any]:
    """The columns of a source table."""
    table = pq.read_table(path)
    return {name: table.column(name).to_numpy() for name in table.column_names}


def broken(out: Path, *, defects: bool = False) -> list[str]:
    """What is wrong with the outputs in a folder; nothing if all is well.

    With the reference's ``defects``, fluxes that are not numbers need not be flagged.
    """
    found = []
    names = sorted(p.name for p in out.iterdir())
    if names != sorted(OUTPUTS):
        found.append(f"files {names}")
    rows = load(out / "sources.parquet")
    image = read_visit_image(out / "pvi.fits")
    footprints = read_footprints(out / "sources_footprints.parquet")
    found += _ids(rows, footprints)
    found += [] if defects else _values(rows)
    found += _places(rows, footprints, image.bbox)
    return found


def _ids(rows: dict[str, Any], footprints: Any) -> list[str]:
    found = []
    ids, parents = rows["id"], rows["parent"]
    if len(np.unique(ids)) != len(ids) or (ids <= 0).any():
        found.append("ids are not unique and positive")
    if not np.array_equal(ids, footprints["id"]):
        found.append("footprints are not those of the sources")
    if not np.isin(parents[parents != 0], ids).all():
        found.append("parents that are no sources")
    if "deblend_nChild" in rows:
        children = dict(zip(*np.unique(parents[parents != 0], return_counts=True), strict=True))
        if not np.array_equal(rows["deblend_nChild"], [children.get(i, 0) for i in ids]):
            found.append("deblend_nChild is not the number of children")
    return found


def _values(rows: dict[str, Any]) -> list[str]:
    """Fluxes and positions without a number must be flagged; errors are not negative."""
    found = []
    for name, values in rows.items():
        for what in ("_instFlux", "_instFluxErr", "_x", "_xErr", "_xx", "_psf_xx"):
            stem = name.removesuffix(what)
            if stem == name or stem + "_flag" not in rows:
                continue
            lacking = np.isnan(values) if what.endswith("Err") else ~np.isfinite(values)
            unsaid = lacking & ~rows[stem + "_flag"]
            if unsaid.any():
                found.append(f"{name}: {unsaid.sum()} of {len(unsaid)} not finite and not flagged")
        # the error of a magnitude has the sign of the flux, as in the reference
        if name.endswith("Err") and not name.endswith("magErr") and (values < 0).any():
            found.append(f"{name}: negative")
    for name in ("coord_ra", "coord_dec"):
        if not np.isfinite(rows[name][np.isfinite(rows["slot_Centroid_x"])]).all():
            found.append(f"{name}: not finite")
    return found


def _places(rows: dict[str, Any], footprints: Any, box: Any) -> list[str]:
    found = []
    for footprint in footprints.footprints:
        y, x0, x1 = footprint.spans.T
        if len(y) and not (
            box.y.min <= y.min() and y.max() <= box.y.max and box.x.min <= x0.min() and x1.max() <= box.x.max
        ):
            found.append("a footprint leaves the image")
            break
    if any(len(f.spans) == 0 for f in footprints.footprints):
        found.append("an empty footprint")
    x, y = rows["slot_Centroid_x"], rows["slot_Centroid_y"]
    inside = (x > box.x.min - 30) & (x < box.x.max + 30) & (y > box.y.min - 30) & (y < box.y.max + 30)
    if not inside[np.isfinite(x)].all():
        found.append("a centroid far off the image")
    return found


def differences(one: Path, two: Path) -> list[str]:
    """Where two runs differ that must not."""
    found = [name for name in EXACT if (one / name).read_bytes() != (two / name).read_bytes()]
    a, b = read_visit_image(one / "pvi.fits"), read_visit_image(two / "pvi.fits")
    found += [
        f"pvi.fits {plane}"
        for plane in ("image", "mask", "variance")
        if not np.array_equal(getattr(a, plane), getattr(b, plane), equal_nan=plane != "mask")
    ]
    return found
