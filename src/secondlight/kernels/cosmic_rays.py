"""Finding cosmic rays: pixels too sharp for the PSF, grouped and grown (spec 03.2).

The method is that of the SDSS photometric pipeline: a pixel that stands above the mean of each pair of opposite
neighbours, and higher than a star's centre could, is hit. The image is float32 and is changed as it is scanned, so
that a hit pixel does not shield its neighbours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = [
    "find_hit_pixels",
    "grow_into_neighbours",
    "grow_rays",
    "label_rays",
    "ray_pixels",
    "ray_sums",
]

#: Column of the spans' arrays.
_Y, _X0, _X1 = 0, 1, 2


@jit
def _hit(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    x: int,
    y: int,
    background: float,
    thresholds: NDArray[np.float64],
    min_sigma: float,
    c3: float,
) -> tuple[bool, np.float32]:
    """Tell whether a pixel is hit, and what its neighbours say it should be.

    ``thresholds`` are for pairs along x, along y and along a diagonal: the mean of such a pair around a star's
    centre, as a fraction of the centre, times a safety factor.
    """
    value = image[y, x]
    none = np.float32(0.0)
    if not value >= np.float32(0.0):
        return False, none
    half = np.float32(0.5)
    mean_x = half * (image[y, x - 1] + image[y, x + 1])
    mean_y = half * (image[y - 1, x] + image[y + 1, x])
    mean_up = half * (image[y - 1, x - 1] + image[y + 1, x + 1])
    mean_down = half * (image[y + 1, x - 1] + image[y - 1, x + 1])
    v = np.float64(value)
    # roots of float32 are float32 in the reference
    own = np.float64(np.sqrt(variance[y, x]))
    if min_sigma < 0.0:
        if v < -min_sigma:
            return False, none
    else:
        step = min_sigma * own
        if v < mean_x + step and v < mean_y + step and v < mean_up + step and v < mean_down + step:
            return False, none

    peak = v - background - c3 * own
    level = mean_y - background
    error = 0.5 * np.float64(np.sqrt(variance[y - 1, x] + variance[y + 1, x]))
    if thresholds[1] * peak > level + c3 * error:
        return True, np.float32(level) + np.float32(background)
    level = mean_x - background
    error = 0.5 * np.float64(np.sqrt(variance[y, x - 1] + variance[y, x + 1]))
    if thresholds[0] * peak > level + c3 * error:
        return True, np.float32(level) + np.float32(background)
    level = mean_up - background
    error = 0.5 * np.float64(np.sqrt(variance[y - 1, x - 1] + variance[y + 1, x + 1]))
    if thresholds[2] * peak > level + c3 * error:
        return True, np.float32(level) + np.float32(background)
    level = mean_down - background
    error = 0.5 * np.float64(np.sqrt(variance[y + 1, x - 1] + variance[y - 1, x + 1]))
    if thresholds[2] * peak > level + c3 * error:
        return True, np.float32(level) + np.float32(background)
    return False, none


@jit
def _worth_a_look(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    y: int,
    min_sigma: float,
    flags: NDArray[np.bool_],
) -> None:
    """Flag the pixels of a row that might be hit: all but those that `_hit` would turn down for their height.

    Without branches, so that the compiler makes vector instructions of it: this is where nearly all the time goes.
    """
    half = np.float32(0.5)
    # a margin for the rounding of float32; every pixel passes if the height is not counted in sigma
    factor = np.float32(min_sigma * min_sigma * (1.0 - 1e-5) if min_sigma > 0.0 else 0.0)
    above, row, below = image[y - 1], image[y], image[y + 1]
    noise = variance[y]
    for x in range(1, len(row) - 1):
        mean_x = half * (row[x - 1] + row[x + 1])
        mean_y = half * (above[x] + below[x])
        mean_up = half * (above[x - 1] + below[x + 1])
        mean_down = half * (below[x - 1] + above[x + 1])
        low_one = mean_x if mean_x < mean_y else mean_y
        low_two = mean_up if mean_up < mean_down else mean_down
        rise = row[x] - (low_one if low_one < low_two else low_two)
        known = (mean_x + mean_y) + (mean_up + mean_down)
        known = known - known  # NaN if a neighbour is NaN: then the heights do not count
        low = (rise < 0) | (rise * rise < factor * noise[x])
        flags[x] = (row[x] >= 0) & ~(low & (known == 0))


@jit
def find_hit_pixels(
    image: NDArray[np.float32],
    mask: NDArray[np.int32],
    variance: NDArray[np.float32],
    background: float,
    thresholds: NDArray[np.float64],
    min_sigma: float,
    c3: float,
    bad: int,
    interpolated: int,
    pixels: NDArray[np.int64],
    originals: NDArray[np.float32],
) -> int:
    """Find the pixels that are hit, in raster order, and overwrite each with the mean of its neighbours.

    Parameters
    ----------
    image, mask, variance
        Shape ``(ny, nx)``; ``image`` is changed.
    background
        Level under the sources [unit of the image].
    thresholds
        Shape ``(3,)``: along x, along y, diagonal.
    min_sigma, c3
        Height above the neighbours [standard deviation], and the margin of the comparison with the PSF. A
        negative ``min_sigma`` is minus the height above 0 [unit of the image].
    bad
        Mask bits of pixels that are not looked at.
    interpolated
        Mask bit that a pixel's neighbours must not have either.
    pixels, originals
        Receive flat indices and original values; their length limits the search.

    Returns
    -------
    int
        How many were found; one more than fits if there is no room for them all, and then the last is not
        overwritten.
    """
    height, width = image.shape
    flags = np.zeros(width, np.bool_)
    n = 0
    for y in range(1, height - 1):
        _worth_a_look(image, variance, y, min_sigma, flags)
        for x in range(1, width - 1):
            if not flags[x]:
                continue
            hit, corrected = _hit(image, variance, x, y, background, thresholds, min_sigma, c3)
            if not hit or mask[y, x] & bad:
                continue
            shy = False
            for j in range(y - 1, y + 2):
                for i in range(x - 1, x + 2):
                    if mask[j, i] & interpolated:
                        shy = True
            if shy:
                continue
            if n == len(pixels):
                return n + 1
            pixels[n] = y * width + x
            originals[n] = image[y, x]
            n += 1
            image[y, x] = corrected
            # the next pixel now stands higher above its neighbours
            flags[x + 1] = True
    return n


@jit
def _root(parents: NDArray[np.int64], label: int) -> int:
    while parents[label] != label:
        label = parents[label]
    return label


@jit
def label_rays(
    pixels: NDArray[np.int64], width: int, spans: NDArray[np.int32], labels: NDArray[np.int64]
) -> int:
    """Group pixels that touch, also at corners, into spans with a label a group.

    A group's label is the number of the last of its spans to be linked, as in the reference, whose order of rays
    follows it.

    Parameters
    ----------
    pixels
        Flat indices, ascending.
    width
        Columns of the image.
    spans
        Receives (y, x0, x1) in raster order, ends inclusive; shape ``(len(pixels), 3)``.
    labels
        Receives the label of each span; shape ``(len(pixels),)``.

    Returns
    -------
    int
        Number of spans.
    """
    n = 0
    last = -2
    for p in range(len(pixels)):
        pixel = pixels[p]
        y, x = pixel // width, pixel % width
        if n > 0 and pixel == last + 1 and spans[n - 1, _Y] == y:
            spans[n - 1, _X1] = x
        else:
            spans[n, _Y], spans[n, _X0], spans[n, _X1] = y, x, x
            labels[n] = n
            n += 1
        last = pixel
    parents = labels[:n].copy()
    below = 0
    for s in range(n):
        while below < n and (
            spans[below, _Y] <= spans[s, _Y]
            or (spans[below, _Y] == spans[s, _Y] + 1 and spans[below, _X1] < spans[s, _X0] - 1)
        ):
            below += 1
        other = below
        while other < n and spans[other, _Y] == spans[s, _Y] + 1 and spans[other, _X0] <= spans[s, _X1] + 1:
            parents[_root(parents, s)] = _root(parents, other)
            other += 1
    for s in range(n):
        labels[s] = _root(parents, s)
    return n


@jit
def ray_sums(
    image: NDArray[np.float32],
    background: float,
    spans: NDArray[np.int32],
    first: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Sum each ray's pixels above the background, rounding to float32 at every step as the reference does.

    Parameters
    ----------
    image
        Shape ``(ny, nx)``.
    background
        Level under the sources.
    spans, first
        See `grow_rays`.
    out
        Receives the sums, one a ray.
    """
    for ray in range(len(out)):
        total = np.float32(0.0)
        for s in range(first[ray], first[ray + 1]):
            for x in range(spans[s, _X0], spans[s, _X1] + 1):
                total = np.float32(np.float64(total) + (np.float64(image[spans[s, _Y], x]) - background))
        out[ray] = total


@jit
def ray_pixels(
    spans: NDArray[np.int32], first: NDArray[np.int64], width: int, backwards: bool, out: NDArray[np.int64]
) -> int:
    """List the flat indices of the rays' pixels.

    Parameters
    ----------
    spans, first
        See `grow_rays`.
    width
        Columns of the image.
    backwards
        Whether to begin with the last ray; within a ray the order is always that of the spans.
    out
        Receives the indices.

    Returns
    -------
    int
        How many.
    """
    n_rays = len(first) - 1
    n = 0
    for k in range(n_rays):
        ray = n_rays - 1 - k if backwards else k
        for s in range(first[ray], first[ray + 1]):
            for x in range(spans[s, _X0], spans[s, _X1] + 1):
                out[n] = np.int64(spans[s, _Y]) * width + x
                n += 1
    return n


@jit
def grow_rays(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    background: float,
    thresholds: NDArray[np.float64],
    min_sigma: float,
    spans: NDArray[np.int32],
    first: NDArray[np.int64],
    room: int,
    new_spans: NDArray[np.int32],
    new_first: NDArray[np.int64],
) -> tuple[int, bool]:
    """Let each ray take neighbouring pixels that are hit by a weaker test: one pass, as the reference does it.

    Pixels of the ray itself are tested too, and what is taken is overwritten with the mean of its neighbours.

    Parameters
    ----------
    image, variance
        Shape ``(ny, nx)``; ``image`` is changed.
    background, thresholds, min_sigma
        See `find_hit_pixels`; the margin of the comparison with the PSF is 0.
    spans, first
        Spans (y, x0, x1) of all rays; ray k has those from ``first[k]`` up to ``first[k + 1]``.
    room
        How many pixels may be taken before a further ray is too much.
    new_spans, new_first
        Receive the grown rays. ``new_spans`` must hold every span, and three for every pixel of a span and its
        two ends.

    Returns
    -------
    taken : int
        Number of pixels taken.
    too_many : bool
        Whether ``room`` was exceeded; the remaining rays are then not grown.
    """
    height, width = image.shape
    taken = 0
    n_out = 0
    new_first[0] = 0
    longest = 0
    for ray in range(len(first) - 1):
        size = 0
        for s in range(first[ray], first[ray + 1]):
            size += 1 + 3 * (spans[s, _X1] - spans[s, _X0] + 3)
        longest = max(longest, size)
    keys = np.empty(longest, np.int64)
    ends = np.empty(longest, np.int64)
    too_many = False
    for ray in range(len(first) - 1):
        n = 0
        for s in range(first[ray], first[ray + 1]):
            y = spans[s, _Y]
            if too_many or y < 2 or y >= height - 2:
                continue
            x0 = min(max(spans[s, _X0], 2), width - 3)
            x1 = min(max(spans[s, _X1], 2), width - 3)
            for j in range(y - 1, y + 2):
                for i in range(x0 - 1, x1 + 2):
                    hit, corrected = _hit(image, variance, i, j, background, thresholds, min_sigma, 0.0)
                    if hit:
                        image[j, i] = corrected
                        keys[n] = j * width + i
                        ends[n] = keys[n]
                        n += 1
        if n > 0:
            if taken > room:
                too_many = True
            ordered = np.sort(keys[:n])
            taken += 1
            for k in range(1, n):
                taken += ordered[k] != ordered[k - 1]
        for s in range(first[ray], first[ray + 1]):
            keys[n] = spans[s, _Y] * width + spans[s, _X0]
            ends[n] = spans[s, _Y] * width + spans[s, _X1]
            n += 1
        # spans that overlap or follow each other become one; rows are apart because no span reaches the last column
        order = np.argsort(keys[:n])
        begin = n_out
        for k in order:
            y = keys[k] // width
            x0, x1 = keys[k] % width, ends[k] % width
            if n_out > begin and new_spans[n_out - 1, _Y] == y and x0 <= new_spans[n_out - 1, _X1] + 1:
                new_spans[n_out - 1, _X1] = max(new_spans[n_out - 1, _X1], x1)
            else:
                new_spans[n_out, _Y], new_spans[n_out, _X0], new_spans[n_out, _X1] = y, x0, x1
                n_out += 1
        new_first[ray + 1] = n_out
    return taken, too_many


@jit
def grow_into_neighbours(
    image: NDArray[np.float32],
    mask: NDArray[np.int32],
    variance: NDArray[np.float32],
    background: float,
    thresholds: NDArray[np.float64],
    min_sigma: float,
    unusable: int,
    pixels: NDArray[np.int64],
    out: NDArray[np.int64],
) -> int:
    """Find neighbours of hit pixels that are hit by a weaker test, on an image where the hit ones are repaired.

    Nothing is changed, so the order of pixels does not matter.

    Parameters
    ----------
    image, mask, variance
        Shape ``(ny, nx)``.
    background, thresholds, min_sigma
        See `find_hit_pixels`; the margin of the comparison with the PSF is 0.
    unusable
        Mask bits of pixels that are not looked at: bad ones, and those that are known to be hit.
    pixels
        Flat indices of the hit pixels.
    out
        Receives flat indices, some perhaps more than once; eight times as long as ``pixels``.

    Returns
    -------
    int
        How many were written.
    """
    height, width = image.shape
    n = 0
    for p in range(len(pixels)):
        y, x = pixels[p] // width, pixels[p] % width
        for j in range(max(y - 1, 1), min(y + 2, height - 1)):
            for i in range(max(x - 1, 1), min(x + 2, width - 1)):
                if mask[j, i] & unusable:
                    continue
                hit, _ = _hit(image, variance, i, j, background, thresholds, min_sigma, 0.0)
                if hit:
                    out[n] = j * width + i
                    n += 1
    return n
