"""The deblender's steps by hand, on whole pictures."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from secondlight.kernels.deblend.symmetric import Outline

#: A pixel and the four beside, above and below it.
CROSS = ndimage.generate_binary_structure(2, 1)


def lround(v):
    return int(math.copysign(math.floor(abs(v) + 0.5), v))


def walked(template, cy, cx):
    """The specification's own walk."""
    h, w = template.shape
    out = template.copy()
    before = template.copy()
    for first in range(0, max(cy, h - cy, cx, w - cx), 5):
        for size in range(max(first, 1), first + 5):
            x, y = size, -size
            for dx, dy in ((0, 1), (-1, 0), (0, -1), (1, 0)):
                for _ in range(2 * size):
                    if 0 <= cy + y < h and 0 <= cx + x < w:
                        for step in range(1, 6):
                            main, side = (x, y) if dx == 0 else (y, x)
                            sign = 1 if main > 0 else -1
                            slope = side / main - 0.3
                            for k in range(lround(step * slope), lround(step * (slope + 0.6)) + 1):
                                m, s = main + sign * step, side + sign * k
                                py, px = (cy + s, cx + m) if dx == 0 else (cy + m, cx + s)
                                if 0 <= py < h and 0 <= px < w:
                                    out[py, px] = min(out[py, px], before[cy + y, cx + x])
                    x, y = x + dx, y + dy
        before = out.copy()
    return out


def outline(picture, cy, cx, patch=False, y0=0, x0=0):
    h, w = picture.shape
    return Outline(picture.astype(np.uint8), y0, x0, cy, cx, y0, y0 + h - 1, x0, x0 + w - 1, patch)


def members(picture, cy, cx, patch=False):
    """Which pixels of the picture's box belong to the template; the peak counted from the picture's first pixel."""
    h, w = picture.shape
    out = np.zeros((h, w), bool)
    for y, x in np.argwhere(picture):
        m, n = 2 * cy - y, 2 * cx - x
        out[y, x] = picture[m, n] if 0 <= m < h and 0 <= n < w else patch
    return out


def at_edge(picture):
    return picture & ~ndimage.binary_erosion(picture, CROSS)


def symmetric_values(image, picture, cy, cx):
    """The symmetric template, by hand."""
    member = members(picture, cy, cx)
    out = np.zeros(picture.shape, np.float32)
    for y, x in np.argwhere(member):
        out[y, x] = max(0, min(image[y, x], image[2 * cy - y, 2 * cx - x]))
    return member, out
