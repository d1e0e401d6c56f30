"""The sky's brightness and the backgrounds that upstream fitted to it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from lsst.images import Box
from numpy.random import Generator
from numpy.typing import NDArray

from secondlight.model.background import (
    ApproxStyle,
    BackgroundList,
    BackgroundModel,
    InterpStyle,
    UndersampleStyle,
    bin_edges,
)

__all__ = ["Sky", "binned_background"]

#: The scale on which the sky varies [pixel]: half a CCD, whatever the size of the field.
_HALF_CCD = 2000.0


@dataclass(frozen=True)
class Sky:
    """Two smooth surfaces, as upstream fits them: one of the detector, one of the focal plane.

    Parameters
    ----------
    detector
        Level, gradient and a broad bump [electron/pixel], shape ``(ny, nx)``.
    focal_plane
        A plane of zero mean: what the sky correction finds afterwards.
    """

    detector: NDArray[np.float64]
    focal_plane: NDArray[np.float64]

    @classmethod
    def draw(cls, rng: Generator, shape: tuple[int, int], level: float) -> Sky:
        """Draw a sky that varies by a few per cent over a whole CCD.

        Parameters
        ----------
        rng
            Random stream.
        shape
            Size of the detector ``(ny, nx)`` [pixel].
        level
            Brightness in the middle [electron/pixel].
        """
        ny, nx = shape
        v = ((np.arange(ny) - (ny - 1) / 2) / _HALF_CCD)[:, np.newaxis]
        u = ((np.arange(nx) - (nx - 1) / 2) / _HALF_CCD)[np.newaxis, :]
        a, b, c, d = rng.uniform(-1, 1, 4)
        bump = np.exp(-((u - 0.5 * c) ** 2 + (v - 0.5 * d) ** 2) / 0.8)
        detector = level * (1 + 0.03 * (a * u + b * v) + 0.02 * bump)
        e, f = rng.uniform(-1, 1, 2)
        return cls(detector, level * 0.005 * (e * u + f * v))

    @property
    def total(self) -> NDArray[np.float64]:
        """Sum of both surfaces."""
        return self.detector + self.focal_plane


def binned_background(surface: NDArray[np.float64], bin_size: int) -> BackgroundList:
    """Return the background whose cells hold the means of a surface over them.

    What remains after its subtraction is the error of the interpolation, not of a fit.

    Parameters
    ----------
    surface
        Shape ``(ny, nx)`` [electron/pixel].
    bin_size
        Side of a cell [pixel].
    """
    ny, nx = surface.shape
    rows, columns = bin_edges(ny, ceil(ny / bin_size)), bin_edges(nx, ceil(nx / bin_size))
    sums = np.add.reduceat(np.add.reduceat(surface, rows[:-1], axis=0), columns[:-1], axis=1)
    cells = sums / np.outer(np.diff(rows), np.diff(columns))
    return BackgroundList(
        [
            BackgroundModel(
                stats_image=cells.astype(np.float32),
                stats_mask=np.zeros(cells.shape, np.int32),
                stats_variance=np.ones(cells.shape, np.float32),
                bbox=Box.factory[0:ny, 0:nx],
                interp_style=InterpStyle.AKIMA_SPLINE,
                undersample_style=UndersampleStyle.REDUCE_INTERP_ORDER,
                approx_style=ApproxStyle.UNKNOWN,
                approx_order_x=0,
                approx_order_y=0,
                approx_weighting=False,
            )
        ]
    )
