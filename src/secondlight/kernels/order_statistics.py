"""Values of given ranks without sorting.

`select` is Hoare's FIND (1961, Comm. ACM 4, 321). `order_statistics` first counts the values into bins, which a
processor does without guessing wrong at every value, and then looks only into the bins that hold the wanted ranks.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = ["order_statistics", "select"]

_BINS = 256
#: Values looked at for the range of the bins; fewer values than four times as many are not worth binning.
_SAMPLE = 32


@jit
def select(values: NDArray[np.float32], k: int) -> None:
    """Reorder until ``values[k]`` is what it is in a sorted array, with none greater before it (Hoare's FIND).

    Parameters
    ----------
    values
        Shape ``(n,)``, no NaN; reordered.
    k
        The rank wanted, from 0.
    """
    low, high = 0, len(values) - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            return


@jit
def order_statistics(
    values: NDArray[np.float32], ranks: NDArray[np.int64], work: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Find what the values of some ranks would be in a sorted array.

    Parameters
    ----------
    values
        Shape ``(n,)``, finite, n ≥ 1; left as it is.
    ranks
        Shape ``(m,)``: ranks from 0.
    work
        Shape of ``values`` at least, overwritten.
    out
        Shape ``(m,)``, filled.
    """
    n = len(values)
    lower = upper = np.float32(0.0)
    if n >= 4 * _SAMPLE:
        sample = np.empty(_SAMPLE, np.float32)
        for i in range(_SAMPLE):
            sample[i] = values[i * (n // _SAMPLE)]
        low, high = _SAMPLE // 8, _SAMPLE - 1 - _SAMPLE // 8
        select(sample, low)
        lower = sample[low]
        select(sample, high)
        upper = sample[high]
    # bins over the bulk of the values; what lies beyond goes to the first and the last, so that the order is kept
    width = (upper - lower) / np.float32(_BINS / 4)
    first = lower - np.float32(1.5) * (upper - lower)
    scale = np.float32(1.0) / width
    if not (width > 0.0 and math.isfinite(first) and math.isfinite(scale)):
        for i in range(n):
            work[i] = values[i]
        for m in range(len(ranks)):
            select(work[:n], ranks[m])
            out[m] = work[ranks[m]]
        return
    bins = np.empty(n, np.uint8)
    for i in range(n):
        bins[i] = np.uint8(min(max((values[i] - first) * scale, np.float32(0.0)), np.float32(_BINS - 1)))
    counts = np.zeros(_BINS + 1, np.int64)
    for i in range(n):
        counts[bins[i]] += 1
    wanted, before = -1, 0
    held = 0
    for m in range(len(ranks)):
        b, start = 0, 0
        while start + counts[b] <= ranks[m]:
            start += counts[b]
            b += 1
        if b != wanted:
            wanted, before, held = b, start, 0
            for i in range(n):
                if bins[i] == wanted:
                    work[held] = values[i]
                    held += 1
        select(work[:held], ranks[m] - before)
        out[m] = work[ranks[m] - before]
