"""Area of a pixel on the sky: ``base_Jacobian`` (spec 07.9)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Field

from ..model.schema import Column, Schema
from ..model.wcs import local_linear
from .batch import Batch
from .plugin import SHAPE_ORDER, Flag, FlagList, Plugin, PluginConfig
from .registry import register

__all__ = ["JacobianConfig", "JacobianPlugin"]

_FLAGS = FlagList(Flag("flag", "Set to 1 for any fatal failure"))


class JacobianConfig(PluginConfig):
    """Configuration of `JacobianPlugin`."""

    pixelScale = Field[float](doc="Nominal size of a pixel [arcsec].", default=0.5)


@register("base_Jacobian")
class JacobianPlugin(Plugin):
    """Area of a pixel at the slot centroid over that of a nominal one."""

    ConfigClass: ClassVar[type[PluginConfig]] = JacobianConfig
    order: ClassVar[float] = SHAPE_ORDER

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        schema.add(Column(f"{name}_value", "D", "", "Jacobian correction"))
        _FLAGS.declare(schema, name)

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        if batch.exposure.wcs is None:
            self.fail(batch)
            return
        linear = local_linear(batch.exposure.wcs, batch["slot_Centroid_x"], batch["slot_Centroid_y"])
        batch[f"{self.name}_value"][:] = np.abs(np.linalg.det(linear)) / self.config.pixelScale**2
