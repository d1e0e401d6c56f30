"""The part of a footprint that is symmetric about a peak, and the image's symmetric part in it (spec 06.4.2).

A pixel belongs to the template if it and its mirror image are in the footprint; its value is the smaller of the two, and
never negative. Where one of them is not a number, the other one counts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import jit

__all__ = ["Outline", "extent", "fill_members", "fill_symmetric", "smaller"]


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
        First and last row and column that the template may have, within the footprint's box.
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
def smaller(a: np.float32, b: np.float32) -> np.float32:
    """Return the smaller of two pixels, but not less than 0; the other one if one is not a number."""
    value = b if b < a or np.isnan(a) else a
    return value if value > 0 else np.float32(0.0)


@jit
def fill_members(outline: Outline, y0: int, x0: int, out: NDArray[np.uint8]) -> bool:
    """Mark the pixels of a template in a part of the image.

    Parameters
    ----------
    outline
        The template.
    y0, x0
        First pixel of the part.
    out
        Receives 1 for pixels that belong to the template, 0 for others.

    Returns
    -------
    bool
        Whether there is any.
    """
    region = outline.region
    h, w = region.shape
    y_sum, x_sum = 2 * outline.cy - outline.y0, 2 * outline.cx - outline.x0
    found = False
    for p in range(out.shape[0]):
        y = y0 + p
        i, m = y - outline.y0, y_sum - y
        row_exists = outline.low <= y <= outline.high
        mirror_exists = 0 <= m < h
        for q in range(out.shape[1]):
            x = x0 + q
            j, n = x - outline.x0, x_sum - x
            member = False
            if row_exists and outline.left <= x <= outline.right and region[i, j] != 0:
                if mirror_exists and 0 <= n < w:
                    member = region[m, n] != 0
                else:
                    member = outline.patch
            out[p, q] = member
            found = found or member
    return found


@jit
def extent(outline: Outline) -> tuple[int, int, int, int]:
    """Return the first and last row and column of a template; the peak is in it."""
    low, high, left, right = outline.low, outline.high, outline.left, outline.right
    if not outline.patch:
        # rows and columns whose mirror images are outside the footprint's box have nothing
        h, w = outline.region.shape
        low = max(low, 2 * outline.cy - (outline.y0 + h - 1))
        high = min(high, 2 * outline.cy - outline.y0)
        left = max(left, 2 * outline.cx - (outline.x0 + w - 1))
        right = min(right, 2 * outline.cx - outline.x0)
    row = np.empty((1, right - left + 1), np.uint8)
    while low < outline.cy and not fill_members(outline, low, left, row):
        low += 1
    while high > outline.cy and not fill_members(outline, high, left, row):
        high -= 1
    column = np.empty((high - low + 1, 1), np.uint8)
    while left < outline.cx and not fill_members(outline, low, left, column):
        left += 1
    while right > outline.cx and not fill_members(outline, low, right, column):
        right -= 1
    return low, high, left, right


@jit
def fill_symmetric(
    image: NDArray[np.float32],
    outline: Outline,
    least: np.float32,
    half: int,
    done: int,
    out: NDArray[np.float32],
) -> None:
    """Fill a template in a square around the peak.

    Parameters
    ----------
    image
        Shape ``(ny, nx)``.
    outline
        The template.
    least
        Smallest value of a pixel without mirror image.
    half
        Half the side of the square.
    done
        Pixels within this of the peak are left alone.
    out
        Shape ``(2 * half + 1, 2 * half + 1)``; zero on entry where pixels do not belong to the template.
    """
    region = outline.region
    h, w = region.shape
    cy, cx = outline.cy, outline.cx
    first, last = max(cx - half, outline.left), min(cx + half, outline.right)
    for y in range(max(cy - half, outline.low), min(cy + half, outline.high) + 1):
        i, m = y - outline.y0, 2 * cy - y - outline.y0
        mirror_exists = 0 <= m < h
        near = abs(y - cy) <= done
        x = first
        while x <= last:
            if near and abs(x - cx) <= done:
                x = cx + done + 1
                continue
            n = 2 * cx - x - outline.x0
            if region[i, x - outline.x0] != 0:
                if mirror_exists and 0 <= n < w:
                    if region[m, n] != 0:
                        out[y - cy + half, x - cx + half] = smaller(
                            image[y, x], image[2 * cy - y, 2 * cx - x]
                        )
                elif outline.patch:
                    value = image[y, x]
                    out[y - cy + half, x - cx + half] = value if value > least else least
            x += 1
