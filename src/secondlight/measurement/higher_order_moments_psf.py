"""Moments of higher order of the PSF model: ``ext_shapeHSM_HigherOrderMomentsPSF`` (spec 07d)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Field

from ..kernels.hsm_higher_moments import stack_higher_moments
from ..model.schema import Schema
from ._higher_order_moments import HigherOrderMomentsConfig, HigherOrderMomentsPlugin
from .batch import Batch
from .plugin import PluginConfig
from .registry import register

__all__ = ["HigherOrderMomentsPsfConfig", "HigherOrderMomentsPsfPlugin"]


class HigherOrderMomentsPsfConfig(HigherOrderMomentsConfig):
    """Configuration of `HigherOrderMomentsPsfPlugin`."""

    useSourceCentroidOffset = Field[bool](
        doc="Whether the PSF is drawn at the source's place within its pixel; else on the centre of a pixel.",
        default=False,
    )


@register("ext_shapeHSM_HigherOrderMomentsPSF")
class HigherOrderMomentsPsfPlugin(HigherOrderMomentsPlugin):
    """Measure the PSF model at each source under a Gaussian of its own shape."""

    ConfigClass: ClassVar[type[PluginConfig]] = HigherOrderMomentsPsfConfig
    what: ClassVar[str] = "PSF"
    moments: ClassVar[str] = "ext_shapeHSM_HsmPsfMoments"

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        self.alias_bad_centroid(schema)

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        x, y = batch.centroid(self.name)
        if self.config.useSourceCentroidOffset:
            images = batch.psf_stamps.images
            x, y = x - batch.psf_stamps.x0, y - batch.psf_stamps.y0
        else:
            images = batch.psf_kernels
            x, y = np.full(batch.n, images.shape[2] // 2.0), np.full(batch.n, images.shape[1] // 2.0)
        shape, measured = self.shape(batch)
        found = self.results(batch)
        stack_higher_moments(images, x, y, shape, self.config.min_order, self.config.max_order, found)
        self.store(batch, found, measured)
