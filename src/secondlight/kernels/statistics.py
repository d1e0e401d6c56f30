"""Sums and order statistics of the selected pixels of an image (spec 2.1).

A pixel is selected where its mask has none of the given bits and, if asked, where its value is finite.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = ["high_histogram", "radix_select", "selected_sums", "selected_values"]

#: An array of floats, float32 or float64.
type Floats = NDArray[np.floating[Any]]


@jit
def selected_values(
    values: Floats, mask: NDArray[np.int32], bad: int, only_finite: bool, out: Floats
) -> tuple[int, int]:
    """Copy the selected values.

    Parameters
    ----------
    values, mask
        Pixels, shape ``(n,)``; an empty mask means that no pixel is masked.
    bad
        Mask bits that deselect a pixel.
    only_finite
        Whether NaN and infinite values are deselected too.
    out
        Receives the values; as long as ``values``.

    Returns
    -------
    n : int
        How many are selected.
    n_nan : int
        How many of them are NaN.
    """
    masked = len(mask) > 0
    n = 0
    n_nan = 0
    for i in range(len(values)):
        if masked and mask[i] & bad:
            continue
        value = values[i]
        if only_finite and not np.isfinite(value):
            continue
        if np.isnan(value):
            n_nan += 1
        out[n] = value
        n += 1
    return n, n_nan


@jit
def selected_sums(
    values: Floats,
    mask: NDArray[np.int32],
    bad: int,
    only_finite: bool,
    center: float,
    half_width: float,
) -> tuple[int, float, float, float, float]:
    """Sum the selected values within a distance of a centre.

    Parameters
    ----------
    values, mask, bad, only_finite
        The selection; see `selected_values`.
    center
        Value subtracted before summing.
    half_width
        Values farther than this from ``center`` are left out.

    Returns
    -------
    n : int
        How many.
    first, second : float
        Sums of the differences from ``center`` and of their squares.
    minimum, maximum : float
        Of the values; infinite if there are none.
    """
    masked = len(mask) > 0
    n = 0
    first = 0.0
    second = 0.0
    minimum = np.inf
    maximum = -np.inf
    for i in range(len(values)):
        if masked and mask[i] & bad:
            continue
        value = np.float64(values[i])
        if only_finite and not np.isfinite(value):
            continue
        difference = value - center
        # a NaN that was selected is meant to show
        if abs(difference) > half_width:
            continue
        n += 1
        first += difference
        second += difference * difference
        minimum = min(minimum, value)
        maximum = max(maximum, value)
    return n, first, second, minimum, maximum


@jit
def _order_key(bits: int) -> int:
    """Map the bits of a float32 to an unsigned integer in the order of the values."""
    return (bits ^ 0xFFFFFFFF) if bits & 0x80000000 else (bits | 0x80000000)


@jit
def _high_histogram(
    values: NDArray[np.float32],
    bits: NDArray[np.uint32],
    mask: NDArray[np.int32],
    bad: int,
    only_finite: bool,
    counts: NDArray[np.int64],
) -> None:
    """Count selected values by the upper 16 bits of their key."""
    masked = len(mask) > 0
    for i in range(len(values)):
        if masked and mask[i] & bad:
            continue
        if only_finite and not np.isfinite(values[i]):
            continue
        counts[_order_key(int(bits[i])) >> 16] += 1


@jit
def _low_histogram(
    values: NDArray[np.float32],
    bits: NDArray[np.uint32],
    mask: NDArray[np.int32],
    bad: int,
    only_finite: bool,
    slots: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Count, by the lower 16 bits, the selected values whose upper bits have a slot (-1 for none)."""
    masked = len(mask) > 0
    for i in range(len(values)):
        if masked and mask[i] & bad:
            continue
        if only_finite and not np.isfinite(values[i]):
            continue
        key = _order_key(int(bits[i]))
        slot = slots[key >> 16]
        if slot >= 0:
            counts[slot, key & 0xFFFF] += 1


def high_histogram(
    values: NDArray[np.float32], mask: NDArray[np.int32], bad: int, only_finite: bool
) -> NDArray[np.int64]:
    """Return the histogram of the selected values by the upper half of their bits, in the order of the values.

    Parameters
    ----------
    values, mask, bad, only_finite
        The selection; see `selected_values`. ``values`` must be contiguous.
    """
    high = np.zeros(1 << 16, np.int64)
    _high_histogram(values, values.view(np.uint32), mask, bad, only_finite, high)
    return high


def radix_select(
    values: NDArray[np.float32],
    mask: NDArray[np.int32],
    bad: int,
    only_finite: bool,
    ranks: NDArray[np.int64],
    high: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Return the selected values of given ranks, exactly, in two passes over the pixels and without a copy.

    A radix selection on the bits of the float: the upper half's histogram tells in which bin each rank lies,
    the lower half's which value it is.

    Parameters
    ----------
    values, mask, bad, only_finite
        The selection; see `selected_values`. ``values`` must be contiguous.
    ranks
        0 for the smallest; each less than the number of selected values.
    high
        What `high_histogram` returned for the same selection; saves the first pass.
    """
    bits = values.view(np.uint32)
    if high is None:
        high = high_histogram(values, mask, bad, only_finite)
    below = np.cumsum(high)
    bins = np.searchsorted(below, ranks, side="right")
    slots = np.full(1 << 16, -1, np.int64)
    wanted, slot_of_rank = np.unique(bins, return_inverse=True)
    slots[wanted] = np.arange(len(wanted))
    low = np.zeros((len(wanted), 1 << 16), np.int64)
    _low_histogram(values, bits, mask, bad, only_finite, slots, low)
    result = np.empty(len(ranks), np.uint32)
    for i, rank in enumerate(ranks):
        inside = rank - (below[bins[i]] - high[bins[i]])
        tail = int(np.searchsorted(np.cumsum(low[slot_of_rank[i]]), inside, side="right"))
        key = (int(bins[i]) << 16) | tail
        result[i] = key ^ 0x80000000 if key & 0x80000000 else key ^ 0xFFFFFFFF
    return result.view(np.float32).astype(np.float64)
