"""Gaussian deviates by the ziggurat method, from a stream of 32-bit words.

Marsaglia & Tsang 2000 (J. Stat. Soft. 5, 8) in Voss's variant with 128 steps, as the GNU Scientific Library
draws them; spec 03.4.
"""

from __future__ import annotations

from math import exp, log

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = ["WORDS_A_DRAW", "ZIGGURAT_K", "ZIGGURAT_R", "ZIGGURAT_W", "ZIGGURAT_Y", "ziggurat_gaussian"]

#: Right edge of the last step, where the tail begins: chosen so that 128 steps have the same area.
ZIGGURAT_R = 3.44428647676
#: The same to double precision: with it the steps close at the height 1, and the tables come out as the library prints them.
_EXACT_R = 3.4442864767612837
#: Significant digits of the library's tables, and so of all deviates drawn with them.
_DIGITS = 12

#: Mean number of words a deviate uses (measured: 1.024), rounded up so that one refill is usually enough.
WORDS_A_DRAW = 1.03


def _tables() -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Limits of acceptance ``k``, widths ``w`` a unit of the 24-bit integer, heights ``y`` of the steps."""
    r = _EXACT_R
    area = np.exp(-0.5 * r * r) * (r + 1.0 / r)
    x = np.zeros(129)
    y = np.zeros(128)
    x[127], y[127] = r, np.exp(-0.5 * r * r)
    for i in range(126, -1, -1):
        y[i] = y[i + 1] + area / x[i + 1]
        # the top step is closed by definition
        x[i] = np.sqrt(-2.0 * np.log(y[i])) if i > 0 else 0.0
    x[128] = r + 1.0 / r
    k = (2.0**24 * x[:128] / x[1:]).astype(np.int64)
    return k, _printed(x[1:] / 2.0**24), _printed(y)


def _printed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round numbers to the digits that they are printed with."""
    return np.array([float(f"{value:.{_DIGITS}g}") for value in values])


ZIGGURAT_K, ZIGGURAT_W, ZIGGURAT_Y = _tables()


@jit
def ziggurat_gaussian(
    words: NDArray[np.uint64],
    k: NDArray[np.int64],
    w: NDArray[np.float64],
    y: NDArray[np.float64],
    out: NDArray[np.float64],
    start: int,
) -> tuple[int, int]:
    """Draw until ``out`` is full or the words run out.

    Parameters
    ----------
    words
        The stream, one 32-bit word an element.
    k, w, y
        The tables of this module.
    out
        Deviates; filled from ``start``.
    start
        First place to fill.

    Returns
    -------
    used : int
        How many words were used up. A draw that the words' end interrupts uses none: begin again at
        ``words[used:]`` with more.
    filled : int
        First place of ``out`` that is not filled.
    """
    n_words = len(words)
    to_unit = 1.0 / 4294967296.0
    used = 0
    position = 0
    filled = start
    while filled < len(out):
        if position >= n_words:
            break
        word = np.int64(words[position])
        position += 1
        step = word & 0x7F
        j = (word >> 8) & 0xFFFFFF
        x = j * w[step]
        accept = j < k[step]
        if not accept:
            if step < 127:
                if position >= n_words:
                    break
                height = y[step + 1] + (y[step] - y[step + 1]) * (np.int64(words[position]) * to_unit)
                position += 1
            else:
                if position + 1 >= n_words:
                    break
                first = 1.0 - np.int64(words[position]) * to_unit
                second = np.int64(words[position + 1]) * to_unit
                position += 2
                x = ZIGGURAT_R - log(first) / ZIGGURAT_R
                height = exp(-ZIGGURAT_R * (x - 0.5 * ZIGGURAT_R)) * second
            accept = height < exp(-0.5 * x * x)
        if accept:
            out[filled] = x if word & 0x80 else -x
            filled += 1
            used = position
    return used, filled
