"""Fluxes within circles of several radii: ``base_CircularApertureFlux`` (spec 07c)."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Field, ListField

from ..kernels.circle_sums import circle_fluxes
from ..kernels.sinc_aperture import (
    APERTURE_TRUNCATED,
    SINC_COEFFS_TRUNCATED,
    circular_sinc_coefficients,
    sinc_fluxes,
)
from ..kernels.sinc_circle import circle_weights, exact_sinc_fluxes
from ..model.schema import Column, Schema
from .batch import Batch
from .plugin import FLUX_ORDER, Flag, FlagList, Plugin, PluginConfig
from .registry import register

__all__ = ["LANCZOS", "CircularApertureFluxConfig", "CircularApertureFluxPlugin", "aperture_prefix"]

# the kernels' bits end where this begins
_NOT_FINITE = 4

_FLAGS = FlagList(
    Flag("flag", "General Failure Flag", APERTURE_TRUNCATED | _NOT_FINITE),
    Flag("flag_apertureTruncated", "aperture did not fit within measurement image", APERTURE_TRUNCATED),
)
_SINC_FLAGS = FlagList(
    *_FLAGS,
    Flag(
        "flag_sincCoeffsTruncated",
        "full sinc coefficient image did not fit within measurement image",
        SINC_COEFFS_TRUNCATED,
    ),
)

#: Names of kernels that shift.
LANCZOS = re.compile(r"lanczos([2-9])")


def aperture_prefix(name: str, radius: float) -> str:
    """Return the prefix of an aperture's columns, such as ``base_CircularApertureFlux_4_5``.

    Parameters
    ----------
    name
        The plugin's name.
    radius
        [pixel].
    """
    return f"{name}_{radius:.1f}".replace(".", "_")


class CircularApertureFluxConfig(PluginConfig):
    """Configuration of `CircularApertureFluxPlugin`."""

    radii = ListField[float](
        doc="Radii of the apertures [pixel].",
        default=[3.0, 4.5, 6.0, 9.0, 12.0, 17.0, 25.0, 35.0, 50.0, 70.0],
        minLength=1,
        itemCheck=lambda radius: radius > 0,
    )
    maxSincRadius = Field[float](
        doc="Largest radius measured as the integral of a band-limited image; larger ones are sums of pixels.",
        default=12.0,
    )
    shiftKernel = Field[str](
        doc="Kernel that shifts an aperture's weights to its centre if reproduceReferenceDefects is set, else they are made "
        "there: lanczos2 to lanczos9.",
        default="lanczos5",
        check=lambda value: LANCZOS.fullmatch(value) is not None,
    )
    reproduceReferenceDefects = Field[bool](
        doc="Make the weights of a small aperture on a pixel's centre, shift all but the outermost to the aperture's, and "
        "keep their sums in single precision.",
        default=False,
    )


@register("base_CircularApertureFlux")
class CircularApertureFluxPlugin(Plugin):
    """Sum the image within circles: small ones by sinc coefficients, large ones pixel by pixel."""

    ConfigClass: ClassVar[type[PluginConfig]] = CircularApertureFluxConfig
    order: ClassVar[float] = FLUX_ORDER

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        radii = [float(r) for r in config.radii]
        self._sinc_radii = [r for r in radii if r <= config.maxSincRadius]
        # ascending, as the kernel adds ring to ring
        self._circle_radii = sorted(r for r in radii if r > config.maxSincRadius)
        for r in radii:
            prefix = aperture_prefix(name, r)
            schema.add(Column(f"{prefix}_instFlux", "D", "count", f"instFlux within {r:f}-pixel aperture"))
            schema.add(Column(f"{prefix}_instFluxErr", "D", "count", "1-sigma instFlux uncertainty"))
            self._flags(r).declare(schema, prefix)
        self.alias_bad_centroid(schema)
        metadata[f"{name}_radii".upper()] = radii

    def _flags(self, radius: float) -> FlagList:
        return _SINC_FLAGS if radius <= self.config.maxSincRadius else _FLAGS

    def _store(
        self,
        batch: Batch,
        radius: float,
        flux: np.ndarray[Any, np.dtype[np.float64]],
        bits: np.ndarray[Any, np.dtype[np.int64]],
    ) -> None:
        prefix = aperture_prefix(self.name, radius)
        batch[f"{prefix}_instFlux"][:] = flux[:, 0]
        batch[f"{prefix}_instFluxErr"][:] = flux[:, 1]
        bits = np.where(np.isfinite(flux).all(axis=1), bits, bits | _NOT_FINITE)
        self._flags(radius).store(batch, prefix, bits)

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        x, y = batch.center
        for radius in self.config.radii:
            batch.centroid(aperture_prefix(self.name, radius))
        for radius in self._sinc_radii:
            flux = np.full((batch.n, 2), np.nan)
            bits = np.zeros(batch.n, np.int64)
            if self.config.reproduceReferenceDefects:
                sinc_fluxes(
                    batch.pixels,
                    batch.x0,
                    batch.y0,
                    circular_sinc_coefficients(radius),
                    int(self.config.shiftKernel.removeprefix("lanczos")),
                    radius,
                    x,
                    y,
                    flux,
                    bits,
                    True,
                )
            else:
                weights = circle_weights(radius)
                exact_sinc_fluxes(batch.pixels, batch.x0, batch.y0, *weights, radius, x, y, flux, bits)
            self._store(batch, radius, flux, bits)
        if self._circle_radii:
            radii = np.array(self._circle_radii)
            fluxes = np.full((batch.n, len(radii), 2), np.nan)
            flags = np.zeros((batch.n, len(radii)), np.int64)
            circle_fluxes(batch.pixels, batch.x0, batch.y0, radii, x, y, fluxes, flags)
            for i, radius in enumerate(self._circle_radii):
                self._store(batch, radius, fluxes[:, i], flags[:, i])
