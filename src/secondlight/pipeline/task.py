"""The task as a pipeline runs it: inputs from the Butler, outputs to the Butler (spec 00.5)."""

from __future__ import annotations

from typing import Any, ClassVar

from lsst.pex.config import Field
from lsst.pipe.base import (
    AlgorithmError,
    AnnotatedPartialOutputsError,
    PipelineTask,
    PipelineTaskConfig,
    Struct,
)

from .. import reprocess, threads
from ..errors import NoWorkError
from ..model.background import BackgroundList
from ..model.catalog import SourceCatalog
from . import datasets
from .connections import ReprocessVisitImageConnections

__all__ = ["ReprocessVisitImageConfig", "ReprocessVisitImageTask"]


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
        Passed to `lsst.pipe.base.Task`.

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
        ratio = inputs.get("background_to_photometric_ratio")
        # radians taken for degrees is one of the reference's defects, whatever the column says
        calib_sources = datasets.calib_sources(
            inputs["calib_sources"], as_is=self.config.reproduceReferenceDefects
        )
        result = Struct()
        with threads.use(butlerQC.resources.num_cores):
            try:
                self.run(
                    exposures=[datasets.exposure(e) for e in inputs["exposures"]],
                    preliminary_mask=datasets.mask(inputs["preliminary_mask"]),
                    psf=record.psf,
                    wcs=record.wcs,
                    ap_corr=record.ap_corr_map,
                    photo_calib=record.photo_calib,
                    background=background,
                    initial_photo_calib=inputs.get("initial_photo_calib"),
                    calib_sources=calib_sources,
                    background_to_photometric_ratio=None if ratio is None else datasets.plane(ratio),
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
            outputs.sources = datasets.as_astropy(result.sources_footprints)
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
