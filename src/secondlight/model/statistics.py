"""Statistics of an image: moments, quartiles, and their sigma-clipped kind (spec 2.1)."""

from __future__ import annotations

from functools import cached_property
from math import inf, nan, pi, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from secondlight.kernels.statistics import high_histogram, radix_select, selected_sums, selected_values

__all__ = ["IQ_TO_STDEV", "ImageStatistics", "Moments"]

#: Standard deviation of a Gaussian over its interquartile range.
IQ_TO_STDEV = 0.741301109252802

#: From how many pixels on two passes of histograms beat a partition (measured: the cost is equal near 1e5).
_RADIX_FROM = 1 << 17

_NO_MASK = np.zeros(0, np.int32)


class Moments(NamedTuple):
    """Number, mean and debiased variance of a set of pixels, and their range."""

    n: int
    mean: float
    variance: float
    minimum: float
    maximum: float

    @property
    def mean_error(self) -> float:
        """Standard error of the mean."""
        return sqrt(self.variance / self.n) if self.n > 1 else nan

    @property
    def variance_error(self) -> float:
        """Standard error of the variance, for Gaussian noise."""
        return sqrt(2 * (self.n - 1)) * self.variance / self.n if self.n > 1 else nan


class ImageStatistics:
    """Statistics of the good pixels of an image; each is computed when first asked for.

    Parameters
    ----------
    image
        Pixels of any shape, float32 or float64.
    mask
        Mask of the same shape; every pixel is good if not given.
    and_mask
        Bits of the mask that make a pixel bad.
    nan_safe
        Whether pixels that are not finite are bad too. If not, one NaN among the good makes every statistic
        NaN.
    num_sigma_clip
        Half-width of the clipping [standard deviation].
    num_iter
        Number of clippings.

    Raises
    ------
    ValueError
        Raised if the image has no pixels at all, or mask and image differ in shape.
    """

    def __init__(
        self,
        image: NDArray[np.floating[Any]],
        mask: NDArray[np.int32] | None = None,
        *,
        and_mask: int = 0,
        nan_safe: bool = True,
        num_sigma_clip: float = 3.0,
        num_iter: int = 3,
    ) -> None:
        if image.size == 0:
            raise ValueError(f"an image of shape {image.shape} has no statistics")
        if mask is not None and mask.shape != image.shape:
            raise ValueError(f"mask of shape {mask.shape} does not fit the image of shape {image.shape}")
        self._values = np.ravel(image)
        self._mask = _NO_MASK if mask is None or and_mask == 0 else np.ravel(mask)
        self._bad = and_mask
        self._nan_safe = nan_safe
        self._num_sigma_clip = num_sigma_clip
        self._num_iter = num_iter

    def _moments(self, center: float, half_width: float) -> Moments:
        """Return the moments about ``center`` of the good pixels within ``half_width`` of it."""
        n, first, second, minimum, maximum = selected_sums(
            self._values, self._mask, self._bad, self._nan_safe, center, half_width
        )
        if n == 0:
            return Moments(0, nan, nan, nan, nan)
        variance = (second / n - (first / n) ** 2) * n / (n - 1) if n > 1 else nan
        return Moments(n, center + first / n, variance, minimum, maximum)

    @cached_property
    def _crude(self) -> Moments:
        return self._moments(0.0, inf)

    @cached_property
    def moments(self) -> Moments:
        """Of all good pixels; the second pass is about the mean of the first, which keeps its digits."""
        return self._moments(self._crude.mean, inf) if self.n else self._crude

    @property
    def _radix(self) -> bool:
        """Whether order statistics are had by histograms."""
        return self._values.dtype == np.float32 and len(self._values) >= _RADIX_FROM and self._nan_safe

    @cached_property
    def _histogram(self) -> NDArray[np.int64]:
        return high_histogram(self._values, self._mask, self._bad, self._nan_safe)

    @cached_property
    def n(self) -> int:
        """Number of good pixels."""
        # clipping needs the histogram anyway, and then no pass over the pixels to count them
        if self._radix and "_crude" not in self.__dict__:
            return int(self._histogram.sum())
        return self._crude.n

    @property
    def mean(self) -> float:
        """Mean."""
        return self.moments.mean

    @property
    def variance(self) -> float:
        """Debiased variance; NaN for fewer than two pixels."""
        return self.moments.variance

    @property
    def stdev(self) -> float:
        """Standard deviation."""
        return float(np.sqrt(self.variance))

    @property
    def sum(self) -> float:
        """Sum."""
        return self.mean * self.n if self.n else 0.0

    @property
    def mean_square(self) -> float:
        """Mean of the squares."""
        return (self.n - 1) / self.n * self.variance + self.mean**2 if self.n else nan

    @cached_property
    def quartiles(self) -> tuple[float, float, float]:
        """First quartile, median and third quartile, linear between neighbouring ranks."""
        if self._radix:
            n = self.n
            found = self._values
        else:
            found = np.empty_like(self._values)
            n, n_nan = selected_values(self._values, self._mask, self._bad, self._nan_safe, found)
            found = found[:n]
            if n_nan:
                return nan, nan, nan
        if n == 0:
            return nan, nan, nan
        places = np.array([0.25, 0.5, 0.75]) * (n - 1)
        lower = places.astype(np.int64)
        ranks = np.concatenate([lower, np.minimum(lower + 1, n - 1)])
        if self._radix:
            ordered = radix_select(found, self._mask, self._bad, self._nan_safe, ranks, self._histogram)
        else:
            ordered = np.partition(found, np.unique(ranks))[ranks].astype(np.float64)
        first, median, third = ((lower + 1 - places) * ordered[:3] + (places - lower) * ordered[3:]).tolist()
        return first, median, third

    @property
    def median(self) -> float:
        """Median; between the middle two of an even number of pixels."""
        return self.quartiles[1]

    @property
    def iqrange(self) -> float:
        """Interquartile range."""
        return self.quartiles[2] - self.quartiles[0]

    @cached_property
    def clipped(self) -> Moments:
        """Moments after iterated clipping, first about the median by the interquartile range."""
        center = self.median
        half_width = self._num_sigma_clip * IQ_TO_STDEV * self.iqrange
        result = Moments(0, nan, nan, nan, nan)
        for iteration in range(self._num_iter):
            if iteration > 0:
                center = result.mean
                if self.n > 1:
                    half_width = self._num_sigma_clip * float(np.sqrt(max(result.variance, 0.0)))
            if np.isnan(center) or np.isnan(half_width):
                return Moments(0, nan, nan, nan, nan)
            result = self._moments(center, half_width)
        return result

    @property
    def mean_clip(self) -> float:
        """Clipped mean."""
        return self.clipped.mean

    @property
    def variance_clip(self) -> float:
        """Clipped variance."""
        return self.clipped.variance

    @property
    def stdev_clip(self) -> float:
        """Clipped standard deviation."""
        return float(np.sqrt(self.variance_clip))

    @property
    def n_clipped(self) -> int:
        """Number of good pixels that the clipping left out."""
        return self.n - self.clipped.n

    def value(self, name: str) -> tuple[float, float]:
        """Return a statistic and its error by the reference's name for it.

        Parameters
        ----------
        name
            ``MEAN``, ``MEANCLIP``, ``MEDIAN``, ``STDEV``, ``STDEVCLIP``, ``VARIANCE``, ``VARIANCECLIP``,
            ``IQRANGE``, ``SUM``, ``MEANSQUARE``, ``MIN``, ``MAX``, ``NPOINT`` or ``NCLIPPED``.

        Returns
        -------
        value : float
            The statistic.
        error : float
            Its standard error; NaN where there is none.

        Raises
        ------
        ValueError
            Raised if there is no statistic of that name.
        """
        match name:
            case "MEAN":
                return self.mean, self.moments.mean_error
            case "MEANCLIP":
                return self.mean_clip, self.clipped.mean_error
            case "MEDIAN":
                error = sqrt(pi / 2 * self.variance / self.n) if self.n > 1 else nan
                return self.median, error
            case "STDEV" | "STDEVCLIP":
                moments = self.moments if name == "STDEV" else self.clipped
                stdev = float(np.sqrt(moments.variance))
                return stdev, 0.5 * moments.variance_error / stdev if stdev > 0 else nan
            case "VARIANCE":
                return self.variance, self.moments.variance_error
            case "VARIANCECLIP":
                return self.variance_clip, self.clipped.variance_error
            case "IQRANGE":
                return self.iqrange, nan
            case "SUM":
                return self.sum, nan
            case "MEANSQUARE":
                return self.mean_square, nan
            case "MIN":
                return self.moments.minimum, nan
            case "MAX":
                return self.moments.maximum, nan
            case "NPOINT":
                return float(self.n), nan
            case "NCLIPPED":
                return float(self.n_clipped), nan
            case _:
                raise ValueError(f"there is no statistic called {name!r}")
