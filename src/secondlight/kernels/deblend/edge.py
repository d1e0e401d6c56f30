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
from .symmetric import Outline, fill_members, fill_symmetric, smaller

__all__ = ["Ramps", "fill_ramped", "find_bright_edges", "find_masked"]


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
def _edge_values(
    image: NDArray[np.float32], outline: Outline, half: int, last_only: bool
) -> NDArray[np.float32]:
    """Return a square around the peak that holds a template in the pixels at its edge, 0 in all others.

    With ``last_only`` only the last pixel of each run of edge pixels in a row counts, as in the reference.
    """
    size = 2 * half + 1
    y0, x0 = outline.cy - half, outline.cx - half
    member = np.empty((size + 2, size + 2), np.uint8)
    fill_members(outline, y0 - 1, x0 - 1, member)
    out = np.zeros((size, size), np.float32)
    fill_symmetric(image, outline, np.float32(0.0), half, -1, out)
    for i in range(size):
        next_at_edge = False
        for j in range(size - 1, -1, -1):
            at_edge = member[i + 1, j + 1] != 0 and (
                member[i, j + 1] == 0
                or member[i + 2, j + 1] == 0
                or member[i + 1, j] == 0
                or member[i + 1, j + 2] == 0
            )
            if not at_edge or (last_only and next_at_edge):
                out[i, j] = 0
            next_at_edge = at_edge
    return out


@jit
def _ramped(edge: NDArray[np.float32], ramps: Ramps, r: int, y: int, x: int) -> np.float32:
    """Return the largest value that edge pixels, spread out by the PSF, put into a pixel of the square ``edge``."""
    reach = ramps.reach[r]
    h, w = ramps.images.shape[1:]
    y0, x0 = ramps.y0[r], ramps.x0[r]
    best = np.float32(0.0)
    for v in range(max(y0, -reach), min(y0 + h - 1, reach) + 1):
        for u in range(max(x0, -reach), min(x0 + w - 1, reach) + 1):
            best = max(best, np.float32(edge[y - v, x - u] * ramps.images[r, v - y0, u - x0]))
    return best


@jit
def fill_ramped(
    image: NDArray[np.float32],
    outline: Outline,
    inner: Outline,
    ramps: Ramps,
    r: int,
    last_only: bool,
    half: int,
    done: int,
    out: NDArray[np.float32],
) -> None:
    """Fill a continued template in a square around the peak.

    Parameters
    ----------
    image
        Shape ``(ny, nx)``.
    outline
        The template, in the dilated footprint.
    inner
        The template that is continued.
    ramps, r
        What continues it: row ``r``.
    last_only
        Use only the last pixel of each run of edge pixels in a row, as the reference does.
    half, done, out
        As for `fill_symmetric`.
    """
    cy, cx = outline.cy, outline.cx
    ny, nx = image.shape
    edge = np.zeros((0, 0), np.float32)
    region = outline.region
    h, w = region.shape
    first, last = max(cx - half, outline.left), min(cx + half, outline.right)
    pair = np.empty(2, np.float32)
    for y in range(max(cy - half, outline.low), min(cy + half, outline.high) + 1):
        i, m = y - outline.y0, 2 * cy - y - outline.y0
        if not 0 <= m < h:
            continue
        near = abs(y - cy) <= done
        x = first
        while x <= last:
            if near and abs(x - cx) <= done:
                x = cx + done + 1
                continue
            n = 2 * cx - x - outline.x0
            if region[i, x - outline.x0] != 0 and 0 <= n < w and region[m, n] != 0:
                for side in range(2):
                    yy, xx = (y, x) if side == 0 else (2 * cy - y, 2 * cx - x)
                    if 0 <= yy < ny and 0 <= xx < nx and image[yy, xx] != 0:
                        pair[side] = image[yy, xx]
                        continue
                    # outside the image, and where it is exactly 0: most templates have no such pixel
                    margin = half + ramps.reach[r]
                    if edge.size == 0:
                        edge = _edge_values(image, inner, margin, last_only)
                    pair[side] = _ramped(edge, ramps, r, yy - cy + margin, xx - cx + margin)
                out[y - cy + half, x - cx + half] = smaller(pair[0], pair[1])
            x += 1
