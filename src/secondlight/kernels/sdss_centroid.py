"""Centroids: the maximum of the PSF-smoothed image near a peak (spec 07b "base_SdssCentroid").

A quartic correction to the parabola through three pixels gives the maximum along each row and column of a 3x3
block; their intersection is the centre. Objects much wider than the PSF are binned first. Pier et al. 2003
(AJ 125, 1559), Bosch et al. 2018 (PASJ 70, S5) section 4.9. Smoothing, the interpolation and the arguments of
the errors are rounded to float32 as in the spec.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .pixels import Pixels, position_to_index, show

__all__ = [
    "BAD_ERROR",
    "EDGE",
    "FAILURE",
    "NEAR_EDGE",
    "NOT_AT_MAXIMUM",
    "NO_SECOND_DERIVATIVE",
    "RESET_TO_PEAK",
    "gaussian_kernel",
    "sdss_centroids",
]

# flag bits
FAILURE = 1  # of any kind; the others imply it
EDGE = 2
NO_SECOND_DERIVATIVE = 4
NOT_AT_MAXIMUM = 8
NEAR_EDGE = 16
RESET_TO_PEAK = 32
BAD_ERROR = 64

#: Coefficient of the quartic term for a Gaussian profile.
_QUARTIC = 1.33
#: A parabola's maximum farther away than this [pixel] means that there is none.
_MAX_STEP = 10.0
_FLT_MIN = 1.1754943508222875e-38
#: The small PSF used where the true one does not fit between peak and border: size [pixel] and sigma [pixel].
_SMALL_SIZE = 5
_SMALL_SIGMA = 0.5


@jit
def gaussian_kernel(size: int, sigma: float) -> NDArray[np.float64]:
    """Return a round Gaussian sampled at pixel centres.

    Parameters
    ----------
    size
        Pixels a side, odd.
    sigma
        Its width [pixel].

    Returns
    -------
    ndarray
        Shape ``(size, size)``, of unit sum.
    """
    out = np.empty((size, size))
    c = size // 2
    total = 0.0
    for j in range(size):
        for i in range(size):
            out[j, i] = math.exp(-0.5 * ((i - c) * (i - c) + (j - c) * (j - c)) / (sigma * sigma))
            total += out[j, i]
    for j in range(size):
        for i in range(size):
            out[j, i] /= total
    return out


@jit
def _bin(
    plane: NDArray[np.float32],
    x0: int,
    y0: int,
    bin_x: int,
    bin_y: int,
    divisor: float,
    out: NDArray[np.float32],
) -> None:
    """Fill ``out`` with sums over bins of ``plane`` (the first begins at x0, y0) divided by ``divisor``."""
    if bin_x == 1 and bin_y == 1:
        for j in range(out.shape[0]):
            pixels = plane[y0 + j, x0 : x0 + out.shape[1]]
            for i in range(len(pixels)):
                out[j, i] = pixels[i]
        return
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            total = np.float32(0.0)
            for y in range(y0 + j * bin_y, y0 + (j + 1) * bin_y):
                row = np.float32(0.0)
                for x in range(x0 + i * bin_x, x0 + (i + 1) * bin_x):
                    row += plane[y, x]
                total += row
            # bins are powers of two: the division is exact
            out[j, i] = total / np.float32(divisor)


@jit
def _smooth(
    binned: NDArray[np.float32],
    kernel: NDArray[np.float64],
    norm: float,
    power: int,
    factor: float,
    out: NDArray[np.float32],
) -> None:
    """Correlate the middle 3x3 pixels with ``norm`` times a kernel (its square if ``power`` is 2); scale them."""
    h, w = kernel.shape
    for r in range(3):
        # three sums that do not wait for one another, each in its own order: pixels of a row, then rows
        total0 = total1 = total2 = np.float32(0.0)
        for j in range(h):
            # a border of two pixels surrounds the kernel's footprint on the central pixel
            pixels, terms = binned[r + j + 1], kernel[j]
            row0 = row1 = row2 = np.float32(0.0)
            for i in range(w):
                k = np.float32(terms[i] * norm)
                value0, value1, value2 = pixels[i + 1] * k, pixels[i + 2] * k, pixels[i + 3] * k
                if power == 2:
                    value0, value1, value2 = value0 * k, value1 * k, value2 * k
                row0 += value0
                row1 += value1
                row2 += value2
            total0 += row0
            total1 += row1
            total2 += row2
        out[r, 0] = total0 * np.float32(factor)
        out[r, 1] = total1 * np.float32(factor)
        out[r, 2] = total2 * np.float32(factor)


@jit
def _interpolate(vm: np.float32, v0: np.float32, vp: np.float32) -> tuple[bool, np.float32]:
    """Return whether three equidistant values have a maximum near the middle one, and where."""
    sp = v0 - vp
    sm = v0 - vm
    d2 = sp + sm
    s = np.float32(0.5) * (vp - vm)
    if not (d2 > np.float32(0.0) and v0 > np.float32(0.0)):
        return False, np.float32(0.0)
    quartic = np.float64(np.float32(_QUARTIC) * sp * sm / (d2 * v0))
    c = np.float32(np.float64(s / d2) * (1.0 + quartic))
    return bool(abs(c) < np.float32(1.0)), c


@jit
def _error(
    sky_variance: np.float32,
    source_variance: np.float32,
    peak: np.float32,
    slope: np.float32,
    curvature: np.float32,
    sigma: np.float32,
    quartic_bad: bool,
) -> float:
    """Return the 1-sigma error of a position along one axis of a smoothed image [pixel]."""
    if abs(peak) < _FLT_MIN or abs(curvature) < _FLT_MIN:
        return 1000.0
    As, s, d = np.float64(peak), np.float64(slope), np.float64(curvature)
    sky, source, s2 = np.float64(sky_variance), np.float64(source_variance), np.float64(sigma) ** 2
    k = 0.0 if quartic_bad else _QUARTIC
    e = math.exp(-1.0 / s2)
    # variances of slope and curvature
    vs = sky / (8.0 * math.pi * s2) * (1.0 - e)
    vs += source / (12.0 * math.pi * s2) * (math.exp(-1.0 / (3.0 * s2)) - e)
    vd = sky / (2.0 * math.pi * s2) * (3.0 - 4.0 * math.exp(-1.0 / (4.0 * s2)) + e)
    vd += source / (3.0 * math.pi * s2) * (2.0 - 3.0 * math.exp(-1.0 / (3.0 * s2)) + e)
    by_slope = 1.0 / d + k / (4.0 * As) * (1.0 - 12.0 * s * s / (d * d))
    by_curvature = s / (d * d) - k / (4.0 * As) * 8.0 * s * s / (d * d * d)
    variance = vs * by_slope * by_slope + vd * by_curvature * by_curvature
    return math.sqrt(variance) if variance >= 0.0 else math.nan


@jit
def _measure_block(
    v: NDArray[np.float32], variance: NDArray[np.float32], sigma: float, sign: np.float32
) -> tuple[int, float, float, float, float, float, float, float]:
    """Measure the maximum of a smoothed 3x3 block, which is ``sign`` times the image.

    Returns flags, centre (x, y) relative to the middle pixel, its errors, the object's squared sizes along x
    and y, and the peak.
    """
    nan = math.nan
    d2x = np.float64(np.float32(2.0) * v[1, 1] - v[1, 0] - v[1, 2])
    d2y = np.float64(np.float32(2.0) * v[1, 1] - v[0, 1] - v[2, 1])
    sx = np.float64(np.float32(0.5) * (v[1, 2] - v[1, 0]))
    sy = np.float64(np.float32(0.5) * (v[2, 1] - v[0, 1]))
    if d2x == 0.0 or d2y == 0.0:
        return NO_SECOND_DERIVATIVE, nan, nan, nan, nan, nan, nan, nan
    if d2x < 0.0 or d2y < 0.0:
        return NOT_AT_MAXIMUM, nan, nan, nan, nan, nan, nan, nan
    dx0, dy0 = sx / d2x, sy / d2y
    if abs(dx0) > _MAX_STEP or abs(dy0) > _MAX_STEP:
        return NO_SECOND_DERIVATIVE, nan, nan, nan, nan, nan, nan, nan
    peak = np.float64(v[1, 1]) + 0.5 * (sx * dx0 + sy * dy0)
    ok0x, m0x_ = _interpolate(v[0, 0], v[0, 1], v[0, 2])
    ok1x, m1x_ = _interpolate(v[1, 0], v[1, 1], v[1, 2])
    ok2x, m2x_ = _interpolate(v[2, 0], v[2, 1], v[2, 2])
    ok0y, m0y_ = _interpolate(v[0, 0], v[1, 0], v[2, 0])
    ok1y, m1y_ = _interpolate(v[0, 1], v[1, 1], v[2, 1])
    ok2y, m2y_ = _interpolate(v[0, 2], v[1, 2], v[2, 2])
    quartic_bad = not (ok0x and ok1x and ok2x and ok0y and ok1y and ok2y)
    if quartic_bad:
        xc, yc = dx0, dy0
        size_x, size_y = peak / d2x, peak / d2y
    else:
        # intersection of the lines of maxima, each a parabola through three rows or columns
        m1x, m1y = np.float64(m1x_), np.float64(m1y_)
        smx, ex = 0.5 * np.float64(m2x_ - m0x_), m1x - 0.5 * np.float64(m0x_ + m2x_)
        smy, ey = 0.5 * np.float64(m2y_ - m0y_), m1y - 0.5 * np.float64(m0y_ + m2y_)
        dx = m1x + dy0 * (smx - dy0 * ex)
        dy = m1y + dx0 * (smy - dx0 * ey)
        xc = m1x + dy * (smx - dy * ex)
        yc = m1y + dx * (smy - dx * ey)
        size_x = peak / d2x - (1.0 + 6.0 * dx0 * dx0) / 4.0
        size_y = peak / d2y - (1.0 + 6.0 * dy0 * dy0) / 4.0
    sigma2 = sigma * sigma
    tau_x = max(np.float64(np.float32(size_x)) - sigma2, sigma2)
    tau_y = max(np.float64(np.float32(size_y)) - sigma2, sigma2)
    around = 0.0
    for r in range(3):
        for c in range(3):
            if r != 1 or c != 1:
                around += np.float64(variance[r, c])
    sky, source = np.float32(around / 8.0), variance[1, 1]
    # errors take the image as it is: their quartic term is not the same for a hole
    peak32, sigma32 = sign * np.float32(peak), np.float32(sigma)
    x_err = _error(sky, source, peak32, sign * np.float32(sx), sign * np.float32(d2x), sigma32, quartic_bad)
    y_err = _error(sky, source, peak32, sign * np.float32(sy), sign * np.float32(d2y), sigma32, quartic_bad)
    return 0, xc, yc, x_err, y_err, tau_x, tau_y, peak


@jit
def _in_spans(spans: NDArray[np.int32], start: int, stop: int, x: int, y: int) -> bool:
    for k in range(start, stop):  # noqa: SIM110 (Numba compiles no generators)
        if spans[k, 0] == y and spans[k, 1] <= x <= spans[k, 2]:
            return True
    return False


@jit
def _fits(
    shape: tuple[int, int], kernel: NDArray[np.float64], ix: int, iy: int, bin_x: int, bin_y: int
) -> bool:
    """Tell whether what a smoothed, binned 3x3 block is made of, and a border of one bin, is on it."""
    h, w = kernel.shape
    x0, y0 = ix - bin_x * (2 + w // 2), iy - bin_y * (2 + h // 2)
    return bool(x0 >= 0 and y0 >= 0 and x0 + bin_x * (w + 4) <= shape[1] and y0 + bin_y * (h + 4) <= shape[0])


@jit
def _centroid_one(
    pixels: Pixels,
    ix: int,
    iy: int,
    psf_kernel: NDArray[np.float64],
    psf_sigma: float,
    bin_max: int,
    peak_min: float,
    width_factor: float,
    negative: bool,
) -> tuple[int, float, float, float, float]:
    """Measure one object: flags, centre (x, y) in array coordinates, errors; NaN if it broke off."""
    nan = math.nan
    flags = 0
    block = np.empty((3, 3), np.float32)
    block_variance = np.empty((3, 3), np.float32)
    bin_x = bin_y = 1
    x = y = x_err = y_err = nan
    kernel, sigma = psf_kernel, psf_sigma
    sign = -1.0 if negative else 1.0
    size = 1
    while size <= bin_max:
        last = False
        if not _fits(pixels.image.shape, kernel, ix, iy, bin_x, bin_y):
            kernel, sigma = gaussian_kernel(_SMALL_SIZE, _SMALL_SIGMA), _SMALL_SIGMA
            last = True
            if not _fits(pixels.image.shape, kernel, ix, iy, bin_x, bin_y):
                return flags | EDGE | FAILURE, nan, nan, nan, nan
            flags |= NEAR_EDGE | FAILURE
        h, w = kernel.shape
        total = 0.0
        for j in range(h):
            for i in range(w):
                total += kernel[j, i]
        norm = 1.0 / total
        x0, y0 = ix - bin_x * (2 + w // 2), iy - bin_y * (2 + h // 2)
        binned = np.empty((h + 4, w + 4), np.float32)
        n = float(bin_x * bin_y)
        _bin(pixels.image, x0, y0, bin_x, bin_y, n, binned)
        _smooth(binned, kernel, norm, 1, sign, block)
        _bin(pixels.variance, x0, y0, bin_x, bin_y, n * n, binned)
        _smooth(binned, kernel, norm, 2, n * 4.0 * math.pi * sigma * sigma, block_variance)
        bad, x, y, x_err, y_err, size_x, size_y, peak = _measure_block(
            block, block_variance, sigma, np.float32(sign)
        )
        if bad:
            return flags | bad | FAILURE, nan, nan, nan, nan
        if size > 1:
            x, y = (x + 0.5) * bin_x - 0.5, (y + 0.5) * bin_y - 0.5
            x_err *= bin_x
            y_err *= bin_y
            size_x *= bin_x * bin_x
            size_y *= bin_y * bin_y
        far_x, far_y = x * x, y * y
        x += ix
        y += iy
        if last:
            break
        limit_x = width_factor * (1.0 + sigma * sigma) * bin_x * bin_x
        limit_y = width_factor * (1.0 + sigma * sigma) * bin_y * bin_y
        wide_x, wide_y = size_x >= limit_x or far_x >= limit_x, size_y >= limit_y or far_y >= limit_y
        if not wide_x and not wide_y and (size > 1 or peak_min < 0.0 or peak > peak_min):
            break
        if wide_x:
            bin_x *= 2
        if wide_y:
            bin_y *= 2
        size *= 2
    return flags, x, y, abs(x_err), abs(y_err)


@jit
def sdss_centroids(
    pixels: Pixels,
    span_offsets: NDArray[np.int64],
    spans: NDArray[np.int32],
    span_x0: int,
    span_y0: int,
    peak_x: NDArray[np.float64],
    peak_y: NDArray[np.float64],
    kernels: NDArray[np.float64],
    sigmas: NDArray[np.float64],
    bin_max: int,
    peak_min: float,
    width_factor: float,
    footprint_check: bool,
    max_distance: float,
    negative: NDArray[np.bool_],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    x_err: NDArray[np.float32],
    y_err: NDArray[np.float32],
    flags: NDArray[np.int32],
) -> None:
    """Centre every object.

    Parameters
    ----------
    pixels
        The image.
    span_offsets, spans, span_x0, span_y0
        Footprints: those of object i are ``spans[span_offsets[i]:span_offsets[i + 1]]``; subtracting
        ``span_x0, span_y0`` gives array indices.
    peak_x, peak_y
        Shape ``(n,)``: where to start, array coordinates.
    kernels, sigmas
        PSF images, shape ``(n, h, w)``, and their widths [pixel], at the pixels that hold the peaks. A width
        that is NaN is a failure.
    bin_max, peak_min, width_factor, footprint_check, max_distance
        Largest binning; smallest peak that is not binned; how much wider than the PSF an object must be to
        be binned; whether the centre must be in the footprint; how far from the peak it may be [pixel] (not
        limited if not positive).
    negative
        Shape ``(n,)``: which objects are holes in the background, whose minimum is looked for.
    x, y, x_err, y_err, flags
        Shape ``(n,)``: results, array coordinates. Where a centre cannot be measured it is the peak, and the
        errors are NaN.
    """
    ny, nx = pixels.image.shape
    for i in range(len(x)):
        x[i], y[i] = peak_x[i], peak_y[i]
        x_err[i] = y_err[i] = np.float32(math.nan)
        flags[i] = FAILURE
        if not (math.isfinite(peak_x[i]) and math.isfinite(peak_y[i]) and math.isfinite(sigmas[i])):
            continue
        ix, iy = position_to_index(peak_x[i]), position_to_index(peak_y[i])
        if not (0 <= ix < nx and 0 <= iy < ny):
            flags[i] |= EDGE
            continue
        show(pixels, i)
        bits, xc, yc, dx, dy = _centroid_one(
            pixels, ix, iy, kernels[i], sigmas[i], bin_max, peak_min, width_factor, negative[i]
        )
        flags[i] = bits
        if bits & (EDGE | NO_SECOND_DERIVATIVE | NOT_AT_MAXIMUM):
            continue
        x[i], y[i], x_err[i], y_err[i] = xc, yc, np.float32(dx), np.float32(dy)
        if math.isnan(dx) or math.isnan(dy):
            flags[i] |= BAD_ERROR | FAILURE
        lost = not (math.isfinite(xc) and math.isfinite(yc))
        if not lost and footprint_check:
            px, py = position_to_index(xc) + span_x0, position_to_index(yc) + span_y0
            lost = not _in_spans(spans, span_offsets[i], span_offsets[i + 1], px, py)
        if not lost and max_distance > 0.0:
            lost = (xc - peak_x[i]) ** 2 + (yc - peak_y[i]) ** 2 > max_distance**2
        if lost:
            x[i], y[i] = peak_x[i], peak_y[i]
            flags[i] |= RESET_TO_PEAK | FAILURE
