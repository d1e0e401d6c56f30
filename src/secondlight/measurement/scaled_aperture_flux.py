"""Flux within a circle that scales with the PSF: ``base_ScaledApertureFlux`` (spec 07c, Sinc)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Field

from ..kernels.elliptical_sinc import elliptical_sinc_fluxes
from ..kernels.sinc_aperture import APERTURE_TRUNCATED, SINC_COEFFS_TRUNCATED
from ..model.schema import Column, Schema
from .batch import Batch
from .circular_aperture_flux import LANCZOS
from .plugin import FLUX_ORDER, Flag, FlagList, Plugin, PluginConfig
from .registry import register

__all__ = ["ScaledApertureFluxConfig", "ScaledApertureFluxPlugin"]

# the kernel's bits end where this begins
_NOT_FINITE = 4

_FLAGS = FlagList(
    Flag("flag", "General Failure Flag", APERTURE_TRUNCATED | _NOT_FINITE),
    Flag("flag_apertureTruncated", "aperture did not fit within measurement image", APERTURE_TRUNCATED),
    Flag(
        "flag_sincCoeffsTruncated",
        "full sinc coefficient image did not fit within measurement image",
        SINC_COEFFS_TRUNCATED,
    ),
)

#: Full width at half maximum of a Gaussian over its sigma.
_FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))


class ScaledApertureFluxConfig(PluginConfig):
    """Configuration of `ScaledApertureFluxPlugin`."""

    scale = Field[float](
        doc="Radius of the aperture in units of the PSF's full width at half maximum.", default=3.14
    )
    shiftKernel = Field[str](
        doc="Kernel that shifts an aperture's weights to its centre if reproduceReferenceDefects is set, else they are made "
        "there: lanczos2 to lanczos9.",
        default="lanczos5",
        check=lambda value: LANCZOS.fullmatch(value) is not None,
    )
    reproduceReferenceDefects = Field[bool](
        doc="Make the weights of an aperture on a pixel's centre, shift all but the outermost to the aperture's, and keep "
        "their sums in single precision.",
        default=False,
    )


@register("base_ScaledApertureFlux")
class ScaledApertureFluxPlugin(Plugin):
    """Sum the image within a circle by sinc coefficients, at any radius."""

    ConfigClass: ClassVar[type[PluginConfig]] = ScaledApertureFluxConfig
    order: ClassVar[float] = FLUX_ORDER

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        self._lanczos_order = 0
        if config.reproduceReferenceDefects:
            self._lanczos_order = int(config.shiftKernel.removeprefix("lanczos"))
        schema.add(Column(f"{name}_instFlux", "D", "count", "flux derived from PSF-scaled aperture"))
        schema.add(Column(f"{name}_instFluxErr", "D", "count", "1-sigma instFlux uncertainty"))
        _FLAGS.declare(schema, name)
        self.alias_bad_centroid(schema)

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        x, y = batch.centroid(self.name)
        xx, yy, xy = batch.psf_moments.T
        with np.errstate(invalid="ignore"):
            radius = self.config.scale * _FWHM * (xx * yy - xy * xy) ** 0.25
        flux = np.full((batch.n, 2), np.nan)
        bits = np.full(batch.n, APERTURE_TRUNCATED | SINC_COEFFS_TRUNCATED)
        elliptical_sinc_fluxes(
            batch.pixels,
            batch.x0,
            batch.y0,
            np.stack([radius, radius, np.zeros(batch.n)], axis=1),
            x,
            y,
            flux,
            bits,
            order=self._lanczos_order,
        )
        batch[f"{self.name}_instFlux"][:] = flux[:, 0]
        batch[f"{self.name}_instFluxErr"][:] = flux[:, 1]
        bits[~np.isfinite(flux).all(axis=1)] |= _NOT_FINITE
        _FLAGS.store(batch, self.name, bits)
