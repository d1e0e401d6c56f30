"""Expected electrons of stars and galaxies, drawn by GalSim: nothing here uses Second Light's own PSF code."""

from __future__ import annotations

from functools import cache
from typing import Any

import galsim
import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from .observing import PIXEL_SCALE
from .true_psf import TruePsf

__all__ = ["add_diffraction_spikes", "draw_scene"]

#: A stamp ends where its object is fainter than this [electron/pixel], a thirtieth of the noise of a dark sky.
_FAINTEST_PIXEL = 0.3

_SMALLEST_STAMP, _LARGEST_STAMP = 12, 400  # half sides [pixel]

#: Share of a bright star's light that the struts of the secondary mirror scatter into spikes.
_SPIKE_SHARE = 0.015


def draw_scene(
    truth: Table, psf: TruePsf, *, spikes_above: float = np.inf
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Draw all objects.

    Parameters
    ----------
    truth
        Objects as `draw_objects` makes them.
    psf
        The PSF.
    spikes_above
        Stars with more flux than this have diffraction spikes [electron].

    Returns
    -------
    image : ndarray
        Shape ``psf.shape``, expected electrons without sky.
    spikes : ndarray
        Shape ``psf.shape``: where spikes stand out, the pixels that upstream marks SPIKE.
    """
    ny, nx = psf.shape
    image = galsim.ImageD(np.zeros((ny, nx)), xmin=0, ymin=0, scale=PIXEL_SCALE)
    spikes = np.zeros((ny, nx), bool)
    fwhm, _, _ = psf.parameters(truth["x"], truth["y"])
    for row, width in zip(truth, fwhm, strict=True):
        x, y, flux = float(row["x"]), float(row["y"]), float(row["flux"])
        if row["kind"] == "star" and flux > spikes_above:
            spikes |= add_diffraction_spikes(image.array, x, y, _SPIKE_SHARE * flux)
            flux *= 1 - _SPIKE_SHARE
        half = _half_side(flux, float(width), float(row["hlr"]), float(row["sersic_n"]))
        stamp = galsim.BoundsI(round(x) - half, round(x) + half, round(y) - half, round(y) + half)
        overlap = stamp & image.bounds
        if not overlap.isDefined():
            continue
        profile = psf.profile(x, y)
        if row["kind"] == "galaxy":
            profile = galsim.Convolve(_galaxy(row), profile)
        profile.withFlux(flux).drawImage(
            image=image[overlap], center=galsim.PositionD(x, y), add_to_image=True, method="auto"
        )
    return np.maximum(image.array, 0.0), spikes


def add_diffraction_spikes(image: NDArray[np.float64], x: float, y: float, flux: float) -> NDArray[np.bool_]:
    """Add the four diagonal spikes of a bright star in place.

    Parameters
    ----------
    image
        Shape ``(ny, nx)``, expected electrons.
    x, y
        The star [pixel].
    flux
        The light in its spikes [electron].

    Returns
    -------
    ndarray
        Shape ``(ny, nx)``: where a spike is brighter than ten times `_FAINTEST_PIXEL`.
    """
    length = float(np.clip(40 * (flux / 1.5e4) ** 0.5, 20, 250))
    ny, nx = image.shape
    x0, x1 = max(int(x - length), 0), min(int(x + length) + 1, nx)
    y0, y1 = max(int(y - length), 0), min(int(y + length) + 1, ny)
    dy, dx = np.mgrid[y0:y1, x0:x1].astype(float)
    dx -= x
    dy -= y
    r = np.hypot(dx, dy)
    # two arms along each diagonal; across an arm a Gaussian of the PSF's width
    arms = sum(np.exp(-0.5 * (across / 1.6) ** 2) for across in ((dx - dy) / 2**0.5, (dx + dy) / 2**0.5))
    profile = np.asarray(arms) * np.where(r < length, 1.0 / (r + 5.0) ** 1.5, 0.0) * (1 - r / length).clip(0)
    profile *= flux / profile.sum()
    image[y0:y1, x0:x1] += profile
    marked = np.zeros(image.shape, bool)
    marked[y0:y1, x0:x1] = profile > 10 * _FAINTEST_PIXEL
    return marked


def _galaxy(row: Any) -> Any:
    """Profile of a galaxy of unit flux."""
    cls = galsim.Exponential if row["sersic_n"] == 1.0 else galsim.DeVaucouleurs
    return cls(half_light_radius=float(row["hlr"])).shear(g1=float(row["g1"]), g2=float(row["g2"]))


def _half_side(flux: float, fwhm: float, hlr: float, sersic_n: float) -> int:
    """Half the side of the stamp that holds an object down to `_FAINTEST_PIXEL` [pixel]."""
    reach = _reach("star", flux * (PIXEL_SCALE / fwhm) ** 2) * fwhm
    if hlr > 0:
        kind = "exponential" if sersic_n == 1.0 else "de Vaucouleurs"
        # a sheared galaxy reaches farther along its long axis
        reach = max(reach, 1.5 * _reach(kind, flux * (PIXEL_SCALE / hlr) ** 2) * hlr + fwhm)
    return int(np.clip(np.ceil(reach / PIXEL_SCALE), _SMALLEST_STAMP, _LARGEST_STAMP))


def _reach(kind: str, peak: float) -> float:
    """Radius, in units of the profile's own size, where it falls to `_FAINTEST_PIXEL`."""
    radius, brightness = _radial_profile(kind)
    return float(np.interp(-_FAINTEST_PIXEL, -peak * brightness, radius))


@cache
def _radial_profile(kind: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Surface brightness of a profile of unit flux and size."""
    radius = np.geomspace(0.05, 200.0, 300)
    if kind == "star":
        profile = galsim.Kolmogorov(fwhm=1.0)
    elif kind == "exponential":
        profile = galsim.Exponential(half_light_radius=1.0)
    else:
        profile = galsim.DeVaucouleurs(half_light_radius=1.0)
    return radius, np.array([profile.xValue(r, 0.0) for r in radius])
