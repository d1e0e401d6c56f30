"""The reference's random stream."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from secondlight.kernels.random import WORDS_A_DRAW, ZIGGURAT_K, ZIGGURAT_W, ZIGGURAT_Y, ziggurat_gaussian

__all__ = ["AfwRandom"]

#: Words taken from the generator at once: bounds the memory of a large draw to 8 MB.
_BLOCK = 1 << 20


class AfwRandom:
    """MT19937 words, uniform and Gaussian deviates, the same as ``lsst.afw.math.Random`` gives (spec 03.4).

    Every call continues the stream: drawing n and then m gives the same deviates as drawing n + m.

    Parameters
    ----------
    seed
        Seed; 0 means 2**64 - 1. Only its low 32 bits count.
    """

    def __init__(self, seed: int = 1) -> None:
        self._bits = np.random.MT19937()
        self._bits._legacy_seeding((seed or 2**64 - 1) & 0xFFFFFFFF)
        self._left: NDArray[np.uint64] = np.zeros(0, np.uint64)

    def _words(self, n: int) -> NDArray[np.uint64]:
        """Return the next words, at least ``n``; what is not used must be put back into ``_left``."""
        if len(self._left) < n:
            more = np.asarray(self._bits.random_raw(n - len(self._left)), np.uint64)
            self._left = np.concatenate([self._left, more])
        words, self._left = self._left, self._left[:0]
        return words

    def uniform(self, n: int) -> NDArray[np.float64]:
        """Draw uniform deviates.

        Parameters
        ----------
        n
            How many.

        Returns
        -------
        ndarray
            Shape ``(n,)``, in [0, 1), multiples of 2**-32.
        """
        words = self._words(n)
        self._left = words[n:]
        return words[:n] / 2.0**32

    def gaussian(self, n: int) -> NDArray[np.float64]:
        """Draw deviates of mean 0 and standard deviation 1.

        Parameters
        ----------
        n
            How many.

        Returns
        -------
        ndarray
            Shape ``(n,)``.
        """
        out = np.empty(n)
        filled = 0
        while filled < n:
            words = self._words(min(int((n - filled) * WORDS_A_DRAW) + 16, _BLOCK))
            used, filled = ziggurat_gaussian(words, ZIGGURAT_K, ZIGGURAT_W, ZIGGURAT_Y, out, filled)
            self._left = words[used:]
        return out
