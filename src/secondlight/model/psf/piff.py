"""Piff models, a pixel grid interpolated over the field by polynomials, drawn without Piff or GalSim.

Jarvis et al. 2021 (MNRAS 501, 1282) for the models; spec 11.4 for what the reference makes of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
from lsst.images import Bounds, Box
from numpy.polynomial import chebyshev, hermite, laguerre, legendre, polynomial
from numpy.typing import ArrayLike, NDArray
from scipy.special import sici

from ... import threads
from ...kernels.piff import combine_images, draw_pixel_grids, normalise
from ._base import BatchPsf, PsfStamps
from ._image import centred_box, nearest_pixel
from ._piff_wcs import AffineWcs, PiffWcs

__all__ = ["PiffInterpolation", "PiffOptions", "PiffPsf", "PiffStars", "PixelGrid"]

type PolynomialKind = Literal["poly", "chebyshev", "legendre", "laguerre", "hermite"]

_VANDER = {
    "poly": polynomial.polyvander,
    "chebyshev": chebyshev.chebvander,
    "legendre": legendre.legvander,
    "laguerre": laguerre.lagvander,
    "hermite": hermite.hermvander,
}

#: Terms of the series that flattens the interpolant's response to a constant: as many as GalSim takes.
_SERIES_TERMS = 5


@dataclass(frozen=True)
class PixelGrid:
    """The model at one place: a square grid in (u, v), read with a Lanczos interpolant.

    Parameters
    ----------
    scale
        Spacing of the grid [unit of u and v].
    size
        Pixels on a side.
    lanczos
        n of Lanczos-n.
    conserve_dc
        Whether the interpolant is corrected to leave a constant as it is.
    """

    scale: float
    size: int
    lanczos: int
    conserve_dc: bool = True

    @property
    def series(self) -> NDArray[np.float64]:
        """Fourier series of the interpolant's response to a constant; empty if not to be corrected."""
        return _response_series(self.lanczos) if self.conserve_dc else np.empty(0)


@lru_cache
def _response_series(order: int) -> NDArray[np.float64]:
    """Fourier transform of Lanczos-n at the frequencies 1, 2, …: what a constant turns into besides itself."""
    k = np.arange(1, _SERIES_TERMS + 1)
    total = np.zeros(_SERIES_TERMS)
    for sign, v in ((1.0, order * (2.0 * k + 1.0)), (-1.0, order * (2.0 * k - 1.0))):
        for step in (1.0, -1.0):
            total += sign * step * (v + step) * sici(np.pi * (v + step))[0]
    return total / (2.0 * np.pi)


@dataclass(frozen=True)
class PiffInterpolation:
    """The grid's values as polynomials of position, and perhaps of colour.

    Parameters
    ----------
    keys
        Variables: ``x``, ``y`` [pixel], ``u``, ``v``, and perhaps ``colorValue``.
    mask
        One axis a variable: which products of powers are terms, in the order of the array.
    coefficients
        Shape ``(size * size, k)``.
    kind
        Family of polynomials that stands for powers.
    """

    keys: tuple[str, ...]
    mask: NDArray[np.bool_]
    coefficients: NDArray[np.float64]
    kind: PolynomialKind = "poly"

    def __post_init__(self) -> None:
        if self.mask.ndim != len(self.keys) or self.coefficients.shape[1] != np.count_nonzero(self.mask):
            raise ValueError(
                f"an interpolation over {', '.join(self.keys)} with {np.count_nonzero(self.mask)} terms has "
                f"coefficients of shape {self.coefficients.shape}"
            )

    def basis(self, values: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Evaluate the terms.

        Parameters
        ----------
        values
            Each variable's values, shape ``(n,)``.

        Returns
        -------
        ndarray
            Shape ``(n, k)``.
        """
        n = len(values[self.keys[0]]) if self.keys else 1
        product = np.ones((n, *(1,) * len(self.keys)))
        for axis, key in enumerate(self.keys):
            powers = _VANDER[self.kind](values[key], self.mask.shape[axis] - 1)
            shape = [n, *(1,) * len(self.keys)]
            shape[axis + 1] = self.mask.shape[axis]
            product = product * powers.reshape(shape)
        return product[:, self.mask]


@dataclass(frozen=True)
class PiffStars:
    """The stars that a model was fitted to.

    Parameters
    ----------
    x, y
        Shape ``(n,)`` [pixel].
    flagged
        Shape ``(n,)``: thrown out as outliers.
    reserve
        Shape ``(n,)``: kept from the fit.
    color
        Shape ``(n,)``; NaN where unknown.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    reserve: NDArray[np.bool_]
    color: NDArray[np.float64]

    @property
    def used(self) -> NDArray[np.bool_]:
        """Which stars the fit rests on."""
        return ~(self.flagged | self.reserve)


@dataclass(frozen=True)
class PiffOptions:
    """What Piff stores with a model and is not needed to draw it; kept to be written again.

    Parameters
    ----------
    psf, model, interp, outliers, chisq
        Names and values as in Piff's own files.
    """

    psf: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    interp: dict[str, Any] = field(default_factory=dict)
    outliers: dict[str, Any] = field(default_factory=dict)
    chisq: dict[str, Any] = field(default_factory=dict)


class PiffPsf(BatchPsf):
    """A Piff model, drawn as ``piff.PSF.draw`` draws it and normalised to unit sum.

    Parameters
    ----------
    grid
        The model at one place.
    interpolation
        How the grid's values vary.
    wcs
        From pixels to the grid's (u, v).
    stars
        The stars of the fit.
    height, width
        Size of the stamps [pixel].
    options
        Kept for writers.
    bounds
        Where it is valid.
    pickled
        The bytes that the reference stored it as, if it came from such a file; kept to be written again.

    Raises
    ------
    ValueError
        Raised if the interpolation does not give one value a pixel of the grid, or needs a colour that no star
        has.

    Notes
    -----
    A model that depends on colour (``colorValue``) is drawn for the mean colour of its stars: `color`.

    The stamp of a star is centred on the pixel that holds the position. Piff and the reference disagree by a pixel
    where the position is exactly between two; here the star then is where it should be.
    """

    def __init__(
        self,
        grid: PixelGrid,
        interpolation: PiffInterpolation,
        wcs: PiffWcs,
        stars: PiffStars,
        *,
        height: int,
        width: int,
        options: PiffOptions | None = None,
        bounds: Bounds | None = None,
        pickled: bytes | None = None,
    ) -> None:
        if len(interpolation.coefficients) != grid.size**2:
            raise ValueError(
                f"the interpolation gives {len(interpolation.coefficients)} values for a grid of "
                f"{grid.size}x{grid.size}"
            )
        unknown = set(interpolation.keys) - {"x", "y", "u", "v", "colorValue"}
        if unknown:
            raise ValueError(f"the model depends on {sorted(unknown)[0]!r}, which is not known at a position")
        self.grid = grid
        self.interpolation = interpolation
        self.wcs = wcs
        self.stars = stars
        self.height = height
        self.width = width
        self.options = options or PiffOptions()
        self.pickled = pickled
        self.color: float | None = None
        if "colorValue" in interpolation.keys:
            colors = stars.color[stars.used]
            if not np.isfinite(colors).any():
                raise ValueError("the model depends on colour, and none of its stars has one")
            self.color = float(np.nanmean(colors))
        self._planes = np.ascontiguousarray(interpolation.coefficients.T, np.float64)
        if bounds is not None:
            self._bounds = bounds

    @property
    def average_position(self) -> tuple[float, float]:
        """Mean position of the stars that were neither flagged nor reserved, (x, y) [pixel]."""
        used = self.stars.used
        if not used.any():
            return float("nan"), float("nan")
        return float(np.mean(self.stars.x[used])), float(np.mean(self.stars.y[used]))

    @property
    def kernel_bbox(self) -> Box:
        """Bounding box of all kernel images."""
        return centred_box(self.height, self.width)

    def kernel_images(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Draw the PSF centred on the central pixel; see `BatchPsf.kernel_images`.

        A stamp with an even number of pixels has the PSF between its two central ones, as with Piff.
        """
        x, y = self._positions(x, y)
        # the derivatives are those at the centre of the stamp that Piff would lay around the position
        x_centre, y_centre = _stamp_centre(x, self.width), _stamp_centre(y, self.height)
        if isinstance(self.wcs, AffineWcs):
            return self._combine(x, y)
        jacobians = self.wcs.jacobians(x_centre, y_centre)
        middle_x = np.full(len(x), 0.5 * (self.width - 1))
        middle_y = np.full(len(x), 0.5 * (self.height - 1))
        return self._draw(x, y, jacobians, middle_x, middle_y)

    def stellar_images(self, x: ArrayLike, y: ArrayLike) -> PsfStamps:
        """Draw the PSF as a star at each position would look; see `BatchPsf.stellar_images`."""
        x, y = self._positions(x, y)
        x0 = nearest_pixel(x) - self.width // 2
        y0 = nearest_pixel(y) - self.height // 2
        return PsfStamps(self._draw(x, y, self.wcs.jacobians(x, y), x - x0, y - y0), x0, y0)

    def _draw(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        jacobians: NDArray[np.float64],
        x_star: NDArray[np.float64],
        y_star: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        basis = self._basis(x, y)
        jacobians = jacobians / self.grid.scale
        out = np.empty((len(x), self.height, self.width))
        grid = self.grid

        def work(start: int, stop: int) -> None:
            part = slice(start, stop)
            draw_pixel_grids(
                self._planes,
                basis[part],
                grid.size,
                grid.lanczos,
                grid.series,
                jacobians[part],
                x_star[part],
                y_star[part],
                out[part],
            )
            normalise(out[part])

        threads.map_chunks(work, len(x), 32)
        return out

    def _basis(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """The terms that the grid's values are linear in, shape ``(n, k)``."""
        values = {"x": x, "y": y}
        if {"u", "v"} & set(self.interpolation.keys):
            values["u"], values["v"] = self.wcs.field(x, y)
        if self.color is not None:
            values["colorValue"] = np.full(len(x), self.color)
        return np.ascontiguousarray(self.interpolation.basis(values))

    @cached_property
    def _kernel_terms(self) -> NDArray[np.float64]:
        """The kernel image of each term, where derivatives are the same everywhere: shape ``(k, h, w)``."""
        zero = np.zeros(1)
        k, grid = len(self._planes), self.grid
        out = np.empty((k, self.height, self.width))
        draw_pixel_grids(
            self._planes,
            np.eye(k),
            grid.size,
            grid.lanczos,
            grid.series,
            np.repeat(self.wcs.jacobians(zero, zero) / grid.scale, k, axis=0),
            np.full(k, 0.5 * (self.width - 1)),
            np.full(k, 0.5 * (self.height - 1)),
            out,
        )
        return out

    def _combine(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Kernel images where the grid lies on all stamps alike."""
        basis = self._basis(x, y)
        out = np.empty((len(x), self.height, self.width))
        combine_images(self._kernel_terms, basis, out)
        normalise(out)
        return out


def _stamp_centre(x: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """True centre of the stamp of ``size`` pixels that Piff lays around a position."""
    if size % 2:
        return np.ceil(x - 0.5)
    return np.ceil(x) - 0.5
