"""The task as a pipeline runs it: inputs from the Butler, outputs to the Butler (spec 00.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import lsst.images
import numpy as np
from astropy.table import Table
from lsst.images import SkyProjection
from lsst.images.fields import BaseField
from lsst.pex.config import Field
from lsst.pipe.base import (
    AlgorithmError,
    AnnotatedPartialOutputsError,
    PipelineTask,
    PipelineTaskConfig,
    Struct,
)
from numpy.typing import NDArray

from .. import reprocess, threads
from ..errors import NoWorkError
from ..model.background import BackgroundList
from ..model.catalog import SourceCatalog
from ..model.exposure import Exposure
from ..model.ids import IdGenerator
from ..model.mask_planes import Mask
from ..model.photo_calib import PhotoCalib
from ..model.psf import BatchPsf
from . import datasets
from .connections import ReprocessVisitImageConnections

__all__ = ["ReprocessVisitImageConfig", "ReprocessVisitImageTask"]

type _AnyExposure = Exposure | lsst.images.VisitImage


class ReprocessVisitImageConfig(
    PipelineTaskConfig,
    reprocess.ReprocessVisitImageConfig,
    pipelineConnections=ReprocessVisitImageConnections,
):
    """Configuration of `ReprocessVisitImageTask`: the algorithm's, and the names of the datasets."""

    native_storage_classes = Field[bool](
        doc="Whether datasets have storage classes that need no afw (VisitImage for ExposureF …). None: unless afw's "
        "names mean Second Light's types, as the overrides of `secondlight butler overrides` make them.",
        default=None,
        optional=True,
    )


class ReprocessVisitImageTask(reprocess.ReprocessVisitImageTask, PipelineTask):
    """Make the final image and source catalogue of one {visit, detector} from a Butler.

    Parameters
    ----------
    config
        Configuration; defaults if not given.
    initInputs
        Unused: the schema of the sources depends on the configuration alone.
    **kwargs
        ``schema`` or ``sources_schema``: columns to add to; ``on_stage``: called with the name of each stage as it begins;
        others are passed to `lsst.pipe.base.Task`.

    Attributes
    ----------
    sources_schema
        Catalogue without rows, put once a run.
    """

    ConfigClass: ClassVar[type[PipelineTaskConfig]] = ReprocessVisitImageConfig
    _DefaultName: ClassVar[str] = "reprocessVisitImage"

    def __init__(
        self,
        *,
        config: ReprocessVisitImageConfig | None = None,
        initInputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(config=config, initInputs=initInputs, **kwargs)
        self.sources_schema = SourceCatalog(self.schema)

    def run(
        self,
        *,
        exposures: _AnyExposure | Sequence[_AnyExposure],
        psf: BatchPsf | None,
        background: BackgroundList | None,
        ap_corr: Mapping[str, BaseField] | None,
        photo_calib: PhotoCalib | None,
        wcs: SkyProjection[Any] | None,
        id_generator: IdGenerator | None = None,
        initial_photo_calib: PhotoCalib | None = None,
        calib_sources: Table | Mapping[str, NDArray[np.generic]] | None = None,
        background_to_photometric_ratio: lsst.images.Image | NDArray[np.float32] | None = None,
        preliminary_mask: Mask | lsst.images.Mask | None = None,
        result: Struct | None = None,
    ) -> Struct:
        """Process one detector, given datasets as a Butler returns them (spec 00.6).

        Parameters
        ----------
        exposures
            One or two snaps [count].
        psf, ap_corr, photo_calib, wcs
            Final calibrations of this detector.
        background
            Background to subtract.
        id_generator
            Makes source ids and seeds; ids that count from 1 if not given.
        initial_photo_calib
            Calibration that the background was fitted with; needed with ``remove_initial_photo_calib``.
        calib_sources
            Calibration sources of the visit; coordinates without a unit are in radians.
        background_to_photometric_ratio
            Ratio image; needed with ``do_apply_flat_background_ratio``.
        preliminary_mask
            Mask to copy ``copyMaskPlanes`` from.
        result
            Filled in place, so that a caller keeps what was made before an error.

        Returns
        -------
        lsst.pipe.base.Struct
            What `secondlight.reprocess.ReprocessVisitImageTask.run` returns, and ``sources``, its table.
        """
        if not isinstance(exposures, Sequence):
            exposures = [exposures]
        if isinstance(calib_sources, Table):
            # radians taken for degrees is one of the reference's defects, whatever the column says
            calib_sources = datasets.calib_sources(calib_sources, as_is=self.config.reproduceReferenceDefects)
        ratio = background_to_photometric_ratio
        result = super().run(
            exposures=[datasets.exposure(exposure) for exposure in exposures],
            psf=psf,
            background=background,
            ap_corr=ap_corr,
            photo_calib=photo_calib,
            wcs=wcs,
            id_generator=id_generator,
            initial_photo_calib=initial_photo_calib,
            calib_sources=calib_sources,
            background_to_photometric_ratio=None if ratio is None else datasets.plane(ratio),
            preliminary_mask=None if preliminary_mask is None else datasets.mask(preliminary_mask),
            result=result,
        )
        result.sources = datasets.as_astropy(result.sources_footprints)
        return result

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:
        """Get the inputs of one {visit, detector}, process them, put the outputs.

        Parameters
        ----------
        butlerQC
            Access to the datasets of this quantum.
        inputRefs, outputRefs
            The datasets, by connection.

        Raises
        ------
        NoWorkError
            Raised if the visit summary lacks calibrations of this detector: a quantum without work, not a failed one.
        lsst.pipe.base.AnnotatedPartialOutputsError
            Raised if this data cannot be processed. What could be made has been put, and says why in its metadata.
        InputError
            Raised if inputs contradict each other.
        """
        data_id = butlerQC.quantum.dataId
        detector = int(data_id["detector"])
        # before the pixels: a detector without work should cost no reading
        record = butlerQC.get(inputRefs.visit_summary).find(detector)
        _check_calibrations(record, detector)
        inputRefs.exposures.sort(key=lambda ref: ref.dataId["exposure"])
        inputs = butlerQC.get(inputRefs)

        background = BackgroundList(inputs["background_1"])
        if self.config.do_use_sky_corr:
            background.extend(inputs["background_2"])
        instrument = data_id.records["instrument"]
        result = Struct(exposure=None, sources_footprints=None, seconds={})
        with threads.use(butlerQC.resources.num_cores):
            try:
                self.run(
                    exposures=inputs["exposures"],
                    preliminary_mask=inputs["preliminary_mask"],
                    psf=record.psf,
                    wcs=record.wcs,
                    ap_corr=record.ap_corr_map,
                    photo_calib=record.photo_calib,
                    background=background,
                    initial_photo_calib=inputs.get("initial_photo_calib"),
                    calib_sources=inputs["calib_sources"],
                    background_to_photometric_ratio=inputs.get("background_to_photometric_ratio"),
                    id_generator=self.config.id_generator.make(
                        visit=int(data_id["visit"]),
                        detector=detector,
                        instrument=str(data_id["instrument"]),
                        n_observations=instrument.visit_max,
                        n_detectors=instrument.detector_max,
                    ),
                    result=result,
                )
            except AlgorithmError as error:
                partial = AnnotatedPartialOutputsError.annotate(
                    error, self, result.exposure, result.sources_footprints, log=self.log
                )
                datasets.flatten_metadata(result.exposure, result.sources_footprints)
                butlerQC.put(self._outputs(result, outputRefs), outputRefs)
                raise partial from error
            self.metadata.set_dict("seconds", result.seconds)
            butlerQC.put(self._outputs(result, outputRefs), outputRefs)

    def _outputs(self, result: Struct, outputRefs: Any) -> Struct:
        """Return what was made as the types of the datasets; what was not made is missing."""
        outputs = Struct()
        background = getattr(result, "background", None)
        if result.exposure is not None:
            storage_class = outputRefs.exposure.datasetType.storageClass_name
            exposure = datasets.output_exposure(result, storage_class)
            if exposure is not None:
                outputs.exposure = exposure
        if result.sources_footprints is not None:
            outputs.sources_footprints = result.sources_footprints
        if background is not None:
            outputs.background = background
            outputs.sources = result.sources
        return outputs


def _check_calibrations(record: Any, detector: int) -> None:
    """Raise unless the record of the visit summary holds all calibrations (spec 00.5)."""
    if record is None:
        missing = ["no record in the visit summary"]
    else:
        parts = {
            "PSF": record.psf,
            "WCS": record.wcs,
            "ApCorr": record.ap_corr_map,
            "PhotoCalib": record.photo_calib,
        }
        missing = [f"no {name}" for name, part in parts.items() if part is None]
    if missing:
        lines = "".join(f"\n  > {reason}" for reason in missing)
        raise NoWorkError(f"Skipping reprocessing of detector {detector} because:{lines}")
