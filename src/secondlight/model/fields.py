"""Smooth functions of position: what `lsst.images.fields` lacks for this task (spec 08.3)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from copy import copy
from typing import Any, Self, final

import numpy as np
from astropy.units import Quantity, UnitBase
from lsst.images import Bounds, Box, Image, SkyProjection
from lsst.images.fields import BaseField, ChebyshevField
from numpy.typing import DTypeLike, NDArray

__all__ = ["PixelAreaField", "TransformField", "constant_field", "field_mean"]


def constant_field(value: float, bbox: Box) -> ChebyshevField:
    """Return the field that is ``value`` everywhere.

    Parameters
    ----------
    value
        The value.
    bbox
        Where the field is defined.
    """
    return ChebyshevField(bbox, np.array([[float(value)]]))


def field_mean(field: BaseField) -> float:
    """Return the mean of a Chebyshev field over its box, spec 08.3.

    Parameters
    ----------
    field
        The field.

    Raises
    ------
    TypeError
        Raised if the mean of that kind of field is not defined.
    """
    if not isinstance(field, ChebyshevField):
        raise TypeError(f"the mean of a {type(field).__name__} is not defined")

    def integrals(n: int) -> NDArray[np.float64]:
        # ∫ T_k over [-1, 1]: zero for odd k, else 2 / (1 - k²)
        k = np.arange(n)
        return np.where(k % 2 == 1, 0.0, 2.0 / (1.0 - np.where(k % 2 == 1, 0, k) ** 2.0))

    c = np.asarray(field.coefficients, float)
    return float(integrals(c.shape[0]) @ c @ integrals(c.shape[1]) / 4.0)


class _ScaledField(BaseField):
    """What fields of one factor share."""

    def __init__(self, bounds: Bounds, factor: float, unit: UnitBase | None) -> None:
        self._bounds = bounds
        self._factor = factor
        self._unit = unit

    @property
    def bounds(self) -> Bounds:
        """The region over which the field can be evaluated."""
        return self._bounds

    @property
    def unit(self) -> UnitBase | None:
        """The unit of the field."""
        return self._unit

    @property
    def is_constant(self) -> bool:
        """Whether the field is the same everywhere: not known of these."""
        return False

    @property
    def factor(self) -> float:
        """What the values are multiplied by."""
        return self._factor

    @abstractmethod
    def _values(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evaluate at flat arrays of positions, before the factor."""

    def _evaluate(self, *, x: NDArray[Any], y: NDArray[Any], quantity: bool) -> Any:
        x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        values = self._factor * self._values(x.ravel(), y.ravel()).reshape(x.shape)
        return Quantity(values, self._unit) if quantity else values

    def _multiply_constant(self, factor: Any) -> Self:
        number, unit = self._handle_factor_units(factor)
        scaled = copy(self)
        scaled._factor, scaled._unit = self._factor * number, unit
        return scaled

    def render(self, bbox: Box | None = None, *, dtype: DTypeLike | None = None) -> Image:
        """Evaluate on every pixel; see `lsst.images.fields.BaseField`."""
        box = bbox or self._bounds.bbox
        y, x = np.meshgrid(box.y.arange, box.x.arange, indexing="ij")
        return Image(self._evaluate(x=x, y=y, quantity=False), bbox=box, unit=self._unit, dtype=dtype)


@final
class TransformField(_ScaledField):
    """A field given by any mapping from the plane to a number (spec 08.3, TransformBoundedField).

    Parameters
    ----------
    bounds
        Where the field is defined.
    function
        Takes flat arrays of x and y [pixel], returns the values.
    factor
        Multiplies the values.
    unit
        Unit of the field.
    """

    def __init__(
        self,
        bounds: Bounds,
        function: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
        *,
        factor: float = 1.0,
        unit: UnitBase | None = None,
    ) -> None:
        super().__init__(bounds, factor, unit)
        self._function = function

    @property
    def function(self) -> Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]:
        """The mapping, without the factor."""
        return self._function

    def _values(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self._function(x, y), float)


@final
class PixelAreaField(_ScaledField):
    """The solid angle of a pixel [steradian], times a factor (spec 08.3, PixelAreaBoundedField).

    Parameters
    ----------
    bounds
        Where the field is defined.
    projection
        From pixels to the sky.
    factor
        Multiplies the area.
    unit
        Unit of the field.
    """

    def __init__(
        self,
        bounds: Bounds,
        projection: SkyProjection[Any],
        factor: float = 1.0,
        *,
        unit: UnitBase | None = None,
    ) -> None:
        super().__init__(bounds, factor, unit)
        self._projection = projection

    @property
    def projection(self) -> SkyProjection[Any]:
        """From pixels to the sky."""
        return self._projection

    def _values(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        here, right, up = (
            self._projection.pixel_to_sky(x=x + dx, y=y + dy).cartesian.xyz.value
            for dx, dy in ((0, 0), (1, 0), (0, 1))
        )
        area: NDArray[np.float64] = np.linalg.norm(np.cross(right - here, up - here, axis=0), axis=0)
        return area
