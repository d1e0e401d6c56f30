"""Judging a table against the truth, on tables whose faults are known."""

from io import StringIO

import numpy as np
import pytest
from astropy.table import Table
from rich.console import Console

from secondlight.model.footprints import PEAK_DTYPE, Footprint, Footprints
from secondlight.simulate.truth import compare_with_truth, match_truth


def make_truth(n=400, size=4000.0, seed=1):
    rng = np.random.default_rng(seed)
    mag = rng.uniform(18, 24, n)
    # a grid: every object is isolated
    side = int(np.ceil(n**0.5))
    step = size / side
    iy, ix = np.divmod(np.arange(n), side)
    return Table(
        {
            "x": (ix + 0.5) * step + rng.uniform(-5, 5, n),
            "y": (iy + 0.5) * step + rng.uniform(-5, 5, n),
            "mag": mag,
            "flux": 10 ** (-0.4 * (mag - 32.0)),
            "kind": np.where(np.arange(n) % 4 == 0, "galaxy", "star"),
        }
    )


def make_sources(truth, *, bias=0.0, error_scale=1.0, seed=2):
    rng = np.random.default_rng(seed)
    n = len(truth)
    flux_err, xy_err = np.full(n, 150.0), 200.0 / np.asarray(truth["flux"])
    sources = {
        "base_PsfFlux_instFlux": np.asarray(truth["flux"]) * (1 + bias) + flux_err * rng.standard_normal(n),
        "base_PsfFlux_instFluxErr": flux_err / error_scale,
        "sky_source": np.zeros(n, bool),
    }
    for axis in ("x", "y"):
        sources[f"base_SdssCentroid_{axis}"] = np.asarray(truth[axis]) + xy_err * rng.standard_normal(n)
        sources[f"base_SdssCentroid_{axis}Err"] = xy_err / error_scale
    return sources


def make_footprints(extra_peaks, n):
    """Footprints of one pixel and one peak each; the first ones have more peaks."""
    footprints = []
    for i in range(n):
        more = extra_peaks[i] if i < len(extra_peaks) else []
        peaks = np.zeros(1 + len(more), PEAK_DTYPE)
        for row, (x, y) in zip(peaks[1:], more, strict=True):
            row["f_x"], row["f_y"] = x, y
        footprints.append(Footprint(np.array([[0, 0, 0]], np.int32), peaks))
    return Footprints.from_list(footprints)


def test_perfect_table():
    truth = make_truth()
    summary = compare_with_truth(make_sources(truth), truth)
    assert summary.purity == 1.0 and summary.n_sources == 400
    assert all(r.stars_found == r.stars and r.galaxies_found == r.galaxies for r in summary.completeness)
    assert sum(r.stars for r in summary.completeness) == 300
    for row in summary.fluxes:
        assert abs(row.pull) < 0.35 and row.pull_width == pytest.approx(1.0, abs=0.3)
        assert row.centroid_pull_width == pytest.approx(1.0, abs=0.3)


def test_bias_and_wrong_errors_are_seen():
    truth = make_truth()
    row = compare_with_truth(make_sources(truth, bias=0.03), truth).fluxes[-1]
    assert row.bias == pytest.approx(3.0, abs=0.3)
    row = compare_with_truth(make_sources(truth, error_scale=2.0), truth).fluxes[-1]
    assert row.pull_width == pytest.approx(2.0, abs=0.4) and row.centroid_pull_width == pytest.approx(
        2.0, abs=0.4
    )


def test_missing_and_spurious_sources_are_counted():
    truth = make_truth()
    sources = {k: v[100:].copy() for k, v in make_sources(truth).items()}
    sources["base_SdssCentroid_x"][:30] += 50.0
    summary = compare_with_truth(sources, truth)
    assert summary.purity == pytest.approx(270 / 300)
    assert sum(r.stars_found + r.galaxies_found for r in summary.completeness) == 270


def test_sky_sources_and_blends_stand_apart():
    truth = make_truth()
    sources = make_sources(truth)
    rng = np.random.default_rng(5)
    sources = {k: np.concatenate([v, v[:50]]) for k, v in sources.items()}
    sources["sky_source"][400:] = True
    sources["base_PsfFlux_instFlux"][400:] = 150.0 * (1 + rng.standard_normal(50))
    # the first three are blends; the first one hides the last true object, which has no source of its own
    hidden = truth[399]
    peaks = [[(hidden["x"] + 0.5, hidden["y"])], [(0, 0)] * 3, [(0, 0)]]
    sources["base_SdssCentroid_x"][399] = np.nan
    summary = compare_with_truth(sources, truth, footprints=make_footprints(peaks, 450))
    assert (summary.n_sources, summary.n_sky) == (399, 50)
    assert (summary.n_blends, summary.n_blended_objects) == (3, 8)
    assert sum(r.blended for r in summary.completeness) == 1
    assert summary.sky_pull == pytest.approx(1.0, abs=0.5) and summary.sky_pull_width == pytest.approx(
        1.0, abs=0.4
    )


def test_flagged_sources_do_not_judge_fluxes():
    truth = make_truth()
    sources = make_sources(truth)
    sources["base_PixelFlags_flag_saturated"] = np.asarray(truth["mag"]) < 21
    assert max(r.low for r in compare_with_truth(sources, truth).fluxes) <= 50


def test_only_isolated_stars_judge_fluxes():
    truth = make_truth()
    sources = make_sources(truth)
    n = sum(r.n for r in compare_with_truth(sources, truth).fluxes)
    # a neighbour of one per cent does not disturb a star, but the star drowns the neighbour
    truth["x"][0], truth["y"][0] = truth["x"][1] + 8.0, truth["y"][1]
    truth["flux"][0], truth["kind"][0] = 0.01 * truth["flux"][1], "galaxy"
    assert sum(r.n for r in compare_with_truth(sources, truth).fluxes) == n
    truth["flux"][0] = truth["flux"][1]
    assert sum(r.n for r in compare_with_truth(sources, truth).fluxes) == n - 1


def test_cosmic_ray_share():
    truth = make_truth()
    hit = np.zeros((10, 10), bool)
    hit[0] = True
    found = np.zeros((10, 10), bool)
    found[0, :7] = found[5] = True
    summary = compare_with_truth(make_sources(truth), truth, cr_found=found, cr_truth=hit)
    assert summary.cosmic_rays == pytest.approx(70.0)


def test_brighter_objects_choose_first():
    truth = Table({"x": [10.0, 10.8], "y": [10.0, 10.0], "mag": [22.0, 20.0]})
    x, y = np.array([10.3]), np.array([10.0])
    assert match_truth(x, y, np.ones(1, bool), truth).tolist() == [-1, 0]
    assert match_truth(x, y, np.zeros(1, bool), truth).tolist() == [-1, -1]


def test_prints_with_units():
    truth = make_truth()
    console = Console(record=True, width=120, file=StringIO())
    console.print(compare_with_truth(make_sources(truth), truth, footprints=make_footprints([[(0, 0)]], 400)))
    text = console.export_text()
    for word in ("magnitude [AB]", "bias [%]", "18 to 19", "400 sources", "not been split"):
        assert word in text
