"""Connections: the reference's names, dimensions and storage classes (spec 00.2), and overrides as production writes them."""

from __future__ import annotations

import pytest

from secondlight.pipeline import (
    ReprocessVisitImageConfig,
    ReprocessVisitImageConnections,
    ReprocessVisitImageTask,
)

D, V = ("instrument", "visit", "detector"), ("instrument", "visit")

#: attribute: dataset type, storage class, dimensions, in which set
TABLE = {
    "exposures": ("postISRCCD", "Exposure", ("instrument", "exposure", "detector"), "inputs"),
    "preliminary_mask": ("preliminary_visit_mask", "Mask", D, "inputs"),
    "visit_summary": ("finalVisitSummary", "ExposureCatalog", V, "inputs"),
    "initial_photo_calib": ("initial_photoCalib_detector", "PhotoCalib", D, "inputs"),
    "background_1": ("initial_pvi_background", "Background", D, "inputs"),
    "background_2": ("skyCorr", "Background", D, "inputs"),
    "calib_sources": ("finalized_src_table", "ArrowAstropy", V, "inputs"),
    "background_to_photometric_ratio": ("background_to_photometric_ratio", "Image", D, "inputs"),
    "sources_schema": ("sources_schema", "SourceCatalog", None, "initOutputs"),
    "exposure": ("pvi", "ExposureF", D, "outputs"),
    "sources": ("sources_detector", "ArrowAstropy", D, "outputs"),
    "sources_footprints": ("sources_footprints_detector", "SourceCatalog", D, "outputs"),
    "background": ("pvi_background", "Background", D, "outputs"),
}

OPTIONAL = {
    "do_use_sky_corr": "background_2",
    "remove_initial_photo_calib": "initial_photo_calib",
    "do_apply_flat_background_ratio": "background_to_photometric_ratio",
}


def connections(**values):
    config = ReprocessVisitImageConfig()
    for name, value in values.items():
        setattr(config, name, value)
    return ReprocessVisitImageConnections(config=config)


def test_connections_are_the_references():
    made = connections(native_storage_classes=False, **dict.fromkeys(OPTIONAL, True))
    assert list(made.dimensions) == ["instrument", "visit", "detector"] or set(made.dimensions) == set(D)
    found = {
        name: (c.name, c.storageClass, getattr(c, "dimensions", None))
        for name, c in made.allConnections.items()
    }
    for name, (dataset_type, storage_class, dimensions, kind) in TABLE.items():
        assert found.pop(name) == (dataset_type, storage_class, dimensions), name
        assert name in getattr(made, kind), name
    assert not found
    assert made.exposures.multiple and not made.background_1.multiple


@pytest.mark.parametrize("option", OPTIONAL)
def test_optional_inputs_follow_the_configuration(option):
    made = connections(**{option: True})
    assert OPTIONAL[option] in made.inputs
    assert not (set(OPTIONAL.values()) - {OPTIONAL[option]}) & set(made.inputs)


def test_without_afw_storage_classes_need_none():
    made = connections(**dict.fromkeys(OPTIONAL, True))
    classes = {c.storageClass for c in made.allConnections.values()}
    assert classes == {
        "VisitImage",
        "MaskV2",
        "ImageV2",
        "ArrowAstropy",
        "SecondLightVisitSummary",
        "SecondLightPhotoCalib",
        "SecondLightBackground",
        "SecondLightSourceSchema",
        "SecondLightFootprints",
    }


def test_overrides_as_production_writes_them(tmp_path):
    override = tmp_path / "override.py"
    override.write_text(
        "from secondlight.tasks.sky_sources import SkyObjectsTask\n"
        "config.connections.exposures = 'post_isr_image'\n"
        "config.connections.exposure = 'visit_image'\n"
        "config.detection.thresholdValue = 7.0\n"
        "config.measurement.plugins.names |= ['base_Variance']\n"
        "config.measurement.plugins['base_CircularApertureFlux'].radii = [3.0, 6.0]\n"
        "config.sky_sources.retarget(SkyObjectsTask)\n"
        "config.sky_sources.nSources = 7\n"
        "config.id_generator.release_id = 3\n"
    )
    config = ReprocessVisitImageConfig()
    config.load(str(override))
    config.validate()
    assert ReprocessVisitImageConnections(config=config).exposures.name == "post_isr_image"
    task = ReprocessVisitImageTask(config=config)
    assert task.detection.config.thresholdValue == 7.0
    assert task.sky_sources.config.nSources == 7
    names = set(task.sources_schema.schema.names)
    assert (
        "base_CircularApertureFlux_6_0_flux" in names and "base_CircularApertureFlux_12_0_flux" not in names
    )
    assert len(task.sources_schema) == 0


def test_saved_configuration_loads_again(tmp_path):
    config = ReprocessVisitImageConfig()
    config.connections.background_1 = "calexpBackground"
    config.save(str(tmp_path / "saved.py"))
    again = ReprocessVisitImageConfig()
    again.load(str(tmp_path / "saved.py"))
    assert again.compare(config, shortcut=False)
    assert again.connections.background_1 == "calexpBackground"
