"""Second moments as they come out of the reference's classes of ellipses, to the last digit.

GalSim hands a shape on as size and distortion in single precision; the distortion becomes a reduced shear and a distortion
again, and the ellipse passes through its semi-axes and angle before its moments are stored. What is measured on these
moments may hang on their last digit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = ["pass_on_moments"]

#: Below this square of a distortion the reduced shear is a series.
_SMALL = 1e-4


@jit
def _by_reduced_shear(e1: float, e2: float) -> tuple[float, float]:
    """Turn a distortion into a reduced shear and back."""
    square = e1 * e1 + e2 * e2
    if square > _SMALL:
        to_shear = 1.0 / (1.0 + math.sqrt(1.0 - square))
    else:
        to_shear = 0.5 + square * (0.125 + square * (0.0625 + square * 0.0390625))
    g1, g2 = e1 * to_shear, e2 * to_shear
    g = math.hypot(g1, g2)
    to_distortion = 2.0 / (1.0 + g * g)
    return g1 * to_distortion, g2 * to_distortion


@jit
def _by_axes(xx: float, yy: float, xy: float) -> tuple[float, float, float]:
    """Turn moments into semi-axes and an angle, and back."""
    total, difference = xx + yy, xx - yy
    root = math.sqrt(difference * difference + 4.0 * xy * xy)
    # semi-axes that are square roots are squared again
    a, b2 = math.sqrt(0.5 * (total + root)), 0.5 * (total - root)
    b = math.sqrt(b2) if b2 >= 0.0 else math.nan
    theta = 0.5 * math.atan2(2.0 * xy, difference)
    a *= a
    b *= b
    cos, sin = math.cos(theta), math.sin(theta)
    return (
        cos * cos * a + sin * sin * b,
        sin * sin * a + cos * cos * b,
        (a - b) * cos * sin,
    )


@jit
def pass_on_moments(moments: NDArray[np.float64]) -> None:
    """Take moments through the steps between their measurement and the table, in place.

    Parameters
    ----------
    moments
        Shape ``(n, 3)``: xx, yy, xy [pixel²]. Rows with NaN, and those that are no ellipse's, stay as they are.
    """
    for k in range(len(moments)):
        xx, yy, xy = moments[k, 0], moments[k, 1], moments[k, 2]
        det = xx * yy - xy * xy
        if not (det > 0.0 and xx > 0.0):
            continue
        sigma = np.float64(np.float32(math.sqrt(math.sqrt(det))))
        single1 = np.float64(np.float32((xx - yy) / (xx + yy)))
        single2 = np.float64(np.float32(2.0 * xy / (xx + yy)))
        if not single1 * single1 + single2 * single2 < 1.0:
            continue
        e1, e2 = _by_reduced_shear(single1, single2)
        narrow = math.sqrt(1.0 - (e1 * e1 + e2 * e2))
        area = sigma * sigma
        moments[k, 0], moments[k, 1], moments[k, 2] = _by_axes(
            area * (1.0 + e1) / narrow, area * (1.0 - e1) / narrow, area * e2 / narrow
        )
