"""Masks and the names of their bits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["DEFAULT_MASK_PLANES", "Mask", "MaskPlanes"]

#: The planes of a new mask, spec 00.8.
DEFAULT_MASK_PLANES: Mapping[str, int] = {
    "BAD": 0,
    "SAT": 1,
    "INTRP": 2,
    "CR": 3,
    "EDGE": 4,
    "DETECTED": 5,
    "DETECTED_NEGATIVE": 6,
    "SUSPECT": 7,
    "NO_DATA": 8,
    "VIGNETTED": 9,
    "STREAK": 10,
}


class MaskPlanes(dict[str, int]):
    """Dictionary from the name of a mask plane to its bit number, one per exposure: never global.

    Parameters
    ----------
    planes
        Names and bit numbers; the field's default planes if not given.
    """

    def __init__(self, planes: Mapping[str, int] | None = None) -> None:
        super().__init__(DEFAULT_MASK_PLANES if planes is None else planes)

    def bits(self, names: Iterable[str]) -> int:
        """Return the mask value with the bits of all ``names`` set.

        Parameters
        ----------
        names
            Plane names; those that this mask does not have contribute nothing.
        """
        value = 0
        for name in names:
            if name in self:
                value |= 1 << self[name]
        # masks are int32: bit 31 is the sign
        return value - (1 << 32) if value >= 1 << 31 else value

    def bit(self, name: str) -> int:
        """Return the mask value of one plane, adding the plane if it is missing.

        Parameters
        ----------
        name
            Plane name. A new plane takes the lowest free bit.

        Raises
        ------
        ValueError
            Raised if all 32 bits are taken.
        """
        if name not in self:
            used = set(self.values())
            free = next((b for b in range(32) if b not in used), None)
            if free is None:
                raise ValueError(f"no free bit for mask plane {name!r}: all 32 are taken")
            self[name] = free
        return self.bits([name])

    def copy(self) -> MaskPlanes:
        """Return an independent copy."""
        return MaskPlanes(self)


@dataclass(slots=True)
class Mask:
    """A mask by itself: ``array`` of shape ``(ny, nx)`` int32, its planes, and the parent coordinates of its first pixel."""

    array: NDArray[np.int32]
    planes: MaskPlanes
    x0: int = 0
    y0: int = 0
