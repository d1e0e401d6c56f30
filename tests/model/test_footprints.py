"""Footprints for NumPy: cut-outs, pixels of their own, boxes; and the document that shows their use."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import Box

from helpers.measuring import gaussian_stars
from helpers.noise import random_blends
from secondlight.io import native
from secondlight.io.tables import write_footprints, write_sources
from secondlight.model.catalog import SourceCatalog
from secondlight.model.footprints import (
    PEAK_DTYPE,
    Footprint,
    Footprints,
    HeavyPixels,
    normalize_spans,
    span_pixels,
)
from secondlight.model.schema import Column, Schema

NONE = np.empty(0, PEAK_DTYPE)
#: An L, at negative coordinates, too.
L = Footprint(np.array([[-1, 3, 3], [0, 3, 3], [1, 3, 6]], np.int32), NONE)


def ramp(ny=10, nx=12):
    """An image whose pixels tell where they are."""
    return np.arange(ny * nx, dtype=np.float32).reshape(ny, nx)


def heavy(footprint, start=100):
    values = np.arange(start, start + footprint.area)
    pixels = HeavyPixels(values.astype(np.float32), values.astype(np.int32), values.astype(np.float32) / 2)
    return Footprint(footprint.spans, footprint.peaks, pixels)


def test_geometry():
    assert L.area == 6
    assert (L.bbox.y.start, L.bbox.y.stop, L.bbox.x.start, L.bbox.x.stop) == (-1, 2, 3, 7)
    assert L.mask().astype(int).tolist() == [[1, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]]
    assert L.centroid == (pytest.approx(24 / 6), pytest.approx(3 / 6))
    assert [L.contains(x, y) for x, y in ((3, -1), (6, 1), (6, 0), (7, 1), (2, 1))] == [
        True,
        True,
        False,
        False,
        False,
    ]
    y, x = L.pixels()
    assert list(zip(y.tolist(), x.tolist(), strict=True)) == [(-1, 3), (0, 3), (1, 3), (1, 4), (1, 5), (1, 6)]
    with pytest.raises(ValueError, match="no box"):
        _ = Footprint(np.empty((0, 3), np.int32), NONE).bbox


def test_extract():
    """Pixels off the image or the footprint have the fill value; the type is the image's."""
    image = ramp()
    cut = L.extract(image, x0=1, y0=0)
    expected = np.full((3, 4), np.nan, np.float32)
    expected[1, 0] = image[0, 2]
    expected[2] = image[1, 2:6]
    np.testing.assert_array_equal(cut, expected)
    assert cut.dtype == np.float32
    bits = L.extract(image.astype(np.int32), fill=-1)
    assert bits.dtype == np.int32
    assert bits[0].tolist() == [-1] * 4
    assert np.isnan(L.extract(image, x0=100)).all()


def test_own_pixels():
    own = heavy(L)
    expected = np.array([[100, 0, 0, 0], [101, 0, 0, 0], [102, 103, 104, 105]])
    np.testing.assert_array_equal(own.own_image(fill=0), expected)
    assert np.isnan(own.own_image()[0, 1])
    np.testing.assert_array_equal(own.expand(own.heavy.mask, fill=0), expected)
    image = ramp()
    own.insert(image, x0=1, y0=0)
    expected = ramp()
    expected[0, 2] = 101
    expected[1, 2:6] = [102, 103, 104, 105]
    np.testing.assert_array_equal(image, expected)
    for use in (L.own_image, lambda: L.insert(image)):
        with pytest.raises(ValueError, match="no pixels of its own"):
            use()
    with pytest.raises(ValueError, match="5 values for a footprint of 6 pixels"):
        L.expand(np.zeros(5))


def test_with_pixels():
    exposure = gaussian_stars((20, 30), 12.0, 8.0, 1e3, noise=1.0, x0=-5, y0=-4)
    exposure.mask[:] = np.arange(600).reshape(20, 30)
    own = L.with_pixels(exposure)
    for values, plane in (
        (own.heavy.image, exposure.image),
        (own.heavy.mask, exposure.mask),
        (own.heavy.variance, exposure.variance),
    ):
        np.testing.assert_array_equal(own.expand(values, fill=0), L.extract(plane, -5, -4, fill=0))
    # what it owns is its own
    exposure.image[:] = 0
    assert (own.heavy.image != 0).all()
    exposure.y0 = 0
    with pytest.raises(ValueError, match="1 of 6 pixels lie off the image"):
        L.with_pixels(exposure)


def test_cutout_of_an_exposure():
    exposure = gaussian_stars((20, 30), 12.0, 8.0, 1e3, noise=1.0, x0=-5, y0=-4)
    part = exposure.cutout(L.bbox.padded(4))
    assert (part.x0, part.y0, part.image.shape) == (-1, -4, (10, 12))
    for plane in ("image", "mask", "variance"):
        np.testing.assert_array_equal(getattr(part, plane), getattr(exposure, plane)[0:10, 4:16])
    part.image[:] = 0
    part.mask_planes.bit("NEW")
    assert exposure.image[0:10, 4:16].any()
    assert "NEW" not in exposure.mask_planes
    np.testing.assert_array_equal(
        L.extract(part.mask, part.x0, part.y0, fill=-1), L.extract(exposure.mask, -5, -4, fill=-1)
    )
    with pytest.raises(ValueError, match="does not touch"):
        exposure.cutout(Box.factory[100:110, 0:5])


spans = st.lists(st.tuples(st.integers(-5, 9), st.integers(-6, 12), st.integers(-2, 7)), max_size=12).map(
    lambda rows: np.array([(y, x, x + length) for y, x, length in rows], np.int32).reshape(-1, 3)
)


@settings(max_examples=150, deadline=None)
@given(spans)
def test_normalize_spans(rows):
    """Property: the same pixels, sorted, neither overlapping nor touching."""
    pixels = {(y, x) for y, x0, x1 in rows.tolist() for x in range(x0, x1 + 1)}
    normal = normalize_spans(rows)
    y, x = span_pixels(normal)
    assert list(zip(y.tolist(), x.tolist(), strict=True)) == sorted(pixels)
    for (y0, _, end), (y1, begin, _) in zip(normal.tolist(), normal.tolist()[1:], strict=False):
        assert y1 > y0 or begin > end + 1


@settings(max_examples=50, deadline=None)
@given(st.lists(spans, max_size=6))
def test_boxes_and_areas(lists):
    """Twin: the footprints one by one."""
    footprints = Footprints.from_list([Footprint(normalize_spans(s), NONE) for s in lists])
    for footprint, box, area in zip(footprints, footprints.boxes.tolist(), footprints.areas, strict=True):
        assert area == footprint.area
        if footprint.area:
            b = footprint.bbox
            assert box == [b.y.start, b.y.stop, b.x.start, b.x.stop]
        else:
            assert box == [0, 0, 0, 0]


def test_heavy_of_a_catalog():
    _, catalog = random_blends(2)
    some = np.diff(catalog.footprints.heavy_offsets) > 0
    row = int(np.flatnonzero(some)[0])
    np.testing.assert_array_equal(catalog.heavy(row).heavy.image, catalog.footprints[row].heavy.image)
    without = int(np.flatnonzero(~some)[0])
    with pytest.raises(ValueError, match=f"row {without} holds no pixels"):
        catalog.heavy(without)


def test_document(tmp_path, monkeypatch):
    """Every example of ``docs/footprints.md`` runs, on a blend of two, and its children's shares sum to the parent."""
    root = Path(__file__).resolve().parents[2]
    exposure = gaussian_stars((60, 80), [30, 40], [30, 30], [1e4, 2e4], noise=1.0, x0=3, y0=2)
    schema = Schema.minimal()
    schema.add(Column("deblend_nChild", "I"))
    box = np.column_stack([np.arange(20, 41), np.full(21, 22), np.full(21, 48)]).astype(np.int32)
    half = [Footprint(box - [0, 0, k], np.zeros(1, PEAK_DTYPE)).with_pixels(exposure) for k in (0, 4)]
    parent = Footprint(box, np.zeros(2, PEAK_DTYPE))
    catalog = SourceCatalog(schema, 3, Footprints.from_list([parent, *half]))
    catalog["id"], catalog["parent"], catalog["deblend_nChild"] = [1, 2, 3], [0, 1, 1], [2, 0, 0]
    for child in (1, 2):
        rows = slice(*catalog.footprints.heavy_offsets[child : child + 2])
        catalog.footprints.heavy.image[rows] /= 2
    # a visit image in a file needs a detector and more
    monkeypatch.setattr(native, "read_visit_image", lambda path: exposure)
    write_sources(tmp_path / "sources.parquet", catalog)
    write_footprints(tmp_path / "sources_footprints.parquet", catalog)
    text = (root / "docs" / "footprints.md").read_text()
    assert (root / "docs" / "footprints.png").exists()
    monkeypatch.chdir(tmp_path)
    names = {}
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 5
    for block in blocks:
        exec(block, names)
    model = names["model"][18:39, 19:42]
    np.testing.assert_allclose(model, exposure.image[18:39, 19:42])
    assert names["around"].image.shape == (41, 47)
    np.testing.assert_array_equal(names["cut"], exposure.image[18:39, 19:46])
