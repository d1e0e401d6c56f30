"""Fields of position in the forms that `lsst.images` can store: fields of any kind, and background models."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import cast

import astropy.units as u
import numpy as np
from lsst.images import BackgroundMap
from lsst.images.fields import BaseField, ChebyshevField, Field, ProductField, SplineField, SumField
from numpy.typing import NDArray

from .background import ApproxStyle, BackgroundModel, InterpStyle, bin_edges

__all__ = ["background_map", "storable_field"]

#: Relative error that is allowed where a field is replaced by a Chebyshev polynomial.
_FIELD_TOLERANCE = 1e-6
#: Orders of these polynomials that are tried.
_FIELD_ORDERS = (0, 1, 2, 3, 4, 6, 8, 11, 15)
#: Positions on each axis that they are fitted to.
_NODES = 24

#: Spacing of the knots [pixel] where a background's own bins cannot serve as knots.
_KNOTS = 16


def storable_field(field: BaseField, what: str = "field") -> Field | None:
    """Return a field, or one equal to 1e-6 relative, of a kind that `lsst.images` can store.

    Parameters
    ----------
    field
        The field.
    what
        Its name, for the warning.

    Returns
    -------
    Field or None
        `None`, after a warning, if no polynomial of order 15 or less is good enough.
    """
    if _stored_as_it_is(field):
        return cast(Field, field)
    box = field.bounds.bbox
    # Chebyshev nodes to fit at; others, up to the corners of the box, to judge by
    nodes = 0.5 - 0.5 * np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
    probes = np.linspace(0, 1, 41)

    def sample(
        at: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        x, y = box.x.start + (box.x.size - 1) * at, box.y.start + (box.y.size - 1) * at
        xs, ys = np.meshgrid(x, y)
        return x, y, np.asarray(field(x=xs, y=ys), float)

    x, y, values = sample(nodes)
    x_probe, y_probe, truth = sample(probes)
    xs, ys = np.meshgrid(x_probe, y_probe)
    if np.isfinite(values).all():
        for order in _FIELD_ORDERS:
            fit = ChebyshevField.fit(field.bounds, values, order, x=x, y=y, triangular=False, unit=field.unit)
            if np.abs(fit(x=xs, y=ys) - truth).max() <= _FIELD_TOLERANCE * np.abs(truth).max():
                return fit
    warnings.warn(
        f"{what}, a {type(field).__name__}, is not stored: no polynomial of order {_FIELD_ORDERS[-1]} or less is within "
        f"{_FIELD_TOLERANCE:g} of it",
        stacklevel=2,
    )
    return None


def _stored_as_it_is(field: BaseField) -> bool:
    match field:
        case ProductField() | SumField():
            return all(_stored_as_it_is(operand) for operand in field.operands)
    return isinstance(field, ChebyshevField | SplineField)


def background_map(backgrounds: Iterable[BackgroundModel], unit: u.UnitBase | None = None) -> BackgroundMap:
    """Return background models as the subtracted background of a visit image, named ``background``.

    A Chebyshev approximation is stored exactly (to float32). A spline is stored by its bins, as
    `lsst.images` itself converts such models: exact to float32 between the outermost centres of bins;
    beyond, where the reference extrapolates otherwise than scipy, the difference reached 0.3 % of the
    peak-to-peak range of a recorded background. Interpolations other than Akima's are stored by their
    values every 16 pixels. The background file holds the models themselves.

    Parameters
    ----------
    backgrounds
        Models whose sum was subtracted; an empty map is returned if there are none.
    unit
        Their unit.
    """
    fields = [_background_field(model, unit) for model in backgrounds]
    result = BackgroundMap()
    if fields:
        field = fields[0] if len(fields) == 1 else SumField(fields)
        result.add(
            "background", field, "Sum of the background models that was subtracted.", is_subtracted=True
        )
    return result


def _background_field(model: BackgroundModel, unit: u.UnitBase | None) -> Field:
    box = model.bbox
    levels = model.stats_image.astype(np.float64)
    ny, nx = levels.shape
    if model.approx_style is ApproxStyle.CHEBYSHEV:
        rows, columns = _positions(box.y.size, 64), _positions(box.x.size, 64)
        values = model.image()[np.ix_(rows, columns)].astype(np.float64)
        x, y = columns + float(box.x.start), rows + float(box.y.start)
        return ChebyshevField.fit(box, values, model.approx_order_x, x=x, y=y, unit=unit)
    if model.interp_style is InterpStyle.AKIMA_SPLINE and min(nx, ny) >= 5 and np.isfinite(levels).all():
        y, x = _bin_centers(box.y.size, ny), _bin_centers(box.x.size, nx)
    else:
        rows, columns = _positions(box.y.size, None), _positions(box.x.size, None)
        levels = model.image()[np.ix_(rows, columns)].astype(np.float64)
        y, x = rows.astype(float), columns.astype(float)
    return SplineField(box, levels, y=y + box.y.start, x=x + box.x.start, unit=unit)


def _positions(size: int, n: int | None) -> NDArray[np.intp]:
    """Return at most ``n`` pixels spread over ``size`` with both ends, or every 16th and both ends."""
    if n is None:
        return np.unique(np.r_[0:size:_KNOTS, size - 1])
    return np.unique(np.linspace(0, size - 1, min(n, size)).round().astype(np.intp))


def _bin_centers(size: int, n: int) -> NDArray[np.float64]:
    edges = bin_edges(size, n)
    return np.asarray(0.5 * (edges[:-1] + edges[1:]) - 0.5)
