"""Footprints from an image: which components count, and their peaks.

Spec 04.4. A peak is a pixel of which no neighbour is strictly brighter, off the image's border; the neighbours need not
belong to the footprint. A footprint without any has one, its first brightest pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .spans import grown

__all__ = ["describe_components", "find_peaks"]


@jit
def describe_components(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    sign: np.float32,
    threshold: float,
    per_pixel: bool,
    spans: NDArray[np.int32],
    component: NDArray[np.int64],
    area: NDArray[np.int64],
    reaches: NDArray[np.bool_],
) -> None:
    """Fill the area of each component, and whether any of its pixels reaches a threshold.

    Parameters
    ----------
    image, variance, sign, threshold, per_pixel
        As for `secondlight.kernels.spans.find_runs`.
    spans
        Shape ``(n, 3)``, indices into the image.
    component
        Shape ``(n,)``: the component of each span.
    area, reaches
        Shape ``(components,)``, zero on entry.
    """
    for i in range(len(spans)):
        c = component[i]
        y, x0, x1 = spans[i, 0], spans[i, 1], spans[i, 2]
        area[c] += x1 - x0 + 1
        if reaches[c]:
            continue
        for x in range(x0, x1 + 1):
            limit = np.float64(threshold)
            if per_pixel:
                limit = limit * np.float64(np.sqrt(variance[y, x]))
            if sign * image[y, x] >= limit:
                reaches[c] = True
                break


@jit
def _is_peak(image: NDArray[np.float32], sign: np.float32, y: int, x: int) -> bool:
    value = sign * image[y, x]
    for yy in range(y - 1, y + 2):
        for xx in range(x - 1, x + 2):
            if sign * image[yy, xx] > value:
                return False
    return True


@jit
def find_peaks(
    image: NDArray[np.float32], sign: np.float32, spans: NDArray[np.int32], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Find the peaks of footprints, in raster order within each.

    Parameters
    ----------
    image
        Shape ``(h, w)``.
    sign
        1, or −1 to look for the darkest pixels.
    spans, offsets
        Spans, shape ``(m, 3)``, sorted by (y, x0) within each footprint, of which footprint i has
        ``spans[offsets[i]:offsets[i + 1]]``; indices into the image.

    Returns
    -------
    position
        Shape ``(p, 2)``: y, x.
    peak_offsets
        Shape ``(n + 1,)``: where each footprint's peaks begin.
    """
    h, w = image.shape
    n = len(offsets) - 1
    peak_offsets = np.zeros(n + 1, np.int64)
    found = np.empty((2 * n + 16, 2), np.int32)
    count = 0
    for i in range(n):
        brightest = np.float32(-np.inf)
        brightest_y, brightest_x = -1, -1
        for k in range(offsets[i], offsets[i + 1]):
            y = spans[k, 0]
            for x in range(spans[k, 1], spans[k, 2] + 1):
                value = sign * image[y, x]
                if value > brightest or brightest_y < 0:
                    brightest, brightest_y, brightest_x = value, y, x
                if 0 < y < h - 1 and 0 < x < w - 1 and _is_peak(image, sign, y, x):
                    if count == len(found):
                        found = grown(found)
                    found[count, 0] = y
                    found[count, 1] = x
                    count += 1
        if count == peak_offsets[i] and brightest_y >= 0:
            if count == len(found):
                found = grown(found)
            found[count, 0] = brightest_y
            found[count, 1] = brightest_x
            count += 1
        peak_offsets[i + 1] = count
    return found[:count].copy(), peak_offsets
