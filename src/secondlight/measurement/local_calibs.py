"""base_LocalPhotoCalib and base_LocalWcs: the calibrations at each source, as columns (spec 07.15)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..model.schema import Column, Schema
from ..model.wcs import local_linear
from .batch import Batch
from .plugin import FLUX_ORDER, Flag, FlagList, Plugin
from .registry import register

__all__ = ["LocalPhotoCalibPlugin", "LocalWcsPlugin"]

_FLAGS = FlagList(Flag("flag", "Set for any fatal failure"))


@register("base_LocalPhotoCalib")
class LocalPhotoCalibPlugin(Plugin):
    """Calibration [nJy/count] at the slot centroid, and the error of the calibration as a whole."""

    order = FLUX_ORDER

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        _FLAGS.declare(schema, name)
        quantity = "ocal approximation of the PhotoCalib calibration factor at the location of the src."
        schema.add(Column(name, "D", "", f"L{quantity}"))
        schema.add(Column(f"{name}Err", "D", "", f"Error on the l{quantity}"))

    def measure(self, batch: Batch) -> None:
        """Note the photometric calibration of a batch of sources; see `Plugin.measure`."""
        photo_calib = batch.exposure.photo_calib
        if photo_calib is None:
            self.fail(batch)
            return
        x, y = batch["slot_Centroid_x"], batch["slot_Centroid_y"]
        batch[self.name][:] = photo_calib.local(x, y)
        batch[f"{self.name}Err"][:] = photo_calib.err


@register("base_LocalWcs")
class LocalWcsPlugin(Plugin):
    """The linear approximation of the WCS at the slot centroid [rad/pixel]."""

    order = FLUX_ORDER

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        _FLAGS.declare(schema, name)
        for i in (1, 2):
            for j in (1, 2):
                doc = (
                    f"({i}, {j}) element of the CDMatrix for the linear approximation of the WCS at the src "
                    "location. Gives units in radians."
                )
                schema.add(Column(f"{name}_CDMatrix_{i}_{j}", "D", "", doc))

    def measure(self, batch: Batch) -> None:
        """Note the local WCS of a batch of sources; see `Plugin.measure`."""
        if batch.exposure.wcs is None:
            self.fail(batch)
            return
        linear = local_linear(batch.exposure.wcs, batch["slot_Centroid_x"], batch["slot_Centroid_y"])
        for i in (1, 2):
            for j in (1, 2):
                batch[f"{self.name}_CDMatrix_{i}_{j}"][:] = np.deg2rad(linear[:, i - 1, j - 1] / 3600.0)
