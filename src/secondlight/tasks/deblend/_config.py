"""Configuration of the deblender."""

from __future__ import annotations

from typing import Any

from lsst.pex.config import ChoiceField, Config, DictField, Field, ListField, RangeField

__all__ = ["SourceDeblendConfig"]


class SourceDeblendConfig(Config):
    """Configuration of `SourceDeblendTask`: the reference's names and defaults (spec 06.1)."""

    edgeHandling = ChoiceField[str](
        doc="What to do with a template that reaches the edge of the image.",
        default="ramp",
        allowed={
            "clip": "cut it there, and its mirror image too",
            "ramp": "continue it beyond the edge with the PSF",
            "noclip": "keep the pixels that have no mirror image as they are",
        },
    )
    strayFluxToPointSources = ChoiceField[str](
        doc="When point sources take part in sharing out stray flux.",
        default="necessary",
        allowed={
            "necessary": "if the blend has only point sources",
            "always": "always",
            "never": "never: stray flux of a blend of point sources is nobody's",
        },
    )
    assignStrayFlux = Field[bool](
        doc="Share out the flux in the footprint that no template claims.", default=True
    )
    strayFluxRule = ChoiceField[str](
        doc="How stray flux is shared out.",
        default="trim",
        allowed={
            "r-to-peak": "by 1 / (1 + r^2), r the distance to the peak",
            "r-to-footprint": "by 1 / (1 + r^2), r the distance to the nearest pixel of the template; slow in large blends",
            "nearest-footprint": "all to the template nearest in steps along rows and columns",
            "trim": "not at all: the parent's footprint shrinks to those of its children",
        },
    )
    clipStrayFluxFraction = Field[float](
        doc="A source that would get less than this part of a stray pixel gets nothing of it.", default=0.001
    )
    psfChisq1 = Field[float](
        doc="A peak is a point source if the PSF there fits with a chi^2 per degree of freedom below this,",
        default=1.5,
        optional=False,
    )
    psfChisq2 = Field[float](
        doc="or if the PSF with its slopes fits with one below this",
        default=1.5,
        optional=False,
    )
    psfChisq2b = Field[float](
        doc="and the PSF at the place that the slopes tell fits with one below this.",
        default=1.5,
        optional=False,
    )
    maxNumberOfPeaks = Field[int](
        doc="Deblend only so many peaks of a blend, the brightest; all if not positive.", default=0
    )
    maxFootprintArea = Field[int](
        doc="Blends with more pixels than this are left alone; none is if not positive.", default=10000
    )
    maxFootprintSize = Field[int](
        doc="Blends higher or wider than this are left alone; none is if not positive.", default=0
    )
    minFootprintAxisRatio = Field[float](
        doc="Blends whose shape has a smaller ratio of axes are left alone; none is if not positive.",
        default=0.0,
    )
    notDeblendedMask = Field[str](
        doc="Mask plane for blends that are left alone; none if None.", default="NOT_DEBLENDED", optional=True
    )
    tinyFootprintSize = RangeField(
        dtype=int,
        doc="A peak with no more pixels than this beside or above it, within the reach of its PSF, is passed over.",
        default=2,
        min=2,
        inclusiveMin=True,
    )
    propagateAllPeaks = Field[bool](
        doc="Every peak becomes a child: one that cannot be deblended is given the parent's footprint and no flux.",
        default=False,
    )
    catchFailures = Field[bool](
        doc="A blend that fails is flagged deblend_failed; otherwise it ends the task.", default=True
    )
    maskPlanes = ListField[str](
        doc="Planes of pixels that the noise is not estimated from.", default=["SAT", "INTRP", "NO_DATA"]
    )
    maskLimits: Any = DictField(
        doc="Blends of which a larger part than this has the plane set are left alone.",
        keytype=str,
        itemtype=float,
        default={"NO_DATA": 0.25},
    )
    weightTemplates = Field[bool](
        doc="Weight templates so that their sum fits the image best before flux is divided among them.",
        default=False,
    )
    removeDegenerateTemplates = Field[bool](
        doc="Pass over a peak whose template is too much like another's: the point source of the two if only one is, "
        "else the fainter one.",
        default=False,
    )
    maxTempDotProd = Field[float](
        doc="Templates are too much alike if the cosine between them is larger than this.", default=0.5
    )
    medianSmoothTemplate = Field[bool](
        doc="Smooth templates with a running median of 5x5 pixels.", default=True
    )
    useCiLimits = Field[bool](
        doc="For quick tests: deblend only the first few blends with few peaks.", default=False
    )
    ciDeblendChildRange = ListField[int](
        doc="With useCiLimits, deblend only blends with so many peaks: at least, at most.",
        default=[2, 10],
        length=2,
    )
    ciNumParentsToDeblend = Field[int](doc="With useCiLimits, deblend only so many blends.", default=10)
    reproduceReferenceDefects = Field[bool](
        doc="Do as the reference does: set deblend_tooManyPeaks in every blend and ignore maxNumberOfPeaks; continue a "
        "template at the edge only from the last pixel of each run of edge pixels; let pixels without a mirror image be "
        "negative; lose flux to templates outside their footprints; fail with weightTemplates; remove no more than 50 "
        "degenerate templates of a blend; empty the footprint of a blend without any template, and let templates "
        "without pixels be children; let deblend_skipped tell of the last peak only; fit no PSF where a pixel is not "
        "finite.",
        default=False,
    )
