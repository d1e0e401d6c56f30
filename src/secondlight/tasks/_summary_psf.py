"""The PSF of a CCD in a few numbers: at the centre, and how much it varies (spec 10.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from lsst.images.fields import BaseField
from numpy.typing import NDArray

from ..kernels.nearest import greatest_distance
from ..model.psf import BatchPsf

__all__ = ["distance_to_stars", "psf_at", "psf_variation"]

#: Aperture of the PSF's flux, in PSF sigmas.
_APERTURE_SIGMAS = 3.0

type Floats = NDArray[np.float64]


def psf_at(psf: BatchPsf, x: float, y: float) -> dict[str, Any]:
    """Return size, shape and area of the PSF at one position.

    Parameters
    ----------
    psf
        The PSF.
    x, y
        Position [pixel].

    Returns
    -------
    dict
        ``psfSigma`` [pixel], ``psfIxx``, ``psfIyy``, ``psfIxy``, ``psfArea`` [pixel²].
    """
    xx, yy, xy = psf.moments([x], [y])[0].tolist()
    with np.errstate(invalid="ignore"):
        sigma = float(np.sqrt(np.sqrt(np.float64(xx * yy - xy * xy))))
    return {
        "psfSigma": sigma,
        "psfIxx": xx,
        "psfIyy": yy,
        "psfIxy": xy,
        "psfArea": float(psf.effective_area([x], [y])[0]),
    }


def psf_variation(
    psf: BatchPsf, psf_sigma: float, min_radius: float, ap_corr: BaseField | None, x: Floats, y: Floats
) -> dict[str, Any]:
    """Return how much PSF and aperture correction vary over positions.

    Parameters
    ----------
    psf
        The PSF.
    psf_sigma
        Its size at the centre [pixel].
    min_radius
        Least radius of the aperture [pixel].
    ap_corr
        The aperture correction of the PSF flux, if there is one.
    x, y
        Positions [pixel], shape ``(n,)``.

    Returns
    -------
    dict
        ``psfTraceRadiusDelta`` [pixel], ``psfApFluxDelta``, ``psfApCorrSigmaScaledDelta``: each the greatest less the
        smallest value. NaN without positions, or where the PSF cannot be had.
    """
    result = dict.fromkeys(("psfTraceRadiusDelta", "psfApFluxDelta", "psfApCorrSigmaScaledDelta"), np.nan)
    if not len(x):
        return result
    moments = psf.moments(x, y)
    with np.errstate(invalid="ignore"):
        radii = np.sqrt(0.5 * (moments[:, 0] + moments[:, 1]))
    fluxes = psf.aperture_flux(max(min_radius, _APERTURE_SIGMAS * psf_sigma), x, y)
    if (np.isfinite(radii) | np.isfinite(fluxes)).all():
        result["psfTraceRadiusDelta"] = float(np.ptp(radii))
        # the PSF has gone wrong where a part of its light is negative
        if not (fluxes < 0).any():
            result["psfApFluxDelta"] = float(np.ptp(fluxes))
    if ap_corr is not None:
        correction = np.asarray(ap_corr(x=x, y=y), float)
        if np.isfinite(correction).all():
            result["psfApCorrSigmaScaledDelta"] = float(np.ptp(correction) / psf_sigma)
    return result


def distance_to_stars(
    bad: NDArray[np.bool_], sampling: int, x0: float, y0: float, star_x: Floats, star_y: Floats
) -> float:
    """Return the greatest distance of a good pixel from the nearest PSF star.

    Parameters
    ----------
    bad
        Which pixels do not count, at every ``sampling``-th column and row.
    sampling
        Step of the grid [pixel].
    x0, y0
        Position of the grid's first point [pixel].
    star_x, star_y
        Positions of the stars [pixel], shape ``(n,)``.

    Returns
    -------
    float
        [pixel]; NaN without stars or good pixels.
    """
    ny, nx = bad.shape
    xs = x0 + sampling * np.arange(nx, dtype=np.float64)
    ys = y0 + sampling * np.arange(ny, dtype=np.float64)
    finite = np.isfinite(star_x) & np.isfinite(star_y)
    return float(greatest_distance(~bad, xs, ys, star_x[finite], star_y[finite]))
