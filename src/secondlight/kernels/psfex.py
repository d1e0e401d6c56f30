"""Sampling of PSFEx models: a pixel grid of its own step, read with Lanczos-5 at the image's pixels.

Bertin 2011 (ADASS XX, ASP 442, 435) for the model; the sampling as in spec 11.4 "PsfexPsf", in float32 as there.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = ["draw_psfex"]

_ORDER = 5
_REACH = 6  # pixels of the model looked at on each side of an output pixel
_TAPS = 2 * _REACH


@jit
def _taps(
    size: int,
    out_size: int,
    offset: float,
    step: float,
    first: NDArray[np.int64],
    weights: NDArray[np.float32],
) -> None:
    """Fill, for each output pixel of one axis, the model's first pixel and the weights of those that follow.

    A pixel outside the model has no tap at all; ``first`` is then -1.
    """
    raw = np.empty(_TAPS)
    for j in range(out_size):
        position = size // 2 - offset * step - (out_size // 2) * step + j * step
        weights[j] = 0.0
        first[j] = -1
        if position < 0 or position >= size:
            continue
        start = int(position) - _REACH
        lo = max(0, -start)
        hi = min(_TAPS, size - start)
        total = 0.0
        for k in range(lo, hi):
            u = start + k - position
            if abs(u) < 1e-5:
                raw[k] = 1.0
            elif abs(u) > _ORDER:
                raw[k] = 0.0
            else:
                raw[k] = (
                    math.sin(math.pi * u)
                    * math.sin(math.pi * u / _ORDER)
                    / (math.pi * math.pi * u * u / _ORDER)
                )
            total += raw[k]
        norm = 1.0 / total if total > 0 else 1.0
        first[j] = start + lo
        for k in range(lo, hi):
            weights[j, k - lo] = raw[k] * norm


@jit
def draw_psfex(
    components: NDArray[np.float32],
    basis: NDArray[np.float32],
    dx: NDArray[np.float32],
    dy: NDArray[np.float32],
    step: float,
    out: NDArray[np.float64],
) -> None:
    """Draw a PSFEx model at many positions.

    Parameters
    ----------
    components
        Shape ``(k, h, w)``.
    basis
        Amplitudes of the components, shape ``(n, k)``.
    dx, dy
        Place of the star from the centre of the output's central pixel, shape ``(n,)`` [pixel].
    step
        Output pixels are so many of the model's.
    out
        Shape ``(n, H, W)``, filled; unit sums.
    """
    n_components, height, width = components.shape
    n, out_height, out_width = out.shape
    model = np.empty((height, width), np.float32)
    rows = np.empty((height, out_width), np.float32)
    image = np.empty((out_height, out_width), np.float32)
    first_x = np.empty(out_width, np.int64)
    first_y = np.empty(out_height, np.int64)
    weights_x = np.empty((out_width, _TAPS), np.float32)
    weights_y = np.empty((out_height, _TAPS), np.float32)
    for i in range(n):
        model[:] = 0.0
        for c in range(n_components):
            amplitude = basis[i, c]
            for y in range(height):
                for x in range(width):
                    model[y, x] += amplitude * components[c, y, x]
        _taps(width, out_width, float(dx[i]), step, first_x, weights_x)
        _taps(height, out_height, float(dy[i]), step, first_y, weights_y)
        for y in range(height):
            for x in range(out_width):
                total = np.float32(0.0)
                if first_x[x] >= 0:
                    for k in range(min(_TAPS, width - first_x[x])):
                        total += weights_x[x, k] * model[y, first_x[x] + k]
                rows[y, x] = total
        image_sum = 0.0
        for y in range(out_height):
            image[y] = 0.0
            if first_y[y] >= 0:
                for k in range(min(_TAPS, height - first_y[y])):
                    weight = weights_y[y, k]
                    for x in range(out_width):
                        image[y, x] += weight * rows[first_y[y] + k, x]
            for x in range(out_width):
                image_sum += float(image[y, x])
        for y in range(out_height):
            for x in range(out_width):
                out[i, y, x] = np.float32(image[y, x] / np.float32(image_sum))
