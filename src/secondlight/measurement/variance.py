"""base_Variance: the median variance of the background around a source (spec 07.10)."""

from __future__ import annotations

from typing import Any

import numpy as np
from lsst.pex.config import Field, ListField

from ..kernels import variance as kernels
from ..model.schema import Column, Schema
from .batch import Batch
from .plugin import FLUX_ORDER, Flag, FlagList, Plugin, PluginConfig
from .registry import register

__all__ = ["VarianceConfig", "VariancePlugin"]


class VarianceConfig(PluginConfig):
    """Configuration of `VariancePlugin`."""

    scale = Field[float](doc="Semi-axes of the aperture in units of those of the shape.", default=5.0)
    mask = ListField[str](
        doc="Mask planes of pixels to leave out.", default=["DETECTED", "DETECTED_NEGATIVE", "BAD", "SAT"]
    )


@register("base_Variance")
class VariancePlugin(Plugin):
    """Median of the variance plane in an ellipse around the source, without the source's own pixels."""

    ConfigClass = VarianceConfig
    order = FLUX_ORDER

    FLAGS = FlagList(
        Flag("flag", "Set for any fatal failure", kernels.FAILURE),
        Flag("flag_emptyFootprint", "Set to True when the footprint has no usable pixels", kernels.EMPTY),
    )

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        failure, empty = self.FLAGS
        FlagList(failure).declare(schema, name)
        schema.add(Column(f"{name}_value", "D", "", "Variance at object position"))
        FlagList(empty).declare(schema, name)
        self.alias_bad_centroid(schema)

    def measure(self, batch: Batch) -> None:
        """Measure the variance around a batch of sources; see `Plugin.measure`."""
        flags = np.zeros(batch.n, np.int32)
        kernels.variances(
            batch.pixels,
            batch["slot_Centroid_x"] - batch.x0,
            batch["slot_Centroid_y"] - batch.y0,
            batch["slot_Shape_xx"],
            batch["slot_Shape_yy"],
            batch["slot_Shape_xy"],
            self.config.scale,
            batch.exposure.mask_planes.bits(self.config.mask),
            batch[f"{self.name}_value"],
            flags,
        )
        self.FLAGS.store(batch, self.name, flags)
