"""Inputs and outputs of the task in a Butler (spec 00.2)."""

from __future__ import annotations

import dataclasses
from typing import Any

from lsst.pipe.base import PipelineTaskConnections
from lsst.pipe.base.connectionTypes import InitOutput, Input, Output

from .storage import NATIVE_STORAGE_CLASSES, afw_names_are_ours

__all__ = ["ReprocessVisitImageConnections"]

_DETECTOR = ("instrument", "visit", "detector")
_VISIT = ("instrument", "visit")


class ReprocessVisitImageConnections(PipelineTaskConnections, dimensions=_DETECTOR):
    """Datasets of one {visit, detector}.

    Names of dataset types are set in ``config.connections``. Inputs that the configuration has no use for are left out.
    """

    exposures = Input(
        doc="Post-ISR exposure, or the two snaps of the visit [count].",
        name="postISRCCD",
        storageClass="Exposure",
        multiple=True,
        dimensions=("instrument", "exposure", "detector"),
    )
    preliminary_mask = Input(
        doc="Mask to copy planes from (copyMaskPlanes).",
        name="preliminary_visit_mask",
        storageClass="Mask",
        dimensions=_DETECTOR,
    )
    visit_summary = Input(
        doc="Final calibrations of the visit's detectors: PSF, WCS, aperture corrections, photometric calibration.",
        name="finalVisitSummary",
        storageClass="ExposureCatalog",
        dimensions=_VISIT,
    )
    initial_photo_calib = Input(
        doc="Photometric calibration that background_1 was fitted with; used if remove_initial_photo_calib is set.",
        name="initial_photoCalib_detector",
        storageClass="PhotoCalib",
        dimensions=_DETECTOR,
    )
    background_1 = Input(
        doc="Background to subtract.",
        name="initial_pvi_background",
        storageClass="Background",
        dimensions=_DETECTOR,
    )
    background_2 = Input(
        doc="Background to subtract besides background_1; used if do_use_sky_corr is set.",
        name="skyCorr",
        storageClass="Background",
        dimensions=_DETECTOR,
    )
    calib_sources = Input(
        doc="Sources used for the calibrations of the visit, with their flags.",
        name="finalized_src_table",
        storageClass="ArrowAstropy",
        dimensions=_VISIT,
    )
    background_to_photometric_ratio = Input(
        doc="Ratio of background flat to photometric flat; used if do_apply_flat_background_ratio is set.",
        name="background_to_photometric_ratio",
        storageClass="Image",
        dimensions=_DETECTOR,
    )
    sources_schema = InitOutput(
        doc="Columns of the source table, those of calibrated fluxes included.",
        name="sources_schema",
        storageClass="SourceCatalog",
    )
    exposure = Output(
        doc="Calibrated image [nJy] with its final calibrations.",
        name="pvi",
        storageClass="ExposureF",
        dimensions=_DETECTOR,
    )
    sources = Output(
        doc="Sources measured on the image, one row each.",
        name="sources_detector",
        storageClass="ArrowAstropy",
        dimensions=_DETECTOR,
    )
    sources_footprints = Output(
        doc="Footprints, peaks and pixels of the sources.",
        name="sources_footprints_detector",
        storageClass="SourceCatalog",
        dimensions=_DETECTOR,
    )
    background = Output(
        doc="Background that was subtracted.",
        name="pvi_background",
        storageClass="Background",
        dimensions=_DETECTOR,
    )

    def __init__(self, *, config: Any = None) -> None:
        super().__init__(config=config)
        if config is None:
            return
        if not config.do_use_sky_corr:
            del self.background_2
        if not config.remove_initial_photo_calib:
            del self.initial_photo_calib
        if not config.do_apply_flat_background_ratio:
            del self.background_to_photometric_ratio
        native = config.native_storage_classes
        if native is None:
            native = not afw_names_are_ours()
        if native:
            for name, storage_class in NATIVE_STORAGE_CLASSES.items():
                if name in self.allConnections:
                    setattr(self, name, dataclasses.replace(getattr(self, name), storageClass=storage_class))
