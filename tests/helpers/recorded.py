"""The recorded runs as things to measure and tables to compare with."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from secondlight.io.afw.exposure import read_exposure
from secondlight.io.afw.image import read_mask
from secondlight.io.afw.visit_summary import read_visit_summary
from secondlight.io.tables import read_footprints
from secondlight.model.catalog import SourceCatalog
from secondlight.model.exposure import Exposure
from secondlight.model.footprints import Footprints
from secondlight.model.schema import Schema

from .shared import SHARED, reference


@dataclass(frozen=True)
class Scene:
    """What the reference measured: image after detection, footprints in order, and its table without noise replacement."""

    exposure: Exposure
    ids: Any
    footprints: Footprints
    table: dict[str, Any]
    isolated: Any


def measured_exposure(name: str) -> Exposure:
    """The image of a recorded scene as it was after detection; a copy, which a test may change."""
    return _measured_exposure(name).copy()


@cache
def _measured_exposure(name: str) -> Exposure:
    record = read_visit_summary(reference(name, "inputs", "finalVisitSummary.fits")).find(42)
    snaps = [read_exposure(f, psf=False) for f in sorted(reference(name, "inputs").glob("postISRCCD_*.fits"))]
    stages = np.load(reference(name, "outputs", "stages.npz"))
    planes = snaps[0].mask_planes.copy()
    if "SPIKE" in read_mask(reference(name, "inputs", "preliminary_visit_mask.fits")).planes:
        planes.bit("SPIKE")
    return Exposure(
        stages["repaired"],
        stages["detected_mask"],
        np.sum([s.variance for s in snaps], axis=0, dtype=np.float32),
        planes,
        psf=record.psf,
        wcs=record.wcs,
        photo_calib=record.photo_calib,
        ap_corr_map=record.ap_corr_map,
        detector=snaps[0].detector,
    )


def scene(name: str) -> Scene:
    """Read a recorded scene; ``isolated`` are the table's rows that no deblender touches."""
    return replace(_scene(name), exposure=measured_exposure(name))


@cache
def _scene(name: str) -> Scene:
    exposure = _measured_exposure(name)
    parts = [read_footprints(reference(name, "outputs", f"{f}.parquet")) for f in ("detection", "sky")]
    table = tools().load(reference(name, "outputs_no_noise", "sources.parquet"))
    return Scene(
        exposure,
        np.concatenate([p["id"] for p in parts]),
        Footprints.concatenate([p.footprints for p in parts]),
        table,
        (table["parent"] == 0) & (table["deblend_nChild"] == 0),
    )


@dataclass(frozen=True)
class Deblended:
    """What the reference measured after deblending, parents and children, and a table of its measurements."""

    exposure: Exposure
    rows: SourceCatalog
    table: dict[str, Any]

    def catalog(self, schema: Schema) -> SourceCatalog:
        """A new catalogue of these sources, with nothing but ids, parents, children and footprints."""
        catalog = SourceCatalog(schema, len(self.rows), self.rows.footprints)
        for column in ("id", "parent"):
            catalog[column] = self.rows[column]
        if "deblend_nChild" in catalog:
            catalog["deblend_nChild"] = self.table["deblend_nChild"]
        return catalog

    def agreement(self, ours: Any, columns: list[str]) -> dict[str, float]:
        """The share of all rows in which each of some columns agrees."""
        theirs = {k: self.table[k] for k in {"id", *columns}}
        with np.errstate(all="ignore"):
            compared, _, paired, _, _ = tools().compare({k: ours[k] for k in theirs}, theirs, None)
        assert paired == len(self.rows)
        return {name: share for name, share, _, _ in compared if name in columns}


def deblended(name: str, table: str = "outputs") -> Deblended:
    """Read a recorded scene after deblending, and the table of its run, of ``outputs_no_noise`` or of a variant."""
    return replace(_deblended(name, table), exposure=measured_exposure(name))


@cache
def _deblended(name: str, table: str) -> Deblended:
    folder = reference(name, table) if table.startswith("outputs") else reference("variants", table)
    rows = read_footprints(
        (folder if (folder / "deblend.parquet").exists() else reference(name, "outputs")) / "deblend.parquet"
    )
    return Deblended(_measured_exposure(name), rows, tools().load(folder / "sources.parquet"))


@cache
def tools() -> Any:
    """The module that compares tables (it says what agreement means)."""
    spec = importlib.util.spec_from_file_location("compare_sources", SHARED / "tools" / "compare_sources.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def agreement(ours: dict[str, Any], recorded: Scene, columns: list[str]) -> dict[str, float]:
    """The share of isolated rows in which each of some columns agrees."""
    rows = {k: recorded.table[k][recorded.isolated] for k in {"id", *columns}}
    mine = {k: ours[k] for k in {"id", *columns}}
    with np.errstate(all="ignore"):
        compared, _, paired, _, _ = tools().compare(mine, rows, None)
    assert paired == recorded.isolated.sum()
    return {name: share for name, share, _, _ in compared if name in columns}


def fields() -> tuple[list[dict[str, str]], dict[str, str]]:
    """The reference's schema: its fields in order, and its aliases."""
    schema = json.loads(reference("small", "outputs", "schema.json").read_text())
    return schema["fields"], schema["aliases"]
