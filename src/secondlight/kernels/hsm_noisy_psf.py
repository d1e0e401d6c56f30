"""Adaptive moments of the PSF with the flux and the noise of a source (spec 07d, Debiased).

Noise biases the moments of a source; the moments of a PSF with the same noise are biased alike.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .hsm_moments import measure_moments
from .mersenne_twister import twister_words
from .pixels import Pixels
from .random import WORDS_A_DRAW, ziggurat_gaussian

__all__ = ["HSM_EDGE", "hsm_noisy_psf_moments"]

#: Status beyond those of `secondlight.kernels.hsm_moments`: the PSF's image is not inside the image.
HSM_EDGE = 5


@jit
def _deviates(
    seed: np.uint64,
    tables: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]],
    out: NDArray[np.float64],
) -> None:
    """Fill an array with the first Gaussian deviates of a stream."""
    n = int(len(out) * WORDS_A_DRAW) + 32
    filled = 0
    while filled < len(out):
        words = np.empty(n, np.uint64)
        twister_words(seed, words)
        _, filled = ziggurat_gaussian(words, tables[0], tables[1], tables[2], out, 0)
        # seldom: more words than usual were turned down
        n *= 2


@jit
def hsm_noisy_psf_moments(
    pixels: Pixels,
    bad: int,
    psf: NDArray[np.float64],
    first_x: NDArray[np.int64],
    first_y: NDArray[np.int64],
    flux: NDArray[np.float64],
    seeds: NDArray[np.uint64],
    tables: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]],
    noise_variance: float,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    sigma: NDArray[np.float64],
    is_round: bool,
    out: NDArray[np.float64],
    status: NDArray[np.int64],
) -> None:
    """Measure one PSF image a source, scaled to the source's flux and with noise.

    Parameters
    ----------
    pixels
        The image; only mask and variance are used.
    bad
        Mask value; pixels with any of its bits are left out.
    psf
        PSF images of unit sum, shape ``(n, h, w)``.
    first_x, first_y
        Shape ``(n,)``: where the PSF images begin, in the image's indices.
    flux
        Shape ``(n,)``.
    seeds
        Shape ``(n,)``: seeds of the noise.
    tables
        Of the ziggurat: `secondlight.kernels.random.ZIGGURAT_K`, ``…_W``, ``…_Y``.
    noise_variance
        Of the noise; that of each pixel if negative.
    x, y
        Shape ``(n,)``: first guess of the centres [pixel], in the PSF images' indices.
    sigma
        Shape ``(n,)``: first guess of the weights' width [pixel].
    is_round
        Whether the weight is kept round.
    out
        Shape ``(n, 6)``: receives x, y [pixel], xx, yy, xy [pixel²] and flux where there is a result.
    status
        Shape ``(n,)``: receives `~secondlight.kernels.hsm_moments.HSM_OK`, or why there is no result.
    """
    ny, nx = pixels.mask.shape
    n, h, w = psf.shape
    deviates = np.empty(h * w)
    stamp = np.empty((h, w))
    good = np.empty((h, w), np.bool_)
    for k in range(n):
        i0, j0 = first_y[k], first_x[k]
        if i0 < 0 or j0 < 0 or i0 + h > ny or j0 + w > nx:
            status[k] = HSM_EDGE
            continue
        _deviates(seeds[k], tables, deviates)
        for i in range(h):
            for j in range(w):
                variance = noise_variance
                if variance < 0.0:
                    variance = np.float64(pixels.variance[i0 + i, j0 + j])
                noise = math.sqrt(variance) * deviates[i * w + j] if variance >= 0.0 else math.nan
                stamp[i, j] = flux[k] * psf[k, i, j] + noise
                good[i, j] = (pixels.mask[i0 + i, j0 + j] & bad) == 0
        status[k] = measure_moments(stamp, good, j0, i0, x[k], y[k], sigma[k], is_round, out[k])
