"""Footprints painted as small images, one behind the other in one flat array."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import jit

__all__ = ["Regions", "contains", "paint", "view"]


class Regions(NamedTuple):
    """Painted footprints.

    Parameters
    ----------
    pixels
        1 in the footprint, 0 elsewhere: the box of each footprint, row by row.
    start
        Shape ``(n + 1,)``: where each begins.
    box
        Shape ``(n, 4)``: y and x of the first pixel, height and width.
    """

    pixels: NDArray[np.uint8]
    start: NDArray[np.int64]
    box: NDArray[np.int64]


@jit
def paint(regions: Regions, spans: NDArray[np.int32], span_start: NDArray[np.int64]) -> None:
    """Paint footprints into their boxes; what is outside a box is left out.

    Parameters
    ----------
    regions
        ``pixels`` are changed in place.
    spans
        Shape ``(m, 3)``: y, x0, x1, both ends included.
    span_start
        Shape ``(n + 1,)``: where the spans of each footprint begin.
    """
    for b in range(len(regions.box)):
        y0, x0, h, w = regions.box[b]
        for i in range(span_start[b], span_start[b + 1]):
            y = spans[i, 0] - y0
            if 0 <= y < h:
                row = regions.start[b] + y * w
                for x in range(max(spans[i, 1] - x0, 0), min(spans[i, 2] - x0, w - 1) + 1):
                    regions.pixels[row + x] = 1


@jit
def view(regions: Regions, b: int) -> NDArray[np.uint8]:
    """Return one footprint as an image."""
    return regions.pixels[regions.start[b] : regions.start[b + 1]].reshape(
        (regions.box[b, 2], regions.box[b, 3])
    )


@jit
def contains(region: NDArray[np.uint8], y: int, x: int) -> bool:
    """Tell whether a pixel, counted from the first of the box, is in a footprint."""
    return bool(0 <= y < region.shape[0] and 0 <= x < region.shape[1] and region[y, x] != 0)
