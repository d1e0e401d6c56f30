"""Adaptive moments with an elliptical or a round Gaussian weight, in double precision.

Hirata & Seljak 2003 (MNRAS 343, 459); Mandelbaum et al. 2005 (MNRAS 361, 1287); Bernstein & Jarvis 2002 (AJ 123, 583):
the weight is matched to the object until position, size and (elliptical case) shape stop changing. Spec 07d.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .hsm_iteration import CONVERGED, MAX_ITERATIONS, clip, nonzero_bounds
from .hsm_round import round_moments
from .hsm_slow_sums import slow_weighted_sums
from .hsm_sums import (
    HSM_DIVERGED,
    HSM_EMPTY,
    HSM_LONG,
    HSM_NOT_CONVERGED,
    HSM_OK,
    HSM_SINGULAR,
    fourth_moment,
    panels_of,
    weighted_sums,
    workspace,
)
from .pixels import Pixels, show

__all__ = [
    "HSM_DIVERGED",
    "HSM_EMPTY",
    "HSM_NOT_CONVERGED",
    "HSM_OK",
    "HSM_SINGULAR",
    "elliptical_moments",
    "elliptical_moments_within",
    "hsm_source_moments",
    "hsm_stack_moments",
    "measure_moments",
]

#: An iteration that takes longer than this goes round in circles, between weights that hold a few pixels more or less,
#: until it happens to end. Where it does is a matter of last digits: it is done again with GalSim's own.
_PATIENCE = 100
#: ρ² at which the weight is cut off, and the weight there: a tenth of the threshold at which the moments have converged.
_CUT = (-2.0 * math.log(1e-7), 1e-7)
# The field's long-standing parameters of this algorithm (spec 07d, "HSMParams defaults").
_MAX_MOMENT = 8000.0  # pixel²; a weight this wide has lost the object
_MAX_SHIFT = 15.0  # pixel; likewise
_MIN_MOMENT = 1e-8  # pixel²
#: Status of an iteration that takes too long.
_OUT_OF_PATIENCE = -1


@jit
def elliptical_moments(
    stamp: NDArray[np.float64],
    good: NDArray[np.bool_],
    first_x: int,
    first_y: int,
    x: float,
    y: float,
    mxx: float,
    mxy: float,
    myy: float,
    with_fourth: bool,
    out: NDArray[np.float64],
) -> int:
    """Measure one object with an elliptical Gaussian weight (spec 07d, "Elliptical adaptive moments").

    Parameters
    ----------
    stamp
        Shape ``(h, w)``. Bad pixels are set to zero in place.
    good
        Shape ``(h, w)``: pixels to use.
    first_x, first_y
        Where the stamp begins in the image that it is a part of (1 if it is made up, as in GalSim): makes last digits.
    x, y
        First guess of the centre [pixel] in the stamp's own indices.
    mxx, mxy, myy
        First guess of the moments [pixel²].
    with_fourth
        Whether the ρ⁴ moment is wanted.
    out
        Receives x, y [pixel], xx, xy, yy [pixel²], A (half the flux) [unit of the stamp], ρ⁴ moment if
        wanted, iterations.

    Returns
    -------
    int
        `HSM_OK`, or why there is no result.
    """
    bounds = np.empty(4, np.int64)
    if not nonzero_bounds(stamp, good, bounds):
        return HSM_EMPTY
    return elliptical_moments_within(stamp, bounds, first_x, first_y, x, y, mxx, mxy, myy, with_fourth, out)


@jit
def elliptical_moments_within(
    stamp: NDArray[np.float64],
    bounds: NDArray[np.int64],
    first_x: int,
    first_y: int,
    x: float,
    y: float,
    mxx: float,
    mxy: float,
    myy: float,
    with_fourth: bool,
    out: NDArray[np.float64],
) -> int:
    """Measure one object with an elliptical Gaussian weight on a part of a stamp; see `elliptical_moments`.

    Parameters
    ----------
    stamp
        Shape ``(h, w)``.
    bounds
        Row start and stop, column start and stop of the part.
    first_x, first_y
        As in `elliptical_moments`.
    x, y
        First guess of the centre [pixel] in the stamp's own indices.
    mxx, mxy, myy
        First guess of the moments [pixel²].
    with_fourth
        Whether the ρ⁴ moment is wanted.
    out
        As in `elliptical_moments`.

    Returns
    -------
    int
        `HSM_OK`, or why there is no result.
    """
    status = _iterate(stamp, bounds, False, _PATIENCE, 0, 0, x, y, mxx, mxy, myy, with_fourth, out)
    if status == _OUT_OF_PATIENCE:
        status = _iterate(
            stamp, bounds, True, MAX_ITERATIONS, first_x, first_y, x, y, mxx, mxy, myy, with_fourth, out
        )
    return HSM_NOT_CONVERGED if status == _OUT_OF_PATIENCE else status


@jit
def _iterate(
    stamp: NDArray[np.float64],
    bounds: NDArray[np.int64],
    slow: bool,
    max_iterations: int,
    first_x: int,
    first_y: int,
    x: float,
    y: float,
    mxx: float,
    mxy: float,
    myy: float,
    with_fourth: bool,
    out: NDArray[np.float64],
) -> int:
    """Match the weight, with sums of either kind; the slow ones in the image's coordinates."""
    sums = np.empty(6)
    h, w = bounds[1] - bounds[0], bounds[3] - bounds[2]
    panels = panels_of(stamp, bounds)
    columns, factor = workspace(h)
    column, row = float(bounds[2]), float(bounds[0])
    if slow:
        x += first_x
        y += first_y
    x_start, y_start = x, y
    # the weight of the last iteration
    last_x, last_y, last_xx, last_xy, last_yy = x, y, mxx, mxy, myy
    scale0 = 0.0
    iterations = 0
    change = 1.0
    while change > CONVERGED:
        last_x, last_y, last_xx, last_xy, last_yy = x, y, mxx, mxy, myy
        if slow:
            status = slow_weighted_sums(stamp, bounds, first_x, first_y, x, y, mxx, mxy, myy, sums)
        else:
            status = weighted_sums(
                panels, h, w, x - column, y - row, mxx, mxy, myy, _CUT, columns, factor, sums
            )
            if status == HSM_LONG:
                status = slow_weighted_sums(stamp, bounds, 0, 0, x, y, mxx, mxy, myy, sums)
        if status != HSM_OK:
            return status
        if slow:
            two_psi = math.atan2(2.0 * mxy, mxx - myy)
            major2 = 0.5 * ((mxx + myy) + (mxx - myy) * math.cos(two_psi)) + mxy * math.sin(two_psi)
        else:
            major2 = 0.5 * ((mxx + myy) + math.sqrt((mxx - myy) ** 2 + 4.0 * mxy * mxy))
        minor2 = mxx + myy - major2
        if minor2 <= 0.0:
            return HSM_SINGULAR
        scale = math.sqrt(minor2)
        if iterations == 0:
            scale0 = scale
        dx = clip(2.0 * sums[1] / (sums[0] * scale))
        dy = clip(2.0 * sums[2] / (sums[0] * scale))
        dxx = clip(4.0 * (sums[3] / sums[0] - 0.5 * mxx) / minor2)
        dxy = clip(4.0 * (sums[4] / sums[0] - 0.5 * mxy) / minor2)
        dyy = clip(4.0 * (sums[5] / sums[0] - 0.5 * myy) / minor2)
        total = dx + dy + dxx + dxy + dyy
        if math.isnan(total):
            return HSM_NOT_CONVERGED
        change = max(abs(dx), abs(dy), abs(dxx), abs(dxy), abs(dyy))
        if scale < scale0:
            change *= scale0 / scale
        x += dx * scale
        y += dy * scale
        mxx += dxx * minor2
        mxy += dxy * minor2
        myy += dyy * minor2
        if (
            max(abs(mxx), abs(mxy), abs(myy)) > _MAX_MOMENT
            or abs(x - x_start) > _MAX_SHIFT
            or abs(y - y_start) > _MAX_SHIFT
            or min(abs(mxx), abs(myy)) < _MIN_MOMENT
            or mxx * myy - mxy * mxy < _MIN_MOMENT
        ):
            return HSM_DIVERGED
        iterations += 1
        if iterations > max_iterations:
            return _OUT_OF_PATIENCE
    if slow:
        x, y, last_x, last_y = x - first_x, y - first_y, last_x - first_x, last_y - first_y
    out[0] = x
    out[1] = y
    out[2] = mxx
    out[3] = mxy
    out[4] = myy
    out[5] = sums[0]
    if with_fourth:
        fourth = fourth_moment(panels, h, w, last_x - column, last_y - row, last_xx, last_xy, last_yy, _CUT)
        out[6] = fourth / sums[0]
    out[7] = iterations
    return HSM_OK


@jit
def _to_second_moments(sigma: float, e1: float, e2: float, out: NDArray[np.float64]) -> bool:
    """Fill ``out[2:5]`` with xx, yy, xy from size and distortion; False if the distortion is not below one.

    Both are rounded to single precision first: the type in which GalSim, and with it the reference, hands them on.
    """
    sigma, e1, e2 = np.float64(np.float32(sigma)), np.float64(np.float32(e1)), np.float64(np.float32(e2))
    e_sq = e1 * e1 + e2 * e2
    if not e_sq < 1.0:
        return False
    scale = sigma * sigma / math.sqrt(1.0 - e_sq)
    out[2] = scale * (1.0 + e1)
    out[3] = scale * (1.0 - e1)
    out[4] = scale * e2
    return True


@jit
def measure_moments(
    stamp: NDArray[np.float64],
    good: NDArray[np.bool_],
    first_x: int,
    first_y: int,
    x: float,
    y: float,
    sigma: float,
    is_round: bool,
    out: NDArray[np.float64],
) -> int:
    """Measure one object with either weight.

    Parameters
    ----------
    stamp
        Shape ``(h, w)``. Bad pixels are set to zero in place.
    good
        Shape ``(h, w)``: pixels to use.
    first_x, first_y
        Where the stamp begins in the image that it is a part of (1 if it is made up, as in GalSim): makes last digits.
    x, y
        First guess of the centre [pixel] in the stamp's own indices.
    sigma
        First guess of the weight's width [pixel].
    is_round
        Whether the weight is kept round.
    out
        Receives x, y [pixel], xx, yy, xy [pixel²] and flux; of a distortion of one or more, x and y alone (spec 07d,
        Common).

    Returns
    -------
    int
        `HSM_OK`, or why there is no result.
    """
    found = np.empty(8)
    if is_round:
        status = round_moments(stamp, good, x, y, sigma, found)
    else:
        m = sigma * sigma
        status = elliptical_moments(stamp, good, first_x, first_y, x, y, m, 0.0, m, False, found)
    if status != HSM_OK:
        return status
    out[0] = found[0]
    out[1] = found[1]
    if is_round:
        out[5] = found[6]
        width, e1, e2 = found[2], found[3], found[4]
    else:
        out[5] = 2.0 * found[5]
        xx, xy, yy = found[2], found[3], found[4]
        width = math.sqrt(math.sqrt(xx * yy - xy * xy))
        e1, e2 = (xx - yy) / (xx + yy), 2.0 * xy / (xx + yy)
    return HSM_OK if _to_second_moments(width, e1, e2, out) else HSM_SINGULAR


@jit
def hsm_source_moments(
    pixels: Pixels,
    sources: NDArray[np.int64],
    bad: int,
    boxes: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    sigma: NDArray[np.float64],
    is_round: bool,
    out: NDArray[np.float64],
    status: NDArray[np.int64],
) -> None:
    """Measure sources, each within its own box of one image.

    Parameters
    ----------
    pixels
        The image.
    sources
        Shape ``(n,)``: places of the sources in the batch, ascending.
    bad
        Mask value; pixels with any of its bits are left out.
    boxes
        Shape ``(n, 4)``: row start and stop, column start and stop, in the arrays' indices, within the image.
    x, y
        Shape ``(n,)``: first guess of the centres [pixel], in the arrays' indices.
    sigma
        Shape ``(n,)``: first guess of the weights' width [pixel].
    is_round
        Whether the weight is kept round.
    out
        Shape ``(n, 6)``: receives x, y [pixel], xx, yy, xy [pixel²] and flux where there is a result.
    status
        Shape ``(n,)``: receives `HSM_OK`, or why there is no result.
    """
    image, mask = pixels.image, pixels.mask
    for k in range(len(x)):
        show(pixels, sources[k])
        i0, i1, j0, j1 = boxes[k, 0], boxes[k, 1], boxes[k, 2], boxes[k, 3]
        stamp = np.empty((i1 - i0, j1 - j0))
        good = np.empty((i1 - i0, j1 - j0), np.bool_)
        first = np.uint64(j0)  # unsigned, so that no index could be counted from the end
        for i in range(i1 - i0):
            for j in range(np.uint64(j1 - j0)):
                stamp[i, j] = image[i0 + i, first + j]
                good[i, j] = (mask[i0 + i, first + j] & bad) == 0
        status[k] = measure_moments(stamp, good, j0, i0, x[k] - j0, y[k] - i0, sigma[k], is_round, out[k])
        out[k, 0] += j0
        out[k, 1] += i0


@jit
def hsm_stack_moments(
    images: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    sigma: NDArray[np.float64],
    is_round: bool,
    out: NDArray[np.float64],
    status: NDArray[np.int64],
) -> None:
    """Measure one object an image, all pixels being good.

    Parameters
    ----------
    images
        Shape ``(n, h, w)``.
    x, y
        Shape ``(n,)``: first guess of the centres [pixel], in the images' indices.
    sigma
        Shape ``(n,)``: first guess of the weights' width [pixel].
    is_round
        Whether the weight is kept round.
    out
        Shape ``(n, 6)``: receives x, y [pixel], xx, yy, xy [pixel²] and flux where there is a result.
    status
        Shape ``(n,)``: receives `HSM_OK`, or why there is no result.
    """
    good = np.ones(images.shape[1:], np.bool_)
    for k in range(len(images)):
        status[k] = measure_moments(images[k].copy(), good, 1, 1, x[k], y[k], sigma[k], is_round, out[k])
