"""Charge that cosmic rays and radioactivity leave in the silicon: not seen through the PSF."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

__all__ = ["draw_cosmic_rays"]

#: Hits per million pixels (1 cm²) and second: ten times what a mountain sees, so that small fields have some.
_RATE = 1.0

#: Charge per pixel length of a minimum-ionising particle: 80 electrons/µm over a 10 µm pixel.
_CHARGE_PER_PIXEL = 800.0

#: Thickness of the silicon in units of the pixel: the longest muon tracks are its shallow crossings.
_THICKNESS = 10.0

_MUON_SHARE = 0.7

_STEP = 0.1  # length of the pieces in which charge is laid down [pixel]

_DIFFUSION = 0.25  # charges drift this far sideways on their way to the gates, 1 sigma [pixel]


def draw_cosmic_rays(rng: Generator, shape: tuple[int, int], exposure_time: float) -> NDArray[np.float64]:
    """Draw the tracks of one exposure.

    Muons leave straight tracks of length ``thickness * tan(zenith angle)`` with angles distributed as cos²; electrons
    that scatter in the silicon leave crooked ones ("worms"). The charge of each piece fluctuates with the long tail of
    a Moyal distribution (Moyal 1955), which is close to Landau's.

    Parameters
    ----------
    rng
        Random stream.
    shape
        Size of the detector ``(ny, nx)`` [pixel].
    exposure_time
        [s].

    Returns
    -------
    ndarray
        Shape ``shape``, charge [electron]; whole numbers.
    """
    ny, nx = shape
    charge = np.zeros(shape)
    for _ in range(rng.poisson(_RATE * exposure_time * nx * ny / 1e6)):
        path = _muon(rng) if rng.random() < _MUON_SHARE else _worm(rng)
        path += [rng.uniform(0, nx), rng.uniform(0, ny)]
        path += _DIFFUSION * rng.standard_normal(path.shape)
        # minus the logarithm of a squared normal deviate is Moyal-distributed
        deposit = _CHARGE_PER_PIXEL * _STEP * (1.0 - 0.3 * np.log(rng.standard_normal(len(path)) ** 2 + 1e-4))
        ix, iy = np.rint(path).astype(int).T
        inside = (ix >= 0) & (ix < nx) & (iy >= 0) & (iy < ny) & (deposit > 0)
        np.add.at(charge, (iy[inside], ix[inside]), deposit[inside])
    return np.rint(charge)


def _muon(rng: Generator) -> NDArray[np.float64]:
    """Positions along a straight crossing, (x, y) relative to its start."""
    # flux goes as cos² of the zenith angle and the area seen as cos: the distribution function is 1 - cos⁴
    cosine = max((1.0 - rng.random()) ** 0.25, 0.05)
    tangent = np.sqrt(1.0 - cosine**2) / cosine
    projected = _THICKNESS * tangent
    # the charge goes with the length in three dimensions, the steps are of its projection
    n = max(int(_THICKNESS / cosine / _STEP), 1)
    angle = rng.uniform(0, 2 * np.pi)
    return np.outer(np.linspace(0.0, projected, n), [np.cos(angle), np.sin(angle)])


def _worm(rng: Generator) -> NDArray[np.float64]:
    """Positions along a crooked track, (x, y) relative to its start."""
    n = int(rng.exponential(12.0) / _STEP) + 10
    angle = rng.uniform(0, 2 * np.pi) + np.cumsum(0.12 * rng.standard_normal(n))
    return np.cumsum(_STEP * np.stack([np.cos(angle), np.sin(angle)], axis=1), axis=0)
