"""Positions on the sky and in the camera, and the linear approximation of a WCS, for many pixels in one call.

The library under `lsst.images.SkyProjection` is not safe to call from two threads at once: every call here
takes a lock.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np
from lsst.images import SkyProjection
from lsst.images.cameras import Detector
from numpy.typing import ArrayLike, NDArray

__all__ = ["local_linear", "pixel_to_focal_plane", "pixel_to_sky"]

_lock = Lock()

#: Step of the derivatives [pixel]. Five-point differences: their error is the projection's fifth derivative
#: times the fourth power of the step (nothing, for distortions as smooth as a camera's), and the rounding of
#: positions, 1e-16 rad, over the step, 1e-5 rad.
_STEP = 16.0


def pixel_to_sky(
    projection: SkyProjection[Any], x: ArrayLike, y: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return positions on the sky.

    Parameters
    ----------
    projection
        The WCS.
    x, y
        Positions [pixel], of one shape; NaN gives NaN.

    Returns
    -------
    ra, dec : ndarray
        ICRS [rad], the shape of ``x``; ``ra`` in [0, 2π).
    """
    x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
    ra, dec = np.full(x.shape, np.nan), np.full(x.shape, np.nan)
    finite = np.isfinite(x) & np.isfinite(y)
    if finite.any():
        with _lock:
            sky = projection.pixel_to_sky_transform.apply_forward(x=x[finite], y=y[finite])
        ra[finite], dec[finite] = np.mod(sky.x, 2.0 * np.pi), sky.y
    return ra, dec


def pixel_to_focal_plane(
    detector: Detector, x: ArrayLike, y: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return positions in the camera's focal plane.

    Parameters
    ----------
    detector
        The CCD.
    x, y
        Positions [pixel], of one shape; NaN gives NaN.

    Returns
    -------
    x, y : ndarray
        [mm], the shape of ``x``.
    """
    x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
    fp_x, fp_y = np.full(x.shape, np.nan), np.full(x.shape, np.nan)
    finite = np.isfinite(x) & np.isfinite(y)
    if finite.any():
        with _lock:
            found = detector.to_focal_plane.apply_forward(x=x[finite], y=y[finite])
        fp_x[finite], fp_y[finite] = found.x, found.y
    return fp_x, fp_y


def local_linear(projection: SkyProjection[Any], x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """Return the linear approximation of a WCS at positions, to about 1e-10 relative.

    It maps offsets in pixels to offsets in the plane that touches the sky there, east and north (spec 07.7).

    Parameters
    ----------
    projection
        The WCS.
    x, y
        Positions [pixel], shape ``(n,)``; NaN gives NaN.

    Returns
    -------
    ndarray
        Shape ``(n, 2, 2)`` [arcsec/pixel]: ``[[dξ/dx, dξ/dy], [dη/dx, dη/dy]]``.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    offsets = _STEP * np.array([0.0, -2.0, -1.0, 1.0, 2.0])
    zeros = np.zeros(len(offsets) - 1)
    dx, dy = np.r_[offsets, zeros], np.r_[np.zeros(len(offsets)), offsets[1:]]
    ra, dec = pixel_to_sky(projection, x[:, None] + dx, y[:, None] + dy)
    ra0, dec0 = ra[:, :1], dec[:, :1]
    # gnomonic projection about the position itself; half angles keep the small differences exact
    sin_half = np.sin(0.5 * (ra - ra0))
    depth = np.cos(dec - dec0) - 2.0 * np.cos(dec) * np.cos(dec0) * sin_half**2
    xi = np.cos(dec) * np.sin(ra - ra0) / depth
    eta = (np.sin(dec - dec0) + 2.0 * np.cos(dec) * np.sin(dec0) * sin_half**2) / depth
    weights = np.array([1.0, -8.0, 8.0, -1.0]) / (12.0 * _STEP)
    plane = np.stack([xi[:, 1:], eta[:, 1:]], axis=1).reshape(len(x), 2, 2, 4)
    return np.rad2deg(plane @ weights) * 3600.0
