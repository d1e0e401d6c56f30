"""Kron radii and the sums of pixels in large elliptical apertures (spec 07e).

Kron 1980 (ApJS 43, 305): the first moment of the light's radius, measured in an ellipse that holds nearly all of it,
is a radius that scales with the object. Bosch et al. 2018 (PASJ 70, S5), section 4.9.8.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .pixels import Pixels, show
from .variance import ellipse_row

__all__ = [
    "KRON_BAD",
    "KRON_BAD_RADIUS",
    "KRON_EDGE",
    "KRON_NO_FALLBACK",
    "KRON_SMALL_RADIUS",
    "KRON_USED_MINIMUM",
    "KRON_USED_PSF",
    "ellipse_fluxes",
    "kron_apertures",
]

#: Flag bits: not to be trusted; the aperture leaves the image; no first moment; nothing to replace it by; smaller than
#: allowed; replaced by the configured minimum; replaced by the PSF's.
KRON_BAD = 1
KRON_EDGE = 2
KRON_BAD_RADIUS = 4
KRON_NO_FALLBACK = 8
KRON_SMALL_RADIUS = 16
KRON_USED_MINIMUM = 32
KRON_USED_PSF = 64

#: Radii above this [pixel] are no object's.
_MAX_RADIUS = 200.0

#: Mean distance of a unit square's points from its centre [pixel], that of the pixel's own extent.
_MEAN_RADIUS_OF_PIXEL = 0.38259771140356325


@jit
def _axes(xx: float, yy: float, xy: float) -> tuple[float, float, float]:
    """Semi-axes and angle of an ellipse of given moments."""
    t = math.sqrt((xx - yy) ** 2 + 4.0 * xy * xy)
    b2 = 0.5 * (xx + yy - t)
    return (
        math.sqrt(0.5 * (xx + yy + t)),
        math.sqrt(b2) if b2 >= 0.0 else math.nan,
        0.5 * math.atan2(2.0 * xy, xx - yy),
    )


@jit
def _moments(a: float, b: float, theta: float) -> tuple[float, float, float]:
    """Moments xx, yy, xy of an ellipse of given semi-axes and angle."""
    cos, sin = math.cos(theta), math.sin(theta)
    xx = a * a * cos * cos + b * b * sin * sin
    yy = a * a * sin * sin + b * b * cos * cos
    return xx, yy, (a * a - b * b) * cos * sin


@jit
def _off_image(x: float, y: float, xx: float, yy: float, xy: float, ny: int, nx: int) -> bool:
    """Tell whether any pixel whose centre is in an ellipse lies off the image (so it is if the ellipse is NaN)."""
    reach = math.sqrt(yy)
    if not (y - reach > -1.0 and y + reach < ny and -1.0 < x < nx):
        return True
    for i in range(math.ceil(y - reach), math.floor(y + reach) + 1):
        j0, j1 = ellipse_row(i, x, y, xx, yy, xy)
        if j1 >= j0 and (i < 0 or i >= ny or j0 < 0 or j1 >= nx):
            return True
    return False


@jit
def _first_moment(
    image: NDArray[np.float32], x: float, y: float, a: float, b: float, theta: float
) -> tuple[float, float]:
    """Sum the light in an ellipse, and the light times its elliptical radius [pixel of the major axis]."""
    cos, sin, stretch = math.cos(theta), math.sin(theta), a / b
    xx, yy, xy = _moments(a, b, theta)
    reach = math.sqrt(yy)
    total = moment = 0.0
    for i in range(math.ceil(y - reach), math.floor(y + reach) + 1):
        j0, j1 = ellipse_row(i, x, y, xx, yy, xy)
        dy = i - y
        for j in range(j0, j1 + 1):
            dx = j - x
            u = dx * cos + dy * sin
            v = (dy * cos - dx * sin) * stretch
            r = math.sqrt(u * u + v * v)
            distance2 = dx * dx + dy * dy
            if distance2 < 0.25:
                # the pixel at the centre is not at radius zero: it has an extent
                extent = _MEAN_RADIUS_OF_PIXEL * (1.0 + math.sqrt(0.5 * distance2))
                r = math.sqrt(r * r + extent * extent)
            value = np.float64(image[i, j])
            total += value
            moment += r * value
    return total, moment


@jit
def _smoothed(
    image: NDArray[np.float32], x: float, y: float, half_x: float, half_y: float, sigma: float
) -> tuple[NDArray[np.float32], int, int]:
    """Smooth the part of an image around a source; return it and where it begins. NaN where the kernel leaves the image."""
    ny, nx = image.shape
    reach = int(2.0 * sigma)
    kernel = np.empty(2 * reach + 1)
    for k in range(-reach, reach + 1):
        kernel[k + reach] = math.exp(-0.5 * (k / sigma) ** 2)
    kernel /= kernel.sum()
    i0, i1 = max(math.floor(y - half_y), 0), min(math.ceil(y + half_y) + 1, ny)
    j0, j1 = max(math.floor(x - half_x), 0), min(math.ceil(x + half_x) + 1, nx)
    rows = np.full((i1 - i0, nx if j1 > j0 else 0), np.nan)
    out = np.full((max(i1 - i0, 0), max(j1 - j0, 0)), np.float32(np.nan))
    for i in range(i0, i1):
        if i - reach < 0 or i + reach >= ny:
            continue
        for j in range(max(j0 - reach, 0), min(j1 + reach, nx)):
            total = 0.0
            for k in range(-reach, reach + 1):
                total += kernel[k + reach] * image[i + k, j]
            rows[i - i0, j] = total
        for j in range(j0, j1):
            if j - reach < 0 or j + reach >= nx:
                continue
            total = 0.0
            for k in range(-reach, reach + 1):
                total += kernel[k + reach] * rows[i - i0, j + k]
            out[i - i0, j - j0] = np.float32(total)
    return out, i0, j0


@jit
def _kron_radius(
    pixels: Pixels,
    x: float,
    y: float,
    a: float,
    b: float,
    theta: float,
    n_sigma: float,
    n_iter: int,
    sigma: float,
) -> tuple[bool, float, float, float]:
    """Find the axes a and b of the aperture and the radius used; False if there is no first moment."""
    ny, nx = pixels.image.shape
    smallest = math.sqrt(a * b)
    used = math.nan
    for _ in range(n_iter):
        a *= n_sigma
        b *= n_sigma
        used = math.sqrt(a * b)
        xx, yy, xy = _moments(a, b, theta)
        # an ellipse that leaves the image cannot be measured: it is then itself the aperture
        if _off_image(x, y, xx, yy, xy, ny, nx):
            break
        if sigma > 0.0:
            part, i0, j0 = _smoothed(pixels.image, x, y, math.sqrt(xx) + 1.0, math.sqrt(yy) + 1.0, sigma)
            total, moment = _first_moment(part, x - j0, y - i0, a, b, theta)
        else:
            total, moment = _first_moment(pixels.image, x, y, a, b, theta)
        if not (total > 0.0 and moment > 0.0):
            return False, a, b, math.nan
        radius = moment / total * math.sqrt(b / a)
        if radius <= smallest:
            break
        if radius > _MAX_RADIUS:
            return False, a, b, math.nan
        smallest = radius
        scale = radius / math.sqrt(a * b)
        a *= scale
        b *= scale
    return True, a, b, used


@jit
def kron_apertures(
    pixels: Pixels,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    shapes: NDArray[np.float64],
    fallbacks: NDArray[np.float64],
    psf_radius: NDArray[np.float64],
    fixed: bool,
    n_sigma: float,
    n_iter: int,
    smoothing: float,
    enforce_minimum: bool,
    minimum: float,
    last_digit: bool,
    axes: NDArray[np.float64],
    used: NDArray[np.float64],
    flags: NDArray[np.int64],
) -> None:
    """Find the Kron ellipse of every source.

    Parameters
    ----------
    pixels
        The image.
    x, y
        Shape ``(n,)``: centres, array coordinates.
    shapes
        Shape ``(n, 3)``: moments xx, yy, xy [pixel²] that give the ellipse its shape and its first size.
    fallbacks
        Shape ``(n, 3)``: moments of the shape that is used if there is no first moment.
    psf_radius
        Shape ``(n,)``: Kron radius of the PSF [pixel], which no source's is less than.
    fixed
        Whether the first size is the final one.
    n_sigma
        The light is measured in an ellipse this many times the first size.
    n_iter
        How often.
    smoothing
        Width of a Gaussian to smooth the image with first [pixel]; none if not positive.
    enforce_minimum
        Whether a small radius is replaced by a minimum.
    minimum
        That minimum [pixel]; the PSF's radius if not positive.
    last_digit
        Whether an ellipse that was scaled to the least radius is smaller than that if rounding says so.
    axes
        Shape ``(n, 3)``: receives semi-axes [pixel] and angle [rad] of the Kron ellipse; √(ab) is the radius.
    used
        Shape ``(n,)``: receives the radius √(ab) of the ellipse in which the light was measured [pixel]; NaN if none.
    flags
        Shape ``(n,)``: receives bits of ``KRON_…``.
    """
    for k in range(len(x)):
        bits = 0
        a, b, theta = _axes(shapes[k, 0], shapes[k, 1], shapes[k, 2])
        good, used[k] = True, math.nan
        if not fixed:
            show(pixels, k)
            good, a, b, used[k] = _kron_radius(pixels, x[k], y[k], a, b, theta, n_sigma, n_iter, smoothing)
        if not good:
            bits |= KRON_BAD_RADIUS
            bits |= KRON_USED_MINIMUM if minimum > 0.0 else KRON_USED_PSF
            radius = minimum if minimum > 0.0 else psf_radius[k]
            if not radius > 0.0:
                flags[k] = KRON_BAD | KRON_BAD_RADIUS | KRON_NO_FALLBACK
                axes[k] = math.nan
                continue
            a, b, theta = _axes(fallbacks[k, 0], fallbacks[k, 1], fallbacks[k, 2])
            scale = radius / math.sqrt(a * b)
            a *= scale
            b *= scale
        radius = math.sqrt(a * b)
        least = minimum if minimum > 0.0 else psf_radius[k]
        # one without size counts as small
        small = radius < least and (good or last_digit)
        if enforce_minimum and (small or math.isnan(radius)):
            bits |= KRON_SMALL_RADIUS
            if small:
                bits |= KRON_USED_MINIMUM if minimum > 0.0 else KRON_USED_PSF
            a *= least / radius
            b *= least / radius
        axes[k, 0] = a
        axes[k, 1] = b
        axes[k, 2] = theta
        flags[k] = bits


@jit
def ellipse_fluxes(
    pixels: Pixels,
    sources: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    axes: NDArray[np.float64],
    out: NDArray[np.float64],
    flags: NDArray[np.int64],
) -> None:
    """Sum the pixels whose centres are in an ellipse, one a source.

    Parameters
    ----------
    pixels
        The image.
    sources
        Shape ``(n,)``: places of the sources in the batch, ascending.
    x, y
        Shape ``(n,)``: centres, array coordinates.
    axes
        Shape ``(n, 3)``: semi-axes [pixel] and angle [rad].
    out
        Shape ``(n, 2)``: receives flux and error; NaN where the ellipse leaves the image.
    flags
        Shape ``(n,)``: receives 0 or `KRON_EDGE`.
    """
    ny, nx = pixels.image.shape
    for k in range(len(x)):
        xx, yy, xy = _moments(axes[k, 0], axes[k, 1], axes[k, 2])
        out[k] = math.nan
        flags[k] = KRON_EDGE
        if _off_image(x[k], y[k], xx, yy, xy, ny, nx):
            continue
        flags[k] = 0
        show(pixels, sources[k])
        reach = math.sqrt(yy)
        flux = noise = np.float64(0.0)
        for i in range(math.ceil(y[k] - reach), math.floor(y[k] + reach) + 1):
            j0, j1 = ellipse_row(i, x[k], y[k], xx, yy, xy)
            for j in range(j0, j1 + 1):
                flux += pixels.image[i, j]
                noise += pixels.variance[i, j]
        out[k, 0] = flux
        out[k, 1] = math.sqrt(noise) if noise >= 0.0 else math.nan
