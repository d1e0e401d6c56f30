"""Products of templates with each other and with the image: what weights and degeneracy need (spec 06.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._jit import jit
from .regions import contains
from .templates import Templates

__all__ = ["template_products"]


@jit
def _paint(
    templates: Templates,
    k: int,
    region: NDArray[np.uint8],
    y_first: int,
    x_first: int,
    within: bool,
    out: NDArray[np.float64],
) -> None:
    """Copy a template, in its spans only, and in the footprint only if ``within`` is set."""
    y0, x0, h, w = templates.box[k]
    values = templates.values[templates.start[k] : templates.start[k + 1]].reshape((h, w))
    out[:h, :w] = 0.0
    for s in range(templates.span_start[k], templates.span_start[k + 1]):
        y = templates.spans[s, 0]
        for x in range(templates.spans[s, 1], templates.spans[s, 2] + 1):
            if not within or contains(region, y - y_first, x - x_first):
                out[y - y0, x - x0] = values[y - y0, x - x0]


@jit
def template_products(
    image: NDArray[np.float32],
    region: NDArray[np.uint8],
    y_first: int,
    x_first: int,
    templates: Templates,
    chosen: NDArray[np.int64],
    within: bool,
    products: NDArray[np.float64],
    data: NDArray[np.float64],
) -> None:
    """Fill the inner products of templates with each other and with the image.

    Parameters
    ----------
    image
        Shape ``(ny, nx)``; pixels that are not finite are left out of all products with it.
    region, y_first, x_first
        The blend's footprint and its first pixel.
    templates, chosen
        The templates, and which of them: shape ``(c,)``.
    within
        Count only pixels of the footprint that are finite in the image.
    products
        Shape ``(c, c)``: receives the products of templates.
    data
        Shape ``(c,)``: receives the products with the image within the footprint.
    """
    height = width = 0
    for k in chosen:
        height, width = max(height, templates.box[k, 2]), max(width, templates.box[k, 3])
    a, b = np.empty((height, width)), np.empty((height, width))
    for p in range(chosen.size):
        k = chosen[p]
        y0, x0, h, w = templates.box[k]
        _paint(templates, k, region, y_first, x_first, within, a)
        total = 0.0
        for i in range(h):
            for j in range(w):
                if a[i, j] == 0.0:
                    continue
                y, x = y0 + i, x0 + j
                if not contains(region, y - y_first, x - x_first):
                    continue
                if np.isfinite(image[y, x]):
                    total += a[i, j] * image[y, x]
                elif within:
                    a[i, j] = 0.0
        data[p] = total
        for q in range(p + 1):
            other = chosen[q]
            v0, u0, hh, ww = templates.box[other]
            low, high = max(y0, v0), min(y0 + h, v0 + hh)
            left, right = max(x0, u0), min(x0 + w, u0 + ww)
            total = 0.0
            if low < high and left < right:
                _paint(templates, other, region, y_first, x_first, within, b)
                for y in range(low, high):
                    for x in range(left, right):
                        total += a[y - y0, x - x0] * b[y - v0, x - u0]
            products[p, q] = total
            products[q, p] = total
