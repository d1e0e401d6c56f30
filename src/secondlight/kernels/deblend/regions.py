"""Footprints painted as small images, one behind the other in one flat array."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import jit

__all__ = ["AREA", "BOX", "N_DESCRIBED", "SUM_X", "SUM_Y", "Regions", "contains", "describe", "paint", "view"]


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


#: Columns that `describe` fills: number of pixels, sums of their x and y, and the first y, first x, last y and last x.
AREA = 0
SUM_X = 1
SUM_Y = 2
BOX = 3
N_DESCRIBED = 7


@jit
def describe(
    spans: NDArray[np.int32],
    span_start: NDArray[np.int64],
    mask: NDArray[np.int32],
    bits: NDArray[np.int64],
    out: NDArray[np.int64],
    masked: NDArray[np.int64],
) -> None:
    """Tell size, place and masked pixels of footprints.

    Parameters
    ----------
    spans
        Shape ``(m, 3)``: y, x0, x1, both ends included.
    span_start
        Shape ``(n + 1,)``: where the spans of each footprint begin.
    mask
        Shape ``(ny, nx)``; pixels outside it are not masked.
    bits
        Shape ``(p,)``: mask values to count pixels of.
    out
        Shape ``(n, N_DESCRIBED)``, zero on entry.
    masked
        Shape ``(n, p)``, zero on entry: receives how many pixels have a bit of each value set.
    """
    for b in range(len(out)):
        row = out[b]
        for i in range(span_start[b], span_start[b + 1]):
            y, x0, x1 = spans[i]
            n = x1 - x0 + 1
            row[AREA] += n
            row[SUM_X] += n * (x0 + x1)  # twice the sum
            row[SUM_Y] += n * y
            if i == span_start[b]:
                row[BOX], row[BOX + 1], row[BOX + 2], row[BOX + 3] = y, x0, y, x1
            row[BOX], row[BOX + 2] = min(row[BOX], y), max(row[BOX + 2], y)
            row[BOX + 1], row[BOX + 3] = min(row[BOX + 1], x0), max(row[BOX + 3], x1)
            if 0 <= y < mask.shape[0]:
                for x in range(max(x0, 0), min(x1, mask.shape[1] - 1) + 1):
                    for p in range(bits.size):
                        if mask[y, x] & bits[p]:
                            masked[b, p] += 1
        row[SUM_X] //= 2


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
