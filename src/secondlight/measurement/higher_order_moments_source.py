"""Moments of higher order of sources: ``ext_shapeHSM_HigherOrderMomentsSource`` (spec 07d)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from lsst.pex.config import Field, ListField

from ..kernels.hsm_higher_moments import higher_moments
from ._higher_order_moments import HigherOrderMomentsConfig, HigherOrderMomentsPlugin
from .batch import Batch
from .plugin import PluginConfig
from .registry import register

__all__ = ["HigherOrderMomentsSourceConfig", "HigherOrderMomentsSourcePlugin"]


class HigherOrderMomentsSourceConfig(HigherOrderMomentsConfig):
    """Configuration of `HigherOrderMomentsSourcePlugin`."""

    badMaskPlanes = ListField[str](doc="Mask planes of pixels that are not used.", default=["BAD", "SAT"])
    setMaskedPixelsToZero = Field[bool](
        doc="Whether masked pixels count as zero; else the weight, scaled to the other pixels, stands for them.",
        default=False,
    )


@register("ext_shapeHSM_HigherOrderMomentsSource")
class HigherOrderMomentsSourcePlugin(HigherOrderMomentsPlugin):
    """Measure sources under a Gaussian of their own shape, within the bounding box of the footprint."""

    ConfigClass: ClassVar[type[PluginConfig]] = HigherOrderMomentsSourceConfig
    what: ClassVar[str] = "source"
    moments: ClassVar[str] = "ext_shapeHSM_HsmSourceMoments"

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        x, y = batch[f"{self.moments}_x"] - batch.x0, batch[f"{self.moments}_y"] - batch.y0
        shape, measured = self.shape(batch)
        ny, nx = batch.pixels.image.shape
        boxes = batch.footprints.boxes - np.array([batch.y0, batch.y0, batch.x0, batch.x0])
        boxes = np.clip(boxes, 0, np.array([ny, ny, nx, nx]))
        some = np.flatnonzero(measured)
        found = self.results(batch)
        part = found[some]
        higher_moments(
            batch.pixels,
            some,
            batch.exposure.mask_planes.bits(self.config.badMaskPlanes),
            self.config.setMaskedPixelsToZero,
            boxes[some],
            x[some],
            y[some],
            shape[some],
            self.config.min_order,
            self.config.max_order,
            part,
        )
        found[some] = part
        self.store(batch, found, measured)
