"""The 32-bit words of MT19937 after seeding by one integer, for many short streams.

Matsumoto & Nishimura 1998 (ACM TOMACS 8, 3), with the initialisation of 2002. One long stream is made by
`secondlight.model.random.AfwRandom`; streams of some hundred words each cost less here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = ["twister_words"]

_N, _M = 624, 397
_MASK = np.uint64(0xFFFFFFFF)
_TWIST = np.uint64(0x9908B0DF)


@jit
def twister_words(seed: np.uint64, out: NDArray[np.uint64]) -> None:
    """Fill an array with the first words of a stream.

    Parameters
    ----------
    seed
        Only its low 32 bits count.
    out
        Any length; one 32-bit word an element.
    """
    state = np.empty(_N, np.uint64)
    state[0] = seed & _MASK
    for i in range(1, _N):
        mixed = state[i - 1] ^ (state[i - 1] >> np.uint64(30))
        state[i] = (np.uint64(1812433253) * mixed + np.uint64(i)) & _MASK
    at = _N
    for k in range(len(out)):
        if at == _N:
            for i in range(_N):
                upper, lower = state[i] & np.uint64(0x80000000), state[(i + 1) % _N] & np.uint64(0x7FFFFFFF)
                word = upper | lower
                state[i] = state[(i + _M) % _N] ^ (word >> np.uint64(1))
                if word & np.uint64(1):
                    state[i] ^= _TWIST
            at = 0
        word = state[at]
        at += 1
        word ^= word >> np.uint64(11)
        word ^= (word << np.uint64(7)) & np.uint64(0x9D2C5680)
        word ^= (word << np.uint64(15)) & np.uint64(0xEFC60000)
        out[k] = word ^ (word >> np.uint64(18))
