"""The template of each peak: its share of the light in a blend (spec 06.4.1 to 06.4.6).

A point source is its PSF. For any other the chain is: the symmetric part of the image, continued at the edge if need be;
median smoothing; monotonicity; spans cut to where the template is not 0. Peaks are independent of each other, and most
templates end near their peak, so all of it is done in a window that grows only when the template has not ended in it: once
five rings in a row are 0, the shadows of `cast_shadows` blacken all that is outside. That is exact, and it keeps blends that
cover a whole image affordable.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import jit
from .edge import Ramps, fill_ramped
from .median import MARGIN, WORK_SHAPE, median_of_squares
from .monotonic import CHUNK, cast_shadows, copy_rings, wedges
from .psf_fit import Peaks, Stamps
from .regions import Regions, view
from .symmetric import Outline, extent, fill_members, fill_symmetric

__all__ = [
    "KIND_NONE",
    "KIND_PATCHED",
    "KIND_PSF",
    "KIND_RAMPED",
    "KIND_SYMMETRIC",
    "Templates",
    "make_templates",
]

#: What a peak's template is made of.
KIND_NONE = 0
KIND_PSF = 1
KIND_SYMMETRIC = 2
KIND_PATCHED = 3
KIND_RAMPED = 4

#: Half the side of the first window: two chunks of rings and their shadows.
_FIRST_WINDOW = 3 * CHUNK - 1

#: Margin on the right that smoothing leaves alone: a column more than on the other sides, as in the reference. Equal
#: margins bring nothing (docs/deviations.md).
_RIGHT_MARGIN = MARGIN + 1


class Templates(NamedTuple):
    """Templates one behind the other.

    Parameters
    ----------
    values
        The pixels of each one's box, row by row.
    start
        Shape ``(n + 1,)``: where each one's pixels begin.
    box
        Shape ``(n, 4)``: y and x of the first pixel, height and width.
    spans
        Shape ``(m, 3)``: y, x0, x1, both ends included; outside of its spans a template is not its peak's.
    span_start
        Shape ``(n + 1,)``: where each one's spans begin.
    """

    values: NDArray[np.float32]
    start: NDArray[np.int64]
    box: NDArray[np.int64]
    spans: NDArray[np.int32]
    span_start: NDArray[np.int64]


@jit
def _enlarged(old: NDArray[np.float32], half: int) -> NDArray[np.float32]:
    """Return a square of zeros with ``old`` in its middle."""
    size = 2 * half + 1
    margin = (size - old.shape[0]) // 2
    out = np.zeros((size, size), np.float32)
    for i in range(old.shape[0]):
        for j in range(old.shape[1]):
            out[margin + i, margin + j] = old[i, j]
    return out


@jit
def _smooth(
    raw: NDArray[np.float32],
    outline: Outline,
    half: int,
    done: int,
    out: NDArray[np.float32],
) -> None:
    """Fill the window ``out``, except within ``done`` of the peak, with running medians of ``raw``, two pixels larger.

    The margin of the template stays as it is.
    """
    cy, cx = outline.cy, outline.cx
    low, high = max(outline.low - cy, -half), min(outline.high - cy, half)
    left, right = max(outline.left - cx, -half), min(outline.right - cx, half)
    for y in range(low, high + 1):
        for x in range(left, right + 1):
            if abs(y) > done or abs(x) > done:
                out[half + y, half + x] = raw[half + MARGIN + y, half + MARGIN + x]
    low, high = max(low, outline.low - cy + MARGIN), min(high, outline.high - cy - MARGIN)
    left = max(left, outline.left - cx + MARGIN)
    right = min(right, outline.right - cx - _RIGHT_MARGIN)
    work = np.empty(WORK_SHAPE, np.float32)
    middle = half + MARGIN
    smoothed = np.empty_like(raw)
    for y0, y1, x0, x1 in (
        (low, min(high, -done - 1), left, right),
        (max(low, done + 1), high, left, right),
        (max(low, -done), min(high, done), left, min(right, -done - 1)),
        (max(low, -done), min(high, done), max(left, done + 1), right),
    ):
        if y0 > y1 or x0 > x1:
            continue
        median_of_squares(raw, middle + y0, middle + y1, middle + x0, middle + x1, work, smoothed)
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                out[half + y, half + x] = smoothed[middle + y, middle + x]


@jit
def _monotonic_template(
    image: NDArray[np.float32],
    outline: Outline,
    inner: Outline,
    ramps: Ramps,
    r: int,
    smooth: bool,
    defects: bool,
    table: NDArray[np.int16],
) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
    """Return the template in a square around the peak, outside of which it is 0, and the table of `wedges`.

    ``inner`` is the template before it was continued with row ``r`` of ``ramps``, if that is not negative.
    """
    cy, cx = outline.cy, outline.cx
    low, high, left, right = outline.low, outline.high, outline.left, outline.right
    reach = max(cy - low, high - cy, cx - left, right - cx)
    smooth = smooth and high - low >= 2 * MARGIN and right - left >= 2 * MARGIN
    margin = MARGIN if smooth else 0  # of the raw template around the window
    may_be_negative = outline.patch and defects
    least = np.float32(-np.inf) if may_be_negative else np.float32(0.0)
    raw = window = before = np.zeros((0, 0), np.float32)
    half = -1
    ring = 0
    y0 = y1 = x0 = x1 = 0
    while ring <= reach:
        # five rings that cast shadows; if those turn out to be dark, the five beyond that they reach are not needed
        for needed in (ring + CHUNK - 1, ring + 2 * CHUNK - 1):
            if min(needed, reach) > half:
                done = half
                half = min(max(half + half // 4, needed, _FIRST_WINDOW), reach)
                raw = _enlarged(raw, half + margin)
                raw_done = done + margin if done >= 0 else -1
                if r < 0:
                    fill_symmetric(image, outline, least, half + margin, raw_done, raw)
                else:
                    fill_ramped(image, outline, inner, ramps, r, defects, half + margin, raw_done, raw)
                if smooth:
                    window = _enlarged(window, half)
                    _smooth(raw, outline, half, done, window)
                else:
                    window = raw
                before = np.empty_like(window)
                if len(table) < (half + CHUNK) ** 2:
                    table = wedges(2 * (half + CHUNK))
                y0, y1 = max(low - cy, -half) + half, min(high - cy, half) + half
                x0, x1 = max(left - cx, -half) + half, min(right - cx, half) + half
            elif needed >= ring + 2 * CHUNK - 1:
                break  # copied already
            lit = copy_rings(window, before, half, half, ring, y0, y1, x0, x1)
            if not lit and ring >= CHUNK and not may_be_negative:
                return window[half - ring + 1 : half + ring, half - ring + 1 : half + ring].copy(), table
        cast_shadows(window, before, half, half, ring, table, y0, y1, x0, x1)
        ring += CHUNK
    return window, table


@jit
def _with_room(array: NDArray[np.float32], used: int, more: int) -> NDArray[np.float32]:
    """Return an array with room for ``more`` values behind the ``used`` ones."""
    if used + more <= array.size:
        return array
    larger = np.empty(max(2 * array.size, used + more), array.dtype)
    # no assignment of arrays, with which Numba compiles the text of an error, too; here and below
    for i in range(used):
        larger[i] = array[i]
    return larger


@jit
def _with_rows(array: NDArray[np.int32], used: int, more: int) -> NDArray[np.int32]:
    """Return spans with room for ``more`` behind the ``used`` ones."""
    if used + more <= array.shape[0]:
        return array
    larger = np.empty((max(2 * array.shape[0], used + more), 3), array.dtype)
    for i in range(used):
        for k in range(3):
            larger[i, k] = array[i, k]
    return larger


@jit
def _cut_spans(
    template: NDArray[np.float32],
    member: NDArray[np.uint8],
    y0: int,
    x0: int,
    spans: NDArray[np.int32],
    n: int,
) -> tuple[NDArray[np.int32], int]:
    """Append the runs of a template's pixels, each cut to between its first and its last that is not 0.

    Parameters
    ----------
    template, member
        A part of the image, and whether its pixels belong to the template.
    y0, x0
        First pixel of that part.
    spans, n
        Where to append, behind the first ``n``.

    Returns
    -------
    spans, n
        The same, perhaps enlarged.
    """
    h, w = template.shape
    for i in range(h):
        spans = _with_rows(spans, n, w // 2 + 1)
        first = last = -1
        for j in range(w + 1):
            if j < w and member[i, j] != 0:
                if template[i, j] != 0:
                    last = j
                    if first < 0:
                        first = j
            elif first >= 0:
                spans[n, 0] = y0 + i
                spans[n, 1] = x0 + first
                spans[n, 2] = x0 + last
                n += 1
                first = -1
    return spans, n


@jit
def _psf_template(
    stamps: Stamps,
    k: int,
    flux: float,
    region: NDArray[np.uint8],
    box: NDArray[np.int64],
    y0: int,
    x0: int,
    out: NDArray[np.float32],
    member: NDArray[np.uint8],
) -> None:
    """Fill a part of the image with a point source, where it belongs to the footprint, and mark that."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            y, x = y0 + i, x0 + j
            member[i, j] = region[y - box[0], x - box[1]]
            out[i, j] = 0
            if member[i, j] != 0:
                out[i, j] = np.float32(stamps.images[k, y - stamps.y0[k], x - stamps.x0[k]] * flux)


@jit
def make_templates(
    image: NDArray[np.float32],
    regions: Regions,
    peaks: Peaks,
    kind: NDArray[np.int64],
    stamps: Stamps,
    flux: NDArray[np.float64],
    ramps: Ramps,
    smooth: bool,
    defects: bool,
    first: int,
    stop: int,
) -> Templates:
    """Make the templates of some peaks.

    Parameters
    ----------
    image
        Shape ``(ny, nx)``.
    regions, peaks
        The blends.
    kind
        Shape ``(n,)``: which template to make for each peak, ``KIND_…``. A peak of kind `KIND_NONE` gets an empty one.
    stamps, flux
        PSF image and flux of each point source.
    ramps
        What continues the templates of kind `KIND_RAMPED`.
    smooth
        Whether templates are median smoothed.
    defects
        As the reference has it: a template keeps what smoothing put outside its footprint; pixels without a mirror image
        may be negative; only the last pixel of each run at an edge continues it.
    first, stop
        The peaks.

    Returns
    -------
    Templates
        One for each peak from ``first`` to ``stop``.
    """
    n = stop - first
    values = np.empty(1024, np.float32)
    start = np.zeros(n + 1, np.int64)
    boxes = np.zeros((n, 4), np.int64)
    spans = np.empty((256, 3), np.int32)
    span_start = np.zeros(n + 1, np.int64)
    table = wedges(2 * _FIRST_WINDOW)
    for p in range(n):
        k = first + p
        used, span_used = start[p], span_start[p]
        start[p + 1] = used
        span_start[p + 1] = span_used
        if kind[k] == KIND_NONE:
            continue
        b = peaks.blend[k]
        box = regions.box[b]
        region = view(regions, b)
        cy, cx = peaks.iy[k], peaks.ix[k]
        low, high, left, right = box[0], box[0] + box[2] - 1, box[1], box[1] + box[3] - 1
        if kind[k] == KIND_PSF:
            # only pixels of the footprint: mirror images do not matter
            h, w = stamps.images.shape[1:]
            low, high = max(low, stamps.y0[k]), min(high, stamps.y0[k] + h - 1)
            left, right = max(left, stamps.x0[k]), min(right, stamps.x0[k] + w - 1)
            y0, x0 = low, left
            window = np.empty((high - low + 1, right - left + 1), np.float32)
            member = np.empty(window.shape, np.uint8)
            _psf_template(stamps, k, flux[k], region, box, y0, x0, window, member)
        else:
            outline = Outline(region, box[0], box[1], cy, cx, low, high, left, right, kind[k] == KIND_PATCHED)
            low, high, left, right = extent(outline)
            inner = outline
            r = -1
            if kind[k] == KIND_RAMPED:
                r = ramps.row[b]
                reach = ramps.reach[r]
                wide = view(ramps.wide, r)
                wide_box = ramps.wide.box[r]
                low, high = max(low - reach, 0), min(high + reach, image.shape[0] - 1)
                left, right = max(left - reach, 0), min(right + reach, image.shape[1] - 1)
                outline = Outline(wide, wide_box[0], wide_box[1], cy, cx, low, high, left, right, False)
                low, high, left, right = extent(outline)
            outline = Outline(
                outline.region, outline.y0, outline.x0, cy, cx, low, high, left, right, outline.patch
            )
            window, table = _monotonic_template(image, outline, inner, ramps, r, smooth, defects, table)
            y0, x0 = cy - window.shape[0] // 2, cx - window.shape[1] // 2
            member = np.empty(window.shape, np.uint8)
            fill_members(outline, y0, x0, member)
        spans, span_stop = _cut_spans(window, member, y0, x0, spans, span_used)
        span_start[p + 1] = span_stop
        if span_stop == span_used:
            continue
        own = spans[span_used:span_stop]
        low, high = own[0, 0], own[-1, 0]
        left, right = own[0, 1], own[0, 2]
        for i in range(len(own)):
            left, right = min(left, own[i, 1]), max(right, own[i, 2])
        height, width = high - low + 1, right - left + 1
        boxes[p, 0] = low
        boxes[p, 1] = left
        boxes[p, 2] = height
        boxes[p, 3] = width
        values = _with_room(values, used, height * width)
        start[p + 1] = used + height * width
        out = values[used : used + height * width].reshape((height, width))
        if defects:
            for y in range(low, high + 1):
                for x in range(left, right + 1):
                    out[y - low, x - left] = window[y - y0, x - x0]
        else:
            out[:, :] = 0
            for i in range(len(own)):
                y = own[i, 0]
                for x in range(own[i, 1], own[i, 2] + 1):
                    out[y - low, x - left] = window[y - y0, x - x0]
    return Templates(values[: start[n]].copy(), start, boxes, spans[: span_start[n]].copy(), span_start)
