"""Aperture flux less the background in a ring around it: ``base_CompensatedTophatFlux`` (spec 07c)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Field, ListField
from numpy.typing import NDArray

from ..kernels.circle_sums import circle_fluxes
from ..kernels.compensated_tophat import OUT_OF_BOUNDS, squares_masks
from ..kernels.sinc_aperture import circular_sinc_coefficients, sinc_fluxes
from ..model.schema import Column, Schema
from .batch import Batch
from .plugin import FLUX_ORDER, Flag, FlagList, Plugin, PluginConfig
from .registry import register

__all__ = ["CompensatedTophatFluxConfig", "CompensatedTophatFluxPlugin"]

_FLAGS = FlagList(
    Flag("flag", "Compensated Tophat measurement failed", OUT_OF_BOUNDS),
    Flag("flag_bounds", "Compensated Tophat out-of-bounds", OUT_OF_BOUNDS),
)

#: Circles up to this radius are integrals of a band-limited image, larger ones sums of pixels.
_MAX_SINC_RADIUS = 10.0
_LANCZOS_ORDER = 5


class CompensatedTophatFluxConfig(PluginConfig):
    """Configuration of `CompensatedTophatFluxPlugin`."""

    apertures = ListField[int](doc="Radii of the apertures [pixel].", default=[12])
    inner_scale = Field[float](doc="Inner radius of the ring in units of the aperture's.", default=1.0)
    outer_scale = Field[float](doc="Outer radius of the ring in units of the aperture's.", default=1.7)

    def validate(self) -> None:
        """Check that the ring has an area."""
        super().validate()
        if not self.outer_scale > self.inner_scale > 0.0:
            raise ValueError(
                f"outer_scale ({self.outer_scale}) must exceed inner_scale ({self.inner_scale}), and that 0"
            )


def _circles(batch: Batch, radius: float) -> NDArray[np.float64]:
    """Return flux and error within one radius, shape ``(n, 2)``; NaN where the circle is truncated."""
    x, y = batch["slot_Centroid_x"], batch["slot_Centroid_y"]
    out = np.full((batch.n, 1, 2), np.nan)
    flags = np.zeros((batch.n, 1), np.int64)
    if radius > _MAX_SINC_RADIUS:
        circle_fluxes(batch.pixels, batch.x0, batch.y0, np.array([radius]), x, y, out, flags)
    else:
        sinc_fluxes(
            batch.pixels,
            batch.x0,
            batch.y0,
            circular_sinc_coefficients(radius),
            _LANCZOS_ORDER,
            radius,
            x,
            y,
            out[:, 0],
            flags[:, 0],
        )
    return out[:, 0]


@register("base_CompensatedTophatFlux")
class CompensatedTophatFluxPlugin(Plugin):
    """Sum the image within circles, and subtract what a ring around says of the background.

    Nothing is lost to a background that is off by a constant, which makes it a flux to calibrate with.
    """

    ConfigClass: ClassVar[type[PluginConfig]] = CompensatedTophatFluxConfig
    order: ClassVar[float] = FLUX_ORDER

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        for prefix in self._prefixes:
            schema.add(Column(f"{prefix}_instFlux", "D", "count", "Compensated Tophat flux measurement."))
            schema.add(Column(f"{prefix}_instFluxErr", "D", "count", "Compensated Tophat flux error."))
            schema.add(Column(f"{prefix}_mask_bits", "I", "", "Mask bits set within aperture."))
        for prefix in self._prefixes:
            _FLAGS.declare(schema, prefix)

    @property
    def _prefixes(self) -> list[str]:
        return [f"{self.name}_{radius}" for radius in self.config.apertures]

    def fail(self, batch: Batch) -> None:
        """Flag every aperture; see `Plugin.fail`."""
        for prefix in self._prefixes:
            batch[f"{prefix}_flag"][:] = True

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        inner, outer = self.config.inner_scale, self.config.outer_scale
        scale = 1.0 / (outer**2 - inner**2)
        for prefix, radius in zip(self._prefixes, map(float, self.config.apertures), strict=True):
            bits = np.zeros(batch.n, np.int64)
            squares_masks(
                batch.pixels,
                batch["slot_Centroid_x"] - batch.x0,
                batch["slot_Centroid_y"] - batch.y0,
                math.ceil(outer * radius),
                batch[f"{prefix}_mask_bits"],
                bits,
            )
            disc = _circles(batch, radius)
            ring_inner = disc if inner == 1.0 else _circles(batch, inner * radius)
            ring_outer = _circles(batch, outer * radius)
            inside = bits == 0
            with np.errstate(invalid="ignore"):
                flux = disc[:, 0] - scale * (ring_outer[:, 0] - ring_inner[:, 0])
                error = np.sqrt(disc[:, 1] ** 2 + scale**2 * (ring_outer[:, 1] ** 2 - ring_inner[:, 1] ** 2))
            batch[f"{prefix}_instFlux"][inside] = flux[inside]
            batch[f"{prefix}_instFluxErr"][inside] = error[inside]
            _FLAGS.store(batch, prefix, bits)
