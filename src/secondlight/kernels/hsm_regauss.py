"""Re-Gaussianisation: shapes corrected for a PSF that is no Gaussian (spec 07d, Regauss).

Hirata & Seljak 2003 (MNRAS 343, 459), section 2.4: the part of the PSF that is not Gaussian is convolved with a guess of
the source without PSF and taken off the image; what is left is as if seen through a Gaussian PSF.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ._jit import jit
from .hsm_moments import HSM_OK, HSM_SINGULAR, elliptical_moments_within
from .hsm_shear import (
    AMPLITUDE,
    RHO4,
    XX,
    XY,
    YY,
    X,
    Y,
    bernstein_jarvis_correction,
    distortion,
    stamp_of,
    store_shape,
)

__all__ = ["regaussianise"]

# The field's long-standing parameters of this algorithm (spec 07d, "HSMParams defaults").
_SIGMA_GUESS = 3.0  # the guess of the source ends at this many sigma
_SIGMA_RESIDUAL = (
    3.6  # the residual of the PSF counts where it reaches pixels within this many sigma of the source
)
_MIN_VARIANCE = 0.25  # pixel²; the guess is no smaller along any axis

#: Convolutions are done for as many sources at once as this number of pixels allows (8 MB an array).
_PIXELS_AT_ONCE = 1 << 20


@jit
def _boxes(
    found: NDArray[np.float64],
    psf_found: NDArray[np.float64],
    bounds: NDArray[np.int64],
    height: int,
    width: int,
    guess: NDArray[np.float64],
    boxes: NDArray[np.int64],
    status: NDArray[np.int64],
) -> None:
    """Find the moments of the sources without PSF, and where guesses and residuals live.

    ``guess`` receives xx, xy, yy; ``boxes`` receives row start and stop, column start and stop of the guess, which is
    centred where source minus PSF are, and then of the residual, in the PSF image's indices.
    """
    for k in range(len(found)):
        if status[k] != HSM_OK:
            continue
        xx, xy, yy = (
            found[k, XX] - psf_found[k, XX],
            found[k, XY] - psf_found[k, XY],
            found[k, YY] - psf_found[k, YY],
        )
        angle = math.atan2(2.0 * xy, xx - yy)
        cos, sin = math.cos(angle), math.sin(angle)
        a2 = 0.5 * (xx + yy + (xx - yy) * cos) + xy * sin
        b2 = xx + yy - a2
        a2, b2 = max(a2, _MIN_VARIANCE), max(b2, _MIN_VARIANCE)
        guess[k, 0] = 0.5 * (a2 + b2 + (a2 - b2) * cos)
        guess[k, 1] = 0.5 * (a2 - b2) * sin
        guess[k, 2] = 0.5 * (a2 + b2 - (a2 - b2) * cos)
        for axis in range(2):
            # rows, then columns
            at, moment, size = (X, XX, width) if axis else (Y, YY, height)
            reach = _SIGMA_GUESS * math.sqrt(max(guess[k, 0 if axis else 2], 1.0))
            centre = found[k, at] - psf_found[k, at]
            first, last = bounds[k, 2 * axis] - (size - 1), bounds[k, 2 * axis + 1] - 1
            if first < centre - reach:
                first = math.floor(centre - reach)
            if last > centre + reach:
                last = math.ceil(centre + reach)
            boxes[k, 2 * axis] = first
            boxes[k, 2 * axis + 1] = last + 1
            reach += _SIGMA_RESIDUAL * math.sqrt(found[k, moment])
            boxes[k, 4 + 2 * axis] = max(math.floor(psf_found[k, at] - reach), 0)
            boxes[k, 5 + 2 * axis] = min(math.ceil(psf_found[k, at] + reach), size - 1) + 1
            if (
                boxes[k, 2 * axis + 1] <= boxes[k, 2 * axis]
                or boxes[k, 5 + 2 * axis] <= boxes[k, 4 + 2 * axis]
            ):
                status[k] = HSM_SINGULAR


@jit
def _gaussian(
    box: NDArray[np.int64], x: float, y: float, xx: float, xy: float, yy: float, out: NDArray[np.float64]
) -> float:
    """Fill ``out`` with exp(-ρ²/2) over a box; return the sum."""
    det = xx * yy - xy * xy
    pxx, pxy, pyy = yy / det, -xy / det, xx / det
    total = 0.0
    for i in range(box[0], box[1]):
        dy = i - y
        for j in range(box[2], box[3]):
            dx = j - x
            g = math.exp(-0.5 * (pxx * dx * dx + pyy * dy * dy) - pxy * dx * dy)
            out[i - box[0], j - box[2]] = g
            total += g
    return total


@jit
def _fill(
    rows: NDArray[np.int64],
    found: NDArray[np.float64],
    psf: NDArray[np.float64],
    psf_found: NDArray[np.float64],
    guess: NDArray[np.float64],
    boxes: NDArray[np.int64],
    guesses: NDArray[np.float64],
    residuals: NDArray[np.float64],
) -> None:
    """Fill the images that are to be convolved, each from its first pixel on; shape ``(m, size, size)``, zero before."""
    for m in range(len(rows)):
        k = rows[m]
        p = psf_found[k]
        psf_flux = psf[k].sum()
        box = boxes[k, :4]
        x, y = found[k, X] - p[X], found[k, Y] - p[Y]
        total = _gaussian(box, x, y, guess[k, 0], guess[k, 1], guess[k, 2], guesses[m])
        factor = found[k, RHO4] * found[k, AMPLITUDE] / (total * psf_flux)
        guess_image = guesses[m]
        for i in range(guess_image.shape[0]):
            for j in range(guess_image.shape[1]):
                guess_image[i, j] *= factor
        box = boxes[k, 4:]
        _gaussian(box, p[X], p[Y], p[XX], p[XY], p[YY], residuals[m])
        scale = psf_flux / (2.0 * math.pi * math.sqrt(p[XX] * p[YY] - p[XY] * p[XY]))
        for i in range(box[0], box[1]):
            for j in range(box[2], box[3]):
                r = residuals[m, i - box[0], j - box[2]]
                residuals[m, i - box[0], j - box[2]] = scale * r - psf[k, i, j]


@jit
def _finish(
    rows: NDArray[np.int64],
    convolved: NDArray[np.float64],
    stamps: NDArray[np.float64],
    offsets: NDArray[np.int64],
    stamp_boxes: NDArray[np.int64],
    bounds: NDArray[np.int64],
    boxes: NDArray[np.int64],
    found: NDArray[np.float64],
    psf_found: NDArray[np.float64],
    sky_variance: NDArray[np.float64],
    out: NDArray[np.float64],
    status: NDArray[np.int64],
) -> None:
    """Add what was convolved to the stamps, measure again and correct."""
    for m in range(len(rows)):
        k = rows[m]
        stamp = stamp_of(stamps, offsets, stamp_boxes, k)
        i_first, j_first = boxes[k, 0] + boxes[k, 4], boxes[k, 2] + boxes[k, 6]
        size = convolved.shape[1]
        for i in range(max(bounds[k, 0], i_first), min(bounds[k, 1], i_first + size)):
            for j in range(max(bounds[k, 2], j_first), min(bounds[k, 3], j_first + size)):
                stamp[i, j] += convolved[m, i - i_first, j - j_first]
        flux = found[k, RHO4] * found[k, AMPLITUDE]
        f, p = found[k], psf_found[k]
        status[k] = elliptical_moments_within(
            stamp, bounds[k], stamp_boxes[k, 2], stamp_boxes[k, 0], f[X], f[Y], f[XX], f[XY], f[YY], True, f
        )
        if status[k] != HSM_OK:
            continue
        det = f[XX] * f[YY] - f[XY] * f[XY]
        if not det > 0.0:
            status[k] = HSM_SINGULAR
            continue
        ratio = (p[XX] + p[YY]) / (f[XX] + f[YY])
        o1, o2 = distortion(f)
        p1, p2 = distortion(p)
        # by now the PSF has no fourth moment but a Gaussian's
        e1, e2 = bernstein_jarvis_correction(ratio, p1, p2, 0.0, o1, o2, 0.5 * f[RHO4] - 1.0)
        store_shape(e1, e2, det**0.25, flux, 1.0 - ratio, sky_variance[k], out[k])


def _sizes(boxes: NDArray[np.int64], bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sizes, in both axes, of the transforms that convolve guesses with residuals."""
    lengths = boxes[:, 1::2] - boxes[:, ::2]
    guess, residual = lengths[:, :2], lengths[:, 2:]
    # long enough that nothing wraps around; a multiple of 8, so that many sources share a size
    enough = np.array(
        [
            scipy.fft.next_fast_len((int(n) + 7) // 8 * 8, real=True)
            for n in (guess + residual).max(axis=1) - 1
        ]
    )
    # what the field's code takes: seldom less, and then the faint corners of the convolution do wrap around
    usual = np.max([
        guess.max(axis=1) * 4 // 3, residual.max(axis=1) * 4 // 3, (bounds[:, 1::2] - bounds[:, ::2]).max(axis=1)
    ], axis=0)  # fmt: skip
    usual = np.maximum(usual, 6)
    powers = 2 ** np.ceil(np.log2(usual)).astype(np.int64)
    usual = np.where(powers * 3 // 4 >= usual, powers * 3 // 4, powers)
    return np.asarray(np.minimum(enough, usual), np.int64)


def regaussianise(
    stamps: NDArray[np.float64],
    offsets: NDArray[np.int64],
    stamp_boxes: NDArray[np.int64],
    bounds: NDArray[np.int64],
    found: NDArray[np.float64],
    psf: NDArray[np.float64],
    psf_found: NDArray[np.float64],
    sky_variance: NDArray[np.float64],
    out: NDArray[np.float64],
    status: NDArray[np.int64],
) -> None:
    """Correct the shapes of sources for their PSFs.

    Parameters
    ----------
    stamps, offsets, stamp_boxes, bounds
        The sources, as `~secondlight.kernels.hsm_shear.cut_sources` left them; overwritten.
    found, psf_found
        What `~secondlight.kernels.hsm_shear.shear_moments` found; the first is overwritten.
    psf
        PSF images, shape ``(n, h, w)``.
    sky_variance
        Shape ``(n,)``: variance of a pixel.
    out
        Shape ``(n, 4)``: receives distortion e1, e2, its error, and resolution where there is a result.
    status
        Shape ``(n,)``: sources that are not `HSM_OK` are passed over; receives why there is no result.
    """
    n, height, width = psf.shape
    guess = np.full((n, 3), np.nan)
    boxes = np.zeros((n, 8), np.int64)
    _boxes(found, psf_found, bounds, height, width, guess, boxes, status)
    sizes = _sizes(boxes, bounds)
    usable = status == HSM_OK
    for size in np.unique(sizes[usable]):
        rows = np.flatnonzero(usable & (sizes == size))
        step = max(1, _PIXELS_AT_ONCE // int(size) ** 2)
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            images = np.zeros((2, len(part), size, size))
            _fill(part, found, psf, psf_found, guess, boxes, images[0], images[1])
            spectra = scipy.fft.rfft2(images)
            convolved = scipy.fft.irfft2(spectra[0] * spectra[1], s=(size, size))
            _finish(
                part,
                convolved,
                stamps,
                offsets,
                stamp_boxes,
                bounds,
                boxes,
                found,
                psf_found,
                sky_variance,
                out,
                status,
            )
