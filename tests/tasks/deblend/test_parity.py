"""Parity: the recorded scenes and variants, every row after deblending."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from helpers.recorded import measured_exposure, tools
from helpers.shared import needs_shared, reference
from secondlight.io.tables import read_footprints
from secondlight.model.catalog import SourceCatalog
from secondlight.model.footprints import Footprints
from secondlight.model.ids import IdFactory
from secondlight.model.schema import Schema
from secondlight.tasks.deblend import SourceDeblendConfig, SourceDeblendTask

pytestmark = needs_shared

RUNS = ("small", "snaps", "sdss_r", "deblend_stray", "deblend_footprint", "deblend_clip")


#: Bits of an id that count sources, as the runs were recorded.
COUNTER_BITS = 17


def _detected(folder):
    """Sources before deblending, sky sources among them."""
    parts = [read_footprints(folder / f"{stage}.parquet") for stage in ("detection", "sky")]
    return np.concatenate([p["id"] for p in parts]), Footprints.concatenate([p.footprints for p in parts])


def _deblended(name, folder, config):
    """What the recorded detections of a scene become."""
    ids, footprints = _detected(folder)
    schema = Schema.minimal()
    task = SourceDeblendTask(schema=schema, config=config, name="deblend")
    catalog = SourceCatalog(schema, len(ids), footprints)
    catalog["id"], catalog["parent"] = ids, 0
    counter = IdFactory(int(ids[0]) >> COUNTER_BITS, COUNTER_BITS)
    counter.take(len(ids))
    task.run(measured_exposure(name), catalog, counter)
    return catalog


@pytest.fixture(scope="module", params=RUNS)
def run(request):
    name = request.param
    variant = name.startswith("deblend")
    config = SourceDeblendConfig()
    config.reproduceReferenceDefects = True
    if variant:
        exec(reference("variants", f"{name}.py").read_text(), {"config": SimpleNamespace(deblend=config)})
    scene = "small" if variant else name
    catalog = _deblended(scene, reference(scene, "outputs"), config)
    folder = reference("variants", name) if variant else reference(name, "outputs")
    recorded = read_footprints(folder / "deblend.parquet")
    return catalog, recorded, tools().load(folder / "sources.parquet")


def test_rows(run):
    catalog, recorded, _ = run
    np.testing.assert_array_equal(catalog["id"], recorded["id"])
    np.testing.assert_array_equal(catalog["parent"], recorded["parent"])


def test_spans_and_peaks(run):
    catalog, recorded, _ = run
    ours, theirs = catalog.footprints, recorded.footprints
    np.testing.assert_array_equal(ours.span_offsets, theirs.span_offsets)
    np.testing.assert_array_equal(ours.spans, theirs.spans)
    np.testing.assert_array_equal(ours.peak_offsets, theirs.peak_offsets)
    for name in ("f_x", "f_y", "peakValue"):
        np.testing.assert_array_equal(ours.peaks[name], theirs.peaks[name])


def test_pixels(run):
    catalog, recorded, _ = run
    ours, theirs = catalog.footprints, recorded.footprints
    np.testing.assert_array_equal(ours.heavy_offsets, theirs.heavy_offsets)
    rows = np.flatnonzero(np.diff(theirs.heavy_offsets))
    good = [
        np.abs(ours[i].heavy.image - theirs[i].heavy.image).max()
        <= 1e-5 * np.abs(theirs[i].heavy.image).max()
        for i in rows.tolist()
    ]
    assert sum(good) >= 0.999 * len(rows)


def test_columns(run):
    catalog, _, table = run
    np.testing.assert_array_equal(table["id"], catalog["id"])
    checked = 0
    for name, column in catalog.columns.items():
        if not name.startswith("deblend_") or name == "deblend_peakId":
            continue
        ours, theirs = column, table[name]
        same = (ours == theirs) | ((ours != ours) & (theirs != theirs))
        if ours.dtype.kind == "f":
            with np.errstate(invalid="ignore"):
                same |= np.abs(ours - theirs) <= 1e-7 * np.abs(theirs)
        assert same.mean() >= 0.999, name
        checked += 1
    assert checked == 17


def test_peak_ids(run):
    """Children have the ids of their peaks, where the reference's have; the two runs number peaks in different orders."""
    catalog, _, table = run
    ours, theirs = catalog["deblend_peakId"], table["deblend_peakId"]
    np.testing.assert_array_equal(ours > 0, theirs > 0)
    for row in np.flatnonzero(catalog["parent"]).tolist():
        assert catalog.footprints[row].peaks["id"].tolist() == [ours[row]]


@pytest.mark.parametrize("name", ["small", "snaps"])
def test_default_is_the_reference_where_that_has_no_fault(name):
    """No blend of these scenes touches a fault that the default mends: the same footprints, and so the same noise."""
    catalog = _deblended(name, reference(name, "outputs"), SourceDeblendConfig())
    ours, theirs = (
        catalog.footprints,
        read_footprints(reference(name, "outputs", "deblend.parquet")).footprints,
    )
    np.testing.assert_array_equal(ours.span_offsets, theirs.span_offsets)
    np.testing.assert_array_equal(ours.spans, theirs.spans)
    np.testing.assert_allclose(
        ours.heavy.image, theirs.heavy.image, atol=1e-5 * np.abs(theirs.heavy.image).max()
    )


@pytest.mark.parametrize("defects", [False, True])
def test_what_crashes_the_reference(defects):
    """Stray flux to the nearest footprint, few peaks, small footprints and every peak a child, on the scene ``small``."""
    folder = reference("small", "outputs")
    ids, footprints = _detected(folder)
    config = SourceDeblendConfig()
    config.update(
        strayFluxRule="nearest-footprint", maxNumberOfPeaks=3, maxFootprintSize=60, propagateAllPeaks=True
    )
    config.reproduceReferenceDefects = defects
    schema = Schema.minimal()
    task = SourceDeblendTask(schema=schema, config=config, name="deblend")
    catalog = SourceCatalog(schema, len(ids), footprints)
    catalog["id"], catalog["parent"] = ids, 0
    exposure = measured_exposure("small")
    before = exposure.image.tobytes()
    counter = IdFactory(int(ids[0]) >> COUNTER_BITS, COUNTER_BITS)
    counter.take(len(ids))
    mask = exposure.mask.copy()
    try:
        task.run(exposure, catalog, counter)
    finally:
        exposure.mask[:] = mask
    assert exposure.image.tobytes() == before
    peaks = footprints.peak_counts
    size = np.array([max(f.bbox.shape) for f in footprints])
    whole, skipped = slice(len(ids)), (peaks > 1) & (size > 60)
    np.testing.assert_array_equal(catalog["deblend_parentTooBig"][whole], skipped)
    split = (peaks > 1) & ~skipped
    assert split.sum() > 10 and skipped.any() and not catalog["deblend_failed"].any()
    np.testing.assert_array_equal(catalog["deblend_nChild"][whole], np.where(split, peaks, 0))
    np.testing.assert_array_equal(catalog["deblend_tooManyPeaks"][whole], split & (peaks > 3))
    # nothing of the parent is lost: its footprint stays, and its positive light is its children's
    rows = np.flatnonzero(split)
    for row in rows.tolist():
        parent = catalog.footprints[row]
        own = set(zip(*(c.tolist() for c in footprints[row].pixels()), strict=True))
        total = dict.fromkeys(own, 0.0)
        for child in np.flatnonzero(catalog["parent"] == ids[row]).tolist():
            y, x = catalog.footprints[child].pixels()
            for place, value in zip(
                zip(y.tolist(), x.tolist(), strict=True), catalog.heavy(child).heavy.image, strict=True
            ):
                total[place] = total.get(place, 0.0) + float(value)
        assert own <= set(zip(*(c.tolist() for c in parent.pixels()), strict=True))
        y, x = np.array(sorted(own)).T
        image = exposure.image[y - exposure.y0, x - exposure.x0]
        found = np.array([total[p] for p in sorted(own)])
        bright = image > 0
        if not defects:
            np.testing.assert_allclose(found[bright], image[bright], rtol=2e-3)
