"""The part of a footprint that is symmetric about a peak, and the image's symmetric part in it (spec 06.4.2).

A pixel belongs to the template if it and its mirror image are in the footprint; its value is the smaller of the two, and
never negative. Where one of them is not a number, the other one counts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import jit
from .regions import contains

__all__ = ["Outline", "extent", "is_inside", "is_patched", "smaller"]


class Outline(NamedTuple):
    """Where a template is.

    Parameters
    ----------
    region
        The footprint as an image.
    y0, x0
        Its first pixel.
    cy, cx
        The peak.
    low, high, left, right
        First and last row and column that the template may have.
    patch
        Whether pixels of the footprint whose mirror images are outside its box belong to the template too.
    """

    region: NDArray[np.uint8]
    y0: int
    x0: int
    cy: int
    cx: int
    low: int
    high: int
    left: int
    right: int
    patch: bool


@jit
def is_patched(outline: Outline, y: int, x: int) -> bool:
    """Tell whether the mirror image of a pixel is outside the footprint's box."""
    i, j = 2 * outline.cy - y - outline.y0, 2 * outline.cx - x - outline.x0
    return not (0 <= i < outline.region.shape[0] and 0 <= j < outline.region.shape[1])


@jit
def is_inside(outline: Outline, y: int, x: int) -> bool:
    """Tell whether a pixel belongs to the template."""
    if y < outline.low or y > outline.high or x < outline.left or x > outline.right:
        return False
    if not contains(outline.region, y - outline.y0, x - outline.x0):
        return False
    if contains(outline.region, 2 * outline.cy - y - outline.y0, 2 * outline.cx - x - outline.x0):
        return True
    return outline.patch and is_patched(outline, y, x)


@jit
def extent(outline: Outline) -> tuple[int, int, int, int]:
    """Return the first and last row and column of a template; the peak is in it."""
    low, high, left, right = outline.low, outline.high, outline.left, outline.right
    found = False
    while low < outline.cy and not found:
        for x in range(left, right + 1):
            if is_inside(outline, low, x):
                found = True
                break
        if not found:
            low += 1
    found = False
    while high > outline.cy and not found:
        for x in range(left, right + 1):
            if is_inside(outline, high, x):
                found = True
                break
        if not found:
            high -= 1
    found = False
    while left < outline.cx and not found:
        for y in range(low, high + 1):
            if is_inside(outline, y, left):
                found = True
                break
        if not found:
            left += 1
    found = False
    while right > outline.cx and not found:
        for y in range(low, high + 1):
            if is_inside(outline, y, right):
                found = True
                break
        if not found:
            right -= 1
    return low, high, left, right


@jit
def smaller(a: np.float32, b: np.float32) -> np.float32:
    """Return the smaller of two pixels, but not less than 0; the other one if one is not a number."""
    value = b if b < a or np.isnan(a) else a
    return value if value > 0 else np.float32(0.0)
