"""Run-length arithmetic: runs above a threshold, connected components of runs, dilation, mask bits.

Spans are rows ``(y, x0, x1)`` of int32, both ends included. Components follow spec 04.4: in raster order a run takes the
label of the run above that its first pixel touches, diagonals included, or else a new label, and every further run that
it touches above becomes an alias of that. Components are emitted in the order of their labels. Runs stand for pixels
throughout, so the cost is that of the sources, not of the image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = ["dilate_spans", "find_pixels", "find_runs", "grown", "label_runs", "or_bits"]


@jit
def grown(table: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return a copy with room for more than twice as many rows.

    Parameters
    ----------
    table
        Shape ``(n, m)``.
    """
    n, m = table.shape
    out = np.empty((2 * n + 16, m), np.int32)
    # no assignment of arrays, with which Numba compiles the text of an error, too
    for i in range(n):
        for j in range(m):
            out[i, j] = table[i, j]
    return out


@jit
def _flag_row(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    sign: np.float32,
    threshold: float,
    per_pixel: bool,
    flags: NDArray[np.uint8],
) -> None:
    """Set a byte for each pixel at or above the threshold; a NaN is below any."""
    limit = np.float64(threshold)
    if per_pixel:
        for x in range(image.size):
            flags[x] = np.uint8(sign * image[x] >= limit * np.float64(np.sqrt(variance[x])))
    else:
        for x in range(image.size):
            flags[x] = np.uint8(sign * image[x] >= limit)


@jit
def find_runs(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    sign: np.float32,
    threshold: float,
    per_pixel: bool,
    start: int,
    stop: int,
) -> NDArray[np.int32]:
    """Find the runs of pixels at or above a threshold in rows ``start`` to ``stop``.

    Parameters
    ----------
    image, variance
        Shape ``(h, w)``.
    sign
        1, or −1 to look for pixels at or below minus the threshold.
    threshold
        In units of the square root of each pixel's own variance if ``per_pixel``, else of the image.
    per_pixel
        Whether the variance counts.
    start, stop
        Rows to search.

    Returns
    -------
    ndarray
        Shape ``(n, 3)``, sorted by (y, x0), indices into the array.
    """
    width = image.shape[1]
    words = np.zeros(width // 8 + 1, np.uint64)  # a byte a pixel, read eight at a time; the last byte stays 0
    flags = words.view(np.uint8)
    spans = np.empty((256, 3), np.int32)
    n = 0
    for y in range(start, stop):
        _flag_row(image[y], variance[y], sign, threshold, per_pixel, flags[:width])
        x = 0
        while x < width:
            if x % 8 == 0 and words[x // 8] == 0:
                x += 8
                continue
            if flags[x] == 0:
                x += 1
                continue
            first = x
            while flags[x] != 0:
                x += 1
            if n == len(spans):
                spans = grown(spans)
            spans[n, 0] = y
            spans[n, 1] = first
            spans[n, 2] = x - 1
            n += 1
    return spans[:n].copy()


@jit
def _resolve(alias: NDArray[np.int64], label: int) -> int:
    while alias[label] != label:
        alias[label] = alias[alias[label]]
        label = alias[label]
    return label


@jit
def label_runs(spans: NDArray[np.int32]) -> tuple[NDArray[np.int64], int]:
    """Find the 8-connected components of runs, in the order in which they are to be emitted.

    Parameters
    ----------
    spans
        Shape ``(n, 3)``, sorted by (y, x0), neither overlapping nor touching within a row.

    Returns
    -------
    component
        Shape ``(n,)``: index of each run's component.
    count
        Number of components.
    """
    n = len(spans)
    label = np.empty(n, np.int64)
    alias = np.empty(n, np.int64)
    labels = 0
    row_start = 0  # first run of the row at hand
    above, above_stop = 0, 0  # runs of the row above that may still touch a run of this row
    for i in range(n):
        y = spans[i, 0]
        if i > 0 and spans[i - 1, 0] != y:
            above = row_start if spans[i - 1, 0] == y - 1 else i
            above_stop = i
            row_start = i
        while above < above_stop and spans[above, 2] < spans[i, 1] - 1:
            above += 1
        j = above
        if j < above_stop and spans[j, 1] <= spans[i, 1] + 1:
            label[i] = label[j]
            j += 1
        else:
            label[i] = labels
            alias[labels] = labels
            labels += 1
        while j < above_stop and spans[j, 1] <= spans[i, 2] + 1:
            alias[_resolve(alias, label[j])] = _resolve(alias, label[i])
            j += 1
    rank = np.empty(labels, np.int64)
    count = 0
    for k in range(labels):
        if alias[k] == k:
            rank[k] = count
            count += 1
    for i in range(n):
        label[i] = rank[_resolve(alias, label[i])]
    return label, count


@jit
def _unite_rows(
    a: NDArray[np.int32],
    n_a: int,
    b: NDArray[np.int32],
    widen: int,
    x_min: int,
    x_max: int,
    out: NDArray[np.int32],
) -> int:
    """Unite the first ``n_a`` runs (x0, x1) of ``a`` with the spans ``b`` made wider; both sorted by x0."""
    n = 0
    i, j = 0, 0
    while i < n_a or j < len(b):
        if j == len(b) or (i < n_a and a[i, 0] <= b[j, 1] - widen):
            x0, x1 = a[i, 0], a[i, 1]
            i += 1
        else:
            x0, x1 = max(b[j, 1] - widen, x_min), min(b[j, 2] + widen, x_max)
            j += 1
            if x1 < x0:
                continue
        if n > 0 and x0 <= out[n - 1, 1] + 1:
            out[n - 1, 1] = max(out[n - 1, 1], x1)
        else:
            out[n, 0] = x0
            out[n, 1] = x1
            n += 1
    return n


@jit
def dilate_spans(
    spans: NDArray[np.int32], half_widths: NDArray[np.int64], y_min: int, y_max: int, x_min: int, x_max: int
) -> NDArray[np.int32]:
    """Dilate a set of pixels and clip it to a box.

    Parameters
    ----------
    spans
        Shape ``(n, 3)``, sorted by (y, x0); they may overlap.
    half_widths
        Shape ``(2 r + 1,)``: half width of the stencil in its rows −r to r, −1 for an empty row.
    y_min, y_max, x_min, x_max
        The box, ends included.

    Returns
    -------
    ndarray
        Shape ``(m, 3)``, sorted, neither overlapping nor touching.
    """
    out = np.empty((len(spans) + 16, 3), np.int32)
    n = 0
    if len(spans) == 0:
        return out[:0].copy()
    radius = len(half_widths) // 2
    first_row, last_row = int(spans[0, 0]), int(spans[-1, 0])
    rows = last_row - first_row + 1
    offsets = np.zeros(rows + 1, np.int64)
    for i in range(len(spans)):
        offsets[spans[i, 0] - first_row + 1] += 1
    for i in range(rows):
        offsets[i + 1] += offsets[i]
    room = 16
    a = np.empty((room, 2), np.int32)
    b = np.empty((room, 2), np.int32)
    for y in range(max(first_row - radius, y_min), min(last_row + radius, y_max) + 1):
        low = max(y - radius, first_row) - first_row
        high = min(y + radius, last_row) - first_row
        if low > high or offsets[low] == offsets[high + 1]:
            continue
        if offsets[high + 1] - offsets[low] > room:
            room = 2 * (offsets[high + 1] - offsets[low])
            a = np.empty((room, 2), np.int32)
            b = np.empty((room, 2), np.int32)
        runs = 0
        for row in range(low, high + 1):
            widen = half_widths[y - (row + first_row) + radius]
            if widen < 0 or offsets[row] == offsets[row + 1]:
                continue
            runs = _unite_rows(a, runs, spans[offsets[row] : offsets[row + 1]], widen, x_min, x_max, b)
            a, b = b, a
        while n + runs > len(out):
            out = grown(out)
        for i in range(runs):
            out[n, 0] = y
            out[n, 1] = a[i, 0]
            out[n, 2] = a[i, 1]
            n += 1
    return out[:n].copy()


@jit
def find_pixels(spans: NDArray[np.int32], y: NDArray[np.int32], x: NDArray[np.int32]) -> NDArray[np.int64]:
    """Find the span that holds each pixel.

    Parameters
    ----------
    spans
        Shape ``(n, 3)``, sorted by (y, x0), not overlapping.
    y, x
        Shape ``(p,)``: pixels.

    Returns
    -------
    ndarray
        Shape ``(p,)``: index of the span, −1 where no span holds the pixel.
    """
    found = np.empty(y.size, np.int64)
    for i in range(y.size):
        low, high = 0, len(spans)  # the answer is the last span not after the pixel
        while low < high:
            middle = (low + high) // 2
            if spans[middle, 0] < y[i] or (spans[middle, 0] == y[i] and spans[middle, 1] <= x[i]):
                low = middle + 1
            else:
                high = middle
        k = low - 1
        found[i] = k if k >= 0 and spans[k, 0] == y[i] and x[i] <= spans[k, 2] else -1
    return found


@jit
def or_bits(mask: NDArray[np.int32], spans: NDArray[np.int32], bits: int) -> None:
    """Set mask bits in the pixels of spans; pixels outside the mask are passed over.

    Parameters
    ----------
    mask
        Shape ``(h, w)``, changed in place.
    spans
        Shape ``(n, 3)``, indices into the array.
    bits
        Mask value.
    """
    h, w = mask.shape
    for i in range(len(spans)):
        y = spans[i, 0]
        if 0 <= y < h:
            for x in range(max(spans[i, 1], 0), min(spans[i, 2], w - 1) + 1):
                mask[y, x] |= bits
