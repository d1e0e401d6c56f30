"""The picture is drawn, and shows what it is given."""

import numpy as np
import pytest

from secondlight.model.catalog import SourceCatalog
from secondlight.model.footprints import PEAK_DTYPE, Footprint, Footprints
from secondlight.model.mask_planes import MaskPlanes
from secondlight.model.schema import Column, Schema
from secondlight.simulate.picture import _outline, draw_picture

pytest.importorskip("matplotlib")


def square(x, y, n, peaks):
    spans = np.array([(y + k, x, x + n - 1) for k in range(n)], np.int32)
    table = np.zeros(len(peaks), PEAK_DTYPE)
    for row, (px, py) in zip(table, peaks, strict=True):
        row["f_x"], row["f_y"], row["i_x"], row["i_y"] = px, py, px, py
    return Footprint(spans, table)


@pytest.fixture
def catalog():
    footprints = Footprints.from_list(
        [
            square(120, 220, 5, [(122, 222)]),
            square(300, 290, 9, [(302, 292), (306, 296)]),
            square(200, 260, 4, [(201, 261)]),
        ]
    )
    schema = Schema()
    schema.add(Column("sky_source", "Flag", doc="Sky source"))
    out = SourceCatalog(schema, 3, footprints)
    out["sky_source"] = [False, False, True]
    return out


def test_draws_sources_masks_and_outlines(catalog, tmp_path):
    planes = MaskPlanes()
    image = np.random.default_rng(1).normal(0, 10, (200, 300)).astype(np.float32)
    mask = np.zeros(image.shape, np.int32)
    mask[50, 20:40] = planes.bits(["CR"])
    mask[:, 77] = planes.bits(["BAD"])
    figure = draw_picture(image, mask, planes, catalog, x0=100, y0=200, unit="nJy", title="A title")
    words = " ".join(t.get_text() for t in figure.texts)
    assert "A title" in words
    assert "2 sources, 1 of them with several peaks" in words and "1 sky sources" in words and "nJy" in words
    entries = [t.get_text() for t in figure.legends[0].get_texts()]
    assert "cosmic ray" in entries and "bad column" in entries and "saturated" not in entries
    left = figure.axes[0]
    assert [len(c.get_offsets()) for c in left.collections] == [1, 1, 1]
    figure.savefig(tmp_path / "picture.png", dpi=40)
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_zooms_where_it_is_told(catalog):
    image = np.ones((300, 300), np.float32)
    figure = draw_picture(
        image, np.zeros(image.shape, np.int32), MaskPlanes(), catalog, x0=50, y0=150, zoom=(150, 240)
    )
    right = figure.axes[1]
    assert right.get_xlim() == (149.5, 309.5) and right.get_ylim() == (239.5, 399.5)
    # the sky source and the blend are in this part
    assert len(right.collections) == 2


def test_outline_of_pixels():
    edges = _outline(np.array([5, 5, 6]), np.array([3, 4, 3]))
    # the border of an L of three pixels has eight edges of unit length
    assert edges.shape == (8, 2, 2)
    np.testing.assert_allclose(np.abs(edges[:, 1] - edges[:, 0]).sum(axis=1), 1.0)
    np.testing.assert_allclose([edges[..., 0].min(), edges[..., 0].max()], [2.5, 4.5])
    np.testing.assert_allclose([edges[..., 1].min(), edges[..., 1].max()], [4.5, 6.5])
