"""Sky sources: those of the recorded runs, and that they keep off what they must."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import ndimage

from helpers.shared import needs_shared, reference
from secondlight.model.catalog import SourceCatalog
from secondlight.model.exposure import Exposure
from secondlight.model.footprints import Footprints, span_pixels
from secondlight.model.ids import DetectorVisitIdGeneratorConfig, IdFactory
from secondlight.model.schema import Schema
from secondlight.model.spans import circle, set_bits
from secondlight.tasks.sky_sources import SkyObjectsConfig, SkyObjectsTask, scrambled_halton


def _exposure(mask, **kwargs):
    plane = np.ones(mask.shape, np.float32)
    return Exposure(plane, mask.astype(np.int32), plane, **kwargs)


def _task(schema=None, **config):
    settings = SkyObjectsConfig()
    settings.update(**config)
    return SkyObjectsTask(schema=schema, config=settings, name="sky_sources")


@needs_shared
@pytest.mark.parametrize("scene", ["small", "snaps", "sdss_r", "variants/repair"])
def test_recorded_sky_sources(scene):
    variant = scene.startswith("variants")
    outputs = reference(scene) if variant else reference(scene, "outputs")
    stages = reference("small" if variant else scene, "outputs", "stages.npz")
    mask = np.load(stages)["detected_mask"]
    detected = pq.read_table(outputs / "detection.parquet").to_pydict()
    config = {}
    if variant:
        # recorded without stages: the detected mask is that of its footprints
        config = {"nSources": 30, "sourceRadius": 12.0}
        mask &= ~np.int32(32)
        for spans in detected["spans"]:
            set_bits(mask, np.array(spans, np.int32).reshape(-1, 3), 32)
    sources = pq.read_table(outputs / "sources.parquet", columns=["id", "visit", "detector", "sky_source"])
    ids = DetectorVisitIdGeneratorConfig()
    ids.n_releases, ids.release_id = 8, 2
    ids.packer["observation"].n_observations, ids.packer["observation"].n_detectors = 2**35, 256
    generator = ids.make(visit=sources["visit"][0].as_py(), detector=sources["detector"][0].as_py())

    schema = Schema.minimal()
    task = _task(schema, **config)
    n = len(detected["id"])
    catalog = SourceCatalog(schema, n, Footprints.empty(n))
    factory = generator.make_factory()
    catalog["id"] = factory.take(n)
    count = task.run(_exposure(mask), catalog, seed=generator.catalog_id, ids=factory)

    expected = sources["id"].to_numpy()[sources["sky_source"].to_numpy()]
    np.testing.assert_array_equal(catalog["id"][catalog["sky_source"]], expected)
    recorded = pq.read_table(outputs / ("deblend.parquet" if variant else "sky.parquet")).to_pydict()
    where = {i: k for k, i in enumerate(recorded["id"])}
    assert count == len(expected) > 0
    for row in range(n, n + count):
        footprint = catalog.footprints[row]
        k = where[int(catalog["id"][row])]
        assert footprint.spans.ravel().tolist() == recorded["spans"][k]
        assert [float(footprint.peaks[0][c]) for c in ("f_x", "f_y", "peakValue")] == recorded["peaks"][k]


@pytest.mark.parametrize(("radius", "grow"), [(3, 0), (5, 2)])
def test_sources_keep_off_the_mask_and_each_other(radius, grow):
    rng = np.random.default_rng(4)
    mask = np.zeros((160, 140), np.int32)
    mask[rng.random(mask.shape) < 0.004] = 32
    mask[100:, 100:] = 1
    mask[:40, :40] = 4  # SAT is not avoided
    exposure = _exposure(mask.copy(), x0=1000, y0=-50)
    places = _task(sourceRadius=radius + 0.9, growMask=grow, nSources=999, nTrialSources=2000).find_places(
        exposure, 1
    )
    disc = np.abs(np.arange(-radius, radius + 1))[None, :] <= circle(radius)[:, None]
    stencil = np.abs(np.arange(-grow, grow + 1))[None, :] <= circle(grow)[:, None]
    avoid = ndimage.binary_dilation((mask & 33) != 0, stencil)
    for x, y in places - [1000, -50]:
        box = np.s_[y - radius : y + radius + 1, x - radius : x + radius + 1]
        assert not (avoid[box] & disc).any()
        one = np.zeros_like(avoid)
        one[box] = disc
        avoid |= ndimage.binary_dilation(one, disc)
    assert len(places) > 5
    np.testing.assert_array_equal(exposure.mask, mask)
    # all places that were tried and left would touch something
    margin = radius + 1
    tried = scrambled_halton(2000, 1) * [139 - 2 * margin, 159 - 2 * margin] + [1000 + margin, -50 + margin]
    for x, y in tried.astype(int) - [1000, -50]:
        box = np.s_[y - radius : y + radius + 1, x - radius : x + radius + 1]
        assert (avoid[box] & disc).any() or [x + 1000, y - 50] in places.tolist()


def test_rows_are_appended():
    schema = Schema.minimal()
    task = _task(schema, nSources=3)
    catalog = SourceCatalog(schema, 2)
    ids = IdFactory()
    catalog["id"] = ids.take(2)
    assert task.run(_exposure(np.zeros((100, 100)), x0=7), catalog, seed=2, ids=ids) == 3
    assert catalog["id"].tolist() == [1, 2, 3, 4, 5]
    assert catalog["sky_source"].tolist() == [False, False, True, True, True]
    assert catalog["parent"].tolist() == [0] * 5
    assert np.isnan(catalog["coord_ra"]).all()
    footprint = catalog.footprints[4]
    assert len(span_pixels(footprint.spans)[0]) == (2 * circle(8) + 1).sum()
    assert task.metadata["sky_footprint_count"] == 3


@pytest.mark.parametrize("shape", [(18, 200), (3, 3)])
def test_no_room(shape):
    assert len(_task().find_places(_exposure(np.zeros(shape)), 1)) == 0


def test_none_wanted_and_nowhere_to_put_them():
    assert len(_task(nSources=0).find_places(_exposure(np.zeros((99, 99))), 1)) == 0
    assert len(_task().find_places(_exposure(np.full((99, 99), 1)), 1)) == 0


def test_halton_fills_the_square_evenly():
    points = scrambled_halton(6 * 50, 3)
    assert (points >= 0).all() and (points < 1).all()
    # each of 2 x 3 cells has its share of every 6 points in sequence
    cell = (points * [2, 3]).astype(int) @ [3, 1]
    for six in cell.reshape(-1, 6):
        assert sorted(six) == list(range(6))
    assert not np.array_equal(points, scrambled_halton(300, 4))
