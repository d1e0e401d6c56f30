"""Which mask bits are set in a footprint and around its centre (spec 07.6)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .pixels import position_to_index

__all__ = ["mask_bits"]


@jit
def mask_bits(
    mask: NDArray[np.int32],
    span_offsets: NDArray[np.int64],
    spans: NDArray[np.int32],
    span_x0: int,
    span_y0: int,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    anywhere: NDArray[np.int32],
    center: NDArray[np.int32],
    center_all: NDArray[np.int32],
) -> None:
    """Gather the mask bits of every source.

    Parameters
    ----------
    mask
        Shape ``(ny, nx)``.
    span_offsets, spans, span_x0, span_y0
        Footprints: those of source i are ``spans[span_offsets[i]:span_offsets[i + 1]]``; subtracting
        ``span_x0, span_y0`` gives array indices. Pixels outside the mask are passed over.
    x, y
        Shape ``(n,)``: centres, array coordinates.
    anywhere, center, center_all
        Shape ``(n,)``: results. Bits set in any pixel of the footprint; in any, and in all, of the
        3x3 pixels around the centre that are on the image. If none is, ``center_all`` has every bit; if the
        centre is not finite, both have none.
    """
    ny, nx = mask.shape
    for i in range(len(x)):
        bits = 0
        for k in range(span_offsets[i], span_offsets[i + 1]):
            row = spans[k, 0] - span_y0
            if 0 <= row < ny:
                for column in range(max(spans[k, 1] - span_x0, 0), min(spans[k, 2] - span_x0, nx - 1) + 1):
                    bits |= mask[row, column]
        anywhere[i] = bits
        center[i] = center_all[i] = 0
        if not (math.isfinite(x[i]) and math.isfinite(y[i])):
            continue
        ix, iy = position_to_index(x[i]), position_to_index(y[i])
        some, every = 0, -1
        for row in range(max(iy - 1, 0), min(iy + 1, ny - 1) + 1):
            for column in range(max(ix - 1, 0), min(ix + 1, nx - 1) + 1):
                some |= mask[row, column]
                every &= mask[row, column]
        center[i], center_all[i] = some, every
