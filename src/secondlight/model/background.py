"""Background models: values on a coarse grid of bins, and how to make an image of them (spec 02)."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from lsst.images import Box
from numpy.typing import NDArray

from secondlight import threads
from secondlight.errors import ProcessingError
from secondlight.kernels.background import (
    chebyshev_rows,
    interpolate_columns,
    interpolate_rows,
    max_style,
    min_points,
)

from .statistics import ImageStatistics

__all__ = [
    "ApproxStyle",
    "BackgroundList",
    "BackgroundModel",
    "InterpStyle",
    "RowFiller",
    "UndersampleStyle",
    "bin_edges",
]

#: Rows a thread evaluates at a time.
_ROWS = 256

#: Fills rows of an image, from the first one given on.
type RowFiller = Callable[[int, NDArray[np.float32]], None]


class InterpStyle(enum.IntEnum):
    """How values between the centres of bins are found; numbers as in files."""

    UNKNOWN = -1
    CONSTANT = 0
    LINEAR = 1
    NATURAL_SPLINE = 2
    CUBIC_SPLINE = 3
    CUBIC_SPLINE_PERIODIC = 4
    AKIMA_SPLINE = 5
    AKIMA_SPLINE_PERIODIC = 6


class UndersampleStyle(enum.IntEnum):
    """What to do when there are too few bins for the interpolation; numbers as in files."""

    THROW_EXCEPTION = 0
    REDUCE_INTERP_ORDER = 1
    INCREASE_NXNYSAMPLE = 2


class ApproxStyle(enum.IntEnum):
    """Whether the bins are approximated by a polynomial rather than interpolated; numbers as in files."""

    UNKNOWN = -1
    CHEBYSHEV = 0


def bin_edges(size: int, n: int) -> NDArray[np.int64]:
    """Return the edges of ``n`` bins of nearly equal size along ``size`` pixels.

    Parameters
    ----------
    size
        Number of pixels.
    n
        Number of bins.

    Returns
    -------
    ndarray
        Shape ``(n + 1,)``: bin i holds the pixels from element i up to, not including, element i + 1.
    """
    ends = ((np.arange(n, dtype=np.int64) + 1) * size + n // 2) // n
    return np.concatenate([[0], np.minimum(ends, size)])


def _centers(size: int, n: int) -> NDArray[np.float64]:
    edges = bin_edges(size, n)
    return edges[:-1] + 0.5 * np.diff(edges) - 0.5


@dataclass
class BackgroundModel:
    """One background: statistics of the pixels of each bin, and the way from there to an image.

    Parameters
    ----------
    stats_image
        Shape ``(ny, nx)``: level of each bin [unit of the image]; NaN where a bin had no good pixel.
    bbox
        Box of the whole image.
    stats_mask
        Shape ``(ny, nx)``; zeros if not given.
    stats_variance
        Shape ``(ny, nx)``: standard error of the level, **not** its square, in spite of the plane it is kept
        in (spec 02.2); zeros if not given.
    interp_style, undersample_style
        How to interpolate.
    approx_style, approx_order_x, approx_order_y, approx_weighting
        Whether and how to approximate instead. The orders must be equal; -1 for y means the same as x. The
        weight of a bin is the inverse of its standard error, or 1 if ``approx_weighting`` is not set.

    Raises
    ------
    ValueError
        Raised if the planes are not of one two-dimensional shape with at least one bin.
    """

    stats_image: NDArray[np.float32]
    bbox: Box
    stats_mask: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 0), np.int32))
    stats_variance: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    interp_style: InterpStyle = InterpStyle.AKIMA_SPLINE
    undersample_style: UndersampleStyle = UndersampleStyle.REDUCE_INTERP_ORDER
    approx_style: ApproxStyle = ApproxStyle.UNKNOWN
    approx_order_x: int = 1
    approx_order_y: int = -1
    approx_weighting: bool = True

    def __post_init__(self) -> None:
        self.stats_image = np.ascontiguousarray(self.stats_image, np.float32)
        shape = self.stats_image.shape
        self.stats_mask = (
            np.ascontiguousarray(self.stats_mask, np.int32)
            if self.stats_mask.size
            else np.zeros(shape, np.int32)
        )
        self.stats_variance = (
            np.ascontiguousarray(self.stats_variance, np.float32)
            if self.stats_variance.size
            else np.zeros(shape, np.float32)
        )
        if not (
            len(shape) == 2 and min(shape) > 0 and shape == self.stats_mask.shape == self.stats_variance.shape
        ):
            raise ValueError(
                f"background image {shape}, mask {self.stats_mask.shape} and variance "
                f"{self.stats_variance.shape} must be planes of one shape with at least one bin"
            )
        self.interp_style = InterpStyle(self.interp_style)
        self.undersample_style = UndersampleStyle(self.undersample_style)
        self.approx_style = ApproxStyle(self.approx_style)

    @classmethod
    def fit(
        cls,
        image: NDArray[np.float32],
        mask: NDArray[np.int32],
        bbox: Box,
        *,
        nx: int,
        ny: int,
        statistic: str = "MEANCLIP",
        and_mask: int = 0,
        nan_safe: bool = True,
        interp_style: InterpStyle = InterpStyle.AKIMA_SPLINE,
        undersample_style: UndersampleStyle = UndersampleStyle.REDUCE_INTERP_ORDER,
        approx_style: ApproxStyle = ApproxStyle.UNKNOWN,
        approx_order_x: int = 1,
        approx_order_y: int = -1,
        approx_weighting: bool = True,
    ) -> BackgroundModel:
        """Measure the level of an image in bins.

        Parameters
        ----------
        image, mask
            Pixels, of one shape.
        bbox
            Their box.
        nx, ny
            Numbers of bins.
        statistic
            What a bin's level is; a name for `ImageStatistics.value`.
        and_mask
            Mask bits of pixels to leave out.
        nan_safe
            Whether pixels that are not finite are left out.
        interp_style, undersample_style, approx_style, approx_order_x, approx_order_y, approx_weighting
            See `BackgroundModel`.

        Raises
        ------
        ValueError
            Raised if there are fewer pixels than bins along an axis.
        """
        height, width = image.shape
        if not (0 < nx <= width and 0 < ny <= height):
            raise ValueError(f"an image of {width} x {height} pixels cannot have {nx} x {ny} bins")
        x_edges, y_edges = bin_edges(width, nx), bin_edges(height, ny)
        level = np.empty((ny, nx), np.float32)
        error = np.empty((ny, nx), np.float32)

        def work(start: int, stop: int) -> None:
            for iy in range(start, stop):
                rows = slice(y_edges[iy], y_edges[iy + 1])
                for ix in range(nx):
                    part = (rows, slice(x_edges[ix], x_edges[ix + 1]))
                    stats = ImageStatistics(image[part], mask[part], and_mask=and_mask, nan_safe=nan_safe)
                    level[iy, ix], error[iy, ix] = stats.value(statistic)

        threads.map_chunks(work, ny, 1)
        return cls(
            level,
            bbox,
            stats_variance=error,
            interp_style=interp_style,
            undersample_style=undersample_style,
            approx_style=approx_style,
            approx_order_x=approx_order_x,
            approx_order_y=approx_order_y,
            approx_weighting=approx_weighting,
        )

    def image(self) -> NDArray[np.float32]:
        """Evaluate on every pixel.

        Returns
        -------
        ndarray
            Shape of ``bbox``.

        Raises
        ------
        ProcessingError
            Raised if there are too few good bins for the style and the model does not allow a simpler one.
        """
        fill, (height, width) = self.filler(), self.bbox.shape
        out = np.empty((height, width), np.float32)
        threads.map_chunks(lambda a, b: fill(a, out[a:b]), height, _ROWS)
        return out

    def filler(self) -> RowFiller:
        """Return what evaluates some rows, once all that can fail is done.

        Raises
        ------
        ProcessingError
            Raised if there are too few good bins for the style and the model does not allow a simpler one.
        """
        style, reduce = self._style_for_bins()
        height, width = self.bbox.shape
        if self.approx_style is ApproxStyle.CHEBYSHEV:
            coefficients = self._chebyshev_coefficients()
            return lambda first, out: chebyshev_rows(coefficients, height, first, out)
        ny, nx = self.stats_image.shape
        columns = np.empty((height, nx))
        values = self.stats_image.astype(np.float64)
        x_centers, y_centers = _centers(width, nx), _centers(height, ny)
        enough = interpolate_columns(style, reduce, y_centers, values, columns)
        fewest = nx - int(np.isnan(columns).sum(axis=1).max()) if enough else 0
        if not enough or (not reduce and fewest < min_points(style)):
            raise ProcessingError(
                f"too few of the background's {nx} x {ny} bins are finite for {InterpStyle(style).name}"
            )

        def fill(first: int, out: NDArray[np.float32]) -> None:
            interpolate_rows(style, reduce, x_centers, columns[first : first + len(out)], out)

        return fill

    def subtract_from(self, image: NDArray[np.float32]) -> None:
        """Subtract from an image in place, some rows at a time.

        Parameters
        ----------
        image
            Shape of ``bbox``.

        Raises
        ------
        ProcessingError
            As `image`; nothing has been subtracted then.
        """
        BackgroundList([self]).subtract_from(image)

    def _style_for_bins(self) -> tuple[int, bool]:
        """Return the style that the number of bins allows, and whether simpler ones may replace it."""
        reduce = self.undersample_style is UndersampleStyle.REDUCE_INTERP_ORDER
        style = int(self.interp_style)
        if style == InterpStyle.UNKNOWN:
            if self.approx_style is ApproxStyle.UNKNOWN:
                raise ProcessingError(
                    "the background has neither an interpolation nor an approximation style"
                )
            return style, reduce
        ny, nx = self.stats_image.shape
        if min(nx, ny) < min_points(style):
            if not reduce:
                raise ProcessingError(
                    f"{nx} x {ny} bins are too few for a background's {self.interp_style.name} "
                    f"with {self.undersample_style.name}"
                )
            style = max_style(min(nx, ny))
        return style, reduce

    def _chebyshev_coefficients(self) -> NDArray[np.float64]:
        """Fit the approximation; element [j, i] belongs to T_i(x) T_j(y), 0 where i + j exceeds the order."""
        order = self.approx_order_x
        if self.approx_order_y not in (-1, order):
            raise ProcessingError(
                f"a background's approximation must have equal orders, not {order} and {self.approx_order_y}"
            )
        height, width = self.bbox.shape
        ny, nx = self.stats_image.shape
        chebyshev = np.polynomial.chebyshev.chebvander
        along_x = chebyshev(2.0 * (_centers(width, nx) - 0.5 * (width - 1)) / width, order)
        along_y = chebyshev(2.0 * (_centers(height, ny) - 0.5 * (height - 1)) / height, order)
        terms = [(degree - j, j) for degree in range(order + 1) for j in range(degree + 1)]
        basis = np.stack([np.multiply.outer(along_y[:, j], along_x[:, i]) for i, j in terms], axis=-1)
        value = self.stats_image.astype(np.float64)
        with np.errstate(divide="ignore"):
            weight = (
                1.0 / self.stats_variance.astype(np.float64) if self.approx_weighting else np.ones((ny, nx))
            )
        good = np.isfinite(value) & np.isfinite(weight)
        if not good.any():
            raise ProcessingError(
                f"none of the background's {nx} x {ny} bins has a finite level"
                + (" and a finite error above zero" if self.approx_weighting else "")
            )
        basis, value, weight = basis[good], value[good], weight[good]
        try:
            solution = np.linalg.solve((basis.T * weight) @ basis, basis.T @ (weight * value))
        except np.linalg.LinAlgError as error:
            raise ProcessingError(
                f"{good.sum()} good bins do not determine a background approximation of order {order}"
            ) from error
        coefficients = np.zeros((order + 1, order + 1))
        for (i, j), coefficient in zip(terms, solution, strict=True):
            coefficients[j, i] = coefficient
        return coefficients


class BackgroundList(list[BackgroundModel]):
    """Backgrounds whose sum is the background, in the order in which they were subtracted."""

    def image(self) -> NDArray[np.float32] | None:
        """Return the sum of all images, added in order in float32; `None` if the list is empty."""
        total: NDArray[np.float32] | None = None
        for model in self:
            image = model.image()
            if total is None:
                total = image
            else:
                total += image
        return total

    def subtract_from(self, image: NDArray[np.float32]) -> None:
        """Subtract the sum, which is made as by `image`, from an image in place, some rows at a time.

        Parameters
        ----------
        image
            Shape of each model's box.

        Raises
        ------
        ProcessingError
            As `BackgroundModel.image`; nothing has been subtracted then.
        """
        fillers = [model.filler() for model in self]
        if not fillers:
            return

        def work(start: int, stop: int) -> None:
            total, part = np.empty((2, stop - start, image.shape[1]), np.float32)
            fillers[0](start, total)
            for fill in fillers[1:]:
                fill(start, part)
                total += part
            image[start:stop] -= total

        threads.map_chunks(work, len(image), _ROWS)
