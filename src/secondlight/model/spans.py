"""Arithmetic on regions: stencils, dilation, clipping, mask bits (spec 04.7).

Spans are arrays of shape ``(n, 3)`` of y, x0, x1, both ends included, in parent coordinates, sorted by (y, x0).
"""

from __future__ import annotations

import numpy as np
from lsst.images import Box
from numpy.typing import NDArray

from secondlight.kernels.spans import dilate_spans, find_pixels, or_bits

__all__ = ["circle", "clip", "contains", "dilate", "manhattan", "set_bits", "stencil_spans"]

type Spans = NDArray[np.int32]


def circle(radius: int) -> NDArray[np.int64]:
    """Return the half widths of a disc, in its rows −radius to radius.

    Parameters
    ----------
    radius
        Radius [pixel].
    """
    dy = np.arange(-radius, radius + 1)
    return np.sqrt(radius * radius - dy * dy).astype(np.int64)


def manhattan(radius: int) -> NDArray[np.int64]:
    """Return the half widths of a diamond, in its rows −radius to radius.

    Parameters
    ----------
    radius
        Half diagonal [pixel].
    """
    return np.asarray(radius - np.abs(np.arange(-radius, radius + 1)), np.int64)


def stencil_spans(half_widths: NDArray[np.int64], x: int = 0, y: int = 0) -> Spans:
    """Return a stencil as spans around a pixel.

    Parameters
    ----------
    half_widths
        Half width in each row, as from `circle`.
    x, y
        The central pixel.
    """
    rows = np.arange(len(half_widths)) - len(half_widths) // 2 + y
    return np.column_stack([rows, x - half_widths, x + half_widths]).astype(np.int32)


def dilate(spans: Spans, half_widths: NDArray[np.int64], bbox: Box) -> Spans:
    """Dilate a region and clip it to a box.

    Parameters
    ----------
    spans
        Shape ``(n, 3)``, sorted by (y, x0); they may overlap.
    half_widths
        The stencil, as from `circle` or `manhattan`.
    bbox
        Pixels outside are dropped.

    Returns
    -------
    ndarray
        Shape ``(m, 3)``, normalized.
    """
    return dilate_spans(
        np.ascontiguousarray(spans, np.int32), half_widths, bbox.y.min, bbox.y.max, bbox.x.min, bbox.x.max
    )


def clip(spans: Spans, bbox: Box) -> Spans:
    """Drop the part of a region that is outside a box.

    Parameters
    ----------
    spans
        Shape ``(n, 3)``.
    bbox
        The box.
    """
    rows = spans[(spans[:, 0] >= bbox.y.min) & (spans[:, 0] <= bbox.y.max)]
    out = np.column_stack(
        [rows[:, 0], np.maximum(rows[:, 1], bbox.x.min), np.minimum(rows[:, 2], bbox.x.max)]
    )
    return np.ascontiguousarray(out[out[:, 1] <= out[:, 2]], np.int32)


def contains(spans: Spans, x: NDArray[np.integer], y: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Tell which pixels are in a region.

    Parameters
    ----------
    spans
        Shape ``(n, 3)``, normalized.
    x, y
        Pixels, shape ``(p,)``.
    """
    return find_pixels(spans, np.asarray(y, np.int32), np.asarray(x, np.int32)) >= 0


def set_bits(mask: NDArray[np.int32], spans: Spans, bits: int, x0: int = 0, y0: int = 0) -> None:
    """Set mask bits in a region, in place; its pixels outside the mask are passed over.

    Parameters
    ----------
    mask
        Shape ``(ny, nx)``.
    spans
        Shape ``(n, 3)``.
    bits
        Mask value to set.
    x0, y0
        Parent coordinates of the mask's first pixel.
    """
    or_bits(mask, spans - np.array([y0, x0, x0], np.int32), bits)
