"""Detect sources: smooth with the PSF, threshold, grow (spec 04)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from lsst.images import Box
from lsst.pex.config import ChoiceField, Config, ConfigurableField, Field, ListField, RangeField
from lsst.pipe.base import Struct, Task
from numpy.typing import NDArray

from ..errors import ProcessingError, UsageError
from ..model.background import BackgroundList
from ..model.catalog import SourceCatalog
from ..model.exposure import Exposure
from ..model.footprints import Footprint, Footprints
from ..model.ids import IdFactory
from ..model.schema import Column, Schema
from ..model.spans import contains, set_bits
from ..model.statistics import ImageStatistics
from ._footprints import Threshold, grow_footprints, sort_peaks
from ._smooth import SmoothedImage, gaussian_kernel, smooth
from .subtract_background import SubtractBackgroundTask, background_flat_context

__all__ = ["PsfGenerationError", "SourceDetectionConfig", "SourceDetectionTask"]


class PsfGenerationError(ProcessingError):
    """The PSF is missing, or has no usable width."""


class SourceDetectionConfig(Config):
    """Configuration of `SourceDetectionTask`: the reference's names and defaults (spec 04.1)."""

    minPixels = RangeField(dtype=int, doc="Fewest pixels of a detected source.", default=1, min=0)
    isotropicGrow = Field[bool](doc="Grow with a disc; otherwise with a diamond.", default=True)
    combinedGrow = Field[bool](
        doc="Merge footprints that touch when grown; otherwise they may overlap.", default=True
    )
    nSigmaToGrow = Field[float](doc="Grow footprints by this many PSF sigma; 0 for not at all.", default=2.4)
    returnOriginalFootprints = Field[bool](
        doc="Give sources the footprints before growth; the mask has the grown ones.", default=False
    )
    thresholdValue = RangeField(dtype=float, doc="Threshold for footprints.", default=5.0, min=0.0)
    includeThresholdMultiplier = RangeField(
        dtype=float,
        doc="Keep only footprints with a pixel above this times the threshold.",
        default=1.0,
        min=0.0,
    )
    thresholdType = ChoiceField[str](
        doc="What thresholdValue is in units of.",
        default="pixel_stdev",
        allowed={
            "variance": "standard deviation of the smoothed image, clipped, of all pixels",
            "stdev": "standard deviation of the smoothed image, clipped, of pixels without statsMask",
            "value": "the image",
            "pixel_stdev": "each pixel's own standard deviation, from the smoothed variance",
        },
    )
    thresholdPolarity = ChoiceField[str](
        doc="Which sources to detect.",
        default="positive",
        allowed={
            "positive": "bright ones",
            "negative": "dark ones",
            "both": "both, with a flag for the dark",
        },
    )
    adjustBackground = Field[float](doc="Added to the re-estimated background.", default=0.0)
    reEstimateBackground = Field[bool](
        doc="Fit and subtract a background again after detection.", default=True
    )
    doApplyFlatBackgroundRatio = Field[bool](
        doc="Re-estimate the background on the image as the background flat sees it.", default=False
    )
    background: Any = ConfigurableField(doc="The re-estimated background.", target=SubtractBackgroundTask)
    tempLocalBackground: Any = ConfigurableField(
        doc="A background on small scales, left out while peaks are found.", target=SubtractBackgroundTask
    )
    doTempLocalBackground = Field[bool](
        doc="Find the peaks of footprints with many of them again, with tempLocalBackground left out.",
        default=True,
    )
    tempWideBackground: Any = ConfigurableField(
        doc="A background on large scales, left out during detection.", target=SubtractBackgroundTask
    )
    doTempWideBackground = Field[bool](doc="Detect with tempWideBackground left out.", default=False)
    nPeaksMaxSimple = Field[int](
        doc="A footprint with more peaks than this has them found again (doTempLocalBackground).", default=1
    )
    nSigmaForKernel = Field[float](doc="Width of the smoothing kernel, in PSF sigma.", default=7.0)
    statsMask = ListField[str](
        doc="Planes of pixels left out of statistics.", default=["BAD", "SAT", "EDGE", "NO_DATA"]
    )
    excludeMaskPlanes = ListField[str](doc="Planes of pixels in which nothing is detected.", default=[])
    reproduceReferenceDefects = Field[bool](
        doc="With both doTempWideBackground and reEstimateBackground, fit the re-estimated background to the image "
        "without the wide one and do not subtract it, as the reference does.",
        default=False,
    )

    def setDefaults(self) -> None:
        """Set what the temporary backgrounds want otherwise than the re-estimated one."""
        super().setDefaults()
        for background, size in ((self.tempLocalBackground, 64), (self.tempWideBackground, 512)):
            background.binSize = size
            background.algorithm = "AKIMA_SPLINE"
            background.useApprox = False
        ignored = self.tempWideBackground.ignoredPixelMask
        self.tempWideBackground.ignoredPixelMask = [
            plane for plane in ignored if plane not in ("DETECTED", "DETECTED_NEGATIVE")
        ]


class SourceDetectionTask(Task):
    """Detect sources on an image that has a PSF.

    Parameters
    ----------
    schema
        Columns of the catalogue, to which ``is_negative`` is added if both polarities are detected; the minimal ones if
        not given.
    **kwargs
        Passed to `lsst.pipe.base.Task`.
    """

    ConfigClass: ClassVar[type[Config]] = SourceDetectionConfig
    _DefaultName: ClassVar[str] = "sourceDetection"
    config: Any
    background: SubtractBackgroundTask
    tempLocalBackground: SubtractBackgroundTask
    tempWideBackground: SubtractBackgroundTask

    def __init__(self, schema: Schema | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.schema = schema if schema is not None else Schema.minimal()
        if self.config.thresholdPolarity == "both":
            self.schema.add(Column("is_negative", "Flag", "", "Set if source peak was detected as negative."))
        if self.config.reEstimateBackground:
            self.makeSubtask("background")
        if self.config.doTempLocalBackground:
            self.makeSubtask("tempLocalBackground")
        if self.config.doTempWideBackground:
            self.makeSubtask("tempWideBackground")

    def run(
        self,
        exposure: Exposure,
        background: BackgroundList | None = None,
        ratio: NDArray[np.float32] | None = None,
        ids: IdFactory | None = None,
    ) -> Struct:
        """Detect sources and make a catalogue of them (spec 04.2).

        Parameters
        ----------
        exposure
            Background-subtracted image with a PSF. Its mask gets DETECTED (and DETECTED_NEGATIVE), and EDGE where the
            smoothing kernel does not fit; its pixels change only if the background is re-estimated.
        background
            What was subtracted so far; a re-estimated background is appended to it.
        ratio
            Ratio of background flat to photometric flat, for ``doApplyFlatBackgroundRatio``.
        ids
            Gives the sources their ids; 1, 2, … if not given.

        Returns
        -------
        lsst.pipe.base.Struct
            ``sources`` (`SourceCatalog`: ``id``, ``parent`` and footprints are filled), ``positive`` and ``negative``
            (`Footprints`, or `None` if that polarity is not wanted), ``background``, ``ids``, ``sigma`` [pixel], and the
            numbers of footprints and peaks: ``numPos``, ``numNeg``, ``numPosPeaks``, ``numNegPeaks``.

        Raises
        ------
        PsfGenerationError
            Raised if the exposure has no PSF of finite, positive width.
        ProcessingError
            Raised if the image is smaller than the smoothing kernel.
        UsageError
            Raised if ``doApplyFlatBackgroundRatio`` needs a ratio and there is none.
        """
        config = self.config
        ids = ids if ids is not None else IdFactory()
        background = background if background is not None else BackgroundList()
        bits = [exposure.mask_planes.bit(plane) for plane in ("DETECTED", "DETECTED_NEGATIVE")]
        exposure.mask &= np.int32(~(bits[0] | bits[1]))
        sigma = self._psf_sigma(exposure)

        flattened = self._without_wide_background(exposure)
        found = self._find(flattened, sigma)
        grown = [None if f is None else self._grow(f, sigma, exposure.bbox) for f in found]
        for footprints, bit in zip(grown, bits, strict=True):
            if footprints is not None:
                set_bits(exposure.mask, footprints.spans, bit, exposure.x0, exposure.y0)
        if config.reEstimateBackground:
            image = flattened if config.reproduceReferenceDefects else exposure
            self._re_estimate_background(image, background, ratio)

        # the polarity that is not wanted was only needed to mask what the background must not see
        kept = found if config.returnOriginalFootprints else grown
        for k, other in enumerate(("negative", "positive")):
            if config.thresholdPolarity == other:
                exposure.mask &= np.int32(~bits[k])
                kept[k] = None
        positive, negative = kept
        return Struct(
            sources=self._make_sources(positive, negative, ids),
            positive=positive,
            negative=negative,
            background=background,
            ids=ids,
            sigma=sigma,
            numPos=0 if positive is None else len(positive),
            numNeg=0 if negative is None else len(negative),
            numPosPeaks=0 if positive is None else len(positive.peaks),
            numNegPeaks=0 if negative is None else len(negative.peaks),
        )

    def _psf_sigma(self, exposure: Exposure) -> float:
        """Return the radius of the PSF [pixel]: that of a circle of the same determinant of second moments."""
        if exposure.psf is None:
            raise PsfGenerationError("the exposure has no PSF to detect with")
        x, y = exposure.psf.average_position
        xx, yy, xy = exposure.psf.moments([x], [y])[0].tolist()
        determinant = xx * yy - xy * xy
        sigma = determinant**0.25 if determinant > 0 else math.nan
        if not math.isfinite(sigma):
            raise PsfGenerationError(
                f"the PSF at its average position ({x:.1f}, {y:.1f}) has second moments xx={xx} yy={yy} xy={xy}, "
                "and so no width"
            )
        self.metadata["sigma"] = sigma
        return float(sigma)

    def _without_wide_background(self, exposure: Exposure) -> Exposure:
        """Return the exposure to detect on: with ``doTempWideBackground`` it has pixels of its own, but the same mask."""
        if not self.config.doTempWideBackground:
            return exposure
        flattened = replace(exposure, image=exposure.image.copy())
        self.tempWideBackground.run(flattened)
        # the model is extrapolated where there are no data, which must not look like sources
        planes = exposure.mask_planes
        no_data = (exposure.mask & planes.bits(["NO_DATA"])) != 0
        good = ~no_data & ((exposure.mask & planes.bits(self.config.statsMask)) == 0)
        if no_data.any() and good.any():
            flattened.image[no_data] = np.median(flattened.image[good])
        return flattened

    def _find(self, exposure: Exposure, sigma: float) -> list[Footprints | None]:
        """Smooth and threshold; return what is positive and what is negative, before growth."""
        config = self.config
        # the smoothed mask is that of before EDGE is set
        planes = (
            [*config.statsMask, *config.excludeMaskPlanes]
            if config.thresholdType == "stdev"
            else config.excludeMaskPlanes
        )
        smoothed = smooth(exposure, gaussian_kernel(sigma, config.nSigmaForKernel), planes)
        self.metadata["doSmooth"] = True
        self.metadata["smoothingKernelWidth"] = smoothed.size
        smoothed.mark_edge(exposure)
        if smoothed.mask is not None and config.excludeMaskPlanes:
            excluded = exposure.mask_planes.bits(config.excludeMaskPlanes)
            smoothed.image[(smoothed.mask & excluded) != 0] = 0.0

        found: list[Footprints | None] = [None, None]
        n_peaks = 0
        for k, polarity in enumerate(("positive", "negative")):
            if config.reEstimateBackground or config.thresholdPolarity in (polarity, "both"):
                threshold = self._threshold(exposure, smoothed, polarity)
                footprints = smoothed.find_footprints(threshold, config.minPixels, first_peak_id=n_peaks + 1)
                n_peaks += len(footprints.peaks)
                smoothed.set_significance(footprints, threshold)
                found[k] = footprints
        if config.doTempLocalBackground:
            self._find_peaks_again(exposure, smoothed, found, n_peaks + 1)
        return found

    def _threshold(self, exposure: Exposure, smoothed: SmoothedImage, polarity: str) -> Threshold:
        """Return the threshold in units of the smoothed image, or of its noise pixel by pixel."""
        config = self.config
        noise = 0.0
        if config.thresholdType == "stdev":
            bad = exposure.mask_planes.bits(config.statsMask)
            noise = ImageStatistics(smoothed.image, smoothed.mask, and_mask=bad).stdev_clip
        elif config.thresholdType == "variance":
            noise = ImageStatistics(smoothed.image).stdev_clip
        value = config.thresholdValue
        if config.thresholdType in ("stdev", "variance"):
            value *= noise
        include = value * config.includeThresholdMultiplier
        per_pixel = config.thresholdType == "pixel_stdev"
        return Threshold(value, include, per_pixel, polarity == "negative", noise)

    def _find_peaks_again(
        self, exposure: Exposure, smoothed: SmoothedImage, found: list[Footprints | None], first_peak_id: int
    ) -> None:
        """Replace the peaks of footprints with many by those that are left without the local background."""
        model = self.tempLocalBackground.fit_background(exposure)
        smoothed.image -= model.image()[smoothed.part]
        for k, polarity in enumerate(("positive", "negative")):
            footprints = found[k]
            if footprints is None:
                continue
            threshold = self._threshold(exposure, smoothed, polarity)
            out = list(footprints)
            for i, footprint in enumerate(out):
                if len(footprint.peaks) <= self.config.nPeaksMaxSimple:
                    continue
                again = smoothed.find_footprints(
                    threshold, self.config.minPixels, first_peak_id=first_peak_id, bbox=footprint.bbox
                )
                first_peak_id += len(again.peaks)
                peaks = again.peaks[contains(footprint.spans, again.peaks["i_x"], again.peaks["i_y"])]
                out[i] = Footprint(footprint.spans, sort_peaks(peaks) if len(peaks) else footprint.peaks[:1])
            found[k] = footprints = Footprints.from_list(out)
            smoothed.set_significance(footprints, threshold)

    def _grow(self, footprints: Footprints, sigma: float, bbox: Box) -> Footprints:
        """Return footprints grown to where a source's light reaches (spec 04.5)."""
        config = self.config
        radius = int(config.nSigmaToGrow * sigma + 0.5) if config.nSigmaToGrow > 0 else 0
        self.metadata["nGrow"] = radius
        if radius == 0:
            return footprints
        return grow_footprints(
            footprints, radius, bbox, isotropic=config.isotropicGrow, combined=config.combinedGrow
        )

    def _re_estimate_background(
        self, exposure: Exposure, background: BackgroundList, ratio: NDArray[np.float32] | None
    ) -> None:
        """Fit a background to what was not detected, subtract it and append it to the list."""
        apply_ratio = self.config.doApplyFlatBackgroundRatio
        if apply_ratio and ratio is None:
            raise UsageError(
                "detection.doApplyFlatBackgroundRatio is set, and no background ratio image is given"
            )
        with background_flat_context(exposure.image, exposure.variance, ratio if apply_ratio else None):
            model = self.background.fit_background(exposure)
            if self.config.adjustBackground:
                model.stats_image += np.float32(self.config.adjustBackground)
            model.subtract_from(exposure.image)
        background.append(model)

    def _make_sources(
        self, positive: Footprints | None, negative: Footprints | None, ids: IdFactory
    ) -> SourceCatalog:
        """Return a row a footprint, negative ones first."""
        parts = [f for f in (negative, positive) if f is not None]
        footprints = Footprints.concatenate(parts) if parts else Footprints.empty()
        catalog = SourceCatalog(self.schema, len(footprints), footprints)
        catalog["id"] = ids.take(len(footprints))
        if "is_negative" in catalog and negative is not None:
            catalog["is_negative"][: len(negative)] = True
        return catalog
