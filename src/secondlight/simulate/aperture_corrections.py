"""Aperture corrections that are right for the simulated stars.

Each flux of the table sees only part of a star's light. Upstream measures which part and stores its inverse as a smooth
function of position; here it is computed from noiseless stars drawn by GalSim.
"""

from __future__ import annotations

import galsim
import numpy as np
from lsst.images import Box
from lsst.images.fields import BaseField, ChebyshevField
from numpy.typing import NDArray

from secondlight.model.fields import constant_field
from secondlight.model.psf import BatchPsf

from .true_psf import TruePsf

__all__ = ["aperture_corrections"]

#: 1-sigma errors that upstream would state.
_ERRORS = {
    "base_PsfFlux": 0.001,
    "base_GaussianFlux": 0.002,
    "ext_photometryKron_KronFlux": 0.003,
    "base_CompensatedTophatFlux_12": 0.001,
}

_SIZE = 61  # side of the stars: the largest aperture has a radius of 20.4 [pixel]

_GRID = 5  # stars along each axis; the PSF is quadratic in position

_FINE = 5  # sub-pixels along each axis where an aperture's border cuts pixels


def aperture_corrections(truth: TruePsf, model: BatchPsf, bbox: Box) -> dict[str, BaseField]:
    """Return the corrections of all fluxes that take one, and their errors.

    Parameters
    ----------
    truth
        The PSF that stars have.
    model
        The PSF that the pipeline is given.
    bbox
        Box of the detector.

    Returns
    -------
    dict
        Field by column name, ``<flux>_instFlux`` and ``<flux>_instFluxErr``: total flux over measured flux.
    """
    edges = [np.linspace(i.min, i.max, _GRID) for i in (bbox.x, bbox.y)]
    x, y = (g.ravel() for g in np.meshgrid(*edges))
    kernels = model.kernel_images(x, y)
    values: dict[str, list[float]] = {name: [] for name in _ERRORS}
    for xi, yi, kernel in zip(x, y, kernels, strict=True):
        star = truth.star_image(float(xi), float(yi), _SIZE)
        values["base_PsfFlux"].append(1 / _psf_flux(star, kernel))
        values["base_GaussianFlux"].append(1 / _gaussian_flux(star))
        values["ext_photometryKron_KronFlux"].append(1 / _kron_flux(star))
        values["base_CompensatedTophatFlux_12"].append(1 / _compensated_tophat_flux(star))
    fields: dict[str, BaseField] = {}
    for name, correction in values.items():
        fields[f"{name}_instFlux"] = ChebyshevField.fit(bbox, np.array(correction), x=x, y=y, order=2)
        fields[f"{name}_instFluxErr"] = constant_field(_ERRORS[name], bbox)
    return fields


def _psf_flux(star: NDArray[np.float64], kernel: NDArray[np.float64]) -> float:
    """Least-squares flux of the model PSF (spec 07)."""
    lo = (len(star) - len(kernel)) // 2
    cut = star[lo : lo + len(kernel), lo : lo + len(kernel)]
    return float((cut * kernel).sum() / (kernel**2).sum())


def _gaussian_flux(star: NDArray[np.float64]) -> float:
    """Flux of the elliptical Gaussian with the star's own adaptive moments (Hirata & Seljak 2003)."""
    shape = galsim.hsm.FindAdaptiveMom(galsim.ImageD(star.copy(), scale=1.0))
    return float(shape.moments_amp)


def _kron_flux(star: NDArray[np.float64]) -> float:
    """Flux within 2.5 Kron radii, circular (Kron 1980)."""
    sigma = galsim.hsm.FindAdaptiveMom(galsim.ImageD(star.copy(), scale=1.0)).moments_sigma
    radius = _radii(len(star))
    inside = star * (radius < 6 * sigma)
    return _aperture_flux(star, 2.5 * float((radius * inside).sum() / inside.sum()))


def _compensated_tophat_flux(star: NDArray[np.float64]) -> float:
    """Flux within 12 pixels less the annulus out to 1.7 times that radius (spec 07c)."""
    inner, outer = _aperture_flux(star, 12.0), _aperture_flux(star, 1.7 * 12.0)
    return inner - (outer - inner) / (1.7**2 - 1)


def _aperture_flux(star: NDArray[np.float64], radius: float) -> float:
    """Sum over a circle; a pixel that its border cuts counts by the share of its area."""
    n = len(star)
    fine = (np.arange(n * _FINE) + 0.5) / _FINE - n / 2
    inside = np.hypot(fine, fine[:, np.newaxis]) < radius
    share = inside.reshape(n, _FINE, n, _FINE).mean(axis=(1, 3))
    return float((star * share).sum())


def _radii(n: int) -> NDArray[np.float64]:
    """Distance of pixels from the middle one."""
    offset = np.arange(n) - n // 2
    return np.hypot(offset, offset[:, np.newaxis])
