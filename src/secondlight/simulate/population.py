"""Which stars and galaxies are in the field."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Column, Table
from lsst.images import SkyProjection
from numpy.random import Generator
from numpy.typing import NDArray

from secondlight.model.photo_calib import REFERENCE_FLUX, PhotoCalib

__all__ = ["draw_objects"]

#: Objects per million pixels at density 1, to the limit `_FAINTEST`: a field at high galactic latitude, 11 arcmin².
_PER_MEGAPIXEL = 950

_STAR_SHARE = 0.2

#: The faintest magnitude, 1.5 below what one 30 s visit detects, and that of the brightest galaxy.
_FAINTEST, _BRIGHTEST_GALAXY = 26.0, 17.0

#: d log10 N / d mag of stars (thick disc and halo) and galaxies (e.g. Tyson 1988) in red bands.
_STAR_SLOPE, _GALAXY_SLOPE = 0.17, 0.35

#: Bright stars put in on purpose, per million pixels, so that every field has saturated ones.
_BRIGHT_PER_MEGAPIXEL = 2.5


def draw_objects(
    rng: Generator,
    shape: tuple[int, int],
    *,
    density: float,
    photo_calib: PhotoCalib,
    wcs: SkyProjection[Any],
    saturation_mag: float,
) -> Table:
    """Draw the objects of a field.

    Magnitudes follow power-law counts, galaxy sizes a log-normal that shrinks with magnitude and galaxy shears a
    Rayleigh distribution of width 0.22 (as COSMOS galaxies: Mandelbaum et al. 2014). One galaxy in four is a de
    Vaucouleurs profile, the others are exponential.

    Parameters
    ----------
    rng
        Random stream.
    shape
        Size of the field, ``(ny, nx)`` [pixel].
    density
        Number of objects relative to a field at high galactic latitude.
    photo_calib
        Calibration of the visit.
    wcs
        Sky projection of the visit.
    saturation_mag
        Magnitude at which stars saturate; a few are put in that are up to 3 mag brighter.

    Returns
    -------
    astropy.table.Table
        One row an object: x, y [pixel], flux [electron], mag [AB], kind (``star`` or ``galaxy``), hlr [arcsec], g1, g2
        (reduced shear in pixel axes), sersic_n, ra, dec [deg], flux_nJy.
    """
    ny, nx = shape
    megapixels = nx * ny / 1e6
    n = int(rng.poisson(_PER_MEGAPIXEL * density * megapixels))
    n_bright = max(1, round(_BRIGHT_PER_MEGAPIXEL * megapixels)) if density > 0 else 0
    star = rng.random(n) < _STAR_SHARE
    mag = np.where(
        star,
        _power_law(rng, n, _STAR_SLOPE, saturation_mag, _FAINTEST),
        _power_law(rng, n, _GALAXY_SLOPE, _BRIGHTEST_GALAXY, _FAINTEST),
    )
    mag = np.concatenate([mag, saturation_mag - 3.0 * rng.random(n_bright)])
    star = np.concatenate([star, np.ones(n_bright, bool)])
    total = n + n_bright
    x = rng.uniform(-0.5, nx - 0.5, total)
    y = rng.uniform(-0.5, ny - 0.5, total)
    # saturated stars stay off the borders, where their bleed trails would show nothing
    x[n:] = (nx - 1) * (0.15 + 0.7 * (x[n:] + 0.5) / nx)
    y[n:] = (ny - 1) * (0.15 + 0.7 * (y[n:] + 0.5) / ny)
    hlr = 0.33 * 10 ** (-0.13 * (mag - 24.0) + 0.15 * rng.standard_normal(total))
    shear = np.minimum(rng.rayleigh(0.22, total), 0.7)
    angle = rng.uniform(0.0, 2 * np.pi, total)
    sersic_n = np.where(rng.random(total) < 0.25, 4.0, 1.0)
    flux_njy = REFERENCE_FLUX * 10 ** (-0.4 * mag)
    # AST does not transform no points at all
    sky = wcs.pixel_to_sky(x=x, y=y) if total else SkyCoord([], [], unit="deg")
    columns = (
        ("x", x, "pix", "centre, 0-based"),
        ("y", y, "pix", "centre, 0-based"),
        ("flux", flux_njy / photo_calib.local(x, y), "electron", "total, of the whole visit"),
        ("mag", mag, "", "AB magnitude"),
        ("kind", np.where(star, "star", "galaxy"), "", "star or galaxy"),
        ("hlr", np.where(star, 0.0, np.clip(hlr, 0.08, 4.0)), "arcsec", "half-light radius"),
        ("g1", np.where(star, 0.0, shear * np.cos(angle)), "", "reduced shear along x"),
        ("g2", np.where(star, 0.0, shear * np.sin(angle)), "", "reduced shear along the diagonal"),
        ("sersic_n", np.where(star, 0.0, sersic_n), "", "Sérsic index; 0 for a star"),
        ("ra", sky.ra.deg, "deg", "ICRS"),
        ("dec", sky.dec.deg, "deg", "ICRS"),
        ("flux_nJy", flux_njy, "nJy", "total"),
    )
    return Table([Column(v, name=n, unit=unit or None, description=doc) for n, v, unit, doc in columns])


def _power_law(rng: Generator, n: int, slope: float, bright: float, faint: float) -> NDArray[np.float64]:
    """Magnitudes with d log10 N / d mag = ``slope`` between two limits."""
    lo, hi = 10 ** (slope * bright), 10 ** (slope * faint)
    return np.log10(lo + (hi - lo) * rng.random(n)) / slope
