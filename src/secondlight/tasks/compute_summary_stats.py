"""One CCD in fifty numbers: PSF, sky, pointing, depth (spec 10.2)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Config, ConfigurableField, DictField, Field, ListField
from lsst.pipe.base import Task
from numpy.typing import NDArray

from .. import threads
from ..model.background import BackgroundModel
from ..model.catalog import SourceCatalog
from ..model.exposure import Exposure
from ..model.statistics import ImageStatistics
from ._summary_depth import amplifier_mean, magnitude_limit, throughput_scales
from ._summary_pointing import sky_position, zenith_distance
from ._summary_psf import distance_to_stars, psf_at, psf_variation
from ._summary_stars import STAR_STATISTICS, star_statistics
from .science_source_selector import ScienceSourceSelectorTask

__all__ = ["ComputeExposureSummaryStatsConfig", "ComputeExposureSummaryStatsTask"]

_BANDS = "ugrizy"

#: Metadata that upstream stages left for the summary: statistic, card.
_FROM_METADATA = (
    ("astromOffsetMean", "SFM_ASTROM_OFFSET_MEAN"),
    ("astromOffsetStd", "SFM_ASTROM_OFFSET_STD"),
    ("psfAdaptiveThresholdValue", "PSF_ADAPTIVE_THRESHOLD_VALUE"),
    ("psfAdaptiveIncludeThresholdMultiplier", "PSF_ADAPTIVE_INCLUDE_THRESHOLD_MULTIPLIER"),
    ("refCatSourceDensity", "REF_CAT_SOURCE_DENSITY"),
)

#: Every statistic, as it is when nothing is known (spec 11.7).
_UNKNOWN: dict[str, Any] = {
    "version": 0,
    **dict.fromkeys(("psfSigma", "psfArea", "psfIxx", "psfIyy", "psfIxy"), math.nan),
    **dict.fromkeys(("ra", "dec", "pixelScale", "zenithDistance", "expTime", "zeroPoint"), math.nan),
    **dict.fromkeys(("skyBg", "skyNoise", "meanVar"), math.nan),
    **dict.fromkeys(("raCorners", "decCorners"), (math.nan,) * 4),
    **dict.fromkeys(("astromOffsetMean", "astromOffsetStd"), math.nan),
    "nPsfStar": 0,
    **dict.fromkeys(STAR_STATISTICS, math.nan),
    **dict.fromkeys(("psfTraceRadiusDelta", "psfApFluxDelta", "psfApCorrSigmaScaledDelta"), math.nan),
    "maxDistToNearestPsf": math.nan,
    **dict.fromkeys(
        ("effTime", "effTimePsfSigmaScale", "effTimeSkyBgScale", "effTimeZeroPointScale", "magLim"), math.nan
    ),
}


def _fiducial(doc: str, value: float) -> Any:
    return DictField[str, float](
        doc=f"{doc}, by band; a band that is missing has no effective times.",
        default=dict.fromkeys(_BANDS, value),
    )


class ComputeExposureSummaryStatsConfig(Config):
    """Configuration of `ComputeExposureSummaryStatsTask`: the reference's names and defaults.

    The fields psfTE1 … psfTE4 are left out: they configure correlations of the PSF's ellipticities that this task
    does not make.
    """

    sigmaClip = Field[float](doc="Half-width of the clipping of sky noise and variance [sigma].", default=3.0)
    clipIter = Field[int](doc="How many times they are clipped.", default=2)
    badMaskPlanes = ListField[str](
        doc="Mask planes whose pixels are left out of sky noise and variance.",
        default=["NO_DATA", "SUSPECT"],
        optional=False,
    )
    starSelection = Field[str](
        doc="Flag of the sources that the PSF was fitted to.", default="calib_psf_used"
    )
    starSelector: Any = ConfigurableField(
        doc="Which of the PSF stars are good enough for statistics of their shapes.",
        target=ScienceSourceSelectorTask,
    )
    starShape = Field[str](doc="Beginning of the names of a star's second moments.", default="slot_Shape")
    psfShape = Field[str](doc="Beginning of the names of the PSF's second moments.", default="slot_PsfShape")
    starHigherOrderMomentBase = Field[str](
        doc="Beginning of the names of a star's higher moments.",
        default="ext_shapeHSM_HigherOrderMomentsSource",
    )
    psfSampling = Field[int](
        doc="Step of the grid on which the distance to the nearest PSF star is found [pixel].", default=8
    )
    psfGridSampling = Field[int](doc="Step of the grid on which the PSF is evaluated [pixel].", default=96)
    minPsfApRadiusPix = Field[float](
        doc="Least radius of the aperture that measures the PSF's flux [pixel].", default=2.0
    )
    psfApCorrFieldName = Field[str](
        doc="Name of the flux whose aperture correction is looked at.", default="base_PsfFlux_instFlux"
    )
    psfBadMaskPlanes = ListField[str](
        doc="Mask planes whose pixels are left out of both grids.",
        default=["BAD", "CR", "EDGE", "INTRP", "NO_DATA", "SAT", "SUSPECT"],
        optional=False,
    )
    fiducialSkyBackground: Any = _fiducial("Fiducial sky background [count/s]", 1.0)
    fiducialPsfSigma: Any = _fiducial("Fiducial PSF size [pixel]", 1.0)
    fiducialZeroPoint: Any = _fiducial("Fiducial magnitude of one count a second", 25.0)
    fiducialReadNoise: Any = _fiducial("Fiducial read noise [electron]", 9.0)
    fiducialExpTime: Any = _fiducial("Fiducial exposure time [s]", 30.0)
    fiducialMagLim: Any = _fiducial("Fiducial magnitude limit", 25.0)
    maxEffectiveTransparency = Field[float](
        doc="Greatest scale of the effective time by transparency.", default=math.inf
    )
    magLimSnr = Field[float](doc="Signal to noise at the magnitude limit.", default=5.0)
    reproduceReferenceDefects = Field[bool](
        doc="Take TAI for UTC in zenithDistance, and array indices for positions on the grids.", default=False
    )

    def setDefaults(self) -> None:
        """Select PSF stars with good shapes and fluxes, neither faint nor near saturation."""
        super().setDefaults()
        selector = self.starSelector
        selector.doFlags = True
        selector.doSignalToNoise = True
        selector.flags.good = ["calib_psf_used"]
        selector.flags.bad = ["slot_Shape_flag", "slot_PsfFlux_flag"]
        selector.signalToNoise.minimum = 50.0
        selector.signalToNoise.maximum = 1000.0
        selector.signalToNoise.fluxField = "slot_PsfFlux_instFlux"
        selector.signalToNoise.errField = "slot_PsfFlux_instFluxErr"


class ComputeExposureSummaryStatsTask(Task):
    """Compute the summary statistics of one CCD, before it is calibrated.

    Whatever cannot be had is NaN: no PSF stars, no unmasked grid points, no date, an unknown band. The correlations
    of ellipticities that the reference's class can make from whole visits (psfTE) are not made on single CCDs, and
    are left out.
    """

    ConfigClass: ClassVar[type[Config]] = ComputeExposureSummaryStatsConfig
    _DefaultName: ClassVar[str] = "computeExposureSummaryStats"
    config: Any
    starSelector: ScienceSourceSelectorTask

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.makeSubtask("starSelector")

    def run(
        self, exposure: Exposure, sources: SourceCatalog, background: list[BackgroundModel] | None
    ) -> dict[str, Any]:
        """Compute the statistics.

        Parameters
        ----------
        exposure
            The image [count] with its calibrations; those that are missing leave their statistics NaN.
        sources
            The measured sources, with the flags of the PSF stars.
        background
            The backgrounds that were subtracted.

        Returns
        -------
        dict
            Values by the reference's field names (spec 11.7).
        """
        summary = dict(_UNKNOWN)
        for name, card in _FROM_METADATA:
            if card in exposure.metadata:
                summary[name] = exposure.metadata[card]
        if exposure.visit_info is not None:
            summary["expTime"] = exposure.visit_info.exposure_time
        self._sky(summary, exposure, background)
        self._pointing(summary, exposure)
        self._psf(summary, exposure)
        self._stars(summary, exposure, sources)
        self._depth(summary, exposure)
        return summary

    def _sky(
        self, summary: dict[str, Any], exposure: Exposure, background: list[BackgroundModel] | None
    ) -> None:
        if background is not None:
            levels = [model.stats_image[np.isfinite(model.stats_image)] for model in background]
            summary["skyBg"] = float(sum(float(np.median(v)) if len(v) else math.nan for v in levels))

        planes = [
            ImageStatistics(
                plane,
                exposure.mask,
                and_mask=exposure.mask_planes.bits(self.config.badMaskPlanes),
                num_sigma_clip=self.config.sigmaClip,
                num_iter=self.config.clipIter,
            )
            for plane in (exposure.image, exposure.variance)
        ]

        def clip(start: int, stop: int) -> None:
            for plane in planes[start:stop]:
                _ = plane.clipped  # computed here, and kept

        threads.map_chunks(clip, len(planes), 1)
        summary["skyNoise"] = planes[0].stdev_clip
        summary["meanVar"] = planes[1].mean_clip
        if exposure.photo_calib is not None and exposure.photo_calib.mean > 0:
            summary["zeroPoint"] = exposure.photo_calib.zero_point

    def _pointing(self, summary: dict[str, Any], exposure: Exposure) -> None:
        if exposure.wcs is None:
            return
        summary.update(sky_position(exposure.wcs, exposure.bbox))
        if exposure.visit_info is not None:
            summary["zenithDistance"] = zenith_distance(
                exposure.visit_info,
                summary["ra"],
                summary["dec"],
                tai_for_utc=self.config.reproduceReferenceDefects,
            )

    def _origin(self, exposure: Exposure) -> tuple[int, int]:
        """Return the position of the grids' first point."""
        return (0, 0) if self.config.reproduceReferenceDefects else (exposure.x0, exposure.y0)

    def _bad(self, exposure: Exposure, step: int) -> NDArray[np.bool_]:
        bits = np.int32(exposure.mask_planes.bits(self.config.psfBadMaskPlanes))
        bad: NDArray[np.bool_] = (exposure.mask[::step, ::step] & bits) != 0
        return bad

    def _psf(self, summary: dict[str, Any], exposure: Exposure) -> None:
        if exposure.psf is None:
            return
        ny, nx = exposure.image.shape
        summary |= psf_at(exposure.psf, exposure.x0 + 0.5 * (nx - 1), exposure.y0 + 0.5 * (ny - 1))
        step = self.config.psfGridSampling
        y, x = (index.astype(np.float64) for index in np.nonzero(~self._bad(exposure, step)))
        x0, y0 = self._origin(exposure)
        ap_corr = (exposure.ap_corr_map or {}).get(self.config.psfApCorrFieldName)
        summary |= psf_variation(
            exposure.psf,
            summary["psfSigma"],
            self.config.minPsfApRadiusPix,
            ap_corr,
            x0 + step * x,
            y0 + step * y,
        )

    def _stars(self, summary: dict[str, Any], exposure: Exposure, sources: SourceCatalog) -> None:
        c = self.config
        if c.starSelection in sources:
            summary["nPsfStar"] = int(np.count_nonzero(sources[c.starSelection]))
        try:
            selected = self.starSelector.select(sources)
        except KeyError as missing:
            self.log.warning("No statistics of stars: the sources have no column %s.", missing)
            return
        summary |= star_statistics(sources, selected, c.starShape, c.psfShape, c.starHigherOrderMomentBase)
        summary["maxDistToNearestPsf"] = distance_to_stars(
            self._bad(exposure, c.psfSampling),
            c.psfSampling,
            *self._origin(exposure),
            sources["slot_Centroid_x"][selected],
            sources["slot_Centroid_y"][selected],
        )

    def _depth(self, summary: dict[str, Any], exposure: Exposure) -> None:
        c = self.config
        if exposure.detector is not None:
            gain = amplifier_mean(exposure.detector, exposure.metadata, "GAIN", "gain")
            read_noise = amplifier_mean(exposure.detector, exposure.metadata, "READNOISE", "read_noise")
            if exposure.metadata.get("LSST ISR UNITS") == "electron":
                gain = 1.0
            summary["magLim"] = magnitude_limit(
                psf_area=summary["psfArea"],
                sky=summary["skyBg"],
                zero_point=summary["zeroPoint"],
                read_noise=(0.0 if math.isnan(read_noise) else read_noise) / gain if gain else math.nan,
                gain=gain,
                snr=c.magLimSnr,
            )
        band = exposure.filter.band if exposure.filter is not None else ""
        fiducial = {
            name: getattr(c, f"fiducial{name}").get(band, math.nan)
            for name in ("PsfSigma", "SkyBackground", "ZeroPoint", "ExpTime", "MagLim")
        }
        summary |= throughput_scales(
            psf_sigma=summary["psfSigma"],
            sky=summary["skyBg"],
            zero_point=summary["zeroPoint"],
            exposure_time=summary["expTime"],
            fiducial_psf_sigma=fiducial["PsfSigma"],
            fiducial_sky=fiducial["SkyBackground"],
            fiducial_zero_point=fiducial["ZeroPoint"],
            max_transparency=c.maxEffectiveTransparency,
        )
        with np.errstate(all="ignore"):
            deeper = np.float64(10.0) ** (0.8 * (summary["magLim"] - fiducial["MagLim"]))
            summary["effTime"] = float(deeper * fiducial["ExpTime"])
