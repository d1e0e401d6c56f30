"""The brightest peak of the footprint as centroid: ``base_PeakCentroid``."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..model.schema import Column, Schema
from .batch import Batch
from .plugin import CENTROID_ORDER, Flag, FlagList, Plugin
from .registry import register

__all__ = ["PeakCentroidPlugin"]

_FAILED = 1
_FLAGS = FlagList(Flag("flag", "Centroiding failed", _FAILED))


@register("base_PeakCentroid")
class PeakCentroidPlugin(Plugin):
    """Give the position of the first peak of each footprint."""

    order: ClassVar[float] = CENTROID_ORDER

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        for axis in "xy":
            schema.add(Column(f"{name}_{axis}", "D", "pixel", "peak centroid"))
        _FLAGS.declare(schema, name)

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        x, y = batch.peaks
        batch[f"{self.name}_x"][:] = x
        batch[f"{self.name}_y"][:] = y
        _FLAGS.store(batch, self.name, np.where(np.isnan(x), _FAILED, 0))
