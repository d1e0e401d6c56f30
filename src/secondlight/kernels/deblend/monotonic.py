"""A template that nowhere rises outwards: pixels cast shadows away from the peak (spec 06.4.5).

Square rings of pixels around the peak, from the inside out: a pixel of ring L caps the pixels in a wedge of the five rings
beyond it, between the directions that differ by ±0.3 (as slope) from that to the peak. Caps come from the values at the
beginning of a chunk of five rings, so that wedges do not widen from ring to ring.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .._jit import jit

__all__ = ["CHUNK", "cast_shadows", "copy_rings", "make_monotonic", "wedges"]

#: Rings in a chunk, and the length of a shadow.
CHUNK = 5

#: Half the wedge's opening, as a slope.
_OPENING = 0.3


@jit
def _round(value: float) -> int:
    """Nearest integer, halves away from zero."""
    if value >= 0:
        return math.floor(value + 0.5)
    return -math.floor(0.5 - value)


@jit
def wedges(rings: int) -> NDArray[np.int16]:
    """Tabulate the shadows of pixels on the right side of their rings.

    Parameters
    ----------
    rings
        Rings 0 to ``rings - 1`` are tabulated.

    Returns
    -------
    ndarray
        Shape ``(rings**2, 10)``. Row ``L**2 + L + y`` is for the pixel y rows above the peak in ring L; it holds, for
        each of the next five columns, how many rows above the pixel the shadow begins and ends.
    """
    table = np.zeros((rings * rings, 2 * CHUNK), np.int16)
    for ring in range(1, rings):
        for y in range(-ring, ring + 1):
            first = y / ring - _OPENING
            last = first + 2.0 * _OPENING
            row = table[ring * ring + ring + y]
            for step in range(1, CHUNK + 1):
                row[2 * step - 2] = _round(step * first)
                row[2 * step - 1] = _round(step * last)
    return table


@jit
def copy_rings(
    template: NDArray[np.float32],
    before: NDArray[np.float32],
    cy: int,
    cx: int,
    ring: int,
    low: int,
    high: int,
    left: int,
    right: int,
) -> bool:
    """Copy the five rings from ``ring`` on.

    Parameters
    ----------
    template
        The template.
    before
        Of the same shape: receives the rings.
    cy, cx
        The peak.
    ring
        Half the side of the first ring.
    low, high, left, right
        First and last row and column that exist; the peak is among them.

    Returns
    -------
    bool
        Whether any pixel of the five rings is not 0. If none, and ``ring`` is 5 or more, casting shadows would make all
        pixels outside of them 0 (those that are not negative): from the second ring on shadows leave no gaps.
    """
    outer = ring + CHUNK - 1
    x0, x1 = max(cx - outer, left), min(cx + outer, right)
    lit = False
    for y in range(max(cy - outer, low), min(cy + outer, high) + 1):
        whole = abs(y - cy) >= ring
        x = x0
        while x <= x1:
            if not whole and abs(x - cx) < ring:
                x = cx + ring  # over the rings that are done
                continue
            value = template[y, x]
            before[y, x] = value
            if value != 0:
                lit = True
            x += 1
    return lit


@jit
def _cast(
    out: NDArray[np.float32],
    cap: np.float32,
    y: int,
    x: int,
    sign: int,
    wedge: NDArray[np.int16],
    low: int,
    high: int,
    steps: int,
) -> None:
    """Cast the shadow of a pixel to the right, or to the left if ``sign`` is −1, over ``steps`` columns."""
    for step in range(steps):
        xx = x + sign * (step + 1)
        first, last = y + sign * wedge[2 * step], y + sign * wedge[2 * step + 1]
        if sign < 0:
            first, last = last, first
        for yy in range(max(first, low), min(last, high) + 1):
            out[yy, xx] = min(out[yy, xx], cap)


@jit
def _cast_sides(
    out: NDArray[np.float32],
    before: NDArray[np.float32],
    cy: int,
    cx: int,
    size: int,
    table: NDArray[np.int16],
    low: int,
    high: int,
    left: int,
    right: int,
    corner: int,
) -> None:
    """Cast the shadows of the right and left sides of a ring.

    Of its two corners the right side has the lower one if ``corner`` is 0, the upper one if it is 1; the left side has the
    other one.
    """
    middle = size * size + size
    x = cx + size
    steps = min(CHUNK, right - x)
    if steps > 0:
        for y in range(max(cy - size + corner, low), min(cy + size - 1 + corner, high) + 1):
            _cast(out, before[y, x], y, x, 1, table[middle + y - cy], low, high, steps)
    x = cx - size
    steps = min(CHUNK, x - left)
    if steps > 0:
        for y in range(max(cy - size + 1 - corner, low), min(cy + size - corner, high) + 1):
            _cast(out, before[y, x], y, x, -1, table[middle - y + cy], low, high, steps)


@jit
def cast_shadows(
    template: NDArray[np.float32],
    before: NDArray[np.float32],
    cy: int,
    cx: int,
    ring: int,
    table: NDArray[np.int16],
    low: int,
    high: int,
    left: int,
    right: int,
) -> None:
    """Cast the shadows of the five rings from ``ring`` on.

    Parameters
    ----------
    template
        Changed in place: the pixels of the rings up to ``ring + 9``.
    before
        Of the same shape: the five rings as `copy_rings` found them.
    table
        `wedges` of all these rings.
    cy, cx, ring, low, high, left, right
        As for `copy_rings`.
    """
    for size in range(max(ring, 1), ring + CHUNK):
        _cast_sides(template, before, cy, cx, size, table, low, high, left, right, 0)
        # upper and lower side are right and left side of the transpose, with the other two corners
        _cast_sides(template.T, before.T, cx, cy, size, table, left, right, low, high, 1)


@jit
def make_monotonic(template: NDArray[np.float32], cy: int, cx: int) -> None:
    """Make a whole template monotonic, in place.

    Parameters
    ----------
    template
        Shape ``(h, w)``.
    cy, cx
        The peak, inside.
    """
    h, w = template.shape
    before = np.empty_like(template)
    reach = max(cy, h - cy, cx, w - cx)
    table = wedges(reach + CHUNK)
    for ring in range(0, reach, CHUNK):
        copy_rings(template, before, cy, cx, ring, 0, h - 1, 0, w - 1)
        cast_shadows(template, before, cy, cx, ring, table, 0, h - 1, 0, w - 1)
