"""Does a peak look like a point source? Weighted least squares in a disc around it (spec 06.4.1).

The model is the PSF at the peak, a plane, and the PSFs of the peaks near by; then also the PSF's slopes, which tell by how
much the peak is off; then the PSF at the place thus improved, the plane and the neighbours.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import jit
from .least_squares import has_full_rank, residual, triangularise
from .regions import Regions, view

__all__ = [
    "FIT_BAD_DOF",
    "FIT_NOT_FINITE",
    "FIT_NO_PIXELS",
    "FIT_OUT_OF_BOUNDS",
    "FIT_TINY",
    "N_FIT",
    "N_REFIT",
    "Peaks",
    "Stamps",
    "fit_psfs",
    "refit_psfs",
]

#: Why a peak was not fitted. The first three rule the peak out, the last two leave it to the other kind of template.
FIT_OUT_OF_BOUNDS = 1
FIT_TINY = 2
FIT_NO_PIXELS = 4
FIT_BAD_DOF = 8
FIT_NOT_FINITE = 16

#: Columns that `fit_psfs` fills: χ² a degree of freedom and flux with the PSF at the peak; the same with the slopes;
#: slopes in x and y over the flux.
N_FIT = 6

#: Columns that `refit_psfs` fills: χ² a degree of freedom and flux.
N_REFIT = 2

#: What χ² becomes where the columns are not independent: a neighbour without a pixel in the disc is enough.
_NO_CHISQ = 1e30


class Peaks(NamedTuple):
    """The peaks of several blends.

    Parameters
    ----------
    blend
        Shape ``(n,)``: the blend of each.
    start
        Shape ``(blends + 1,)``: where the peaks of each blend begin.
    x, y
        Shape ``(n,)``: positions.
    ix, iy
        Shape ``(n,)``: the pixels.
    """

    blend: NDArray[np.int64]
    start: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    ix: NDArray[np.int64]
    iy: NDArray[np.int64]


class Stamps(NamedTuple):
    """PSF images of unit sum.

    Parameters
    ----------
    images
        Shape ``(n, h, w)``.
    x0, y0
        Shape ``(n,)``: where each begins.
    usable
        Shape ``(n,)``: whether the model could be drawn there.
    """

    images: NDArray[np.float64]
    x0: NDArray[np.int64]
    y0: NDArray[np.int64]
    usable: NDArray[np.bool_]


class _Disc(NamedTuple):
    """The pixels that a fit looks at: their places, the ramp's weight of each, and the weight's sum."""

    y: NDArray[np.int64]
    x: NDArray[np.int64]
    ramp: NDArray[np.float64]
    total: float


@jit
def _overlap(stamps: Stamps, k: int, y_min: int, y_max: int, x_min: int, x_max: int) -> bool:
    """Tell whether a PSF image overlaps a box."""
    h, w = stamps.images.shape[1:]
    return bool(
        stamps.usable[k]
        and stamps.y0[k] <= y_max
        and stamps.y0[k] + h > y_min
        and stamps.x0[k] <= x_max
        and stamps.x0[k] + w > x_min
    )


@jit
def _value(stamps: Stamps, k: int, y: int, x: int) -> float:
    """Return a pixel of a PSF image, 0 outside it."""
    h, w = stamps.images.shape[1:]
    i, j = y - stamps.y0[k], x - stamps.x0[k]
    if 0 <= i < h and 0 <= j < w:
        return float(stamps.images[k, i, j])
    return 0.0


@jit
def _neighbours(
    peaks: Peaks, stamps: Stamps, k: int, reach: float, y_min: int, y_max: int, x_min: int, x_max: int
) -> NDArray[np.int64]:
    """Return the other peaks of the blend within ``reach`` whose PSF images overlap the box."""
    b = peaks.blend[k]
    found = np.empty(peaks.start[b + 1] - peaks.start[b], np.int64)
    n = 0
    for other in range(peaks.start[b], peaks.start[b + 1]):
        if other == k:
            continue
        dx, dy = peaks.x[k] - peaks.x[other], peaks.y[k] - peaks.y[other]
        if dx * dx + dy * dy > reach * reach:
            continue
        if _overlap(stamps, other, y_min, y_max, x_min, x_max):
            found[n] = other
            n += 1
    return found[:n]


@jit
def _disc(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    region: NDArray[np.uint8],
    box: NDArray[np.int64],
    cx: float,
    cy: float,
    inner: int,
    outer: int,
    skip_nan: bool,
) -> tuple[_Disc, bool]:
    """Collect the pixels of the footprint within ``outer``; also tell whether one of them is not finite."""
    y_min = max(math.floor(cy - outer), box[0])
    y_max = min(math.ceil(cy + outer), box[0] + box[2] - 1)
    x_min = max(math.floor(cx - outer), box[1])
    x_max = min(math.ceil(cx + outer), box[1] + box[3] - 1)
    size = max(y_max - y_min + 1, 0) * max(x_max - x_min + 1, 0)
    ys, xs = np.empty(size, np.int64), np.empty(size, np.int64)
    ramp = np.empty(size)
    n = 0
    total = 0.0
    bad = False
    for y in range(y_min, y_max + 1):
        for x in range(x_min, x_max + 1):
            r2 = (x - cx) ** 2 + (y - cy) ** 2
            if region[y - box[0], x - box[1]] == 0 or r2 > outer * outer or not variance[y, x] > 0:
                continue
            if not math.isfinite(image[y, x]):
                bad = True
                if skip_nan:
                    continue
            weight = 1.0
            if r2 > inner * inner:
                weight = max(0.0, 1.0 - (math.sqrt(r2) - inner) / (outer - inner))
            ys[n] = y
            xs[n] = x
            ramp[n] = weight
            total += weight
            n += 1
    return _Disc(ys[:n], xs[:n], ramp[:n], total), bad


@jit
def _common_columns(
    a: NDArray[np.float64],
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    disc: _Disc,
    cx: float,
    cy: float,
    stamps: Stamps,
    others: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Fill the plane, the neighbours and, in the last row, the data; return the weight of each pixel."""
    m = disc.x.size
    last = a.shape[0] - 1
    weight = np.empty(m)
    for i in range(m):
        y, x = disc.y[i], disc.x[i]
        w = math.sqrt(disc.ramp[i] / variance[y, x])
        weight[i] = w
        a[0, i] = w
        a[1, i] = (x - cx) * w
        a[2, i] = (y - cy) * w
        a[last, i] = image[y, x] * w
    for j in range(others.size):
        for i in range(m):
            a[3 + j, i] = _value(stamps, others[j], disc.y[i], disc.x[i]) * weight[i]
    return weight


@jit
def fit_psfs(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    regions: Regions,
    peaks: Peaks,
    active: NDArray[np.bool_],
    fwhm: NDArray[np.float64],
    stamps: Stamps,
    tiny: int,
    skip_nan: bool,
    first: int,
    stop: int,
    out: NDArray[np.float64],
    flags: NDArray[np.int64],
) -> None:
    """Fit the PSF at each peak, as it is and with its slopes.

    Parameters
    ----------
    image, variance
        Shape ``(ny, nx)``.
    regions
        The blends' footprints.
    peaks
        The peaks of all blends.
    active
        Which to fit; the others still count as neighbours.
    fwhm
        Width of the PSF in each blend [pixel].
    stamps
        PSF images at the peaks.
    tiny
        Footprints that leave no more than this many pixels in x or y are not fitted; 2 at least.
    skip_nan
        Leave out pixels that are not finite; otherwise one of them spoils the fit.
    first, stop
        The peaks to fit.
    out
        Shape ``(n, N_FIT)``, NaN on entry.
    flags
        Shape ``(n,)``: receives ``FIT_…`` bits.
    """
    h, w = stamps.images.shape[1:]
    for k in range(first, stop):
        if not active[k]:
            continue
        b = peaks.blend[k]
        box = regions.box[b]
        region = view(regions, b)
        cx, cy = peaks.x[k], peaks.y[k]
        # the PSF's image within the footprint's box
        py0, py1 = max(stamps.y0[k], box[0]), min(stamps.y0[k] + h, box[0] + box[2]) - 1
        px0, px1 = max(stamps.x0[k], box[1]), min(stamps.x0[k] + w, box[1] + box[3]) - 1
        if not (stamps.usable[k] and px0 <= math.floor(cx) <= px1 and py0 <= math.floor(cy) <= py1):
            flags[k] = FIT_OUT_OF_BOUNDS
            continue
        inner, outer = math.ceil(fwhm[b]), math.ceil(1.5 * fwhm[b])
        y_min, y_max = max(math.floor(cy - outer), box[0]), min(math.ceil(cy + outer), box[0] + box[2] - 1)
        x_min, x_max = max(math.floor(cx - outer), box[1]), min(math.ceil(cx + outer), box[1] + box[3] - 1)
        if min(y_max - y_min, x_max - x_min) + 1 <= max(tiny, 2):
            flags[k] = FIT_TINY
            continue
        others = _neighbours(peaks, stamps, k, outer + 0.5 * min(h, w), y_min, y_max, x_min, x_max)
        disc, bad = _disc(image, variance, region, box, cx, cy, inner, outer, skip_nan)
        m = disc.x.size
        if m == 0:
            flags[k] = FIT_NO_PIXELS
            continue
        if bad and not skip_nan:
            flags[k] = FIT_NOT_FINITE
            continue
        fixed = 4 + others.size  # the PSF comes last of the first model, so that both are leading columns
        terms = fixed + 2
        if disc.total <= terms:
            flags[k] = FIT_BAD_DOF
            continue
        a = np.empty((terms + 1, m))
        weight = _common_columns(a, image, variance, disc, cx, cy, stamps, others)
        for i in range(m):
            y, x = disc.y[i], disc.x[i]
            inside_y, inside_x = py0 <= y <= py1, px0 <= x <= px1
            value = slope_x = slope_y = 0.0
            if inside_x and inside_y:
                value = _value(stamps, k, y, x)
                if px0 < x < px1:
                    slope_x = (_value(stamps, k, y, x + 1) - _value(stamps, k, y, x - 1)) / 2.0
                if py0 < y < py1:
                    slope_y = (_value(stamps, k, y + 1, x) - _value(stamps, k, y - 1, x)) / 2.0
            a[fixed - 1, i] = value * weight[i]
            a[fixed, i] = slope_x * weight[i]
            a[fixed + 1, i] = slope_y * weight[i]
        diagonal, lengths = np.empty(terms), np.empty(terms)
        triangularise(a, diagonal, lengths)
        data = a[terms]
        chisq = _NO_CHISQ
        if has_full_rank(diagonal, lengths, fixed, m):
            chisq = residual(a, fixed)
        out[k, 0] = chisq / (disc.total - fixed)
        out[k, 1] = data[fixed - 1] / diagonal[fixed - 1]
        chisq = _NO_CHISQ
        if has_full_rank(diagonal, lengths, terms, m):
            chisq = residual(a, terms)
        out[k, 2] = chisq / (disc.total - terms)
        slope_y = data[fixed + 1] / diagonal[fixed + 1]
        slope_x = (data[fixed] - a[fixed + 1, fixed] * slope_y) / diagonal[fixed]
        flux = (
            data[fixed - 1] - a[fixed, fixed - 1] * slope_x - a[fixed + 1, fixed - 1] * slope_y
        ) / diagonal[fixed - 1]
        out[k, 3] = flux
        out[k, 4] = slope_x / flux
        out[k, 5] = slope_y / flux


@jit
def refit_psfs(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    regions: Regions,
    peaks: Peaks,
    fwhm: NDArray[np.float64],
    stamps: Stamps,
    shifted: NDArray[np.int64],
    new_x: NDArray[np.float64],
    new_y: NDArray[np.float64],
    new_stamps: Stamps,
    skip_nan: bool,
    first: int,
    stop: int,
    out: NDArray[np.float64],
) -> None:
    """Fit the PSF at places a little off the peaks, on the pixels around the peaks.

    Parameters
    ----------
    image, variance, regions, peaks, fwhm, stamps, skip_nan
        As for `fit_psfs`.
    shifted
        Shape ``(s,)``: the peaks to fit again.
    new_x, new_y
        Shape ``(s,)``: where.
    new_stamps
        PSF images there.
    first, stop
        Which of ``shifted``.
    out
        Shape ``(s, N_REFIT)``, NaN on entry; it stays NaN where the new PSF image does not hold its position.
    """
    h, w = new_stamps.images.shape[1:]
    for s in range(first, stop):
        k = shifted[s]
        b = peaks.blend[k]
        box = regions.box[b]
        cx, cy = peaks.x[k], peaks.y[k]
        py0, py1 = max(new_stamps.y0[s], box[0]), min(new_stamps.y0[s] + h, box[0] + box[2]) - 1
        px0, px1 = max(new_stamps.x0[s], box[1]), min(new_stamps.x0[s] + w, box[1] + box[3]) - 1
        if not (
            new_stamps.usable[s] and px0 <= math.floor(new_x[s]) <= px1 and py0 <= math.floor(new_y[s]) <= py1
        ):
            continue
        inner, outer = math.ceil(fwhm[b]), math.ceil(1.5 * fwhm[b])
        y_min, y_max = max(math.floor(cy - outer), box[0]), min(math.ceil(cy + outer), box[0] + box[2] - 1)
        x_min, x_max = max(math.floor(cx - outer), box[1]), min(math.ceil(cx + outer), box[1] + box[3] - 1)
        others = _neighbours(peaks, stamps, k, outer + 0.5 * min(h, w), y_min, y_max, x_min, x_max)
        disc, _ = _disc(image, variance, view(regions, b), box, cx, cy, inner, outer, skip_nan)
        m = disc.x.size
        terms = 4 + others.size
        a = np.empty((terms + 1, m))
        weight = _common_columns(a, image, variance, disc, cx, cy, stamps, others)
        for i in range(m):
            y, x = disc.y[i], disc.x[i]
            # where the new image does not reach, the old one stands
            if py0 <= y <= py1 and px0 <= x <= px1:
                value = _value(new_stamps, s, y, x)
            else:
                value = _value(stamps, k, y, x)
            a[terms - 1, i] = value * weight[i]
        diagonal, lengths = np.empty(terms), np.empty(terms)
        triangularise(a, diagonal, lengths)
        chisq = _NO_CHISQ
        if has_full_rank(diagonal, lengths, terms, m):
            chisq = residual(a, terms)
        out[s, 0] = chisq / (disc.total - terms)
        out[s, 1] = a[terms, terms - 1] / diagonal[terms - 1]
