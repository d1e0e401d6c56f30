"""Coordinates (u, v) in which a Piff model lives, and their derivatives on the detector."""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["AffineWcs", "FieldWcs", "PiffWcs", "PointMapping", "SkyWcs"]

_RAD_TO_ARCSEC = 180.0 * 3600.0 / math.pi

#: AST is not safe to call from two threads at once.
_AST_LOCK = threading.Lock()


class PointMapping(Protocol):
    """What is needed of an AST mapping of the plane."""

    def tran(self, points: NDArray[np.float64], forward: bool = True) -> NDArray[np.float64]:
        """Map points of shape ``(2, n)``."""


class PiffWcs(ABC):
    """From pixels to the coordinates (u, v) of a model [arcsec, or pixel if the model has no sky]."""

    @abstractmethod
    def field(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return u and v at positions of shape ``(n,)`` [pixel]."""

    @abstractmethod
    def jacobians(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return du/dx, du/dy, dv/dx, dv/dy at positions of shape ``(n,)``, as shape ``(n, 4)``."""


@dataclass(frozen=True)
class AffineWcs(PiffWcs):
    """A linear map; a pixel scale is the simplest.

    Parameters
    ----------
    matrix
        du/dx, du/dy, dv/dx, dv/dy.
    origin
        (x, y) [pixel] of ``world_origin``.
    world_origin
        (u, v) there.
    """

    matrix: tuple[float, float, float, float]
    origin: tuple[float, float] = (0.0, 0.0)
    world_origin: tuple[float, float] = (0.0, 0.0)

    @property
    def pixel_scale(self) -> float | None:
        """The scale, if the map is nothing but one; otherwise None."""
        a, b, c, d = self.matrix
        plain = a == d and b == c == 0.0 and self.origin == self.world_origin == (0.0, 0.0)
        return a if plain else None

    def field(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return u and v; see `PiffWcs.field`."""
        a, b, c, d = self.matrix
        dx, dy = x - self.origin[0], y - self.origin[1]
        return a * dx + b * dy + self.world_origin[0], c * dx + d * dy + self.world_origin[1]

    def jacobians(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the derivatives; see `PiffWcs.jacobians`."""
        return np.repeat(np.array([self.matrix]), len(x), axis=0)


def _map(mapping: PointMapping, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    with _AST_LOCK:
        return np.asarray(mapping.tran(np.stack([x, y]), True), np.float64)


def _neighbours(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[Any, Any]:
    """Positions one pixel right, left, up and down of each, one after another."""
    return np.concatenate([x + 1, x - 1, x, x]), np.concatenate([y, y, y + 1, y - 1])


def _differences(u: NDArray[np.float64], v: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Central differences of values at `_neighbours`."""
    u, v = u.reshape(4, n), v.reshape(4, n)
    columns = [u[0] - u[1], u[2] - u[3], v[0] - v[1], v[2] - v[3]]
    return 0.5 * np.stack(columns, axis=1)


@dataclass(frozen=True)
class FieldWcs(PiffWcs):
    """Field angles given by a mapping from pixels to radians.

    Parameters
    ----------
    mapping
        An AST mapping.
    origin
        (x, y) [pixel], subtracted before mapping.
    world_origin
        (u, v) [arcsec], added after.
    """

    mapping: PointMapping
    origin: tuple[float, float] = (0.0, 0.0)
    world_origin: tuple[float, float] = (0.0, 0.0)

    def field(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return u and v; see `PiffWcs.field`."""
        u, v = _map(self.mapping, x - self.origin[0], y - self.origin[1]) * _RAD_TO_ARCSEC
        return u + self.world_origin[0], v + self.world_origin[1]

    def jacobians(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the derivatives; see `PiffWcs.jacobians`."""
        u, v = self.field(*_neighbours(x, y))
        return _differences(u, v, len(x))


@dataclass(frozen=True)
class SkyWcs(PiffWcs):
    """The sky around a pointing: (u, v) is the tangent plane seen from inside, +v north, +u west.

    Parameters
    ----------
    mapping
        An AST mapping from pixels to right ascension and declination [rad].
    pointing
        Right ascension and declination of the tangent point [rad].
    origin
        (x, y) [pixel], subtracted before mapping.
    """

    mapping: PointMapping
    pointing: tuple[float, float]
    origin: tuple[float, float] = (0.0, 0.0)

    def _sky(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        return _map(self.mapping, x - self.origin[0], y - self.origin[1])

    def field(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return u and v (gnomonic projection); see `PiffWcs.field`."""
        ra, dec = self._sky(x, y)
        ra0, dec0 = self.pointing
        dra = ra - ra0
        depth = math.sin(dec0) * np.sin(dec) + math.cos(dec0) * np.cos(dec) * np.cos(dra)
        u = -np.cos(dec) * np.sin(dra) / depth
        v = (math.cos(dec0) * np.sin(dec) - math.sin(dec0) * np.cos(dec) * np.cos(dra)) / depth
        return u * _RAD_TO_ARCSEC, v * _RAD_TO_ARCSEC

    def jacobians(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the derivatives on the tangent plane at each position itself; see `PiffWcs.jacobians`."""
        ra, dec = self._sky(*_neighbours(x, y))
        ra0, dec0 = self._sky(x, y)
        # near ra = 0 the neighbours may lie a whole turn away
        dra = np.remainder(ra - np.tile(ra0, 4) + math.pi, 2.0 * math.pi) - math.pi
        u = -dra * np.tile(np.cos(dec0), 4) * _RAD_TO_ARCSEC
        return _differences(u, dec * _RAD_TO_ARCSEC, len(x))
