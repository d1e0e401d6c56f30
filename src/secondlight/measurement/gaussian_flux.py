"""Flux under a Gaussian weight of the source's own shape: ``base_GaussianFlux`` (spec 07.14)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Field

from ..kernels.gaussian_flux import GAUSSIAN_FAILED, gaussian_fluxes
from ..model.schema import Column, Schema
from .batch import Batch
from .plugin import FLUX_ORDER, Flag, FlagList, Plugin, PluginConfig
from .registry import register

__all__ = ["GaussianFluxConfig", "GaussianFluxPlugin"]

_FLAGS = FlagList(Flag("flag", "General Failure Flag", GAUSSIAN_FAILED))


class GaussianFluxConfig(PluginConfig):
    """Configuration of `GaussianFluxPlugin`."""

    background = Field[float](doc="Level subtracted from every pixel [count].", default=0.0)


@register("base_GaussianFlux")
class GaussianFluxPlugin(Plugin):
    """Sum the image under a Gaussian with the moments of the shape slot."""

    ConfigClass: ClassVar[type[PluginConfig]] = GaussianFluxConfig
    order: ClassVar[float] = FLUX_ORDER
    aperture_corrected: ClassVar[bool] = True

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        schema.add(Column(f"{name}_instFlux", "D", "count", "instFlux from Gaussian Flux algorithm"))
        schema.add(Column(f"{name}_instFluxErr", "D", "count", "1-sigma instFlux uncertainty"))
        _FLAGS.declare(schema, name)
        self.alias_bad_centroid(schema)
        self.alias_bad_shape(schema)

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        x, y = batch.center
        xx, yy, xy = batch.shape(self.name)
        bits = np.zeros(batch.n, np.int64)
        gaussian_fluxes(
            batch.pixels,
            x - batch.x0,
            y - batch.y0,
            xx,
            yy,
            xy,
            self.config.background,
            batch[f"{self.name}_instFlux"],
            batch[f"{self.name}_instFluxErr"],
            bits,
        )
        # a flux that could be had stands: a doubtful centroid or shape does not make it a failure
        _FLAGS.store(batch, self.name, bits, overwrite=True)
