"""From counts to nanojansky (spec 10.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from lsst.images import Box
from lsst.images.fields import BaseField
from numpy.typing import ArrayLike, NDArray

from .fields import constant_field, field_mean

__all__ = ["REFERENCE_FLUX", "PhotoCalib"]

#: Flux of an object of AB magnitude 0 [nJy].
REFERENCE_FLUX = 1e23 * 10 ** (48.6 / -2.5) * 1e9


@dataclass(frozen=True)
class PhotoCalib:
    """Photometric calibration of one image.

    Parameters
    ----------
    mean
        Mean calibration [nJy/count].
    err
        Its 1-sigma error [nJy/count].
    field
        Calibration by position [nJy/count].
    is_constant
        Whether ``mean`` holds everywhere.

    Raises
    ------
    ValueError
        Raised if the mean or the error is negative or NaN.
    """

    mean: float
    err: float
    field: BaseField
    is_constant: bool = False

    def __post_init__(self) -> None:
        if not self.mean >= 0:
            raise ValueError(f"calibration mean {self.mean} must not be negative or NaN")
        if not self.err >= 0:
            raise ValueError(f"calibration error {self.err} must not be negative or NaN")

    @classmethod
    def constant(cls, mean: float, err: float = 0.0, bbox: Box | None = None) -> PhotoCalib:
        """Return a calibration that is the same everywhere.

        Parameters
        ----------
        mean, err
            Calibration and its error [nJy/count].
        bbox
            Box of the image; empty if not given.
        """
        return cls(mean, err, constant_field(mean, bbox or Box.factory[0:1, 0:1]), is_constant=True)

    @classmethod
    def from_field(cls, field: BaseField, err: float = 0.0) -> PhotoCalib:
        """Return the calibration that follows a field, whose mean is taken over the field's box.

        Parameters
        ----------
        field
            Calibration by position [nJy/count].
        err
            1-sigma error [nJy/count].
        """
        return cls(field_mean(field), err, field)

    def local(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Return the calibration at positions.

        Parameters
        ----------
        x, y
            Positions [pixel], parent coordinates.

        Returns
        -------
        ndarray
            [nJy/count], the shape of ``x``.
        """
        x, y = np.asarray(x, float), np.asarray(y, float)
        if self.is_constant:
            return np.full(np.broadcast(x, y).shape, self.mean)
        return np.asarray(self.field(x=x, y=y), float)

    @property
    def zero_point(self) -> float:
        """AB magnitude of one count."""
        return float(2.5 * np.log10(REFERENCE_FLUX / self.mean))
