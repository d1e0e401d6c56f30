"""End to end: a raw SDSS frame through the command line, against the LSST stack's own catalogue of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from helpers.command import secondlight
from helpers.shared import needs_shared
from secondlight.io.tables import read_sources

pytestmark = needs_shared

#: Isolated: no other source of the stack's catalogue within this distance [pixel].
ISOLATION = 20.0


@pytest.fixture(scope="module")
def matched(tmp_path_factory):
    """The stack's isolated, unflagged r-band sources with S/N > 20, and ours nearest to each."""
    from helpers.sdss import expected_sources, write_frame

    directory = tmp_path_factory.mktemp("sdss")
    arguments = write_frame("r", directory)
    ended = secondlight("run", *arguments, "--out", directory / "out")
    assert ended.status == 0, ended.err
    ours = read_sources(directory / "out" / "sources.parquet")

    stack = expected_sources()
    # an id is exposure << 26 | counter, and an exposure's id holds the filter: u g r i z
    band = (stack["id"].astype(np.int64) >> 26) // 100000 % 10 == 2
    stack = {name: values[band] for name, values in stack.items()}
    number = {n: v.astype(float) for n, v in stack.items() if "flag" not in n}
    bad = np.logical_or.reduce([v == "True" for n, v in stack.items() if "flag" in n])
    x, y = number["base_SdssCentroid_x"], number["base_SdssCentroid_y"]
    there = np.isfinite(x) & np.isfinite(y)
    tree = cKDTree(np.column_stack([x[there], y[there]]))
    alone = np.zeros(len(x), bool)
    alone[there] = [len(near) == 1 for near in tree.query_ball_point(tree.data, ISOLATION)]
    bright = number["base_PsfFlux_instFlux"] > 20 * number["base_PsfFlux_instFluxErr"]
    pick = alone & bright & ~bad
    assert pick.sum() > 100
    mine = cKDTree(np.column_stack([ours["base_SdssCentroid_x"], ours["base_SdssCentroid_y"]]))
    distance, index = mine.query(np.column_stack([x[pick], y[pick]]))
    return {n: v[pick] for n, v in number.items()}, ours, distance, index


def test_positions(matched):
    _, _, distance, _ = matched
    assert np.mean(distance < 0.1) >= 0.99


def test_sky_positions(matched):
    stack, ours, distance, index = matched
    good = distance < 0.1
    ra = np.degrees(ours["coord_ra"][index[good]]) - stack["coord_ra"][good]
    dec = np.degrees(ours["coord_dec"][index[good]]) - stack["coord_dec"][good]
    # TAN-SIP follows SDSS's own astrometry to 0.4 mas; centroids differ by more
    assert np.median(np.hypot(ra, dec)) * 3.6e6 < 2.0


@pytest.mark.parametrize("flux", ["base_PsfFlux_instFlux", "base_CircularApertureFlux_6_0_instFlux"])
def test_fluxes(matched, flux):
    stack, ours, distance, index = matched
    good = distance < 0.1
    ratio = ours[flux][index[good]] / stack[flux][good]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.005)
