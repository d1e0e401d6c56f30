"""Shift of an image by a fraction of a pixel with a Lanczos kernel (spec 07c.1).

Separable: rows first, then columns. Arithmetic is in the image's own type, float32 or float64. Duchon 1979
(J. Appl. Meteor. 18, 1016) describes the filter; here each axis' weights are normalised to unit sum.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = ["lanczos_weights", "offset_image", "offset_images", "split_offset", "split_offset_pair"]


@jit
def lanczos_weights(fraction: float, order: int, weights: NDArray[np.floating]) -> int:
    """Fill the weights that shift by a fraction of a pixel.

    Parameters
    ----------
    fraction
        The shift, in (-1, 1) [pixel]; positive moves the picture to higher indices.
    order
        n of Lanczos-n.
    weights
        Shape ``(2 * order,)``, filled; unit sum.

    Returns
    -------
    int
        The index in ``weights`` that belongs to the output's own pixel.
    """
    centre = order if fraction > 0 else order - 1
    total = 0.0
    values = np.empty(2 * order)
    for i in range(2 * order):
        u = math.pi * (i - centre + fraction)
        v = u * (1.0 / order)
        # the order of operations is the reference's: images of the PSF are the same to the last digit
        values[i] = math.sin(u) * math.sin(v) / (u * v) if abs(u) > 1e-5 else 1.0
        total += values[i]
    for i in range(2 * order):
        weights[i] = values[i] / total
    return centre


@jit
def split_offset(offset: float) -> tuple[int, float]:
    """Whole pixels and remainder in [-0.5, 0.5) of a shift; the shift is first rounded to float32."""
    rounded = np.float32(offset)
    whole = math.floor(float(rounded) + 0.5)
    return int(whole), float(np.float32(float(rounded) - whole))


@jit
def split_offset_pair(dx: float, dy: float) -> tuple[int, int, float, float]:
    """Whole pixels in x and y and remainders of a shift; one below a pixel on both axes is all remainder."""
    fx = np.float32(dx)
    fy = np.float32(dy)
    if -1 < fx < 1 and -1 < fy < 1:
        return 0, 0, float(fx), float(fy)
    ix, rx = split_offset(dx)
    iy, ry = split_offset(dy)
    return ix, iy, rx, ry


@jit
def _correlate(
    source: NDArray[np.floating],
    start: int,
    step: int,
    taps: NDArray[np.floating],
    out: NDArray[np.floating],
) -> None:
    """Add to ``out[i]`` the terms ``taps[k] * source[start + k * step + i]``, in the order of k."""
    n = len(taps)
    # two taps a pass: half as many loads and stores of the output
    for k in range(0, n - 1, 2):
        one, two = taps[k], taps[k + 1]
        first = source[start + k * step :]
        second = source[start + (k + 1) * step :]
        for i in range(len(out)):
            out[i] = (out[i] + one * first[i]) + two * second[i]
    if n % 2:
        one = taps[n - 1]
        first = source[start + (n - 1) * step :]
        for i in range(len(out)):
            out[i] += one * first[i]


@jit
def _correlate_rounded(
    source: NDArray[np.floating],
    start: int,
    step: int,
    taps: NDArray[np.float64],
    out: NDArray[np.floating],
) -> None:
    """Do what `_correlate` does with terms that are double products, rounded to the image's type before they are added."""
    as_pixel = out.dtype.type
    for k in range(len(taps)):
        tap = taps[k]
        shifted = source[start + k * step :]
        for i in range(len(out)):
            out[i] += as_pixel(tap * np.float64(shifted[i]))


@jit
def offset_image(
    image: NDArray[np.floating],
    dx: float,
    dy: float,
    order: int,
    out: NDArray[np.floating],
    work: NDArray[np.floating],
    rounded: bool = False,
) -> tuple[int, int]:
    """Shift an image; its borders, where the kernel does not fit, stay as they were.

    Parameters
    ----------
    image
        Pixels, shape ``(h, w)``, float32 or float64.
    dx, dy
        The shift [pixel].
    order
        n of Lanczos-n; the reference uses 5.
    out
        Of the image's shape and type, filled.
    work
        As ``out``, scratch.
    rounded
        Whether terms are rounded one by one as in the reference, to the last digit; it is slower.

    Returns
    -------
    int, int
        Whole pixels in x and y to add to the image's origin: only the remainder is in ``out``.
    """
    height, width = image.shape
    ix, iy, fx, fy = split_offset_pair(dx, dy)
    size = 2 * order
    wide_x, wide_y = np.empty(size), np.empty(size)
    cx = lanczos_weights(fx, order, wide_x)
    cy = lanczos_weights(fy, order, wide_y)
    kx, ky = wide_x.astype(image.dtype), wide_y.astype(image.dtype)
    for j in range(height):
        for i in range(width):
            out[j, i] = image[j, i]
    if width < size or height < size:
        return ix, iy
    n = width - size + 1
    work[:, cx : cx + n] = 0.0
    for j in range(height):
        if rounded:
            _correlate_rounded(image[j], 0, 1, wide_x, work[j, cx : cx + n])
        else:
            _correlate(image[j], 0, 1, kx, work[j, cx : cx + n])
    columns = work.ravel()
    for j in range(height - size + 1):
        # spec 04.3: rows lie in a ring of ``size`` and are summed in the order of the ring, not of the kernel
        row = out[j + cy, cx : cx + n]
        row[:] = 0.0
        first = -j % size
        if rounded:
            _correlate_rounded(columns, (j + first) * width + cx, width, wide_y[first:], row)
            _correlate_rounded(columns, j * width + cx, width, wide_y[:first], row)
        else:
            _correlate(columns, (j + first) * width + cx, width, ky[first:], row)
            _correlate(columns, j * width + cx, width, ky[:first], row)
    return ix, iy


@jit
def offset_images(
    images: NDArray[np.floating],
    dx: NDArray[np.float64],
    dy: NDArray[np.float64],
    order: int,
    out: NDArray[np.floating],
    whole: NDArray[np.int64],
) -> None:
    """Shift many images, each by its own offset.

    Parameters
    ----------
    images
        Shape ``(n, h, w)``, float32 or float64.
    dx, dy
        Shape ``(n,)`` [pixel].
    order
        n of Lanczos-n.
    out
        As ``images``, filled.
    whole
        Shape ``(n, 2)``: whole pixels in x and y to add to each origin, filled.
    """
    work = np.empty_like(images[0])
    for i in range(images.shape[0]):
        ix, iy = offset_image(images[i], dx[i], dy[i], order, out[i], work)
        whole[i, 0] = ix
        whole[i, 1] = iy
