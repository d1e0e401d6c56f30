"""Flux that no template claims, shared out among them (spec 06.1, ``strayFluxRule``).

A pixel of the footprint where the templates are all 0 and the image is positive is stray. Each template asks for it with a
weight: by the distance r to its peak or to its nearest pixel, 1 / (1 + r²), or 1 for the one template nearest to it in steps
along rows and columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._jit import jit
from .apportion import template_sum
from .templates import Templates

__all__ = ["RULE_NEAREST", "RULE_TO_FOOTPRINT", "RULE_TO_PEAK", "nearest_template", "share_stray_flux"]

RULE_TO_PEAK = 0
RULE_TO_FOOTPRINT = 1
RULE_NEAREST = 2


@jit
def _distance2(spans: NDArray[np.int32], y: int, x: int) -> float:
    """Squared distance from a pixel to the nearest pixel of a footprint, 1e12 to an empty one."""
    best = 1e12
    n = len(spans)
    # the first span in the pixel's row or below it; rows farther off than the best so far need not be looked at
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if spans[middle, 0] < y:
            low = middle + 1
        else:
            high = middle
    for step in (1, -1):
        i = low if step > 0 else low - 1
        while 0 <= i < n:
            dy = float(spans[i, 0] - y)
            if dy * dy >= best:
                break
            dx = float(max(spans[i, 1] - x, x - spans[i, 2], 0))
            best = min(best, dx * dx + dy * dy)
            i += step
    return best


@jit
def nearest_template(
    box: NDArray[np.int64], templates: Templates, candidates: NDArray[np.bool_], first: int, stop: int
) -> NDArray[np.int64]:
    """Find the template nearest to each pixel of a box, in steps along rows and columns.

    Parameters
    ----------
    box
        y and x of the first pixel, height and width.
    templates, candidates
        The templates, and which of them count.
    first, stop
        The blend's peaks.

    Returns
    -------
    ndarray
        Shape of the box: index of the peak, −1 where there is no template at all. Where templates overlap the last one
        counts.
    """
    h, w = box[2], box[3]
    far = h + w
    distance = np.full((h, w), far)
    owner = np.full((h, w), -1)
    for k in range(first, stop):
        if not candidates[k]:
            continue
        for s in range(templates.span_start[k], templates.span_start[k + 1]):
            i = templates.spans[s, 0] - box[0]
            if 0 <= i < h:
                for x in range(templates.spans[s, 1], templates.spans[s, 2] + 1):
                    if 0 <= x - box[1] < w:
                        distance[i, x - box[1]] = 0
                        owner[i, x - box[1]] = k
    # two sweeps carry each distance to all pixels beyond (Rosenfeld & Pfaltz 1968)
    for sweep in range(2):
        back = 1 if sweep == 0 else -1
        for ii in range(h):
            i = ii if sweep == 0 else h - 1 - ii
            for jj in range(w):
                j = jj if sweep == 0 else w - 1 - jj
                if 0 <= i - back < h and distance[i - back, j] + 1 < distance[i, j]:
                    distance[i, j] = distance[i - back, j] + 1
                    owner[i, j] = owner[i - back, j]
                if 0 <= j - back < w and distance[i, j - back] + 1 < distance[i, j]:
                    distance[i, j] = distance[i, j - back] + 1
                    owner[i, j] = owner[i, j - back]
    return owner


@jit
def _weight(rule: int, templates: Templates, k: int, cy: int, cx: int, y: int, x: int, nearest: int) -> float:
    if rule == RULE_TO_PEAK:
        return 1.0 / (1.0 + float(cx - x) ** 2 + float(cy - y) ** 2)
    if rule == RULE_TO_FOOTPRINT:
        return 1.0 / (
            1.0 + _distance2(templates.spans[templates.span_start[k] : templates.span_start[k + 1]], y, x)
        )
    return 1.0 if nearest == k else 0.0


@jit
def share_stray_flux(
    image: NDArray[np.float32],
    region: NDArray[np.uint8],
    box: NDArray[np.int64],
    templates: Templates,
    used: NDArray[np.bool_],
    is_psf: NDArray[np.bool_],
    peak_y: NDArray[np.int64],
    peak_x: NDArray[np.int64],
    first: int,
    stop: int,
    rule: int,
    always: bool,
    necessary: bool,
    clip: float,
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]:
    """Share out the stray flux of one blend.

    Parameters
    ----------
    image
        Shape ``(ny, nx)``.
    region, box
        The footprint and its box.
    templates, used
        The templates of all blends, and which count.
    is_psf
        Which templates are point sources.
    peak_y, peak_x
        The peaks' pixels.
    first, stop
        The blend's peaks.
    rule
        ``RULE_…``.
    always, necessary
        Point sources take part always, or if there is no other template.
    clip
        A template whose weight is less than this part of the sum of weights gets nothing.

    Returns
    -------
    pixels
        Shape ``(m, 2)``: y, x of the pixels given to each peak in turn, row by row.
    values
        Shape ``(m,)``: what is given.
    start
        Shape ``(peaks + 1,)``: where each peak's pixels begin.
    """
    total = template_sum(box, templates, used, first, stop)
    takes = used.copy()
    extended = False
    for k in range(first, stop):
        extended = extended or (used[k] and not is_psf[k])
    for k in range(first, stop):
        takes[k] = used[k] and (always or not is_psf[k] or (necessary and not extended))
    ys, xs = np.empty(region.size, np.int64), np.empty(region.size, np.int64)
    n = 0
    for i in range(box[2]):
        for j in range(box[3]):
            if region[i, j] != 0 and total[i, j] == 0 and image[box[0] + i, box[1] + j] > 0:
                ys[n] = box[0] + i
                xs[n] = box[1] + j
                n += 1
    nearest = np.full(n, -1)
    if rule == RULE_NEAREST:
        owner = nearest_template(box, templates, takes, first, stop)
        for p in range(n):
            nearest[p] = owner[ys[p] - box[0], xs[p] - box[1]]
    # weights are worked out anew for each of the three passes: a table of them would be pixels times peaks
    asked = np.zeros(n)
    for k in range(first, stop):
        if takes[k]:
            for p in range(n):
                asked[p] += _weight(rule, templates, k, peak_y[k], peak_x[k], ys[p], xs[p], nearest[p])
    given = np.zeros(n)
    start = np.zeros(stop - first + 1, np.int64)
    for k in range(first, stop):
        count = 0
        if takes[k]:
            for p in range(n):
                weight = _weight(rule, templates, k, peak_y[k], peak_x[k], ys[p], xs[p], nearest[p])
                if weight > 0 and weight >= clip * asked[p]:
                    given[p] += weight
                    count += 1
        start[k - first + 1] = start[k - first] + count
    pixels = np.empty((start[-1], 2), np.int32)
    values = np.empty(start[-1], np.float32)
    for k in range(first, stop):
        m = start[k - first]
        if not takes[k]:
            continue
        for p in range(n):
            weight = _weight(rule, templates, k, peak_y[k], peak_x[k], ys[p], xs[p], nearest[p])
            if weight > 0 and weight >= clip * asked[p]:
                pixels[m, 0] = ys[p]
                pixels[m, 1] = xs[p]
                values[m] = np.float32(weight / given[p] * np.float64(image[ys[p], xs[p]]))
                m += 1
    return pixels, values, start
