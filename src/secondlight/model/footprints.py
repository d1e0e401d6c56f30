"""Regions of pixels: spans, peaks, and optionally the pixels' own values, for all sources in flat arrays.

Spec 04.7. A span is ``(y, x0, x1)``, both ends included; the spans of a footprint are sorted by ``(y, x0)`` and neither
overlap nor touch. Coordinates are those of the parent image (``xy0`` included).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from lsst.images import Box
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .exposure import Exposure

__all__ = ["PEAK_DTYPE", "Footprint", "Footprints", "HeavyPixels", "normalize_spans", "span_pixels"]

#: One peak (spec 04.4): ``id`` counts from 1 within a catalogue; ``f_x, f_y`` and ``i_x, i_y`` are its position [pixel],
#: ``peakValue`` the value of the thresholded image there [count], ``significance`` that value over its noise.
PEAK_DTYPE = np.dtype(
    [
        ("id", np.int64),
        ("f_x", np.float32),
        ("f_y", np.float32),
        ("i_x", np.int32),
        ("i_y", np.int32),
        ("peakValue", np.float32),
        ("significance", np.float64),
    ]
)

type Spans = NDArray[np.int32]


def normalize_spans(spans: NDArray[np.integer]) -> Spans:
    """Sort spans and merge those that overlap or touch.

    Parameters
    ----------
    spans
        Shape ``(n, 3)``: y, x0, x1 (inclusive). Those with ``x1 < x0`` are dropped.

    Returns
    -------
    ndarray
        Shape ``(m, 3)``, sorted by (y, x0), m ≤ n.
    """
    spans = np.asarray(spans, np.int32).reshape(-1, 3)
    spans = spans[spans[:, 2] >= spans[:, 1]]
    if len(spans) < 2:
        return np.ascontiguousarray(spans)
    spans = spans[np.lexsort((spans[:, 2], spans[:, 1], spans[:, 0]))]
    # the farthest x1 so far on the row: rows are told apart by an offset larger than any x
    wide = np.int64(1) << 33
    reach = np.maximum.accumulate(spans[:, 0].astype(np.int64) * wide + spans[:, 2])
    first = np.r_[True, spans[1:, 0].astype(np.int64) * wide + spans[1:, 1] > reach[:-1] + 1]
    start = np.flatnonzero(first)
    x1 = np.maximum.reduceat(spans[:, 2], start)
    return np.column_stack([spans[start, 0], spans[start, 1], x1]).astype(np.int32)


def span_pixels(spans: Spans) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pixels of spans, row-major, as ``(y, x)`` index arrays.

    Parameters
    ----------
    spans
        Shape ``(n, 3)``: y, x0, x1 (inclusive).

    Returns
    -------
    y, x : ndarray
        Shape ``(area,)`` each, parent coordinates.
    """
    lengths = (spans[:, 2] - spans[:, 1] + 1).astype(np.intp)
    y = np.repeat(spans[:, 0].astype(np.intp), lengths)
    begin = np.cumsum(lengths) - lengths
    x = (
        np.arange(lengths.sum(), dtype=np.intp)
        - np.repeat(begin, lengths)
        + np.repeat(spans[:, 1].astype(np.intp), lengths)
    )
    return y, x


@dataclass(frozen=True, slots=True)
class HeavyPixels:
    """The pixels that a footprint owns, row-major over its spans, each of shape ``(area,)``."""

    image: NDArray[np.float32]
    mask: NDArray[np.int32]
    variance: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Footprint:
    """One region: spans of shape ``(n, 3)``, peaks (`PEAK_DTYPE`, brightest first) and optionally its own pixels."""

    spans: Spans
    peaks: NDArray[np.void]
    heavy: HeavyPixels | None = None

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int((self.spans[:, 2] - self.spans[:, 1] + 1).sum())

    @property
    def bbox(self) -> Box:
        """The tightest box; a footprint without pixels has none (ValueError)."""
        if not len(self.spans):
            raise ValueError("a footprint without pixels has no box")
        s = self.spans
        return Box.factory[
            int(s[:, 0].min()) : int(s[:, 0].max()) + 1, int(s[:, 1].min()) : int(s[:, 2].max()) + 1
        ]

    @property
    def centroid(self) -> tuple[float, float]:
        """Mean pixel position, (x, y)."""
        y, x = span_pixels(self.spans)
        return float(x.mean()), float(y.mean())

    def contains(self, x: int, y: int) -> bool:
        """Tell whether a pixel is in the footprint.

        Parameters
        ----------
        x, y
            Pixel position, parent coordinates.
        """
        s = self.spans
        return bool(((s[:, 0] == y) & (s[:, 1] <= x) & (x <= s[:, 2])).any())

    def pixels(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the pixels, row by row, as ``(y, x)`` index arrays of shape ``(area,)``, parent coordinates."""
        return span_pixels(self.spans)

    def mask(self) -> NDArray[np.bool_]:
        """Return the footprint as a boolean image over its `bbox`."""
        return self.expand(np.ones(self.area, bool), fill=False)

    def expand[T: np.generic](self, values: NDArray[T], fill: float = np.nan) -> NDArray[T]:
        """Lay values of the footprint's pixels out as an image over its `bbox`.

        Parameters
        ----------
        values
            Shape ``(area,)``, row by row as `pixels`, for instance ``footprint.heavy.mask``.
        fill
            Value of pixels outside the footprint; the type of ``values`` must hold it.

        Raises
        ------
        ValueError
            Raised if there are not as many values as pixels.
        """
        if len(values) != self.area:
            raise ValueError(f"{len(values)} values for a footprint of {self.area} pixels")
        box = self.bbox
        out = np.full(tuple(box.shape), fill, values.dtype)
        y, x = self.pixels()
        out[y - box.y.start, x - box.x.start] = values
        return out

    def extract[T: np.generic](
        self, image: NDArray[T], x0: int = 0, y0: int = 0, fill: float = np.nan
    ) -> NDArray[T]:
        """Cut the footprint out of an image.

        Parameters
        ----------
        image
            Shape ``(ny, nx)``, any type that can hold ``fill``.
        x0, y0
            Parent coordinates of the image's first pixel.
        fill
            Value of pixels outside the footprint or the image.

        Returns
        -------
        ndarray
            Shape of `bbox`.
        """
        inside, (y, x) = self._inside(image.shape, x0, y0)
        values = np.full(self.area, fill, image.dtype)
        values[inside] = image[y, x]
        return self.expand(values, fill)

    def own_image(self, fill: float = np.nan) -> NDArray[np.float32]:
        """Return the pixels that the footprint owns, such as a child's share of a blend, as an image over its `bbox`.

        Parameters
        ----------
        fill
            Value of pixels outside the footprint.

        Raises
        ------
        ValueError
            Raised if the footprint holds no pixels.
        """
        return self.expand(self._heavy().image, fill)

    def insert(self, image: NDArray[np.float32], x0: int = 0, y0: int = 0) -> None:
        """Write the pixels that the footprint owns into an image, in place; those off the image are left out.

        Parameters
        ----------
        image
            Shape ``(ny, nx)``.
        x0, y0
            Parent coordinates of the image's first pixel.

        Raises
        ------
        ValueError
            Raised if the footprint holds no pixels.
        """
        inside, (y, x) = self._inside(image.shape, x0, y0)
        image[y, x] = self._heavy().image[inside]

    def with_pixels(self, exposure: Exposure) -> Footprint:
        """Return the footprint owning what an exposure has there.

        Parameters
        ----------
        exposure
            The image.

        Raises
        ------
        ValueError
            Raised if the footprint is not within the image.
        """
        inside, at = self._inside(exposure.image.shape, exposure.x0, exposure.y0)
        if not inside.all():
            raise ValueError(f"{(~inside).sum()} of {self.area} pixels lie off the image")
        return Footprint(
            self.spans, self.peaks, HeavyPixels(exposure.image[at], exposure.mask[at], exposure.variance[at])
        )

    def _heavy(self) -> HeavyPixels:
        if self.heavy is None:
            raise ValueError("this footprint holds no pixels of its own")
        return self.heavy

    def _inside(
        self, shape: tuple[int, ...], x0: int, y0: int
    ) -> tuple[NDArray[np.bool_], tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Return which pixels are on an image, and the array indices of those."""
        y, x = self.pixels()
        y, x = y - y0, x - x0
        inside = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
        return inside, (y[inside], x[inside])


def _offsets(lengths: Iterable[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.fromiter(lengths, np.int64))]).astype(np.int64)


class Footprints:
    """Footprints of many sources in flat arrays; behaves as a sequence of `Footprint`.

    Parameters
    ----------
    span_offsets
        Shape ``(n + 1,)``: the spans of footprint i are ``spans[span_offsets[i]:span_offsets[i + 1]]``.
    spans
        Shape ``(m, 3)``.
    peak_offsets
        Shape ``(n + 1,)``, alike for peaks.
    peaks
        Shape ``(p,)``, of `PEAK_DTYPE`.
    heavy_offsets
        Shape ``(n + 1,)``, alike for pixel values: empty for a footprint without pixels. All empty if not given.
    heavy
        The pixel values.
    """

    def __init__(
        self,
        span_offsets: NDArray[np.int64],
        spans: Spans,
        peak_offsets: NDArray[np.int64],
        peaks: NDArray[np.void],
        heavy_offsets: NDArray[np.int64] | None = None,
        heavy: HeavyPixels | None = None,
    ) -> None:
        n = len(span_offsets)
        if heavy_offsets is None or heavy is None:
            heavy_offsets = np.zeros(n, np.int64)
            heavy = HeavyPixels(np.empty(0, np.float32), np.empty(0, np.int32), np.empty(0, np.float32))
        if len(peak_offsets) != n or len(heavy_offsets) != n:
            raise ValueError("offsets of spans, peaks and pixels differ in length")
        self.span_offsets = np.asarray(span_offsets, np.int64)
        self.spans = np.ascontiguousarray(spans, np.int32)
        self.peak_offsets = np.asarray(peak_offsets, np.int64)
        self.peaks = peaks
        self.heavy_offsets = np.asarray(heavy_offsets, np.int64)
        self.heavy = heavy

    @classmethod
    def empty(cls, n: int = 0) -> Footprints:
        """Return ``n`` footprints of no pixels and no peaks.

        Parameters
        ----------
        n
            How many.
        """
        zeros = np.zeros(n + 1, np.int64)
        return cls(zeros, np.empty((0, 3), np.int32), zeros, np.empty(0, PEAK_DTYPE))

    @classmethod
    def from_list(cls, footprints: Sequence[Footprint]) -> Footprints:
        """Gather single footprints.

        Parameters
        ----------
        footprints
            Any number.
        """
        heavies = [f.heavy for f in footprints if f.heavy is not None]
        return cls(
            _offsets(len(f.spans) for f in footprints),
            np.concatenate([np.empty((0, 3), np.int32), *(f.spans for f in footprints)]),
            _offsets(len(f.peaks) for f in footprints),
            np.concatenate([np.empty(0, PEAK_DTYPE), *(f.peaks for f in footprints)]),
            _offsets(0 if f.heavy is None else len(f.heavy.image) for f in footprints),
            HeavyPixels(
                np.concatenate([np.empty(0, np.float32), *(h.image for h in heavies)]),
                np.concatenate([np.empty(0, np.int32), *(h.mask for h in heavies)]),
                np.concatenate([np.empty(0, np.float32), *(h.variance for h in heavies)]),
            ),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Footprints]) -> Footprints:
        """Put sequences of footprints one behind the other.

        Parameters
        ----------
        parts
            Any number.
        """

        def join(offsets: Iterable[NDArray[np.int64]]) -> NDArray[np.int64]:
            return _offsets(int(v) for o in offsets for v in np.diff(o))

        return cls(
            join(p.span_offsets for p in parts),
            np.concatenate([p.spans for p in parts]),
            join(p.peak_offsets for p in parts),
            np.concatenate([p.peaks for p in parts]),
            join(p.heavy_offsets for p in parts),
            HeavyPixels(
                np.concatenate([p.heavy.image for p in parts]),
                np.concatenate([p.heavy.mask for p in parts]),
                np.concatenate([p.heavy.variance for p in parts]),
            ),
        )

    def __len__(self) -> int:
        return len(self.span_offsets) - 1

    def __getitem__(self, i: int) -> Footprint:
        if not -len(self) <= i < len(self):
            raise IndexError(i)
        i %= len(self)
        h0, h1 = self.heavy_offsets[i : i + 2]
        return Footprint(
            self.spans[self.span_offsets[i] : self.span_offsets[i + 1]],
            self.peaks[self.peak_offsets[i] : self.peak_offsets[i + 1]],
            None
            if h0 == h1
            else HeavyPixels(self.heavy.image[h0:h1], self.heavy.mask[h0:h1], self.heavy.variance[h0:h1]),
        )

    def __iter__(self) -> Iterator[Footprint]:
        return (self[i] for i in range(len(self)))

    @property
    def areas(self) -> NDArray[np.int64]:
        """Number of pixels of each, shape ``(n,)``."""
        total = np.concatenate([[0], np.cumsum(self.spans[:, 2].astype(np.int64) - self.spans[:, 1] + 1)])
        return np.asarray(np.diff(total[self.span_offsets]), np.int64)

    @property
    def boxes(self) -> NDArray[np.int64]:
        """Bounding box of each, shape ``(n, 4)``: row start and stop, column start and stop; all 0 for no pixels."""
        boxes = np.zeros((len(self), 4), np.int64)
        begin, end = self.span_offsets[:-1], self.span_offsets[1:]
        some = np.flatnonzero(end > begin)
        if len(some):
            # the spans of footprints that have any lie one behind the other
            spans = self.spans[begin[some[0]] : end[some[-1]]]
            at = begin[some] - begin[some[0]]
            boxes[some, 0] = np.minimum.reduceat(spans[:, 0], at)
            boxes[some, 1] = np.maximum.reduceat(spans[:, 0], at) + 1
            boxes[some, 2] = np.minimum.reduceat(spans[:, 1], at)
            boxes[some, 3] = np.maximum.reduceat(spans[:, 2], at) + 1
        return boxes

    @property
    def peak_counts(self) -> NDArray[np.int64]:
        """Number of peaks of each, shape ``(n,)``."""
        return np.diff(self.peak_offsets)
