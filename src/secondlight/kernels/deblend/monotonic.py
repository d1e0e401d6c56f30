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

__all__ = ["CHUNK", "cap_chunk", "make_monotonic"]

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
def _cap_columns(
    out: NDArray[np.float32],
    cap: np.float32,
    y: int,
    x: int,
    dy: int,
    dx: int,
    low: int,
    high: int,
    left: int,
    right: int,
) -> None:
    """Cast the shadow of a pixel on the left or right side of its ring; the image's transpose serves the others."""
    first = dy / dx - _OPENING
    last = first + 2.0 * _OPENING
    sign = 1 if dx > 0 else -1
    for step in range(1, CHUNK + 1):
        xx = x + sign * step
        if xx < left or xx > right:
            return
        a, b = sign * _round(step * first), sign * _round(step * last)
        if a > b:
            a, b = b, a
        for yy in range(max(y + a, low), min(y + b, high) + 1):
            out[yy, xx] = min(out[yy, xx], cap)


@jit
def cap_chunk(
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
    """Cast the shadows of the five rings from ``ring`` on.

    Parameters
    ----------
    template
        Changed in place: the pixels of the rings up to ``ring + 9``.
    before
        Of the same shape: receives the five rings as they were.
    cy, cx
        The peak.
    ring
        Half the side of the first ring.
    low, high, left, right
        First and last row and column that exist; the peak is among them.

    Returns
    -------
    bool
        Whether any pixel of the five rings was not 0. If none, and ``ring`` is 5 or more, all pixels outside of them are 0
        from now on (if none is negative): from the second ring on shadows leave no gaps.
    """
    outer = ring + CHUNK - 1
    y0, y1 = max(cy - outer, low), min(cy + outer, high)
    x0, x1 = max(cx - outer, left), min(cx + outer, right)
    lit = False
    for y in range(y0, y1 + 1):
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
    turned = template.T
    for size in range(max(ring, 1), outer + 1):
        # the first corner of each side, going round from (right, bottom), is that side's
        x = cx + size
        if x <= right:
            for y in range(max(cy - size, low), min(cy + size - 1, high) + 1):
                _cap_columns(template, before[y, x], y, x, y - cy, size, low, high, left, right)
        x = cx - size
        if x >= left:
            for y in range(max(cy - size + 1, low), min(cy + size, high) + 1):
                _cap_columns(template, before[y, x], y, x, y - cy, -size, low, high, left, right)
        y = cy + size
        if y <= high:
            for x in range(max(cx - size + 1, left), min(cx + size, right) + 1):
                _cap_columns(turned, before[y, x], x, y, x - cx, size, left, right, low, high)
        y = cy - size
        if y >= low:
            for x in range(max(cx - size, left), min(cx + size - 1, right) + 1):
                _cap_columns(turned, before[y, x], x, y, x - cx, -size, left, right, low, high)
    return lit


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
    for ring in range(0, max(cy, h - cy, cx, w - cx), CHUNK):
        cap_chunk(template, before, cy, cx, ring, 0, h - 1, 0, w - 1)
