"""Templates that end where the footprint does, not where the source does (spec 06.4.3).

Such a template has significant flux in a pixel at its edge. It is continued with the PSF: outside the image, a pixel is
taken to be the largest of what the edge pixels, each as the peak of a PSF, would put there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import jit
from .psf_fit import Peaks
from .regions import Regions, contains, view
from .symmetric import Outline, is_inside, smaller

__all__ = ["Ramps", "find_bright_edges", "find_masked", "ramped_value"]


class Ramps(NamedTuple):
    """What continues the templates of some blends.

    Parameters
    ----------
    wide
        The blends' footprints, dilated by their ``reach``.
    row
        Shape ``(blends,)``: the row of each blend in the other arrays and in ``wide``; −1 for those that need none.
    images
        Shape ``(r, h, w)``: the PSF in the blend's middle, 1 at its peak.
    y0, x0
        Shape ``(r,)``: the first pixel of each, counted from the PSF's centre.
    reach
        Shape ``(r,)``: how far a template is continued [pixel].
    """

    wide: Regions
    row: NDArray[np.int64]
    images: NDArray[np.float64]
    y0: NDArray[np.int64]
    x0: NDArray[np.int64]
    reach: NDArray[np.int64]


@jit
def _mirror_counts(
    image: NDArray[np.float32],
    region: NDArray[np.uint8],
    box: NDArray[np.int64],
    ys: NDArray[np.int64],
    xs: NDArray[np.int64],
    cy: int,
    cx: int,
    threshold: np.float32,
) -> bool:
    """Tell whether one of some pixels has a mirror image that is in the footprint and reaches a threshold."""
    for i in range(ys.size):
        y, x = 2 * cy - ys[i], 2 * cx - xs[i]
        if contains(region, y - box[0], x - box[1]) and image[y, x] >= threshold:
            return True
    return False


@jit
def find_bright_edges(
    image: NDArray[np.float32],
    regions: Regions,
    peaks: Peaks,
    wanted: NDArray[np.bool_],
    threshold: np.float32,
    first: int,
    stop: int,
    out: NDArray[np.bool_],
) -> None:
    """Find the peaks whose symmetric templates reach a threshold in a pixel at their edge.

    A pixel is at the edge of a symmetric template exactly if it or its mirror image is at the edge of the footprint,
    and the two are equal: it is enough to look at the bright pixels of the footprint's edge.

    Parameters
    ----------
    image
        Shape ``(ny, nx)``.
    regions, peaks
        The blends.
    wanted
        Which peaks to look at.
    threshold
        [count].
    first, stop
        The blends to look at.
    out
        Receives the answer for each peak.
    """
    for b in range(first, stop):
        region = view(regions, b)
        box = regions.box[b]
        ys, xs = np.empty(region.size, np.int64), np.empty(region.size, np.int64)
        n = 0
        for i in range(box[2]):
            for j in range(box[3]):
                if region[i, j] == 0 or not image[box[0] + i, box[1] + j] >= threshold:
                    continue
                if not (
                    contains(region, i - 1, j)
                    and contains(region, i + 1, j)
                    and contains(region, i, j - 1)
                    and contains(region, i, j + 1)
                ):
                    ys[n] = box[0] + i
                    xs[n] = box[1] + j
                    n += 1
        for k in range(peaks.start[b], peaks.start[b + 1]):
            out[k] = wanted[k] and _mirror_counts(
                image, region, box, ys[:n], xs[:n], peaks.iy[k], peaks.ix[k], threshold
            )


@jit
def find_masked(
    mask: NDArray[np.int32],
    bits: int,
    regions: Regions,
    peaks: Peaks,
    wanted: NDArray[np.bool_],
    first: int,
    stop: int,
    out: NDArray[np.bool_],
) -> None:
    """Find the peaks whose symmetric templates hold a masked pixel.

    Parameters
    ----------
    mask, bits
        The mask, shape ``(ny, nx)``, and the bits that count.
    regions, peaks, wanted, first, stop, out
        As for `find_bright_edges`.
    """
    for b in range(first, stop):
        region = view(regions, b)
        box = regions.box[b]
        ys, xs = np.empty(region.size, np.int64), np.empty(region.size, np.int64)
        n = 0
        for i in range(box[2]):
            for j in range(box[3]):
                if region[i, j] != 0 and mask[box[0] + i, box[1] + j] & bits:
                    ys[n] = box[0] + i
                    xs[n] = box[1] + j
                    n += 1
        for k in range(peaks.start[b], peaks.start[b + 1]):
            found = False
            if wanted[k]:
                for i in range(n):
                    y, x = 2 * peaks.iy[k] - ys[i] - box[0], 2 * peaks.ix[k] - xs[i] - box[1]
                    if contains(region, y, x):
                        found = True
                        break
            out[k] = found


@jit
def _on_edge(outline: Outline, y: int, x: int) -> bool:
    """Tell whether a pixel belongs to a template and one beside, above or below it does not."""
    return is_inside(outline, y, x) and not (
        is_inside(outline, y - 1, x)
        and is_inside(outline, y + 1, x)
        and is_inside(outline, y, x - 1)
        and is_inside(outline, y, x + 1)
    )


@jit
def ramped_value(
    image: NDArray[np.float32], outline: Outline, ramps: Ramps, r: int, last_only: bool, y: int, x: int
) -> np.float32:
    """Return what the edge of a template, continued with the PSF, puts into a pixel.

    Parameters
    ----------
    image
        Shape ``(ny, nx)``.
    outline
        The template before it is continued.
    ramps, r
        The PSF, in row ``r``.
    last_only
        Use only the last pixel of each run of edge pixels in a row, as the reference does.
    y, x
        The pixel; it may be outside the image.
    """
    reach = ramps.reach[r]
    h, w = ramps.images.shape[1:]
    y0, x0 = ramps.y0[r], ramps.x0[r]
    best = np.float32(0.0)
    for v in range(max(y0, -reach), min(y0 + h - 1, reach) + 1):
        for u in range(max(x0, -reach), min(x0 + w - 1, reach) + 1):
            ey, ex = y - v, x - u
            if not is_inside(outline, ey, ex):
                continue
            at_edge = smaller(image[ey, ex], image[2 * outline.cy - ey, 2 * outline.cx - ex])
            value = np.float32(at_edge * ramps.images[r, v - y0, u - x0])
            if value > best and _on_edge(outline, ey, ex):
                if last_only and _on_edge(outline, ey, ex + 1):
                    continue
                best = value
    return best
