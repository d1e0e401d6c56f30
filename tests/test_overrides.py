"""Unit: configuration from files and KEY=VALUE pairs."""

from __future__ import annotations

import pytest

from secondlight.errors import UsageError
from secondlight.overrides import build_config


def test_defaults_are_those_of_the_task():
    config = build_config()
    # spec 00.3
    assert config.detection.reEstimateBackground is False
    assert config.detection.doTempLocalBackground is False
    assert list(config.copyMaskPlanes) == ["SPIKE"]
    assert set(config.post_calculations.plugins.names) == {"base_LocalPhotoCalib", "base_LocalWcs"}
    assert config.post_calculations.slots.centroid is None
    assert not config.repair.reproduceReferenceDefects


def test_values():
    config = build_config(
        values=[
            "detection.thresholdValue=6",
            "detection.thresholdPolarity=both",
            'measurement.plugins["base_CircularApertureFlux"].radii=[2.5, 5.0]',
            "measurement.plugins['base_CircularApertureFlux'].maxSincRadius = 3",
            "repair.doCosmicRay=False",
        ]
    )
    assert config.detection.thresholdValue == 6.0
    assert config.detection.thresholdPolarity == "both"
    apertures = config.measurement.plugins["base_CircularApertureFlux"]
    assert list(apertures.radii) == [2.5, 5.0] and apertures.maxSincRadius == 3.0
    assert config.repair.doCosmicRay is False


def test_files_come_before_values_and_in_order(tmp_path):
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text("config.detection.thresholdValue = 1.0\nconfig.detection.minPixels = 2\n")
    two.write_text(
        'config.detection.thresholdValue = 2.0\nconfig.measurement.plugins.names |= ["base_PixelFlags"]\n'
    )
    config = build_config([str(one), str(two)], ["detection.minPixels=4"])
    assert (config.detection.thresholdValue, config.detection.minPixels) == (2.0, 4)


@pytest.mark.parametrize("name", ["reference", "reference.py", "configs/reference.py"])
def test_shipped_files(name):
    config = build_config([name])
    assert config.repair.reproduceReferenceDefects
    assert config.reproduceReferenceDefects


def test_reference_configuration_reproduces_every_defect():
    """Each field of that name in the whole configuration is set: a new one cannot be forgotten."""

    def values(tree, path="config"):
        for key, value in tree.items():
            if key == "reproduceReferenceDefects":
                yield path, value
            elif isinstance(value, dict):
                yield from values(value, f"{path}.{key}")

    config = build_config(["reference"])
    # plugins that the second measurement does not run keep their defaults
    found = {k: v for k, v in values(config.toDict()) if "post_calculations" not in k}
    assert len(found) >= 3
    assert [path for path, value in found.items() if not value] == []


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("detection", "KEY=VALUE"),
        ("=3", "KEY=VALUE"),
        ("detection.nothing=3", "nothing"),
        ("detection.thresholdValue=many", "thresholdValue"),
        ("measurement.plugins['base_Nothing'].x=1", "base_Nothing"),
        ("detection.thresholdValue+1=2", "field"),
        ("__class__.x()=2", "field"),
        ("detection.thresholdType=colour", "colour"),
    ],
)
def test_values_that_do_not_fit(pair, words):
    with pytest.raises(UsageError, match=words):
        build_config(values=[pair])


def test_combinations_that_cannot_be_right():
    with pytest.raises(UsageError, match="doApplyFlatBackgroundRatio"):
        build_config(values=["do_apply_flat_background_ratio=True", "detection.reEstimateBackground=True"])


def test_files_that_are_not_there():
    with pytest.raises(UsageError, match=r"nowhere\.py.*reference"):
        build_config(["nowhere.py"])
