"""Position on the focal plane: ``base_FPPosition`` (spec 07.8)."""

from __future__ import annotations

from typing import Any, ClassVar

from ..model.schema import Column, Schema
from ..model.wcs import pixel_to_focal_plane
from .batch import Batch
from .plugin import SHAPE_ORDER, Flag, FlagList, Plugin
from .registry import register

__all__ = ["FPPositionPlugin"]

_FLAGS = FlagList(
    Flag("flag", "Set to True for any fatal failure"),
    Flag("missingDetector_flag", "Set to True if detector object is missing"),
)


@register("base_FPPosition")
class FPPositionPlugin(Plugin):
    """Where the slot centroid lies in the camera [mm]."""

    order: ClassVar[float] = SHAPE_ORDER

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        schema.add(Column(f"{name}_x", "D", "mm", "Position on the focal plane"))
        schema.add(Column(f"{name}_y", "D", "mm", "Position on the focal plane"))
        _FLAGS.declare(schema, name)

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        detector = batch.exposure.detector
        if detector is None:
            batch[f"{self.name}_missingDetector_flag"][:] = True
            return
        x, y = pixel_to_focal_plane(detector, batch["slot_Centroid_x"], batch["slot_Centroid_y"])
        batch[f"{self.name}_x"][:] = x
        batch[f"{self.name}_y"][:] = y
