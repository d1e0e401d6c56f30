"""Fit a background and subtract it (spec 02.6)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any, ClassVar

import numpy as np
import scipy.ndimage
from lsst.pex.config import ChoiceField, Config, Field, ListField, RangeField
from lsst.pipe.base import Struct, Task
from numpy.typing import NDArray

from secondlight.errors import InputError, ProcessingError, UsageError
from secondlight.model.background import (
    ApproxStyle,
    BackgroundList,
    BackgroundModel,
    InterpStyle,
    UndersampleStyle,
)
from secondlight.model.exposure import Exposure
from secondlight.model.statistics import ImageStatistics

__all__ = [
    "SubtractBackgroundConfig",
    "SubtractBackgroundTask",
    "TooManyMaskedPixelsError",
    "background_flat_context",
]


class SubtractBackgroundConfig(Config):
    """Configuration of `SubtractBackgroundTask`."""

    statisticsProperty = ChoiceField[str](
        doc="statistic that is the level of a bin",
        default="MEANCLIP",
        allowed={
            "MEANCLIP": "clipped mean",
            "MEAN": "unclipped mean",
            "MEDIAN": "median",
        },
    )
    undersampleStyle = ChoiceField[str](
        doc="what to do if there are too few bins for the interpolation",
        default="REDUCE_INTERP_ORDER",
        allowed={
            "THROW_EXCEPTION": "fail",
            "REDUCE_INTERP_ORDER": "use a lower order",
            "INCREASE_NXNYSAMPLE": "use more bins",
        },
    )
    binSize = RangeField(dtype=int, doc="size of a bin [pixel]", default=128, min=1)
    binSizeX = RangeField(dtype=int, doc="size of a bin along x [pixel]; if 0, binSize", default=0, min=0)
    binSizeY = RangeField(dtype=int, doc="size of a bin along y [pixel]; if 0, binSize", default=0, min=0)
    algorithm = ChoiceField[str](
        doc="how to interpolate between bins; not used with an approximation",
        default="AKIMA_SPLINE",
        allowed={
            "CONSTANT": "steps",
            "LINEAR": "linear",
            "NATURAL_SPLINE": "cubic spline with no curvature at its ends",
            "CUBIC_SPLINE": "the same",
            "CUBIC_SPLINE_PERIODIC": "cubic spline whose ends meet smoothly",
            "AKIMA_SPLINE": "Akima's spline, which does not overshoot",
            "AKIMA_SPLINE_PERIODIC": "Akima's spline whose ends meet smoothly",
        },
    )
    ignoredPixelMask = ListField[str](
        doc="mask planes of pixels to leave out",
        default=["BAD", "EDGE", "DETECTED", "DETECTED_NEGATIVE", "NO_DATA"],
    )
    isNanSafe = Field[bool](doc="leave out pixels that are not finite", default=False)
    useApprox = Field[bool](
        doc="approximate the bins by a polynomial instead of interpolating them", default=True
    )
    approxOrderX = Field[int](doc="order of the approximation", default=6)
    approxOrderY = Field[int](doc="order along y: must equal approxOrderX, or be -1 for the same", default=-1)
    weighting = Field[bool](
        doc="weight bins by the inverse of their error in the approximation", default=True
    )
    doApplyFlatBackgroundRatio = Field[bool](
        doc="make the image flat to the background, rather than to stars, while the background is fitted and "
        "subtracted",
        default=False,
    )
    doFilterSuperPixels = Field[bool](doc="remove outliers among the bins by a median filter", default=False)
    superPixelFilterSize = Field[int](doc="size of the median filter [bin]", default=3)


class TooManyMaskedPixelsError(ProcessingError):
    """No pixel is left to fit a background to."""


@contextmanager
def background_flat_context(
    image: NDArray[np.float32], variance: NDArray[np.float32], ratio: NDArray[np.float32] | None
) -> Iterator[None]:
    """Make an image flat to the background instead of to stars within a ``with`` block, in place.

    Parameters
    ----------
    image, variance
        Shape ``(ny, nx)``; multiplied by the ratio and its square, and divided again at the end, also after an error.
    ratio
        Ratio of background flat to photometric flat, shape ``(ny, nx)``; `None` changes nothing.
    """
    if ratio is None:
        yield
        return
    image *= ratio
    variance *= ratio
    variance *= ratio
    try:
        yield
    finally:
        with np.errstate(divide="ignore", invalid="ignore"):
            image /= ratio
            variance /= ratio
            variance /= ratio


class SubtractBackgroundTask(Task):
    """Fit a background to the pixels between the sources and subtract it."""

    ConfigClass: ClassVar[type[Config]] = SubtractBackgroundConfig
    _DefaultName: ClassVar[str] = "subtractBackground"
    config: Any

    def run(
        self,
        exposure: Exposure,
        background: BackgroundList | None = None,
        stats: bool = True,
        ratio: NDArray[np.float32] | None = None,
    ) -> Struct:
        """Fit and subtract a background, in place.

        Parameters
        ----------
        exposure
            Image to subtract from.
        background
            What was subtracted before; the new background is appended to it.
        stats
            Whether to put mean and variance of the whole background in the exposure's metadata, ``BGMEAN`` and
            ``BGVAR``.
        ratio
            Ratio of background flat to photometric flat; needed with ``doApplyFlatBackgroundRatio``.

        Returns
        -------
        lsst.pipe.base.Struct
            ``background``, a `BackgroundList`.

        Raises
        ------
        TooManyMaskedPixelsError
            Raised if every pixel is masked.
        UsageError
            Raised if the configuration cannot be used with this image.
        """
        if background is None:
            background = BackgroundList()
        if not self.config.doApplyFlatBackgroundRatio:
            ratio = None
        elif ratio is None:
            raise UsageError("doApplyFlatBackgroundRatio is set, and no background ratio image is given")
        elif ratio.shape != exposure.image.shape:
            raise InputError(
                f"the background ratio has shape {ratio.shape}, the exposure {exposure.image.shape}"
            )
        with background_flat_context(exposure.image, exposure.variance, ratio):
            fitted = self.fit_background(exposure)
            fitted.subtract_from(exposure.image)
        background.append(fitted)
        if stats:
            total_image = background.image()
            assert total_image is not None  # at least the new background is there
            total = ImageStatistics(total_image)
            exposure.metadata["BGMEAN"], exposure.metadata["BGVAR"] = total.mean, total.variance
        return Struct(background=background)

    def fit_background(
        self, exposure: Exposure, *, nx: int = 0, ny: int = 0, algorithm: str | None = None
    ) -> BackgroundModel:
        """Fit a background; the exposure stays as it is.

        Parameters
        ----------
        exposure
            Image to fit.
        nx, ny
            Numbers of bins; if 0 they follow from the configuration.
        algorithm
            Interpolation style; that of the configuration if not given.

        Raises
        ------
        TooManyMaskedPixelsError
            Raised if every pixel is masked.
        UsageError
            Raised if the configuration cannot be used with this image.
        """
        config = self.config
        height, width = exposure.image.shape
        nx = nx or ceil(width / (config.binSizeX or config.binSize))
        ny = ny or ceil(height / (config.binSizeY or config.binSize))
        bad = exposure.mask_planes.bits(config.ignoredPixelMask)
        if bad and (exposure.mask & bad).all():
            raise TooManyMaskedPixelsError(
                f"every pixel has one of the masks {', '.join(config.ignoredPixelMask)}: no background can be fitted"
            )
        order = config.approxOrderX
        if config.useApprox:
            nx, ny, order = self._fit_order_to_bins(nx, ny, width, height)
        fitted = BackgroundModel.fit(
            exposure.image,
            exposure.mask,
            exposure.bbox,
            nx=nx,
            ny=ny,
            statistic=config.statisticsProperty,
            and_mask=bad,
            nan_safe=config.isNanSafe,
            interp_style=InterpStyle[algorithm or config.algorithm],
            undersample_style=UndersampleStyle[config.undersampleStyle],
            approx_style=ApproxStyle.CHEBYSHEV if config.useApprox else ApproxStyle.UNKNOWN,
            approx_order_x=order,
            approx_order_y=order,
            approx_weighting=config.weighting,
        )
        if config.doFilterSuperPixels:
            fitted.stats_image = _without_outliers(fitted.stats_image, config.superPixelFilterSize)
        return fitted

    def _fit_order_to_bins(self, nx: int, ny: int, width: int, height: int) -> tuple[int, int, int]:
        """Return numbers of bins and the order of the approximation such that the bins suffice."""
        order = self.config.approxOrderX
        if self.config.approxOrderY not in (-1, order):
            raise UsageError(
                f"approxOrderY={self.config.approxOrderY} must be -1 or equal approxOrderX={order}"
            )
        if min(nx, ny) > order:
            return nx, ny, order
        match self.config.undersampleStyle:
            case "REDUCE_INTERP_ORDER":
                self.log.warning("Approximation order reduced from %d to %d.", order, min(nx, ny) - 1)
                return nx, ny, min(nx, ny) - 1
            case "INCREASE_NXNYSAMPLE":
                size = max(min(width, height) // order, 1)
                self.log.warning("Bins made smaller for the order of the approximation: %d pixels.", size)
                return min(width // size + 1, width), min(height // size + 1, height), order
            case _:
                raise UsageError(
                    f"{nx} x {ny} bins are too few for a background approximation of order {order}"
                )


def _without_outliers(levels: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Median-filter the levels of bins; bins without a level take the median of all."""
    missing = np.isnan(levels)
    if missing.all():
        return levels
    filled = np.where(missing, np.float32(np.nanmedian(levels)), levels)
    return np.asarray(scipy.ndimage.median_filter(filled, size=size, mode="reflect"), np.float32)
