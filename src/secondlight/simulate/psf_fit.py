"""The PSF model that upstream hands on: a Piff pixel grid fitted to the PSF that the sky really has."""

from __future__ import annotations

import numpy as np
from lsst.images import Box
from numpy.typing import NDArray

from secondlight.model.psf._piff_wcs import AffineWcs
from secondlight.model.psf.piff import PiffInterpolation, PiffOptions, PiffPsf, PiffStars, PixelGrid

from .observing import PIXEL_SCALE
from .true_psf import TruePsf

__all__ = ["fit_psf"]

#: Side of the stamps that the model draws, as in Rubin's fits [pixel].
_STAMP = 25

#: Side of the grid: half an interpolant wider on each side, so that stamps are not cut by the grid's edge [pixel].
_GRID = 33

_LANCZOS = 7

#: Total order of the polynomials. Size and ellipticity are quadratic in position and pixels are not linear in them:
#: with order 4 the sum of the absolute residuals stays below 2e-4 of the flux, with order 2 below 1e-3.
_ORDER = 4

_STARS = 7  # noiseless stars along each axis


def fit_psf(truth: TruePsf, bbox: Box) -> PiffPsf:
    """Fit a Piff pixel-grid model to noiseless stars on a grid of positions.

    Parameters
    ----------
    truth
        The PSF that stars have, which GalSim draws.
    bbox
        Box of the detector.

    Returns
    -------
    PiffPsf
        Its stamps differ from GalSim's (drawn at any sub-pixel position and cut to the same size) by less than 2e-4 of the
        flux in any pixel of a typical field.
    """
    x, y = (g.ravel() for g in np.meshgrid(*(np.linspace(i.min, i.max, _STARS) for i in (bbox.x, bbox.y))))
    stars = np.array([truth.star_image(float(a), float(b), _GRID).ravel() for a, b in zip(x, y, strict=True)])
    powers = np.add.outer(np.arange(_ORDER + 1), np.arange(_ORDER + 1)) <= _ORDER
    # positions scaled to about 1 keep the normal equations well conditioned; Piff's polynomials take pixels as they are
    scale = float(max(bbox.shape))
    terms = PiffInterpolation(("x", "y"), powers, np.zeros((_GRID**2, np.count_nonzero(powers)))).basis(
        {"x": x / scale, "y": y / scale}
    )
    coefficients: NDArray[np.float64] = np.linalg.lstsq(terms, stars, rcond=None)[0]
    degrees = np.add.outer(np.arange(_ORDER + 1), np.arange(_ORDER + 1))[powers]
    coefficients = coefficients / scale ** degrees[:, np.newaxis]
    return PiffPsf(
        PixelGrid(PIXEL_SCALE, _GRID, _LANCZOS),
        PiffInterpolation(("x", "y"), powers, np.ascontiguousarray(coefficients.T)),
        AffineWcs((PIXEL_SCALE, 0.0, 0.0, PIXEL_SCALE)),
        PiffStars(x, y, np.zeros(len(x), bool), np.zeros(len(x), bool), np.full(len(x), np.nan)),
        height=_STAMP,
        width=_STAMP,
        options=PiffOptions(),
        bounds=bbox,
    )
