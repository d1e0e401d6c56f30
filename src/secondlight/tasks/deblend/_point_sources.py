"""Which peaks are point sources (spec 06.4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondlight import threads
from secondlight.kernels.deblend.psf_fit import (
    FIT_NO_PIXELS,
    FIT_OUT_OF_BOUNDS,
    FIT_TINY,
    N_FIT,
    N_REFIT,
    Stamps,
    fit_psfs,
    refit_psfs,
)
from secondlight.model.exposure import Exposure

from ._blends import Blends, draw_stamps

__all__ = ["PointSources", "find_point_sources"]

#: Peaks that a thread fits at a time.
_CHUNK = 64


@dataclass(frozen=True)
class PointSources:
    """What the fits say, an entry a peak.

    Parameters
    ----------
    skip
        Peaks that cannot be deblended at all.
    is_psf
        Peaks that are point sources.
    x, y, flux
        Their centres, in the indices of the image, and fluxes; NaN for other peaks.
    stamps
        PSF images at those centres.
    """

    skip: NDArray[np.bool_]
    is_psf: NDArray[np.bool_]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64]
    stamps: Stamps


def find_point_sources(exposure: Exposure, blends: Blends, config: Any) -> PointSources:
    """Fit the PSF at each peak, and again where the fit tells that the source is a little beside.

    Parameters
    ----------
    exposure
        The image.
    blends
        The blends.
    config
        A `SourceDeblendConfig`.
    """
    peaks = blends.peaks
    n = blends.n_peaks
    stamps = draw_stamps(exposure, peaks.x, peaks.y)
    fits = np.full((n, N_FIT), np.nan)
    flags = np.zeros(n, np.int64)
    skip_nan = not config.reproduceReferenceDefects

    def fit(start: int, stop: int) -> None:
        fit_psfs(
            exposure.image,
            exposure.variance,
            blends.regions,
            peaks,
            blends.active,
            blends.fwhm,
            stamps,
            int(config.tinyFootprintSize),
            skip_nan,
            start,
            stop,
            fits,
            flags,
        )

    threads.map_chunks(fit, n, _CHUNK)
    with np.errstate(invalid="ignore"):
        unshifted = fits[:, 0] < config.psfChisq1
        near = (np.abs(fits[:, 4]) < 1) & (np.abs(fits[:, 5]) < 1)
        (candidates,) = np.nonzero((fits[:, 2] < config.psfChisq2) & near)

    x, y = peaks.x[candidates] + fits[candidates, 4], peaks.y[candidates] + fits[candidates, 5]
    new_stamps = draw_stamps(exposure, x, y)
    refits = np.full((len(candidates), N_REFIT), np.nan)

    def refit(start: int, stop: int) -> None:
        refit_psfs(
            exposure.image,
            exposure.variance,
            blends.regions,
            peaks,
            blends.fwhm,
            stamps,
            candidates,
            x,
            y,
            new_stamps,
            skip_nan,
            start,
            stop,
            refits,
        )

    threads.map_chunks(refit, len(candidates), _CHUNK)
    with np.errstate(invalid="ignore"):
        better = (refits[:, 0] < config.psfChisq2b) & (
            ~unshifted[candidates] | (refits[:, 0] < fits[candidates, 0])
        )
    moved = candidates[better]
    is_psf = unshifted.copy()
    is_psf[moved] = True
    result = PointSources(
        (flags & (FIT_OUT_OF_BOUNDS | FIT_TINY | FIT_NO_PIXELS)) != 0,
        is_psf,
        np.where(is_psf, peaks.x, np.nan),
        np.where(is_psf, peaks.y, np.nan),
        np.where(is_psf, fits[:, 1], np.nan),
        stamps,
    )
    result.x[moved], result.y[moved], result.flux[moved] = x[better], y[better], refits[better, 1]
    if len(moved):
        stamps.images[moved] = new_stamps.images[better]
        stamps.x0[moved], stamps.y0[moved] = new_stamps.x0[better], new_stamps.y0[better]
    return result
