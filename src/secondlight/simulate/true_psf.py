"""The PSF that the sky really has: a turbulent atmosphere whose blur varies over the field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import galsim
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from .observing import PIXEL_SCALE

__all__ = ["TruePsf"]


@dataclass(frozen=True)
class TruePsf:
    """Kolmogorov profile whose size and ellipticity are quadratic functions of position.

    Parameters
    ----------
    shape
        Size of the field ``(ny, nx)`` [pixel].
    log_fwhm, g1, g2
        Coefficients of 1, u, v, u², uv, v² with u, v = x, y scaled to [-1, 1]; shape ``(6,)``.
        ``log_fwhm`` is the natural logarithm of the full width at half maximum [arcsec]; g1 and g2 are reduced shears in
        pixel axes.
    """

    shape: tuple[int, int]
    log_fwhm: NDArray[np.float64]
    g1: NDArray[np.float64]
    g2: NDArray[np.float64]

    @classmethod
    def draw(cls, rng: Generator, shape: tuple[int, int], fwhm: float) -> TruePsf:
        """Draw a PSF that varies by some 5 % in size and 0.03 in ellipticity.

        Parameters
        ----------
        rng
            Random stream.
        shape
            Size of the field ``(ny, nx)`` [pixel].
        fwhm
            Full width at half maximum in the middle of the field [arcsec].
        """
        # higher orders vary less, as across a real focal plane
        fall = np.array([0.0, 1.0, 1.0, 0.5, 0.5, 0.5])
        log_fwhm = 0.025 * fall * rng.standard_normal(6)
        log_fwhm[0] = np.log(fwhm)
        mean_and_fall = np.array([1.0, *fall[1:]])
        g1, g2 = 0.012 * mean_and_fall * rng.standard_normal((2, 6))
        return cls(shape, log_fwhm, g1, g2)

    def parameters(
        self, x: ArrayLike, y: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return FWHM [arcsec], g1 and g2 at positions.

        Parameters
        ----------
        x, y
            Positions [pixel].
        """
        ny, nx = self.shape
        u = 2 * (np.asarray(x, float) + 0.5) / nx - 1
        v = 2 * (np.asarray(y, float) + 0.5) / ny - 1
        terms = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)
        return np.exp(terms @ self.log_fwhm), terms @ self.g1, terms @ self.g2

    def profile(self, x: float, y: float) -> Any:
        """Return the surface brightness of a star of unit flux at a position, before the pixels average it.

        Parameters
        ----------
        x, y
            Position [pixel].

        Returns
        -------
        galsim.GSObject
            Sizes are in arcsec.
        """
        fwhm, g1, g2 = self.parameters(x, y)
        return galsim.Kolmogorov(fwhm=float(fwhm)).shear(g1=float(g1), g2=float(g2))

    def star_image(self, x: float, y: float, size: int) -> NDArray[np.float64]:
        """Draw a star of unit flux, centred on the middle pixel.

        Parameters
        ----------
        x, y
            Position at which to take the PSF [pixel].
        size
            Side of the image, odd [pixel].

        Returns
        -------
        ndarray
            Shape ``(size, size)``; the sum is below 1 by the flux outside.
        """
        # the period of the transform is four times the stamp: no flux folds back from its far side
        n = 4 * size
        image = galsim.ImageD(n | 1, n | 1, scale=PIXEL_SCALE)
        self.profile(x, y).drawImage(image=image, method="auto")
        lo = (image.array.shape[0] - size) // 2
        return np.array(image.array[lo : lo + size, lo : lo + size])
