"""How much larger than the PSF a source is: ``base_ClassificationSizeExtendedness`` (spec 07.11)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Field

from ..model.schema import Column, Schema
from .batch import Batch
from .plugin import FLUX_ORDER, Flag, FlagList, Plugin, PluginConfig
from .registry import register

__all__ = ["SizeExtendednessConfig", "SizeExtendednessPlugin"]

_FAILED = 1
_FLAGS = FlagList(Flag("flag", "Moments-based classification failed", _FAILED))


class SizeExtendednessConfig(PluginConfig):
    """Configuration of `SizeExtendednessPlugin`."""

    exponent = Field[float](
        doc="Power of the PSF's size (Ixx + Iyy) by which the difference of sizes is divided.", default=0.5
    )


@register("base_ClassificationSizeExtendedness")
class SizeExtendednessPlugin(Plugin):
    """Compare the traces of the moments of source and PSF: 0 is a point, towards 1 a galaxy."""

    ConfigClass: ClassVar[type[PluginConfig]] = SizeExtendednessConfig
    order: ClassVar[float] = FLUX_ORDER

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        doc = "Measure of being a galaxy based on trace of second order moments"
        schema.add(Column(f"{name}_value", "D", "", doc))
        _FLAGS.declare(schema, name)

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        size = batch["slot_Shape_xx"] + batch["slot_Shape_yy"]
        psf_size = batch["slot_PsfShape_xx"] + batch["slot_PsfShape_yy"]
        failed = batch["slot_Shape_flag"]
        with np.errstate(all="ignore"):
            excess = (size - psf_size) / psf_size**self.config.exponent
            value = -np.expm1(-0.5 * excess**2)
        batch[f"{self.name}_value"][:] = np.where(failed, np.nan, value)
        _FLAGS.store(batch, self.name, np.where(failed, _FAILED, 0))
