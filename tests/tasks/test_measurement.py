"""The measurement task: order, slots, isolation of failures, threads, and parity of what it declares."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from helpers.measuring import gaussian_stars, measure, measurement_task, square_footprints
from helpers.recorded import agreement, fields, scene
from helpers.shared import needs_shared
from secondlight import threads
from secondlight.errors import ProcessingError
from secondlight.measurement import FLUX_ORDER, Plugin, plugin_registry, registry
from secondlight.model.catalog import SourceCatalog
from secondlight.model.schema import Column, Schema
from secondlight.tasks.measurement import SingleFrameMeasurementConfig, SingleFrameMeasurementTask


class Brightest(Plugin):
    """A plugin in plain NumPy, as someone else would write it."""

    order = FLUX_ORDER

    def __init__(self, config, name, schema, metadata):
        super().__init__(config, name, schema, metadata)
        schema.add(Column(f"{name}_value", "F", "count", "Largest pixel near the centroid"))
        schema.add(Column(f"{name}_flag", "Flag", doc="Set for any failure"))
        metadata["my_fact"] = 42

    def measure(self, batch):
        stamps = batch.stamps(2)
        batch[f"{self.name}_value"][:] = np.where(stamps.valid, stamps.image, -np.inf).max(axis=(1, 2))


class Fragile(Brightest):
    """Raises if the batch holds a source whose id is a multiple of five."""

    error: type[Exception] = ZeroDivisionError

    def measure(self, batch):
        if (batch["id"] % 5 == 0).any():
            raise self.error("five")
        super().measure(batch)


@pytest.fixture(autouse=True)
def third_party(monkeypatch):
    """Register plugins by entry points, for one test; the registry forgets them afterwards."""
    entries = [SimpleNamespace(name=f"my_{c.__name__}", load=lambda c=c: c) for c in (Brightest, Fragile)]
    monkeypatch.setattr(registry, "entry_points", lambda *, group: entries)
    monkeypatch.setattr(plugin_registry, "_discovered", False)
    monkeypatch.setattr(plugin_registry, "_dict", dict(plugin_registry._dict))


def field(n=300, noise=3.0):
    """Stars on a grid with random places within their pixels."""
    side = int(np.ceil(np.sqrt(n)))
    rng = np.random.default_rng(2)
    gy, gx = np.mgrid[:side, :side].reshape(2, -1)[:, :n] * 30.0 + 30.0
    x, y = gx + rng.uniform(-0.5, 0.5, n), gy + rng.uniform(-0.5, 0.5, n)
    exposure = gaussian_stars((30 * side + 30,) * 2, [], [], [], noise=noise)
    rows, columns = np.mgrid[-10:11, -10:11]
    for xi, yi in zip(x, y, strict=True):
        ix, iy = int(xi + 0.5), int(yi + 0.5)
        r2 = (columns + ix - xi) ** 2 + (rows + iy - yi) ** 2
        exposure.image[iy - 10 : iy + 11, ix - 10 : ix + 11] += (
            1e4 / (2 * np.pi * 1.8**2) * np.exp(-r2 / 2 / 1.8**2)
        )
    return exposure, x, y


def test_order_and_slots():
    """Columns come plugin by plugin: the centroid slot's, then by order and name, then the invalid-PSF flag."""
    task = measurement_task(
        ["my_Brightest", "base_SkyCoord", "base_PixelFlags", "base_SdssCentroid", "base_Variance"]
    )
    assert [p.name for p in task.plugins] == [
        "base_SdssCentroid", "base_SkyCoord", "base_PixelFlags", "base_Variance", "my_Brightest",
    ]  # fmt: skip
    assert task.schema.names[4] == "base_SdssCentroid_x"
    assert task.schema.names[-1] == "base_InvalidPsf_flag"
    assert task.schema.aliases["slot_Centroid"] == "base_SdssCentroid"
    assert task.schema.aliases["slot_PsfFlux"] == "base_PsfFlux"
    assert task.schema.aliases["base_Variance_flag_badCentroid"] == "base_SdssCentroid_flag"
    assert "slot_Shape" not in task.schema.aliases


def test_slot_of_a_plugin_that_does_not_run():
    config = SingleFrameMeasurementConfig()
    config.plugins.names = ["base_PixelFlags"]
    with pytest.raises(ValueError, match=r"slots\.centroid is 'base_SdssCentroid'"):
        config.validate()


def test_third_party_plugin():
    """A NumPy plugin from another package measures beside ours."""
    exposure, x, y = field(9, noise=0.0)
    catalog = measure(exposure, square_footprints(x, y), ["base_SdssCentroid", "my_Brightest"])
    peak = exposure.image[np.floor(y + 0.5).astype(int), np.floor(x + 0.5).astype(int)]
    np.testing.assert_array_equal(catalog["my_Brightest_value"], peak)
    assert catalog.metadata["my_fact"] == 42


def test_threads_are_bit_identical():
    """Property: one thread or three, the same bytes; and so for a catalogue cut in two."""
    exposure, x, y = field(300)
    names = ["base_SdssCentroid", "base_PixelFlags", "my_Brightest"]
    one = measure(exposure, square_footprints(x, y), names)
    with threads.use(3):
        three = measure(exposure, square_footprints(x, y), names)
    part = measure(exposure, square_footprints(x[100:], y[100:]), names)
    for name, values in one.columns.items():
        assert values.tobytes() == three.columns[name].tobytes(), name
        if name != "id":
            assert values[100:].tobytes() == part.columns[name].tobytes(), name


def test_a_failing_source_costs_itself_only():
    exposure, x, y = field(150)
    catalog = measure(exposure, square_footprints(x, y), ["base_SdssCentroid", "my_Fragile", "my_Brightest"])
    five = catalog["id"] % 5 == 0
    np.testing.assert_array_equal(catalog["my_Fragile_flag"], five)
    np.testing.assert_array_equal(np.isnan(catalog["my_Fragile_value"]), five)
    np.testing.assert_array_equal(catalog["my_Fragile_value"][~five], catalog["my_Brightest_value"][~five])
    assert not catalog["my_Brightest_flag"].any()


@pytest.mark.parametrize("error", [MemoryError, ProcessingError])
def test_errors_that_are_not_a_sources(monkeypatch, error):
    """No memory, or data that nobody can measure: the task stops."""
    monkeypatch.setattr(Fragile, "error", error)
    exposure, x, y = field(9)
    with pytest.raises(error):
        measure(exposure, square_footprints(x, y), ["base_SdssCentroid", "my_Fragile"])


@pytest.mark.parametrize("reference", [False, True])
def test_fluxes_that_are_not_numbers(reference):
    """NaN pixels make fluxes and errors NaN: the default says so by the flag, the reference does not always."""
    exposure, x, y = field(9)
    exposure.image[int(y[4]) + 2, int(x[4]) + 2] = np.nan
    exposure.variance[int(y[5]) + 2, int(x[5]) + 2] = np.nan

    def configure(config):
        config.reproduceReferenceDefects = reference
        config.plugins["base_CompensatedTophatFlux"].apertures = [3]

    catalog = measure(
        exposure, square_footprints(x, y), ["base_SdssCentroid", "base_CompensatedTophatFlux"], configure
    )
    flux, error, flag = (
        catalog[f"base_CompensatedTophatFlux_3_{what}"] for what in ("instFlux", "instFluxErr", "flag")
    )
    assert np.flatnonzero(np.isnan(flux)).tolist() == [4]
    assert np.flatnonzero(np.isnan(error)).tolist() == [5]
    assert np.flatnonzero(flag).tolist() == ([] if reference else [4, 5])


def test_do_measure():
    """A plugin that is switched off keeps its columns, and a broken one that is off does no harm."""

    def off(config):
        config.plugins["my_Fragile"].doMeasure = False

    exposure, x, y = field(9)
    catalog = measure(exposure, square_footprints(x, y), ["base_SdssCentroid", "my_Fragile"], off)
    assert np.isnan(catalog["my_Fragile_value"]).all()
    assert not catalog["my_Fragile_flag"].any()


def test_image_is_not_changed():
    exposure, x, y = field(9)
    before = exposure.copy()
    measure(exposure, square_footprints(x, y), ["base_SdssCentroid", "base_PixelFlags", "my_Brightest"])
    for plane in ("image", "mask", "variance"):
        assert getattr(exposure, plane).tobytes() == getattr(before, plane).tobytes()


def test_progress():
    """Every source is told of once, and the last call says that all are done."""
    exposure, x, y = field(300)
    calls = []
    with threads.use(2):
        measure(
            exposure,
            square_footprints(x, y),
            ["base_SdssCentroid"],
            progress=lambda done, total: calls.append((done, total)),
        )
    done = [d for d, _ in calls]
    assert sorted(np.diff([0, *done])) == [44, 128, 128]
    assert calls[-1] == (300, 300)


def test_no_sources():
    catalog = measure(
        gaussian_stars((40, 40), 5, 5, 1), square_footprints([], []), ["base_SdssCentroid", "my_Brightest"]
    )
    assert len(catalog) == 0
    assert "my_Brightest_value" in catalog


def test_two_tasks_on_one_schema():
    """The later task (spec 07.15) keeps the slots, and declares the invalid-PSF flag no second time."""
    first = measurement_task(["base_SdssCentroid"])
    config = SingleFrameMeasurementTask.ConfigClass()
    config.plugins.names = ["base_LocalWcs", "base_LocalPhotoCalib"]
    for slot in config.slots:
        setattr(config.slots, slot, None)
    schema = first.schema
    before = dict(schema.aliases)
    SingleFrameMeasurementTask(schema, config=config, name="post_calculations")
    assert schema.aliases == before
    assert max(Counter(schema.names).values()) == 1
    assert schema.names[-5:-4] == ["base_LocalWcs_flag"]


@needs_shared
def test_columns_are_the_references():
    """Parity: names, order, types, units and texts of all columns and aliases that this task declares."""
    schema = Schema.minimal()
    config = SingleFrameMeasurementTask.ConfigClass()
    if "base_CircularApertureFlux" in config.plugins.names:
        config.plugins["base_CircularApertureFlux"].radii = [
            3.0,
            4.5,
            6.0,
            9.0,
            12.0,
            17.0,
            25.0,
            35.0,
            50.0,
            70.0,
        ]
        config.plugins["base_CircularApertureFlux"].maxSincRadius = 12.0
    SingleFrameMeasurementTask(schema, config=config)
    post = SingleFrameMeasurementTask.ConfigClass()
    post.plugins.names = ["base_LocalWcs", "base_LocalPhotoCalib"]
    for slot in post.slots:
        setattr(post.slots, slot, None)
    SingleFrameMeasurementTask(schema, config=post)
    recorded, aliases = fields()
    expected = [(f["name"], f["type"], f["units"], f["doc"]) for f in recorded]
    ours = [(c.name, c.type, c.unit, c.doc) for c in schema]
    assert set(ours) <= set(expected)
    assert ours == [f for f in expected if f in ours]
    for alias, target in schema.aliases.items():
        if alias != "slot_CalibFlux":  # re-aimed by a later step
            assert aliases[alias] == target


@needs_shared
@pytest.mark.parametrize("name", ["small", "snaps"])
def test_recorded_scene(name):
    """Parity: at least 99.9 % of the isolated rows agree in every column, within the tolerances of compare_sources."""
    recorded = scene(name)
    names = ["base_SdssCentroid", "base_PixelFlags", "base_SkyCoord"]
    task = measurement_task(names)
    task_post = SingleFrameMeasurementTask.ConfigClass()
    task_post.plugins.names = ["base_LocalWcs", "base_LocalPhotoCalib"]
    for slot in task_post.slots:
        setattr(task_post.slots, slot, None)
    later = SingleFrameMeasurementTask(task.schema, config=task_post)
    catalog = SourceCatalog(task.schema, len(recorded.ids), recorded.footprints)
    catalog["id"] = recorded.ids
    task.run(catalog, recorded.exposure)
    later.run(catalog, recorded.exposure)
    shares = agreement(catalog.columns, recorded, [c.name for c in task.schema][1:])
    assert {k: v for k, v in shares.items() if v < 0.999} == {}
