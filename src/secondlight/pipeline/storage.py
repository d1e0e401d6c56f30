"""Which storage classes datasets have: those of afw, or those that need no stack.

A Butler names the Python type of a dataset by a storage class. The names in the reference's connections (spec 00.2) mean
classes of afw, unless the configuration of `overrides_path` is in force: then they mean the types of Second Light, read
from and written to the same files. Without either, datasets have the storage classes of `lsst.images`, and where that
has none those that `repository_config` declares.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

__all__ = ["NATIVE_STORAGE_CLASSES", "afw_names_are_ours", "overrides_path", "repository_config"]

#: Storage class by connection in a repository that knows nothing of afw; those not listed are the same in both.
NATIVE_STORAGE_CLASSES = {
    "exposures": "VisitImage",
    "preliminary_mask": "MaskV2",
    "visit_summary": "SecondLightVisitSummary",
    "initial_photo_calib": "SecondLightPhotoCalib",
    "background_1": "SecondLightBackground",
    "background_2": "SecondLightBackground",
    "background_to_photometric_ratio": "ImageV2",
    "sources_schema": "SecondLightSourceSchema",
    "exposure": "VisitImage",
    "sources_footprints": "SecondLightFootprints",
    "background": "SecondLightBackground",
}


def afw_names_are_ours() -> bool:
    """Tell whether the storage class ``ExposureF`` means Second Light's exposure in this process."""
    from lsst.daf.butler import StorageClassFactory

    from ..model.exposure import Exposure

    # compares names only, so that afw need not be there
    return bool(StorageClassFactory().getStorageClass("ExposureF").is_type(Exposure))


def repository_config() -> Any:
    """Return what the configuration of a new repository must declare (`lsst.daf.butler.Config`)."""
    from lsst.daf.butler import Config

    return Config(str(_here() / "repository.yaml"))


def overrides_path() -> Path:
    """Return the folder to put in ``DAF_BUTLER_CONFIG_PATH`` so that afw's storage classes can be used without afw."""
    return _here() / "overrides"


def _here() -> Path:
    return Path(str(files("secondlight.pipeline"))) / "butler"
