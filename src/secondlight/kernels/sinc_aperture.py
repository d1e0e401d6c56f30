"""Fluxes within small apertures, exact ones of a band-limited image.

Bickerton & Lupton 2013 (MNRAS 431, 1275): for an image sampled above Nyquist, the integral over an aperture is a
weighted sum of pixels whose weights are the aperture, band-limited: the inverse Fourier transform of the aperture's
own transform, cut at the Nyquist frequency. Spec 07c.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import j1

from ._jit import jit, jit_sum
from .lanczos import offset_image
from .pixels import Pixels, show

__all__ = [
    "APERTURE_TRUNCATED",
    "SINC_COEFFS_TRUNCATED",
    "circular_sinc_coefficients",
    "outside",
    "placed_flux",
    "sinc_coefficients",
    "sinc_flux",
    "sinc_fluxes",
    "sinc_transform",
    "somewhere",
    "weighted_row",
]

#: Flag bits: the aperture itself does not fit in the image (no flux); the weights do not all fit (flux without the rest).
APERTURE_TRUNCATED = 1
SINC_COEFFS_TRUNCATED = 2


def sinc_transform(a: float, b: float, theta: float) -> NDArray[np.float64]:
    """Return the Fourier transform of an ellipse, up to the Nyquist frequency (spec 07c, Sinc 1-2).

    Parameters
    ----------
    a, b
        Semi-axes [pixel], a ≥ b.
    theta
        Angle of the major axis from x towards y [rad].

    Returns
    -------
    ndarray
        Shape ``(w, w)``, w odd: real, frequency zero in the middle.
    """
    half = 2 ** max(3, math.ceil(math.log2(2.0 * a)))
    k = np.arange(1 - half, half) / (2 * half - 1)
    kx, ky = k[None, :], k[:, None]
    if abs(a - b) <= np.finfo(np.float32).eps * a:
        ratio, modulus = 1.0, np.hypot(kx, ky)
    else:
        ratio = b / a
        cos, sin = math.cos(theta), math.sin(theta)
        modulus = np.hypot(kx * cos + ky * sin, ratio * (ky * cos - kx * sin))
    # the transform of an ellipse; its limit at zero frequency is the area
    modulus[half - 1, half - 1] = 1.0
    transform = ratio * a * j1(2.0 * math.pi * a * modulus) / modulus
    transform[half - 1, half - 1] = ratio * math.pi * a * a
    return np.asarray(transform)


def sinc_coefficients(a: float, b: float, theta: float) -> NDArray[np.float32]:
    """Return the weights of an ellipse centred on a pixel (spec 07c, Sinc 1-3).

    Parameters
    ----------
    a, b, theta
        As for `sinc_transform`.

    Returns
    -------
    ndarray
        Shape ``(w, w)``, w odd, the ellipse's centre in the middle.
    """
    weights = np.fft.ifft2(np.fft.ifftshift(sinc_transform(a, b, theta))).real
    return np.fft.fftshift(weights).astype(np.float32)


@lru_cache(maxsize=64)
def circular_sinc_coefficients(radius: float) -> NDArray[np.float32]:
    """Return the weights of a circle centred on a pixel, made once a radius; see `sinc_coefficients`.

    Parameters
    ----------
    radius
        [pixel].
    """
    coefficients = sinc_coefficients(radius, radius, 0.0)
    coefficients.setflags(write=False)
    return coefficients


@jit
def outside(x: float, y: float, half_x: float, half_y: float, i0: int, i1: int, j0: int, j1: int) -> bool:
    """Tell whether a box touches pixels off a part of an image.

    Parameters
    ----------
    x, y, half_x, half_y
        Centre and half the size of the box [pixel].
    i0, i1, j0, j1
        The part has rows i0 ≤ i < i1 and columns j0 ≤ j < j1.
    """
    return bool(
        math.ceil(x - half_x - 0.5) < j0
        or math.floor(x + half_x + 0.5) > j1 - 1
        or math.ceil(y - half_y - 0.5) < i0
        or math.floor(y + half_y + 0.5) > i1 - 1
    )


@jit_sum
def weighted_row(
    weights: NDArray[np.float32], image: NDArray[np.float32], variance: NDArray[np.float32]
) -> tuple[float, float]:
    """Sum pixels times weights, and variances times their squares.

    Parameters
    ----------
    weights, image, variance
        Of a row, of the same shape.

    Returns
    -------
    float, float
        In double precision.
    """
    flux = noise = 0.0
    for j in range(len(weights)):
        c = np.float64(weights[j])
        flux += c * np.float64(image[j])
        noise += c * c * np.float64(variance[j])
    return flux, noise


@jit
def _rounded_sums(
    weights: NDArray[np.float32], image: NDArray[np.float32], variance: NDArray[np.float32]
) -> tuple[float, float]:
    """Sum pixels times weights, and variances times their squares, in single precision.

    In the order of the reference's library: four lanes over whole quadruples of each row, then what is left of the rows. A
    sky source's flux is what remains of terms a thousand times larger.
    """
    h, w = weights.shape
    lanes = np.zeros((2, 4), np.float32)
    quads = w // 4 * 4
    for i in range(h):
        for j in range(0, quads, 4):
            for k in range(4):
                c = weights[i, j + k]
                lanes[0, k] += np.float32(c * image[i, j + k])
                lanes[1, k] += np.float32(np.float32(c * c) * variance[i, j + k])
    flux = np.float32(np.float32(lanes[0, 0] + lanes[0, 2]) + np.float32(lanes[0, 1] + lanes[0, 3]))
    noise = np.float32(np.float32(lanes[1, 0] + lanes[1, 2]) + np.float32(lanes[1, 1] + lanes[1, 3]))
    for i in range(h):
        for j in range(quads, w):
            c = weights[i, j]
            flux = np.float32(flux + np.float32(c * image[i, j]))
            noise = np.float32(noise + np.float32(np.float32(c * c) * variance[i, j]))
    return np.float64(flux), np.float64(noise)


@jit
def sinc_flux(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    x0: int,
    y0: int,
    coefficients: NDArray[np.float32],
    order: int,
    half_x: float,
    half_y: float,
    x: float,
    y: float,
    work: NDArray[np.float32],
    out: NDArray[np.float64],
    rounded: bool = False,
) -> int:
    """Measure one aperture with weights shifted to its centre (spec 07c, Sinc 4-6).

    Parameters
    ----------
    image, variance
        Shape ``(ny, nx)``.
    x0, y0
        Parent coordinates of the first pixel.
    coefficients
        Shape ``(w, w)``, of an aperture centred on a pixel.
    order
        n of the Lanczos-n kernel that shifts the weights.
    half_x, half_y
        Half the size of the aperture's bounding box [pixel].
    x, y
        Centre [pixel], parent coordinates.
    work
        Shape ``(2, w, w)``, overwritten.
    out
        Shape ``(2,)``: receives flux and its error, unless the aperture is truncated.
    rounded
        Whether weights and sums are in single precision throughout, to the reference's last digit; it is slower.

    Returns
    -------
    int
        Bits of `APERTURE_TRUNCATED`, `SINC_COEFFS_TRUNCATED`.
    """
    if not somewhere(x, y):
        return APERTURE_TRUNCATED | SINC_COEFFS_TRUNCATED
    ix, iy = offset_image(coefficients, x, y, order, work[0], work[1], rounded)
    return placed_flux(image, variance, x0, y0, work[0], ix, iy, half_x, half_y, x, y, out, rounded)


@jit
def somewhere(x: float, y: float) -> bool:
    """Tell whether a centre may be on an image; one that may not, NaN included, may not fit an integer either.

    Parameters
    ----------
    x, y
        [pixel].
    """
    return abs(x) < 1e9 and abs(y) < 1e9


@jit
def placed_flux(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    x0: int,
    y0: int,
    weights: NDArray[np.float32],
    ix: int,
    iy: int,
    half_x: float,
    half_y: float,
    x: float,
    y: float,
    out: NDArray[np.float64],
    rounded: bool,
) -> int:
    """Sum pixels times weights.

    Parameters
    ----------
    image, variance, x0, y0, half_x, half_y, x, y, out, rounded
        As for `sinc_flux`.
    weights
        Shape ``(w, w)``.
    ix, iy
        The pixel that the middle one of the weights belongs to, parent coordinates.

    Returns
    -------
    int
        Bits of `APERTURE_TRUNCATED`, `SINC_COEFFS_TRUNCATED`.
    """
    ny, nx = image.shape
    width = weights.shape[0]
    # first pixel of the weights, in the image's indices
    j_first = ix - width // 2 - x0
    i_first = iy - width // 2 - y0
    j0, j1 = max(j_first, 0), min(j_first + width, nx)
    i0, i1 = max(i_first, 0), min(i_first + width, ny)
    flags = 0
    if j1 - j0 < width or i1 - i0 < width:
        flags = SINC_COEFFS_TRUNCATED
        if outside(x - x0, y - y0, half_x, half_y, i0, i1, j0, j1):
            return flags | APERTURE_TRUNCATED
    flux = noise = 0.0
    if rounded:
        flux, noise = _rounded_sums(
            weights[i0 - i_first : i1 - i_first, j0 - j_first : j1 - j_first],
            image[i0:i1, j0:j1],
            variance[i0:i1, j0:j1],
        )
    else:
        for i in range(i0, i1):
            row = weights[i - i_first, j0 - j_first : j1 - j_first]
            row_flux, row_noise = weighted_row(row, image[i, j0:j1], variance[i, j0:j1])
            flux += row_flux
            noise += row_noise
    error = math.sqrt(noise) if noise >= 0.0 else math.nan
    out[0] = flux
    out[1] = np.float64(np.float32(error)) if rounded else error
    return flags


@jit
def sinc_fluxes(
    pixels: Pixels,
    x0: int,
    y0: int,
    coefficients: NDArray[np.float32],
    order: int,
    radius: float,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    out: NDArray[np.float64],
    flags: NDArray[np.int64],
    rounded: bool = False,
) -> None:
    """Measure one circular aperture on many sources; see `sinc_flux`.

    Parameters
    ----------
    pixels
        The image.
    x0, y0
        Parent coordinates of the first pixel.
    coefficients
        Shape ``(w, w)``, of the circle centred on a pixel.
    order
        n of the Lanczos-n kernel that shifts the weights.
    radius
        [pixel].
    x, y
        Centres [pixel], parent coordinates, shape ``(n,)``.
    out
        Shape ``(n, 2)``: receives fluxes and errors where the aperture is not truncated.
    flags
        Shape ``(n,)``: receives bits of `APERTURE_TRUNCATED`, `SINC_COEFFS_TRUNCATED`.
    rounded
        See `sinc_flux`.
    """
    work = np.empty((2, coefficients.shape[0], coefficients.shape[1]), np.float32)
    image, variance = pixels.image, pixels.variance
    for k in range(len(x)):
        show(pixels, k)
        flags[k] = sinc_flux(
            image,
            variance,
            x0,
            y0,
            coefficients,
            order,
            radius,
            radius,
            x[k],
            y[k],
            work,
            out[k],
            rounded,
        )
