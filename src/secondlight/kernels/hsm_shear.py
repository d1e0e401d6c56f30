"""Moments of source and PSF, and what of a source's shape remains once the PSF's is taken off (spec 07d).

Bernstein & Jarvis 2002 (AJ 123, 583), section 2 for the composition of shears, appendix C for the correction with the
fourth moment; Hirata & Seljak 2003 (MNRAS 343, 459), section 2 and appendix B, for the linear correction. Ellipticities
are distortions, (a² - b²) / (a² + b²).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .hsm_iteration import nonzero_bounds
from .hsm_moments import HSM_EMPTY, HSM_OK, elliptical_moments_within
from .local_background import quantiles
from .pixels import Pixels, show

__all__ = [
    "AMPLITUDE",
    "N_FOUND",
    "RHO4",
    "XX",
    "XY",
    "YY",
    "X",
    "Y",
    "bernstein_jarvis_correction",
    "compose_shears",
    "corrected_shapes",
    "cut_sources",
    "distortion",
    "linear_correction",
    "shear_moments",
    "stamp_of",
    "store_shape",
]

# places in what `shear_moments` finds: centre [pixel], moments [pixel²], half the flux, ρ⁴ moment
X, Y, XX, XY, YY, AMPLITUDE, RHO4 = range(7)
N_FOUND = 8


@jit
def cut_sources(
    pixels: Pixels,
    sources: NDArray[np.int64],
    bad: int,
    boxes: NDArray[np.int64],
    offsets: NDArray[np.int64],
    stamps: NDArray[np.float64],
    bounds: NDArray[np.int64],
    sky_variance: NDArray[np.float64],
    status: NDArray[np.int64],
) -> None:
    """Copy sources out of their images, and take the median of the variance.

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
    offsets
        Shape ``(n + 1,)``: where in ``stamps`` the pixels of each box begin.
    stamps
        Receives the pixels, box after box, row by row; masked ones are 0.
    bounds
        Shape ``(n, 4)``: receives the rows and columns of each box that hold anything.
    sky_variance
        Shape ``(n,)``: receives the median variance of the pixels that are not masked.
    status
        Shape ``(n,)``: receives `~secondlight.kernels.hsm_moments.HSM_OK`, or why nothing is left.
    """
    half = np.array([0.5])
    for k in range(len(sources)):
        i0, i1, j0, j1 = boxes[k, 0], boxes[k, 1], boxes[k, 2], boxes[k, 3]
        show(pixels, sources[k])
        stamp = stamp_of(stamps, offsets, boxes, k)
        good = np.empty(stamp.shape, np.bool_)
        variances, work = np.empty(stamp.size, np.float32), np.empty(stamp.size, np.float32)
        n = 0
        for i in range(i0, i1):
            for j in range(j0, j1):
                stamp[i - i0, j - j0] = pixels.image[i, j]
                usable = (pixels.mask[i, j] & bad) == 0
                good[i - i0, j - j0] = usable
                if usable and math.isfinite(pixels.variance[i, j]):
                    variances[n] = pixels.variance[i, j]
                    n += 1
        status[k] = HSM_OK if nonzero_bounds(stamp, good, bounds[k]) else HSM_EMPTY
        sky_variance[k] = math.nan
        if n > 0:
            quantiles(variances[:n], half, work, sky_variance[k : k + 1])


@jit
def stamp_of(
    stamps: NDArray[np.float64], offsets: NDArray[np.int64], boxes: NDArray[np.int64], k: int
) -> NDArray[np.float64]:
    """Return the pixels of one box, as a view.

    Parameters
    ----------
    stamps, offsets, boxes
        As in `cut_sources`.
    k
        Which box.
    """
    shape = (boxes[k, 1] - boxes[k, 0], boxes[k, 3] - boxes[k, 2])
    return stamps[offsets[k] : offsets[k + 1]].reshape(shape)


@jit
def shear_moments(
    stamps: NDArray[np.float64],
    offsets: NDArray[np.int64],
    boxes: NDArray[np.int64],
    bounds: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    sigma: NDArray[np.float64],
    psf: NDArray[np.float64],
    psf_sigma: NDArray[np.float64],
    twice: bool,
    found: NDArray[np.float64],
    psf_found: NDArray[np.float64],
    status: NDArray[np.int64],
) -> None:
    """Match Gaussians to sources and to their PSFs.

    Parameters
    ----------
    stamps, offsets, boxes, bounds
        As `cut_sources` left them.
    x, y
        Shape ``(n,)``: first guess of the centres [pixel], in each stamp's own indices.
    sigma, psf_sigma
        Shape ``(n,)``: first guess of the widths [pixel].
    psf
        PSF images, shape ``(n, h, w)``.
    twice
        Whether sources are measured once more from a round weight of the size found: what is used then converged from
        a good guess.
    found, psf_found
        Shape ``(n, N_FOUND)``: receive the results of source and PSF, at the places `X`, `Y`, …
    status
        Shape ``(n,)``: sources that are not `HSM_OK` are passed over; receives why there is no result.
    """
    _, h, w = psf.shape
    whole = np.array([0, h, 0, w])
    for k in range(len(x)):
        if status[k] != HSM_OK:
            continue
        stamp = stamp_of(stamps, offsets, boxes, k)
        j0, i0 = boxes[k, 2], boxes[k, 0]
        m = sigma[k] * sigma[k]
        status[k] = elliptical_moments_within(stamp, bounds[k], j0, i0, x[k], y[k], m, 0.0, m, True, found[k])
        if status[k] != HSM_OK:
            continue
        m = psf_sigma[k] * psf_sigma[k]
        status[k] = elliptical_moments_within(
            psf[k], whole, 1, 1, 0.5 * (w - 1), 0.5 * (h - 1), m, 0.0, m, True, psf_found[k]
        )
        if status[k] != HSM_OK or not twice:
            continue
        m = math.sqrt(found[k, XX] * found[k, YY] - found[k, XY] * found[k, XY])
        x0, y0 = found[k, X], found[k, Y]
        status[k] = elliptical_moments_within(stamp, bounds[k], j0, i0, x0, y0, m, 0.0, m, True, found[k])


@jit
def distortion(found: NDArray[np.float64]) -> tuple[float, float]:
    """Return the distortion of moments.

    Parameters
    ----------
    found
        Shape ``(N_FOUND,)``.
    """
    trace = found[XX] + found[YY]
    return (found[XX] - found[YY]) / trace, 2.0 * found[XY] / trace


@jit
def _inverse_cosh(e1: float, e2: float) -> float:
    return math.sqrt(1.0 - e1 * e1 - e2 * e2)


@jit
def compose_shears(a1: float, a2: float, b1: float, b2: float) -> tuple[float, float]:
    """Return the distortion of a circle sheared by one distortion and then by another (B&J 2002, eq. 2-13).

    Parameters
    ----------
    a1, a2, b1, b2
        The two distortions.
    """
    # (1 - √(1 - b²)) / b², which is no 0/0 for a round b
    factor = 1.0 / (1.0 + _inverse_cosh(b1, b2))
    cross = (a2 * b1 - a1 * b2) * factor
    dot = 1.0 + a1 * b1 + a2 * b2
    return (a1 + b1 + b2 * cross) / dot, (a2 + b2 - b1 * cross) / dot


@jit
def bernstein_jarvis_correction(
    ratio: float, p1: float, p2: float, p4: float, o1: float, o2: float, o4: float
) -> tuple[float, float]:
    """Return the distortion of a source without its PSF (B&J 2002, appendix C).

    Parameters
    ----------
    ratio
        Trace of the PSF's moments over that of the source's.
    p1, p2, p4
        Distortion and fourth radial moment of the PSF.
    o1, o2, o4
        The same of the source as observed.
    """
    area_ratio = ratio * _inverse_cosh(p1, p2) / _inverse_cosh(o1, o2)
    # seen from where the PSF is round, the source is diluted only
    e1, e2 = compose_shears(o1, o2, -p1, -p2)
    resolution = 1.0 - area_ratio * (1.0 - p4) / (1.0 + p4) * (1.0 + o4) / (1.0 - o4) * _inverse_cosh(e1, e2)
    return compose_shears(e1 / resolution, e2 / resolution, p1, p2)


@jit
def _quartic(a: float, b: float) -> tuple[float, float, float]:
    """How a fourth moment spreads over an ellipse of variances a, b, and changes its shape, over a - b, and size."""
    return (
        0.375 * (a * a + b * b) + 0.25 * a * b,
        1.5 * (a + b) - 2.0,
        (a + b) - 0.75 * (a * a + b * b) - 0.5 * a * b,
    )


@jit
def linear_correction(
    ratio: float, p1: float, p2: float, p4: float, o1: float, o2: float, o4: float
) -> tuple[float, float]:
    """Return the distortion of a source without its PSF, to first order in the fourth moments (H&S 2003, appendix B).

    Parameters
    ----------
    ratio, p1, p2, p4, o1, o2, o4
        As in `bernstein_jarvis_correction`.
    """
    area_ratio = ratio * _inverse_cosh(p1, p2) / _inverse_cosh(o1, o2)
    e1, e2 = compose_shears(o1, o2, -p1, -p2)
    e = math.sqrt(e1 * e1 + e2 * e2)
    cosh = 1.0 / _inverse_cosh(e1, e2)
    # parts of the variance along the axes that are the PSF's, and their difference over e; the rest is intrinsic
    a, b = area_ratio * (1.0 - e) * cosh, area_ratio * (1.0 + e) * cosh
    slope = -2.0 * area_ratio * cosh
    psf_share, psf_shape, psf_size = _quartic(a, b)
    own_share, own_shape, own_size = _quartic(1.0 - a, 1.0 - b)
    own4 = (o4 - psf_share * p4) / own_share
    # over e, as a round source has no direction
    shape = slope * (own_shape * own4 - psf_shape * p4)
    size = 1.0 - 2.0 * (own_size * own4 + psf_size * p4)
    resolution = (size - shape * e * e - area_ratio / cosh) / (size - shape)
    return compose_shears(e1 / resolution, e2 / resolution, p1, p2)


@jit
def store_shape(
    e1: float,
    e2: float,
    sigma: float,
    flux: float,
    resolution: float,
    sky_variance: float,
    out: NDArray[np.float64],
) -> None:
    """Store a corrected shape and the error that noise gives it.

    Parameters
    ----------
    e1, e2
        The shape.
    sigma
        Size of the source [pixel].
    flux
        Its flux.
    resolution
        Part of its size that is not the PSF's; nothing is stored if that is none.
    sky_variance
        Variance of a pixel.
    out
        Shape ``(4,)``: receives e1, e2, error, resolution.
    """
    if not resolution > 0.0:
        return
    out[0] = e1
    out[1] = e2
    noise = 4.0 * math.pi * sky_variance
    out[2] = math.sqrt(noise) * sigma / (resolution * flux) if noise >= 0.0 else math.nan
    out[3] = resolution


@jit
def corrected_shapes(
    linear: bool,
    found: NDArray[np.float64],
    psf_found: NDArray[np.float64],
    sky_variance: NDArray[np.float64],
    out: NDArray[np.float64],
    status: NDArray[np.int64],
) -> None:
    """Correct measured moments for the PSF by the Bernstein-Jarvis or the linear method.

    Parameters
    ----------
    linear
        Whether to use the linear method.
    found, psf_found
        What `shear_moments` found.
    sky_variance
        Shape ``(n,)``: variance of a pixel.
    out
        Shape ``(n, 4)``: receives distortion e1, e2, its error, and resolution where there is a result.
    status
        Shape ``(n,)``: sources that are not `HSM_OK` are passed over.
    """
    for k in range(len(out)):
        if status[k] != HSM_OK:
            continue
        o1, o2 = distortion(found[k])
        p1, p2 = distortion(psf_found[k])
        ratio = (psf_found[k, XX] + psf_found[k, YY]) / (found[k, XX] + found[k, YY])
        o4, p4 = 0.5 * found[k, RHO4] - 1.0, 0.5 * psf_found[k, RHO4] - 1.0
        if linear:
            e1, e2 = linear_correction(ratio, p1, p2, p4, o1, o2, o4)
        else:
            e1, e2 = bernstein_jarvis_correction(ratio, p1, p2, p4, o1, o2, o4)
        sigma = (found[k, XX] * found[k, YY] - found[k, XY] * found[k, XY]) ** 0.25
        store_shape(e1, e2, sigma, 2.0 * found[k, AMPLITUDE], 1.0 - ratio, sky_variance[k], out[k])
