"""What a CCD and its calibration do to the light: noise, full wells that bleed, bad columns, mask planes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from secondlight.model.mask_planes import MaskPlanes

from .observing import FULL_WELL, READ_NOISE, SUSPECT_LEVEL

__all__ = ["Defects", "Readout", "bleed", "expose"]


@dataclass(frozen=True)
class Defects:
    """Pixels that do not work, the same in every exposure.

    Parameters
    ----------
    bad
        Shape ``(ny, nx)``.
    """

    bad: NDArray[np.bool_]

    @classmethod
    def draw(cls, rng: Generator, shape: tuple[int, int]) -> Defects:
        """Draw about two bad columns per thousand, half of them only from some row to the far end.

        Parameters
        ----------
        rng
            Random stream.
        shape
            Size of the detector ``(ny, nx)`` [pixel].
        """
        ny, nx = shape
        bad = np.zeros(shape, bool)
        for column in rng.choice(np.arange(2, nx - 2), size=max(1, round(0.002 * nx)), replace=False):
            start = rng.integers(0, ny) if rng.random() < 0.5 else 0
            bad[start:, column] = True
        return cls(bad)


@dataclass(frozen=True)
class Readout:
    """One exposure after instrument signature removal.

    Parameters
    ----------
    image
        [electron].
    variance
        [electron²].
    mask
        Bits by the exposure's planes.
    """

    image: NDArray[np.float32]
    variance: NDArray[np.float32]
    mask: NDArray[np.int32]


def expose(
    rng: Generator,
    expected: NDArray[np.float64],
    cosmic_rays: NDArray[np.float64],
    defects: Defects,
    planes: MaskPlanes,
    *,
    no_data_border: int = 0,
) -> Readout:
    """Read out one exposure.

    Photons are Poissonian, cosmic rays add their charge, full wells bleed along columns, the amplifier adds read noise.
    As in real processing the variance plane is made from the *measured* counts, ``max(image, 0) + read noise²``. Bad
    pixels are interpolated from their neighbours in the row; saturated pixels keep the full well.

    Parameters
    ----------
    rng
        Random stream.
    expected
        Expected electrons with sky, shape ``(ny, nx)``.
    cosmic_rays
        Charge of cosmic rays [electron].
    defects
        Pixels that do not work.
    planes
        Mask planes.
    no_data_border
        Width of a frame without data [pixel].
    """
    charge = bleed(rng.poisson(expected) + cosmic_rays)
    saturated = charge >= FULL_WELL
    image = charge + READ_NOISE * rng.standard_normal(charge.shape)
    image[saturated] = FULL_WELL
    mask = np.zeros(image.shape, np.int32)
    mask[saturated] |= planes.bits(["SAT"])
    mask[(charge > SUSPECT_LEVEL) & ~saturated] |= planes.bits(["SUSPECT"])
    variance = np.maximum(image, 0.0) + READ_NOISE**2
    for plane in (image, variance):
        _interpolate_rows(plane, defects.bad)
    mask[defects.bad] = planes.bits(["BAD", "INTRP"])
    if no_data_border:
        frame = np.ones(image.shape, bool)
        frame[no_data_border:-no_data_border, no_data_border:-no_data_border] = False
        image[frame] = variance[frame] = np.nan
        mask[frame] = planes.bits(["NO_DATA"])
    return Readout(image.astype(np.float32), variance.astype(np.float32), mask)


def bleed(charge: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move what the wells cannot hold along the columns, half of it each way.

    Parameters
    ----------
    charge
        Shape ``(ny, nx)`` [electron].

    Returns
    -------
    ndarray
        Nowhere above `FULL_WELL`; columns keep their sum unless charge runs off an end.
    """
    out = np.minimum(charge, FULL_WELL)
    columns = np.flatnonzero((charge > FULL_WELL).any(axis=0))
    if not columns.size:
        return out
    wells = out[:, columns]
    excess = np.maximum(charge[:, columns] - FULL_WELL, 0.0)
    for order in (range(len(wells)), range(len(wells) - 1, -1, -1)):
        carried = np.zeros(len(columns))
        for row in order:
            filled = np.minimum(wells[row] + carried, FULL_WELL)
            carried -= filled - wells[row]
            wells[row] = filled
            carried += 0.5 * excess[row]
    out[:, columns] = wells
    return out


def _interpolate_rows(plane: NDArray[np.float64], bad: NDArray[np.bool_]) -> None:
    """Replace bad pixels in place by the line between their good neighbours in the row."""
    columns = np.arange(plane.shape[1])
    for row in np.flatnonzero(bad.any(axis=1)):
        hole = bad[row]
        plane[row, hole] = np.interp(columns[hole], columns[~hole], plane[row, ~hole])
