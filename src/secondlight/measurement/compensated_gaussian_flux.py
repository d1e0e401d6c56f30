"""Flux under a Gaussian less the background under a wider one: ``base_CompensatedGaussianFlux`` (spec 07c)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Field, ListField
from scipy.special import ndtri

from ..kernels.compensated_gaussian import compensated_gaussian_sums
from ..kernels.compensated_tophat import OUT_OF_BOUNDS, squares_masks
from ..model.schema import Column, Schema
from .batch import Batch
from .plugin import FLUX_ORDER, Flag, FlagList, Plugin, PluginConfig
from .registry import register

__all__ = ["CompensatedGaussianFluxConfig", "CompensatedGaussianFluxPlugin"]

_FLAGS = FlagList(
    Flag("flag", "Compensated Gaussian measurement failed", OUT_OF_BOUNDS),
    Flag("flag_bounds", "Compensated Gaussian out-of-bounds", OUT_OF_BOUNDS),
)

#: The sums end where this part of the wider Gaussian, seen from one side, is inside.
_ENOUGH = 0.995


class CompensatedGaussianFluxConfig(PluginConfig):
    """Configuration of `CompensatedGaussianFluxPlugin`."""

    kernel_widths = ListField[int](doc="Widths of the Gaussians [pixel].", default=[3, 5], minLength=1)
    t = Field[float](doc="Width of the wider Gaussian in units of the other's.", default=2.0)

    def validate(self) -> None:
        """Check that the wider Gaussian is wider."""
        super().validate()
        if not self.t > 1.0:
            raise ValueError(f"t ({self.t}) must exceed 1")


@register("base_CompensatedGaussianFlux")
class CompensatedGaussianFluxPlugin(Plugin):
    """Sum the image under a Gaussian less a wider one, scaled so that a Gaussian source has its own flux."""

    ConfigClass: ClassVar[type[PluginConfig]] = CompensatedGaussianFluxConfig
    order: ClassVar[float] = FLUX_ORDER

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        for prefix in self._prefixes:
            doc = "Compensated Gaussian flux measurement."
            schema.add(Column(f"{prefix}_instFlux", "D", "count", doc))
            schema.add(Column(f"{prefix}_instFluxErr", "D", "count", "Compensated Gaussian flux error."))
            schema.add(Column(f"{prefix}_mask_bits", "I", "", "Mask bits set within aperture."))
        for prefix in self._prefixes:
            _FLAGS.declare(schema, prefix)

    @property
    def _prefixes(self) -> list[str]:
        return [f"{self.name}_{width}" for width in self.config.kernel_widths]

    def fail(self, batch: Batch) -> None:
        """Flag every width; see `Plugin.fail`."""
        for prefix in self._prefixes:
            batch[f"{prefix}_flag"][:] = True

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        t2 = self.config.t**2
        x, y = batch["slot_Centroid_x"] - batch.x0, batch["slot_Centroid_y"] - batch.y0
        for prefix, width in zip(self._prefixes, map(float, self.config.kernel_widths), strict=True):
            half = math.ceil(float(ndtri(_ENOUGH)) * self.config.t * width)
            bits = np.zeros(batch.n, np.int64)
            squares_masks(batch.pixels, x, y, half, batch[f"{prefix}_mask_bits"], bits)
            inside = np.flatnonzero(bits == 0)
            sums = np.empty((len(inside), 2))
            compensated_gaussian_sums(
                batch.pixels, inside, x[inside], y[inside], half, width, self.config.t * width, sums
            )
            # over what the weight makes of a Gaussian of its own inner width
            area = 4.0 * math.pi * width**2 * (t2 + 1.0)
            batch[f"{prefix}_instFlux"][inside] = sums[:, 0] * area / (t2 - 1.0)
            # the integral of the squared weight, likewise scaled
            with np.errstate(invalid="ignore"):
                batch[f"{prefix}_instFluxErr"][inside] = np.sqrt(sums[:, 1] * area / t2)
            _FLAGS.store(batch, prefix, bits)
