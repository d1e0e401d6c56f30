"""PSFs made of kernel images: a fixed one, or a few whose amplitudes vary over the detector (spec 11.4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from lsst.images import Bounds
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import ArrayLike, NDArray

from ._image import ImagePsf

__all__ = [
    "Chebyshev1Function2D",
    "FixedKernel",
    "Kernel",
    "KernelPsf",
    "LinearCombinationKernel",
    "PolynomialFunction2D",
    "SpatialFunction",
]


def _triangle(
    along_x: NDArray[np.floating], along_y: NDArray[np.floating], coefficients: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum of c·X_i·Y_j over total degree ≤ n, ordered 1, x, y, x², xy, y², …"""
    result = np.zeros(len(along_x))
    term = 0
    for degree in range(along_x.shape[1]):
        for j in range(degree + 1):
            result += coefficients[term] * along_x[:, degree - j] * along_y[:, j]
            term += 1
    return result


def _order(coefficients: NDArray[np.float64]) -> int:
    """Return the total degree of a polynomial that has so many coefficients."""
    order = (math.isqrt(8 * len(coefficients) + 1) - 3) // 2
    if (order + 1) * (order + 2) // 2 != len(coefficients):
        raise ValueError(f"{len(coefficients)} coefficients make no complete polynomial of two variables")
    return order


@dataclass(frozen=True, slots=True)
class PolynomialFunction2D:
    """A polynomial of x and y.

    Parameters
    ----------
    coefficients
        Of 1, x, y, x², xy, y², …, up to some total degree.
    """

    coefficients: NDArray[np.float64]

    def __call__(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evaluate at positions of shape ``(n,)`` [pixel], by Horner's rule in y and then in x."""
        order = _order(self.coefficients)
        result = np.zeros(len(x))
        for i in range(order, -1, -1):  # power of x
            along_y = np.zeros(len(x))
            for j in range(order - i, -1, -1):
                degree = i + j
                along_y = along_y * y + self.coefficients[degree * (degree + 1) // 2 + j]
            result = result * x + along_y
        return result


@dataclass(frozen=True, slots=True)
class Chebyshev1Function2D:
    """A sum of products of Chebyshev polynomials of the first kind, over a box.

    Parameters
    ----------
    coefficients
        In the order of `PolynomialFunction2D`, with the polynomial of degree i for the power i.
    x_min, y_min, x_max, y_max
        The box that is mapped to [-1, 1] on each axis [pixel].
    """

    coefficients: NDArray[np.float64]
    x_min: float
    y_min: float
    x_max: float
    y_max: float

    def __call__(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evaluate at positions of shape ``(n,)`` [pixel]."""
        order = _order(self.coefficients)
        u = (2.0 * x - (self.x_min + self.x_max)) / (self.x_max - self.x_min)
        v = (2.0 * y - (self.y_min + self.y_max)) / (self.y_max - self.y_min)
        return _triangle(chebvander(u, order), chebvander(v, order), self.coefficients)


type SpatialFunction = PolynomialFunction2D | Chebyshev1Function2D


@dataclass(frozen=True, slots=True)
class FixedKernel:
    """One image.

    Parameters
    ----------
    image
        Shape ``(h, w)``.
    x_centre, y_centre
        Indices of the pixel that is the kernel's origin.
    """

    image: NDArray[np.float64]
    x_centre: int
    y_centre: int

    @property
    def components(self) -> NDArray[np.float64]:
        """The image as the only component, shape ``(1, h, w)``."""
        return self.image[None]

    def amplitudes(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Amplitude of the component at each position, shape ``(n, 1)``: 1."""
        return np.ones((len(x), 1))


@dataclass(frozen=True, slots=True)
class LinearCombinationKernel:
    """A sum of images with amplitudes that are constant or functions of position.

    Parameters
    ----------
    components
        Shape ``(k, h, w)``.
    weights
        k amplitudes: numbers, or functions of x and y.
    x_centre, y_centre
        Indices of the pixel that is the kernel's origin.
    """

    components: NDArray[np.float64]
    weights: Sequence[float | SpatialFunction]
    x_centre: int
    y_centre: int

    def amplitudes(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Amplitude of each component at each position, shape ``(n, k)``."""
        columns = [w(x, y) if callable(w) else np.full(len(x), w) for w in self.weights]
        return np.stack(columns, axis=1)


type Kernel = FixedKernel | LinearCombinationKernel


class KernelPsf(ImagePsf):
    """A PSF that is a kernel, normalised at each position; also PcaPsf.

    Parameters
    ----------
    kernel
        The kernel.
    average_position
        (x, y) [pixel].
    bounds
        Where it is valid.

    Raises
    ------
    ValueError
        Raised if the number of amplitudes and components differ.
    """

    def __init__(
        self,
        kernel: Kernel,
        average_position: tuple[float, float] = (0.0, 0.0),
        bounds: Bounds | None = None,
    ) -> None:
        if isinstance(kernel, LinearCombinationKernel) and len(kernel.weights) != len(kernel.components):
            raise ValueError(
                f"the kernel has {len(kernel.components)} components and {len(kernel.weights)} amplitudes"
            )
        self.kernel = kernel
        self._average_position = average_position
        self._components = _centred(kernel.components, kernel.x_centre, kernel.y_centre)
        # added up pixel by pixel, not in pairs: the last digit is the reference's
        self._sums = np.cumsum(kernel.components.reshape(len(kernel.components), -1), axis=1)[:, -1]
        if bounds is not None:
            self._bounds = bounds

    @property
    def average_position(self) -> tuple[float, float]:
        """Mean position of the stars that the model was fitted to, (x, y) [pixel]."""
        return self._average_position

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the kernel images [pixel]."""
        height, width = self._components.shape[1:]
        return height, width

    def kernel_images(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Draw the PSF centred on the central pixel; see `BatchPsf.kernel_images`."""
        x, y = self._positions(x, y)
        amplitudes = self.kernel.amplitudes(x, y)
        images = np.zeros((len(x), *self.shape))
        totals = np.zeros(len(x))
        # a term at a time: the sum does not depend on how many positions are drawn together
        for amplitude, component, total in zip(amplitudes.T, self._components, self._sums, strict=True):
            images += amplitude[:, None, None] * component
            totals += amplitude * total
        images *= (1.0 / totals)[:, None, None]
        return images


def _centred(components: NDArray[np.float64], x_centre: int, y_centre: int) -> NDArray[np.float64]:
    """Pad with zeros until the origin is the pixel ``(h // 2, w // 2)``."""
    pads = [(0, 0)]
    for size, centre in zip(components.shape[1:], (y_centre, x_centre), strict=True):
        if centre == size // 2:
            pads.append((0, 0))
        else:
            half = max(centre, size - 1 - centre)
            pads.append((half - centre, half - (size - 1 - centre)))
    return cast(NDArray[np.float64], np.ascontiguousarray(np.pad(components, pads), np.float64))
