"""Matching of calibration sources: on the sphere, as the reference does it, and the recorded flags."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.recorded import tools
from helpers.shared import needs_shared, reference
from secondlight.model.catalog import SourceCatalog
from secondlight.model.schema import Column, Schema
from secondlight.tasks.match_calib_sources import CALIB_FLAGS, match_calib_sources

ARCSEC = np.radians(1 / 3600)


def catalogue(ra, dec):
    schema = Schema.minimal()
    for name in CALIB_FLAGS:
        schema.add(Column(name, "Flag"))
    catalog = SourceCatalog(schema, len(ra))
    catalog["coord_ra"], catalog["coord_dec"] = ra, dec
    return catalog


def calibration(ra, dec, detector=42, **flags):
    n = len(ra)
    return {
        "coord_ra": np.asarray(ra, float),
        "coord_dec": np.asarray(dec, float),
        "detector": np.full(n, detector),
        **{name: np.asarray(flags.get(name, [True] * n)) for name in CALIB_FLAGS},
    }


def separation(ra1, dec1, ra2, dec2):
    """The haversine formula."""
    h = np.sin((dec1 - dec2) / 2) ** 2 + np.cos(dec1) * np.cos(dec2) * np.sin((ra1 - ra2) / 2) ** 2
    return 2 * np.arcsin(np.sqrt(h))


def twin(catalog, calib, radius):
    """All pairs."""
    flags = {name: [False] * len(catalog) for name in CALIB_FLAGS}
    for j in range(len(calib["coord_ra"])):
        distances = separation(
            catalog["coord_ra"], catalog["coord_dec"], calib["coord_ra"][j], calib["coord_dec"][j]
        )
        i = int(np.argmin(distances))
        if distances[i] <= radius * ARCSEC:
            for name in CALIB_FLAGS:
                flags[name][i] = bool(calib[name][j])
    return flags


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([-1.5, -0.4, 0.0, 1.2]), st.sampled_from([0.0, 3.0]))
def test_twin(seed, dec, ra):
    """Near a pole, at the equator and across the origin of right ascension."""
    rng = np.random.default_rng(seed)
    width = 3 * ARCSEC
    ras = (ra + rng.uniform(-width, width, 8) / np.cos(dec)) % (2 * np.pi)
    catalog = catalogue(ras, dec + rng.uniform(-width, width, 8))
    calib = calibration(
        (catalog["coord_ra"][:6] + rng.normal(0, 0.3 * ARCSEC, 6) / np.cos(dec)) % (2 * np.pi),
        catalog["coord_dec"][:6] + rng.normal(0, 0.3 * ARCSEC, 6),
        **{name: rng.random(6) < 0.5 for name in CALIB_FLAGS},
    )
    match_calib_sources(catalog, calib, 42, 0.4)
    expected = twin(catalog, calib, 0.4)
    assert {name: catalog[name].tolist() for name in CALIB_FLAGS} == expected


def test_radius_is_in_arcseconds():
    catalog = catalogue([1.0], [0.0])
    calib = calibration([1.0 + 0.19 * ARCSEC], [0.0])
    assert match_calib_sources(catalog, calib, 42, 0.2) == 1
    calib = calibration([1.0 + 0.21 * ARCSEC], [0.0])
    assert match_calib_sources(catalogue([1.0], [0.0]), calib, 42, 0.2) == 0


def test_degrees_for_radians():
    """The reference's radius is 57.3 times larger, and right ascension is not scaled by cos(declination)."""
    dec = np.radians(60.0)
    for offset, found in ((11.4, 1), (11.5, 0)):
        calib = calibration([1.0 + offset * ARCSEC], [dec])
        catalog = catalogue([1.0], [dec])
        assert match_calib_sources(catalog, calib, 42, 0.2, degrees_for_radians=True) == found


def test_other_detectors_and_flags_that_are_missing():
    catalog = catalogue([1.0, 1.1], [0.0, 0.0])
    calib = calibration([1.0, 1.1], [0.0, 0.0])
    calib["detector"] = np.array([41, 42])
    del calib["calib_psf_reserved"]
    assert match_calib_sources(catalog, calib, 42, 0.2) == 1
    assert catalog["calib_psf_used"].tolist() == [False, True]
    assert not catalog["calib_psf_reserved"].any()


def test_positions_that_are_not_known():
    catalog = catalogue([np.nan, 1.0], [0.0, 0.0])
    calib = calibration([1.0, np.nan], [0.0, 0.0])
    assert match_calib_sources(catalog, calib, 42, 0.2) == 1
    assert catalog["calib_psf_used"].tolist() == [False, True]


@pytest.mark.parametrize(("n", "m"), [(0, 1), (1, 0), (0, 0)])
def test_nothing_to_match(n, m):
    assert (
        match_calib_sources(catalogue([1.0] * n, [0.0] * n), calibration([1.0] * m, [0.0] * m), 42, 0.2) == 0
    )


@needs_shared
@pytest.mark.parametrize("outputs", ["outputs", "outputs_no_noise"])
@pytest.mark.parametrize("scene", ["small", "snaps"])
def test_recorded(scene, outputs):
    """Without noise replacement some blends and their children share one position."""
    recorded = tools().load(reference(scene, outputs, "sources.parquet"))
    table = pq.read_table(reference(scene, "inputs", "finalized_src_table.parquet"))
    calib = {name: table[name].to_numpy() for name in table.column_names}
    catalog = catalogue(recorded["coord_ra"], recorded["coord_dec"])
    assert match_calib_sources(catalog, calib, 42, 0.2, degrees_for_radians=True) > 0
    for name in CALIB_FLAGS:
        assert name == "calib_psf_reserved" or recorded[name].any()
        np.testing.assert_array_equal(catalog[name], recorded[name], err_msg=name)
