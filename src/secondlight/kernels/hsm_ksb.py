"""Shear from the responses of Gaussian-weighted moments to shear and to smearing (spec 07d).

Kaiser, Squires & Broadhurst 1995 (ApJ 449, 460); Luppino & Kaiser 1997 (ApJ 475, 20) for the correction of the shear
response; the tensors as in Hirata & Seljak 2003 (MNRAS 343, 459), appendix C.

With z = (dx + i dy) / sigma and the weight W = exp(-|z|²/2), all tensors are combinations of six sums over the image:
W times 1, |z|², |z|⁴, z², z²|z|² and z⁴.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .hsm_round import round_moments
from .hsm_shear import XX, XY, YY, X, Y, stamp_of, store_shape
from .hsm_sums import HSM_OK, HSM_SINGULAR

__all__ = ["ksb_shapes"]


@jit
def _polar_sums(
    stamp: NDArray[np.float64], bounds: NDArray[np.int64], x: float, y: float, sigma: float
) -> tuple[float, float, float, complex, complex, complex]:
    """Weighted sums of 1, |z|², |z|⁴, z², z²|z|², z⁴."""
    s0 = s2 = s4 = 0.0
    z2 = z2r2 = z4 = 0.0j
    for i in range(bounds[0], bounds[1]):
        v = (i - y) / sigma
        for j in range(bounds[2], bounds[3]):
            u = (j - x) / sigma
            r2 = u * u + v * v
            w = math.exp(-0.5 * r2) * stamp[i, j]
            square = complex(u * u - v * v, 2.0 * u * v)
            s0 += w
            s2 += w * r2
            s4 += w * r2 * r2
            z2 += w * square
            z2r2 += w * r2 * square
            z4 += w * square * square
    return s0, s2, s4, z2, z2r2, z4


@jit
def _responses(
    sums: tuple[float, float, float, complex, complex, complex],
    shear: NDArray[np.float64],
    smear: NDArray[np.float64],
) -> complex:
    """Return the polarisation, and fill its responses to shear and to smearing, shape ``(2, 2)``."""
    s0, s2, s4, z2, z2r2, z4 = sums
    e = z2 / s2
    to_shear = (2.0 * z2 - z2r2) / s2
    to_smear = 0.25 * (z2r2 - 4.0 * z2) / s2
    q = z4 / s2
    diagonal = 2.0 - 0.5 * s4 / s2
    shear[0, 0] = -e.real * to_shear.real - 0.5 * q.real + diagonal
    shear[0, 1] = -e.real * to_shear.imag - 0.5 * q.imag
    shear[1, 0] = -e.imag * to_shear.real - 0.5 * q.imag
    shear[1, 1] = -e.imag * to_shear.imag + 0.5 * q.real + diagonal
    diagonal = (2.0 * s0 - 2.0 * s2 + 0.25 * s4) / s2
    smear[0, 0] = -e.real * to_smear.real + 0.125 * q.real + diagonal
    smear[0, 1] = -e.real * to_smear.imag + 0.125 * q.imag
    smear[1, 0] = -e.imag * to_smear.real + 0.125 * q.imag
    smear[1, 1] = -e.imag * to_smear.imag - 0.125 * q.real + diagonal
    return e


@jit
def _solve(m: NDArray[np.float64], b1: float, b2: float) -> tuple[float, float]:
    """Solve a system of two equations."""
    det = m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]
    return (m[1, 1] * b1 - m[0, 1] * b2) / det, (m[0, 0] * b2 - m[1, 0] * b1) / det


@jit
def ksb_shapes(
    stamps: NDArray[np.float64],
    offsets: NDArray[np.int64],
    boxes: NDArray[np.int64],
    bounds: NDArray[np.int64],
    found: NDArray[np.float64],
    psf: NDArray[np.float64],
    psf_found: NDArray[np.float64],
    sky_variance: NDArray[np.float64],
    out: NDArray[np.float64],
    status: NDArray[np.int64],
) -> None:
    """Measure the shears of sources.

    Parameters
    ----------
    stamps, offsets, boxes, bounds
        The sources, as `~secondlight.kernels.hsm_shear.cut_sources` left them.
    found, psf_found
        What `~secondlight.kernels.hsm_shear.shear_moments` found: guesses of centres and sizes.
    psf
        PSF images, shape ``(n, h, w)``.
    sky_variance
        Shape ``(n,)``: variance of a pixel.
    out
        Shape ``(n, 4)``: receives shear g1, g2, its error, and resolution where there is a result.
    status
        Shape ``(n,)``: sources that are not `HSM_OK` are passed over; receives why there is no result.
    """
    _, h, w = psf.shape
    whole = np.array([0, h, 0, w])
    good = np.ones((h, w), np.bool_)
    own, own_psf = np.empty(7), np.empty(7)
    shear, smear = np.empty((2, 2)), np.empty((2, 2))
    psf_shear, psf_smear, response = np.empty((2, 2)), np.empty((2, 2)), np.empty((2, 2))
    for k in range(len(out)):
        if status[k] != HSM_OK:
            continue
        b = bounds[k]
        stamp = stamp_of(stamps, offsets, boxes, k)
        part = stamp[b[0] : b[1], b[2] : b[3]].copy()
        f, p = found[k], psf_found[k]
        guess = (f[XX] * f[YY] - f[XY] * f[XY]) ** 0.25
        status[k] = round_moments(part, np.ones(part.shape, np.bool_), f[X] - b[2], f[Y] - b[0], guess, own)
        if status[k] != HSM_OK:
            continue
        guess = (p[XX] * p[YY] - p[XY] * p[XY]) ** 0.25
        status[k] = round_moments(psf[k].copy(), good, p[X], p[Y], guess, own_psf)
        if status[k] != HSM_OK:
            continue
        sigma = own[2]
        x, y = own[0] + b[2], own[1] + b[0]
        e = _responses(_polar_sums(stamp, b, x, y, sigma), shear, smear)
        # the PSF under the weight of the source
        e_psf = _responses(_polar_sums(psf[k], whole, own_psf[0], own_psf[1], sigma), psf_shear, psf_smear)
        p1, p2 = _solve(psf_smear, e_psf.real, e_psf.imag)
        e1 = e.real - smear[0, 0] * p1 - smear[0, 1] * p2
        e2 = e.imag - smear[1, 0] * p1 - smear[1, 1] * p2
        for j in range(2):
            c1, c2 = _solve(psf_smear, 1.0 - j, 1.0 * j)
            for i in range(2):
                undone = smear[i, 0] * psf_shear[0, 0] + smear[i, 1] * psf_shear[1, 0]
                undone_cross = smear[i, 0] * psf_shear[0, 1] + smear[i, 1] * psf_shear[1, 1]
                response[i, j] = shear[i, j] - undone * c1 - undone_cross * c2
        g1, g2 = _solve(response, e1, e2)
        if not math.isfinite(g1 + g2):
            status[k] = HSM_SINGULAR
            continue
        resolution = 1.0 - (own_psf[2] / sigma) ** 2
        store_shape(g1, g2, sigma, own[6], resolution, sky_variance[k], out[k])
