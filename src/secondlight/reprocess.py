"""The task: from post-ISR snaps and calibrations to the final image and its sources."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
from lsst.images import SkyProjection
from lsst.images.fields import BaseField
from lsst.pex.config import Config, ConfigField, ConfigurableField, Field, ListField
from lsst.pipe.base import Struct, Task
from numpy.typing import NDArray

from .errors import InputError, ProcessingError, UsageError
from .model.background import BackgroundList
from .model.exposure import Exposure, row_blocks
from .model.ids import DetectorVisitIdGeneratorConfig, IdGenerator
from .model.mask_planes import Mask
from .model.photo_calib import PhotoCalib
from .model.psf import BatchPsf
from .model.schema import Column, Schema
from .tasks.apply_aperture_correction import ApplyApCorrTask
from .tasks.catalog_calculation import CatalogCalculationTask
from .tasks.compute_summary_stats import ComputeExposureSummaryStatsTask
from .tasks.deblend import SourceDeblendTask
from .tasks.detection import SourceDetectionTask
from .tasks.match_calib_sources import CALIB_FLAGS, match_calib_sources
from .tasks.measurement import SingleFrameMeasurementTask
from .tasks.normalized_calibration_flux import NormalizedCalibrationFluxTask
from .tasks.photometric_calibration import (
    calibrate_catalog,
    calibrate_image,
    declare_calibrated,
    divide_by_mean,
)
from .tasks.repair import RepairTask
from .tasks.set_primary_flags import SetPrimaryFlagsTask
from .tasks.sky_sources import SkyObjectsTask
from .tasks.snap_combine import SnapCombineTask
from .tasks.subtract_background import background_flat_context

__all__ = ["ReprocessVisitImageConfig", "ReprocessVisitImageTask"]

#: Called with the name of each stage as it begins.
type StageObserver = Callable[[str], None]


class ReprocessVisitImageConfig(Config):
    """Configuration of `ReprocessVisitImageTask`: spec 00.3, the reference's names and defaults."""

    id_generator: Any = ConfigField(doc="how source ids are made", dtype=DetectorVisitIdGeneratorConfig)
    do_use_sky_corr = Field[bool](
        doc="subtract a second background (skyCorr) besides the calibration background", default=False
    )
    remove_initial_photo_calib = Field[bool](
        doc="the background was fitted to an image calibrated with the initial photometric calibration: apply that "
        "before the background is subtracted, and remove it afterwards",
        default=False,
    )
    snap_combine: Any = ConfigurableField(doc="combine the two snaps of a visit", target=SnapCombineTask)
    repair: Any = ConfigurableField(doc="find and repair cosmic rays", target=RepairTask)
    detection: Any = ConfigurableField(doc="detect sources", target=SourceDetectionTask)
    sky_sources: Any = ConfigurableField(doc="add sources in empty places", target=SkyObjectsTask)
    deblend: Any = ConfigurableField(doc="split blends into their sources", target=SourceDeblendTask)
    measurement: Any = ConfigurableField(doc="measure sources", target=SingleFrameMeasurementTask)
    normalized_calibration_flux: Any = ConfigurableField(
        doc="put the calibration flux on the scale fitted upstream", target=NormalizedCalibrationFluxTask
    )
    apply_aperture_correction: Any = ConfigurableField(
        doc="apply aperture corrections", target=ApplyApCorrTask
    )
    set_primary_flags: Any = ConfigurableField(
        doc="tell rows that stand for one object each", target=SetPrimaryFlagsTask
    )
    catalog_calculation: Any = ConfigurableField(
        doc="columns made from other columns", target=CatalogCalculationTask
    )
    post_calculations: Any = ConfigurableField(
        doc="measurements made after all corrections", target=SingleFrameMeasurementTask
    )
    compute_summary_stats: Any = ConfigurableField(
        doc="statistics of the whole image", target=ComputeExposureSummaryStatsTask
    )
    calib_match_radius = Field[float](
        doc="radius within which a calibration source is a source [arcsec]", default=0.2
    )
    do_apply_flat_background_ratio = Field[bool](
        doc="divide by the ratio of background flat to photometric flat", default=False
    )
    copyMaskPlanes = ListField[str](
        doc="mask planes to copy from the preliminary mask", default=["SPIKE"], optional=False
    )
    reproduceReferenceDefects = Field[bool](
        doc="match calibration sources with radians taken for degrees, as the reference does", default=False
    )

    def setDefaults(self) -> None:
        """Set what this task wants otherwise than its subtasks (spec 00.3)."""
        super().setDefaults()
        self.detection.reEstimateBackground = False
        self.detection.doTempLocalBackground = False
        apertures = self.measurement.plugins["base_CircularApertureFlux"]
        apertures.radii = [3.0, 4.5, 6.0, 9.0, 12.0, 17.0, 25.0, 35.0, 50.0, 70.0]
        apertures.maxSincRadius = 12.0
        self.measurement.plugins.names |= [
            "base_FPPosition",
            "base_Jacobian",
            "ext_photometryKron_KronFlux",
            "ext_shapeHSM_HigherOrderMomentsPSF",
            "ext_shapeHSM_HigherOrderMomentsSource",
            "ext_shapeHSM_HsmPsfMomentsDebiased",
            "ext_shapeHSM_HsmShapeRegauss",
        ]
        self.measurement.plugins["ext_shapeHSM_HsmShapeRegauss"].deblendNChild = "deblend_nChild"
        self.measurement.plugins["base_Jacobian"].pixelScale = 0.2
        self.measurement.slots.shape = "ext_shapeHSM_HsmSourceMoments"
        self.measurement.slots.psfShape = "ext_shapeHSM_HsmPsfMoments"
        self.normalized_calibration_flux.do_measure_ap_corr = False
        self.post_calculations.plugins.names = ["base_LocalPhotoCalib", "base_LocalWcs"]
        self.post_calculations.doReplaceWithNoise = False
        slots = self.post_calculations.slots
        for slot in slots:
            setattr(slots, slot, None)

    def validate(self) -> None:
        """Refuse combinations that cannot be right (spec 00.3)."""
        super().validate()
        if (
            self.do_apply_flat_background_ratio
            and self.detection.reEstimateBackground
            and not self.detection.doApplyFlatBackgroundRatio
        ):
            raise ValueError(
                "do_apply_flat_background_ratio with detection.reEstimateBackground needs "
                "detection.doApplyFlatBackgroundRatio"
            )


class ReprocessVisitImageTask(Task):
    """Make the final image and source catalogue of one {visit, detector}.

    Fits nothing: PSF, WCS, photometric calibration, aperture corrections and background are given (spec 00).

    Parameters
    ----------
    config
        Configuration; defaults if not given.
    on_stage
        Called with the name of each stage as it begins.
    schema
        Columns to add to, in place; those that every catalogue begins with if not given.
    sources_schema
        Another name of ``schema``.
    **kwargs
        Passed to `lsst.pipe.base.Task`.

    Attributes
    ----------
    schema
        Columns of the catalogue, complete when the task is constructed.
    """

    ConfigClass: ClassVar[type[Config]] = ReprocessVisitImageConfig
    _DefaultName: ClassVar[str] = "reprocessVisitImage"
    config: Any
    snap_combine: SnapCombineTask
    repair: RepairTask
    detection: SourceDetectionTask
    sky_sources: SkyObjectsTask
    deblend: SourceDeblendTask
    measurement: SingleFrameMeasurementTask
    normalized_calibration_flux: NormalizedCalibrationFluxTask
    apply_aperture_correction: ApplyApCorrTask
    catalog_calculation: CatalogCalculationTask
    set_primary_flags: SetPrimaryFlagsTask
    post_calculations: SingleFrameMeasurementTask
    compute_summary_stats: ComputeExposureSummaryStatsTask

    def __init__(
        self,
        config: ReprocessVisitImageConfig | None = None,
        *,
        on_stage: StageObserver | None = None,
        schema: Schema | None = None,
        sources_schema: Schema | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(config=config, **kwargs)
        self.on_stage = on_stage
        if schema is not None and sources_schema is not None:
            raise UsageError("schema and sources_schema are two names of one argument: give one of them")
        # the order of construction is the order of columns, spec 00.4
        given = schema if schema is not None else sources_schema
        self.schema = given if given is not None else Schema.minimal()
        self.makeSubtask("snap_combine")
        self.makeSubtask("repair")
        self.makeSubtask("detection", schema=self.schema)
        self.makeSubtask("sky_sources", schema=self.schema)
        self.makeSubtask("deblend", schema=self.schema)
        self.makeSubtask("measurement", schema=self.schema)
        self.makeSubtask("normalized_calibration_flux", schema=self.schema)
        self.makeSubtask("apply_aperture_correction", schema=self.schema)
        self.makeSubtask("catalog_calculation", schema=self.schema)
        self.makeSubtask("set_primary_flags", schema=self.schema)
        self.makeSubtask("post_calculations", schema=self.schema)
        self.makeSubtask("compute_summary_stats")
        for column in _OWN_COLUMNS:
            self.schema.add(column)
        declare_calibrated(self.schema)

    def run(
        self,
        *,
        exposures: Exposure | Sequence[Exposure],
        psf: BatchPsf | None,
        background: BackgroundList | None,
        ap_corr: Mapping[str, BaseField] | None,
        photo_calib: PhotoCalib | None,
        wcs: SkyProjection[Any] | None,
        id_generator: IdGenerator | None = None,
        initial_photo_calib: PhotoCalib | None = None,
        calib_sources: Mapping[str, NDArray[np.generic]] | None = None,
        background_to_photometric_ratio: NDArray[np.float32] | None = None,
        preliminary_mask: Mask | None = None,
        result: Struct | None = None,
    ) -> Struct:
        """Process one detector (spec 00.6).

        Parameters
        ----------
        exposures
            One or two snaps [count]. A single one is processed in place.
        psf, ap_corr, photo_calib, wcs
            Final calibrations of this detector.
        background
            Background to subtract, in counts, or in nJy with ``remove_initial_photo_calib``.
        id_generator
            Makes source ids and seeds; ids that count from 1 if not given.
        initial_photo_calib
            Calibration that the background was fitted with; needed with ``remove_initial_photo_calib``.
        calib_sources
            Columns of the calibration sources of the visit: ``coord_ra``, ``coord_dec`` [rad], ``detector``, flags.
        background_to_photometric_ratio
            Ratio image; needed with ``do_apply_flat_background_ratio``.
        preliminary_mask
            Mask to copy ``copyMaskPlanes`` from.
        result
            Filled in place, so that a caller keeps what was made before an error.

        Returns
        -------
        lsst.pipe.base.Struct
            ``exposure`` [nJy], ``sources_footprints`` (`SourceCatalog`), ``background``, ``applied_photo_calib``,
            ``instrumental_unit`` (of the image before it was calibrated; empty if it did not say), ``seconds`` by stage.

        Raises
        ------
        ProcessingError
            Raised if this data cannot be processed.
        InputError
            Raised if inputs contradict each other.
        """
        if result is None:
            result = Struct()
        if id_generator is None:
            id_generator = IdGenerator()
        result.exposure = result.sources_footprints = None
        result.seconds = {}
        stage = _Stages(self.on_stage, result.seconds)

        with stage("snap_combine"):
            exposure = result.exposure = self.snap_combine.run(exposures)
            result.instrumental_unit = exposure.unit
        with stage("background"):
            _check_pixels(exposure)
            _check_calibrations(psf, ap_corr, photo_calib, wcs)
            if preliminary_mask is not None:
                self._copy_mask_planes(exposure, preliminary_mask)
            self._subtract_background(
                exposure, background, initial_photo_calib, background_to_photometric_ratio
            )
            exposure.psf, exposure.ap_corr_map, exposure.wcs, exposure.photo_calib = (
                psf,
                ap_corr,
                wcs,
                photo_calib,
            )
        with stage("repair"):
            self.repair.run(exposure)
        with stage("detection"):
            detected = self.detection.run(
                exposure,
                background=background,
                ratio=background_to_photometric_ratio,
                ids=id_generator.make_factory(),
            )
        catalog = result.sources_footprints = detected.sources
        with stage("sky_sources"):
            self.sky_sources.run(exposure, catalog, seed=id_generator.catalog_id, ids=detected.ids)
        with stage("deblend"):
            self.deblend.run(exposure, catalog, detected.ids)
        with stage("measurement"):
            self.measurement.run(catalog, exposure)
        with stage("normalized_calibration_flux"):
            self.normalized_calibration_flux.run(catalog, ap_corr)
        with stage("apply_aperture_correction"):
            assert ap_corr is not None
            self.apply_aperture_correction.run(catalog, ap_corr)
        with stage("catalog_calculation"):
            self.catalog_calculation.run(catalog)
        with stage("set_primary_flags"):
            self.set_primary_flags.run(catalog)
        with stage("post_calculations"):
            self._fill_own_columns(catalog, exposure, calib_sources)
            self.post_calculations.run(catalog, exposure)
        with stage("compute_summary_stats"):
            # of the image before it is calibrated, as upstream's fiducial values are
            exposure.summary_stats = self.compute_summary_stats.run(exposure, catalog, detected.background)
        with stage("calibrate"):
            assert photo_calib is not None
            calibrate_catalog(catalog, photo_calib)
            calibrate_image(exposure, photo_calib)
            exposure.photo_calib = PhotoCalib.constant(1.0, photo_calib.err, exposure.bbox)
        result.applied_photo_calib = photo_calib
        result.background = detected.background
        return result

    def _copy_mask_planes(self, exposure: Exposure, mask: Mask) -> None:
        """OR the configured planes of the preliminary mask into the exposure's, by name."""
        if mask.array.shape != exposure.mask.shape or (mask.x0, mask.y0) != (exposure.x0, exposure.y0):
            raise InputError(
                f"the preliminary mask ({mask.array.shape} at {mask.x0, mask.y0}) does not cover the exposure "
                f"({exposure.mask.shape} at {exposure.x0, exposure.y0})"
            )
        for name in self.config.copyMaskPlanes:
            if name in mask.planes:
                theirs, ours = mask.planes.bits([name]), np.int32(exposure.mask_planes.bit(name))
                for rows in row_blocks(len(mask.array)):
                    exposure.mask[rows][(mask.array[rows] & theirs) != 0] |= ours

    def _subtract_background(
        self,
        exposure: Exposure,
        background: BackgroundList | None,
        initial_photo_calib: PhotoCalib | None,
        ratio: NDArray[np.float32] | None,
    ) -> None:
        """Flat ratio, initial calibration and background, in the order of spec 00.6 steps 3 to 6."""
        use_ratio = self.config.do_apply_flat_background_ratio
        if use_ratio:
            if ratio is None:
                raise UsageError(
                    "do_apply_flat_background_ratio is set, and no background ratio image is given"
                )
            if ratio.shape != exposure.image.shape:
                raise InputError(
                    f"the background ratio has shape {ratio.shape}, the exposure {exposure.image.shape}"
                )
            exposure.image /= ratio
            exposure.variance /= ratio
            exposure.variance /= ratio
        if self.config.remove_initial_photo_calib:
            if initial_photo_calib is None:
                raise UsageError(
                    "remove_initial_photo_calib is set, and no initial photometric calibration is given"
                )
            unit = exposure.unit
            calibrate_image(exposure, initial_photo_calib)
        for model in background or ():
            if model.bbox.shape != exposure.image.shape:
                raise InputError(
                    f"the background has shape {model.bbox.shape}, the exposure {exposure.image.shape}"
                )
        if background:
            with background_flat_context(exposure.image, exposure.variance, ratio if use_ratio else None):
                background.subtract_from(exposure.image)
        if self.config.remove_initial_photo_calib:
            assert initial_photo_calib is not None
            divide_by_mean(exposure, initial_photo_calib)
            exposure.unit = unit

    def _fill_own_columns(
        self, catalog: Any, exposure: Exposure, calib_sources: Mapping[str, NDArray[np.generic]] | None
    ) -> None:
        catalog["visit"] = exposure.visit_info.id if exposure.visit_info is not None else 0
        detector = exposure.detector.id if exposure.detector is not None else 0
        catalog["detector"] = detector
        if calib_sources is not None:
            found = match_calib_sources(
                catalog,
                calib_sources,
                detector,
                self.config.calib_match_radius,
                degrees_for_radians=self.config.reproduceReferenceDefects,
            )
            self.metadata["calib_sources_matched"] = found


_FINALIZE = "FinalizeCharacterizationTask"
_OWN_COLUMNS = (
    Column("visit", "L", "", "Visit this source appeared on."),
    Column("detector", "U", "", "Detector this source appeared on."),
    *(
        Column(name, "Flag", "", doc)
        for name, doc in zip(
            CALIB_FLAGS,
            (
                f"Set if the source was a candidate for PSF determination, as determined from {_FINALIZE}.",
                f"set if source was reserved from PSF determination by {_FINALIZE}.",
                f"Set if source was used in the PSF determination by {_FINALIZE}.",
            ),
            strict=True,
        )
    ),
    *(
        Column(f"calib_{what}", "Flag", "", "Unused; placeholder for SDM schemas.")
        for what in ("photometry_used", "photometry_reserved", "astrometry_used", "astrometry_reserved")
    ),
)


class _Stages:
    """Names each stage to an observer and keeps the wall-clock seconds it took."""

    def __init__(self, observer: StageObserver | None, seconds: dict[str, float]) -> None:
        self._observer = observer
        self._seconds = seconds

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        if self._observer is not None:
            self._observer(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] = time.perf_counter() - start


def _check_pixels(exposure: Exposure) -> None:
    """Refuse an image with nothing to look at."""
    blocks = list(row_blocks(len(exposure.image)))
    if not any(np.isfinite(exposure.image[rows]).any() for rows in blocks):
        raise ProcessingError("no pixel of the image is finite: nothing to process")
    unusable = exposure.mask_planes.bits(["BAD", "NO_DATA"])
    if all(((exposure.mask[rows] & unusable) != 0).all() for rows in blocks):
        raise ProcessingError("every pixel is masked as BAD or NO_DATA: nothing to process")
    if not any((exposure.variance[rows] > 0).any() for rows in blocks):
        raise ProcessingError("no pixel of the variance plane is positive: nothing to process")


def _check_calibrations(
    psf: BatchPsf | None,
    ap_corr: Mapping[str, BaseField] | None,
    photo_calib: PhotoCalib | None,
    wcs: SkyProjection[Any] | None,
) -> None:
    missing = [
        name
        for name, value in (("PSF", psf), ("WCS", wcs), ("ApCorr", ap_corr), ("PhotoCalib", photo_calib))
        if value is None
    ]
    if missing:
        raise ProcessingError(f"cannot process an exposure without its {', '.join(missing)}")
