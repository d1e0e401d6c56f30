"""End to end: pixels, variances and masks that nobody would wish for cost their sources a flag, and never the image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers.command import secondlight
from helpers.invariants import broken, load
from helpers.scenes import Pieces, simulated
from secondlight.model.psf import GaussianPsf

NAN = np.float32(np.nan)


@pytest.fixture(scope="module")
def pieces():
    return simulated(240, 220, seed=5, density=4)


def run(pieces, folder, *more):
    """Run; the outputs must be whole, and nothing may be said."""
    ended = secondlight("run", *pieces.write(folder), "--out", folder / "out", "--quiet", *more)
    assert ended.status == 0, ended.err
    assert ended.err == ""
    assert broken(folder / "out") == []
    return load(folder / "out" / "sources.parquet")


def test_nothing_spoiled(pieces, tmp_path):
    rows = run(pieces, tmp_path)
    for name in ("base_PsfFlux", "base_GaussianFlux", "base_CircularApertureFlux_12_0"):
        assert rows[f"{name}_flag"][~rows["sky_source"]].mean() < 0.4, name


def _block(plane, value):
    def spoil(exposure):
        getattr(exposure, plane)[60:140, 60:140] = value

    return spoil


def _nan_without_data(exposure):
    exposure.mask[60:100, 80:120] |= np.int32(exposure.mask_planes.bit("NO_DATA"))
    exposure.image[60:100, 80:120] = exposure.variance[60:100, 80:120] = np.nan


def _scattered_nan(exposure):
    exposure.image[np.random.default_rng(1).random(exposure.image.shape) < 0.02] = np.nan


def _infinite(exposure):
    exposure.image[50:60, 50:60] = np.inf
    exposure.image[80:83, 80:83] = -np.inf


def _saturated(exposure):
    exposure.mask[60:140, 60:200] |= np.int32(exposure.mask_planes.bit("SAT"))
    exposure.image[60:140, 60:200] = 150_000


def _mostly_without_data(exposure):
    exposure.mask[:, :200] |= np.int32(exposure.mask_planes.bit("NO_DATA"))
    exposure.image[:, :200] = exposure.variance[:, :200] = np.nan


def _mostly_bad(exposure):
    exposure.mask[:, :200] |= np.int32(exposure.mask_planes.bit("BAD"))


def _huge(exposure):
    exposure.image[100, 100], exposure.image[130, 100] = 3e38, -3e38


def _negative_variance(exposure):
    exposure.variance[60:140, 60:140] *= -1


def _detected_before(exposure):
    exposure.mask[:] |= np.int32(exposure.mask_planes.bit("DETECTED"))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(_block("image", NAN), id="nan"),
        pytest.param(_block("variance", 0), id="variance-zero"),
        pytest.param(_block("variance", NAN), id="variance-nan"),
        pytest.param(_block("variance", np.inf), id="variance-infinite"),
        _negative_variance,
        _nan_without_data,
        _scattered_nan,
        _infinite,
        _saturated,
        _mostly_without_data,
        _mostly_bad,
        _huge,
        _detected_before,
    ],
)
def test_spoiled_pixels(pieces, tmp_path, spoil):
    exposure = pieces.exposures[0].copy()
    spoil(exposure)
    rows = run(replace(pieces, exposures=[exposure]), tmp_path)
    assert (~rows["sky_source"]).sum() >= 1


@pytest.mark.parametrize(
    ("image", "variance", "sources"), [(1000, 1000, 0), (0, 1, 0), (1e6, 1e3, 1), (-1e6, 1e3, 0)]
)
def test_featureless(pieces, tmp_path, image, variance, sources):
    """A constant image is empty, one big source, or nothing at all."""
    exposure = pieces.exposures[0].copy()
    exposure.image[:], exposure.variance[:] = image, variance
    rows = run(replace(pieces, exposures=[exposure]), tmp_path)
    assert (~rows["sky_source"]).sum() == sources


def test_the_far_side_does_not_notice(pieces, tmp_path):
    """NaN in one corner changes nothing that is measured elsewhere."""
    more = ("--config", "measurement.doReplaceWithNoise=False", "--config", "sky_sources.nSources=0")
    whole = run(pieces, tmp_path / "whole", *more)
    exposure = pieces.exposures[0].copy()
    exposure.image[:40, :40] = np.nan
    holed = run(replace(pieces, exposures=[exposure]), tmp_path / "holed", *more)

    def places(rows):
        # a parent and its brightest child may have one centroid
        return list(
            zip(rows["slot_Centroid_x"], rows["slot_Centroid_y"], rows["deblend_nChild"], strict=True)
        )

    row_of = {place: i for i, place in enumerate(places(whole))}
    far = (holed["slot_Centroid_x"] > 120) & (holed["slot_Centroid_y"] > 120)
    pairs = [(i, row_of[place]) for i, place in enumerate(places(holed)) if far[i]]
    assert len(pairs) > 5
    ours, theirs = np.transpose(pairs)
    for name in ("base_PsfFlux_instFlux", "slot_Shape_xx", "base_CircularApertureFlux_12_0_instFlux"):
        np.testing.assert_array_equal(holed[name][ours], whole[name][theirs])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"psf": GaussianPsf(1.8, 25, 25)}, id="gaussian"),
        pytest.param({"psf": GaussianPsf(0.3, 5, 5)}, id="sharper-than-a-pixel"),
        pytest.param({"psf": GaussianPsf(9.0, 401, 401)}, id="larger-than-the-image"),
        pytest.param({"visit_info": None, "detector": None}, id="nothing-described"),
    ],
)
def test_other_calibrations(pieces, tmp_path, change):
    run(replace(pieces, record=replace(pieces.record, **change)), tmp_path)


def test_crop_keeps_coordinates(pieces, tmp_path):
    """A crop with its origin gives the same sources at the same coordinates, away from its edges."""
    exposure = pieces.exposures[0].copy()
    exposure.image -= np.sum([b.image() for b in pieces.backgrounds], axis=0)
    flat = pieces.backgrounds[0][0]
    y0, x0 = 30, 40

    def cut(y0, x0):
        part = replace(
            exposure,
            **{k: getattr(exposure, k)[y0:, x0:] for k in ("image", "mask", "variance")},
            x0=x0,
            y0=y0,
        )
        none = replace(flat, stats_image=np.zeros_like(flat.stats_image), bbox=part.bbox)
        return Pieces([part], replace(pieces.record, bbox=part.bbox), [type(pieces.backgrounds[0])([none])])

    more = ("--config", "measurement.doReplaceWithNoise=False", "--config", "sky_sources.nSources=0")
    whole = run(cut(0, 0), tmp_path / "whole", *more)
    part = run(cut(y0, x0), tmp_path / "part", *more)
    assert np.isin(part["id"], whole["id"]).all()
    xy = np.stack([whole["slot_Centroid_x"], whole["slot_Centroid_y"]])
    found = 0
    for i in range(len(part["id"])):
        x, y = part["slot_Centroid_x"][i], part["slot_Centroid_y"][i]
        if not (x0 + 50 < x < 190 and y0 + 50 < y < 170) or part["parent"][i]:
            continue
        near = np.hypot(*(xy - [[x], [y]]))
        k = int(np.argmin(near))
        assert near[k] < 1e-6
        found += 1
        for name in ("coord_ra", "coord_dec", "base_PsfFlux_instFlux", "slot_Shape_xx"):
            assert part[name][i] == pytest.approx(whole[name][k], rel=1e-5, nan_ok=True), name
    assert found >= 3
