"""Judging a table against the truth, on tables whose faults are known."""

from io import StringIO

import numpy as np
import pytest
from astropy.table import Table
from rich.console import Console

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


def test_perfect_table():
    truth = make_truth()
    summary = compare_with_truth(make_sources(truth), truth)
    assert summary.purity == 1.0 and summary.n_sources == 400
    assert all(r.stars_found == r.stars and r.isolated == r.stars + r.galaxies for r in summary.completeness)
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
    n_peaks = np.ones(450, int)
    n_peaks[:3] = [2, 4, 2]
    summary = compare_with_truth(sources, truth, n_peaks=n_peaks)
    assert (summary.n_sources, summary.n_sky) == (400, 50)
    assert (summary.n_blends, summary.n_blended_objects) == (3, 8)
    assert summary.sky_pull == pytest.approx(1.0, abs=0.5) and summary.sky_pull_width == pytest.approx(
        1.0, abs=0.4
    )


def test_flagged_sources_do_not_judge_fluxes():
    truth = make_truth()
    sources = make_sources(truth)
    sources["base_PixelFlags_flag_saturated"] = np.asarray(truth["mag"]) < 21
    assert max(r.low for r in compare_with_truth(sources, truth).fluxes) <= 50


def test_isolation_is_one_sided():
    truth = Table(
        {
            "x": [10.0, 15.0],
            "y": [10.0, 10.0],
            "mag": [20.0, 25.0],
            "flux": [1e5, 1e3],
            "kind": ["star", "star"],
        }
    )
    rows = compare_with_truth(make_sources(truth), truth).completeness
    # one per cent of the bright star's light does not disturb it, but it drowns the faint one
    assert [r.isolated for r in rows if r.stars] == [1, 0]


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
    console.print(compare_with_truth(make_sources(truth), truth, n_peaks=np.full(400, 2)))
    text = console.export_text()
    for word in ("magnitude [AB]", "bias [%]", "18 to 19", "400 sources", "not been split"):
        assert word in text
