"""Adaptive Gaussian-weighted second moments of one object.

An elliptical Gaussian weight is matched to the object by iteration: weight and object are assumed Gaussian,
so that the inverse matrix of the weighted moments is the sum of the object's and the weight's. Bernstein &
Jarvis 2002 (AJ 123, 583), in the form used by the SDSS Photo pipeline; roundings to float32 as in spec 07b
"SdssShape".

The weight stays at the given centre.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .gaussian_sums import weighted_sums

__all__ = [
    "FAILURE",
    "MAX_ITER",
    "N_OUT",
    "OUT_AMPLITUDE",
    "OUT_ITERATIONS",
    "OUT_X",
    "OUT_XX",
    "OUT_XY",
    "OUT_Y",
    "OUT_YY",
    "SHIFT",
    "UNWEIGHTED",
    "UNWEIGHTED_BAD",
    "adaptive_moments",
    "adaptive_moments_stack",
    "invert_symmetric",
    "is_excessive",
    "is_small",
    "set_box",
]

# flag bits
FAILURE = 1  # of any kind; UNWEIGHTED and SHIFT imply it
UNWEIGHTED_BAD = 2  # even the unweighted moments are unusable
UNWEIGHTED = 4  # the iteration broke down: the moments are unweighted ones
SHIFT = 8  # the weighted centroid is more than max_shift from the given centre
MAX_ITER = 16  # no convergence

# places in the output
OUT_XX = 0
OUT_YY = 1
OUT_XY = 2
OUT_AMPLITUDE = 3  # peak of the matched Gaussian; times 2π√det it is the flux; NaN if UNWEIGHTED
OUT_X = 4  # centroid under the weight, in the array's indices
OUT_Y = 5
OUT_ITERATIONS = 6
N_OUT = 7

_FLT_EPSILON = 1.1920928955078125e-07  # the tolerance on singular matrices is float32's
_MAX_BOX_RADIUS = 1000.0
_MAX_WEIGHT = 1e6  # an inverse variance above this means a matrix that is not one
_MIN_SIGMA2 = 0.25  # below this [pixel^2] the weight is not sampled by whole pixels


@jit
def invert_symmetric(a11: float, a12: float, a22: float) -> tuple[bool, float, float, float]:
    """Invert a symmetric 2x2 matrix.

    Parameters
    ----------
    a11, a12, a22
        Its elements.

    Returns
    -------
    good : bool
        Whether it has an inverse, to the tolerance of float32.
    b11, b12, b22 : float
        The inverse's elements; NaN if it has none.
    """
    det = a11 * a22 - a12 * a12
    if math.isnan(a11) or math.isnan(a12) or math.isnan(a22) or det < _FLT_EPSILON:
        return False, math.nan, math.nan, math.nan
    return True, a22 / det, -a12 / det, a11 / det


@jit
def is_small(s11: float, s12: float, s22: float) -> bool:
    """Tell whether whole pixels do not sample a weight of these moments [pixel²] finely enough.

    Parameters
    ----------
    s11, s12, s22
        Moments xx, xy, yy.
    """
    return bool(s11 < _MIN_SIGMA2 or s22 < _MIN_SIGMA2 or s11 * s22 - s12 * s12 < _MIN_SIGMA2 * _MIN_SIGMA2)


@jit
def is_excessive(w11: float, w12: float, w22: float) -> bool:
    """Tell whether an inverse of moments is none of a weight's.

    Parameters
    ----------
    w11, w12, w22
        Elements of the inverse matrix [pixel⁻²].
    """
    return bool(w11 < 0 or w22 < 0 or max(abs(w11), abs(w12), abs(w22)) > _MAX_WEIGHT)


@jit
def set_box(
    box: NDArray[np.int64], x: float, y: float, s11: float, s22: float, width: int, height: int
) -> None:
    """Find the pixels that touch the square of four standard deviations around the centre, within the image.

    Parameters
    ----------
    box
        Receives first column, first row, last column, last row.
    x, y
        The centre.
    s11, s22
        Variances along x and y [pixel²].
    width, height
        The image's.
    """
    radius = min(4.0 * math.sqrt(max(s11, s22)), _MAX_BOX_RADIUS)
    box[0] = max(math.floor(x - radius + 0.5), 0)
    box[1] = max(math.floor(y - radius + 0.5), 0)
    box[2] = min(math.ceil(x + radius - 0.5), width - 1)
    box[3] = min(math.ceil(y + radius - 0.5), height - 1)


@jit
def adaptive_moments(
    image: NDArray[np.floating],
    x: float,
    y: float,
    background: float,
    max_iter: int,
    max_shift: float,
    tol1: float,
    tol2: float,
    negative: bool,
    out: NDArray[np.float64],
) -> int:
    """Measure the adaptive moments of the object at one place.

    Parameters
    ----------
    image
        Pixels, shape ``(h, w)``; used as float32 whatever they are.
    x, y
        The centre, in the array's indices (a pixel's centre is a whole number).
    background
        Subtracted from every pixel.
    max_iter
        Iterations before giving up (100).
    max_shift
        Distance on an axis between centre and weighted centroid above which SHIFT is set (2).
    tol1, tol2
        Convergence: changes of the ellipticity (1e-5) and of the size, relative (1e-4).
    negative
        Whether the object is a hole: its sums are then to be below zero, and so is its amplitude.
    out
        Shape ``(N_OUT,)``, filled at the places ``OUT_*`` [pixel, pixel^2]. What was not measured is NaN.

    Returns
    -------
    int
        Flag bits; 0 if all is well.
    """
    height, width = image.shape
    out[:] = math.nan
    x_centre = np.float32(x)
    y_centre = np.float32(y)
    level = np.float32(background)
    box = np.empty(4, np.int64)
    sums = np.zeros(6)
    flags = 0
    s11, s12, s22 = 1.5, 0.0, 1.5
    w11, w12, w22 = -1.0, -1.0, -1.0
    e1_old, e2_old, m11_old = 1e6, 1e6, 1e6
    subpixel = False
    amplitude = math.nan
    iteration = 0
    if not (math.isfinite(x) and math.isfinite(y)):
        return FAILURE

    set_box(box, x, y, s11, s22, width, height)
    while iteration < max_iter:
        set_box(box, x, y, s11, s22, width, height)
        good, v11, v12, v22 = invert_symmetric(s11, s12, s22)
        if not good:
            flags |= UNWEIGHTED
            break
        if s11 * s22 < s12 * s12 - _FLT_EPSILON:
            return flags | FAILURE
        if is_small(s11, s12, s22) and not subpixel:
            subpixel = True
            if iteration > 0:  # once more with the weight of before, now sampled finely
                m11_old = 1e6
                v11, v12, v22 = w11, w12, w22
                iteration -= 1
        w11, w12, w22 = v11, v12, v22
        if is_excessive(w11, w12, w22):
            return flags | FAILURE
        good = weighted_sums(image, box, x_centre, y_centre, level, subpixel, w11, w12, w22, sums)
        if negative:
            good = sums[0] < 0.0 and sums[3] < 0.0 and sums[5] < 0.0
        if not good:
            flags |= UNWEIGHTED
            break
        amplitude = sums[0] / (math.pi / math.sqrt(w11 * w22 - w12 * w12))
        out[OUT_X] = sums[1] / sums[0]
        out[OUT_Y] = sums[2] / sums[0]
        if abs(out[OUT_X] - x) > max_shift or abs(out[OUT_Y] - y) > max_shift:
            flags |= SHIFT
        m11 = np.float32(sums[3] / sums[0])
        m12 = np.float32(sums[4] / sums[0])
        m22 = np.float32(sums[5] / sums[0])
        if m11 <= 0 or m22 <= 0:
            flags |= UNWEIGHTED
            break
        size = np.float32(m11 + m22)
        e1 = np.float64(np.float32(m11 - m22) / size)
        e2 = np.float64(np.float32(2.0) * m12 / size)
        if (
            iteration > 0
            and abs(e1 - e1_old) < tol1
            and abs(e2 - e2_old) < tol1
            and abs(np.float64(m11) / m11_old - 1.0) < tol2
        ):
            break
        e1_old, e2_old, m11_old = e1, e2, np.float64(m11)
        good, n11, n12, n22 = invert_symmetric(np.float64(m11), np.float64(m12), np.float64(m22))
        if not good:
            flags |= UNWEIGHTED
            break
        # the difference of two matrices in float32: of a faint or large object little is left of it
        n11 = np.float64(np.float32(np.float32(n11) - w11))
        n12 = np.float64(np.float32(np.float32(n12) - w12))
        n22 = np.float64(np.float32(np.float32(n22) - w22))
        good, s11, s12, s22 = invert_symmetric(n11, n12, n22)
        if not good or s11 <= 0 or s22 <= 0:
            flags |= UNWEIGHTED
            break
        iteration += 1

    out[OUT_ITERATIONS] = iteration
    if iteration == max_iter:
        flags |= UNWEIGHTED | MAX_ITER
    if sums[3] + sums[5] == 0.0:
        flags |= UNWEIGHTED
    if flags & UNWEIGHTED:
        amplitude = math.nan
        good = weighted_sums(image, box, x_centre, y_centre, level, subpixel, 0.0, 0.0, 0.0, sums)
        if negative:
            good = sums[0] < 0.0 and sums[3] < 0.0 and sums[5] < 0.0
        if not good:
            flags = (flags & ~UNWEIGHTED) | UNWEIGHTED_BAD | FAILURE
            if sums[0] > 0.0:  # a point: the moments of one pixel
                out[OUT_XX] = 1.0 / 12.0
                out[OUT_YY] = 1.0 / 12.0
                out[OUT_XY] = 0.0
            return flags
        s11 = sums[3] / sums[0]
        s12 = sums[4] / sums[0]
        s22 = sums[5] / sums[0]
    out[OUT_XX] = s11
    out[OUT_YY] = s22
    out[OUT_XY] = s12
    out[OUT_AMPLITUDE] = amplitude
    if flags & (UNWEIGHTED | SHIFT):
        flags |= FAILURE
    return flags


@jit
def adaptive_moments_stack(
    images: NDArray[np.floating],
    x: float,
    y: float,
    out: NDArray[np.float64],
    flags: NDArray[np.int64],
) -> None:
    """Measure one object an image at the same place in each, with the default control.

    Parameters
    ----------
    images
        Shape ``(n, h, w)``.
    x, y
        The centre, in the arrays' indices.
    out
        Shape ``(n, N_OUT)``, filled as by `adaptive_moments`.
    flags
        Shape ``(n,)``, filled.
    """
    for i in range(images.shape[0]):
        flags[i] = adaptive_moments(images[i], x, y, 0.0, 100, 2.0, 1e-5, 1e-4, False, out[i])
