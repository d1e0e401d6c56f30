"""What measurement kernels see of an image, and the conventions of pixel positions (spec 07.5).

Kernels work in array coordinates: the first pixel is (0, 0) and pixel i covers [i - 0.5, i + 0.5].
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

__all__ = ["Pixels", "position_to_index"]


class Pixels(NamedTuple):
    """The three planes of an image, each of shape ``(ny, nx)``, C-contiguous."""

    image: NDArray[np.float32]
    mask: NDArray[np.int32]
    variance: NDArray[np.float32]


@jit
def position_to_index(x: float) -> int:
    """Return the index of the pixel that holds a position: ``floor(x + 0.5)``.

    Parameters
    ----------
    x
        Finite position along one axis [pixel].
    """
    return int(np.floor(x + 0.5))
