"""Smooth functions of position: what `lsst.images.fields` lacks for this task (spec 08.3)."""

from __future__ import annotations

import numpy as np
from lsst.images import Box
from lsst.images.fields import BaseField, ChebyshevField
from numpy.typing import NDArray

__all__ = ["constant_field", "field_mean"]


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
