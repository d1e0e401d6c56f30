"""Ids of sources: the reference's for recorded runs, the packers' arithmetic, their limits."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow.parquet as pq
import pytest
from lsst.daf.butler import DataCoordinate, DimensionUniverse
from lsst.pex.config import Config, ConfigField, Field
from lsst.pipe.base import ObservationDimensionPacker, ObservationDimensionPackerConfig

from helpers.shared import needs_shared, reference
from secondlight.errors import ProcessingError, UsageError
from secondlight.model.ids import DetectorVisitIdGeneratorConfig, IdFactory, IdGenerator


class _Top(Config):
    id_generator = ConfigField("ids", DetectorVisitIdGeneratorConfig)
    do_use_sky_corr = Field(dtype=bool, doc="of the task", default=False)


@needs_shared
@pytest.mark.parametrize("scene", ["small", "snaps", "sdss_r"])
def test_recorded_ids(scene):
    config = _Top()
    config.load(str(reference("ids.py")))
    table = pq.read_table(reference(scene, "outputs", "sources.parquet"), columns=["id", "visit", "detector"])
    visit, detector = table["visit"][0].as_py(), table["detector"][0].as_py()
    generator = config.id_generator.make(visit=visit, detector=detector)
    ids = table["id"].to_numpy()
    np.testing.assert_array_equal(generator.make_factory().take(len(ids)), np.sort(ids))


def test_same_as_the_butler_s_packer():
    sizes = ObservationDimensionPackerConfig()
    sizes.n_detectors, sizes.n_observations = 113, 30_000
    data_id = DataCoordinate.standardize(
        {"instrument": "Cam", "visit": 12345, "detector": 77}, universe=DimensionUniverse()
    )
    packer = ObservationDimensionPacker(data_id, sizes)
    generator = DetectorVisitIdGeneratorConfig().make(
        visit=12345, detector=77, instrument="Cam", n_observations=30_000, n_detectors=113
    )
    assert generator == IdGenerator(packer.pack(data_id), 63 - 6 - packer.maxBits)


def test_release_is_above_visit_and_detector():
    config = DetectorVisitIdGeneratorConfig()
    config.n_releases, config.release_id = 4, 3
    config.packer["observation"].n_detectors = 16
    config.packer["observation"].n_observations = 1024
    generator = config.make(visit=5, detector=2)
    assert generator == IdGenerator((3 << 14) + 5 * 16 + 2, 63 - 2 - 14)
    config.n_releases, config.release_id = 1, 0
    assert config.make(visit=5, detector=2) == IdGenerator(5 * 16 + 2, 63 - 14)


@pytest.mark.parametrize("instrument", ["LSSTCam", "LSSTComCam", "LATISS"])
@pytest.mark.parametrize("one_to_one", [False, True])
def test_rubin_visits(instrument, one_to_one):
    visit = 2025_05_17_00321 + (9 * 10**13 if one_to_one else 0)
    day = (datetime.date(2025, 5, 17) - datetime.date(2010, 1, 1)).days
    packed = 94 + 256 * (321 + 32768 * (day + 16384 * one_to_one))
    generator = DetectorVisitIdGeneratorConfig().make(visit=visit, detector=94, instrument=instrument)
    assert generator == IdGenerator(packed, 63 - 6 - 38)


def test_rubin_controllers():
    config = DetectorVisitIdGeneratorConfig()
    config.packer.name = "rubin"
    visit = 7025_05_17_00321  # controller S, whose days are 5000 years late
    with pytest.raises(UsageError, match="controller S"):
        config.make(visit=visit, detector=1)
    config.packer["rubin"].controllers = {"O": 0, "S": 1}
    config.packer["rubin"].n_controllers = 2
    day = (datetime.date(2025, 5, 17) - datetime.date(2010, 1, 1)).days
    assert config.make(visit=visit, detector=1).catalog_id == 1 + 256 * (321 + 32768 * (day + 16384))


@pytest.mark.parametrize(
    ("instrument", "visit", "detector", "message"),
    [
        ("HSC", 21474800, 0, r"visit 21474800 is not in 0\.\.21474799"),
        ("HSC", 1, 200, r"detector 200 is not in 0\.\.199"),
        ("HSC", -1, 0, "visit -1"),
        ("LSSTCam", 2025_13_17_00321, 0, "20251317 is not a day"),
        ("LSSTCam", 2009_12_31_00001, 0, "day -1 "),
        ("LSSTCam", 2025_05_17_40000, 0, "sequence number 40000"),
        ("LSSTCam", 1234, 0, "encodes no day"),
        ("LSSTCam", 3 * 10**13 + 2025_05_17_00001, 0, "begins with 3"),
    ],
)
def test_what_does_not_fit(instrument, visit, detector, message):
    config = DetectorVisitIdGeneratorConfig()
    config.packer.name = "rubin" if instrument == "LSSTCam" else "observation"
    with pytest.raises(UsageError, match=message):
        config.make(visit=visit, detector=detector, instrument=instrument)


def test_rubin_instrument_with_ids_of_its_own():
    """A simulation may carry the name of a Rubin instrument and number its visits otherwise."""
    config = DetectorVisitIdGeneratorConfig()
    unknown = config.make(visit=8589934603, detector=42)
    assert config.make(visit=8589934603, detector=42, instrument="LSSTCam") == unknown
    assert config.make(visit=2025_05_23_00201, detector=118, instrument="LSSTCam").catalog_id < 2**38


def test_configuration_that_does_not_fit():
    config = DetectorVisitIdGeneratorConfig()
    config.release_id = 64
    with pytest.raises(UsageError, match="release_id 64"):
        config.make(visit=1, detector=1)
    config.release_id = 0
    config.packer["observation"].n_observations = 2**60
    with pytest.raises(UsageError, match="no room for sources"):
        config.make(visit=1, detector=1)


def test_counter_continues_and_overflows():
    factory = IdFactory(5, 4)
    assert factory.take(3).tolist() == [81, 82, 83]
    assert factory.take(0).tolist() == []
    assert factory.take(12).tolist() == list(range(84, 96))
    with pytest.raises(ProcessingError, match="16 sources do not fit the 15 ids"):
        factory.take(1)


def test_default_counts_from_one():
    assert IdGenerator().make_factory().take(2).tolist() == [1, 2]
