"""Adaptive moments of the PSF model: ``ext_shapeHSM_HsmPsfMoments`` (spec 07d)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from lsst.pex.config import Field

from ..kernels.hsm_moments import hsm_stack_moments
from ._hsm import HsmMomentsConfig, HsmMomentsPlugin, trace_radius
from .batch import Batch
from .plugin import PluginConfig
from .registry import register

__all__ = ["HsmPsfMomentsConfig", "HsmPsfMomentsPlugin"]


class HsmPsfMomentsConfig(HsmMomentsConfig):
    """Configuration of `HsmPsfMomentsPlugin`."""

    useSourceCentroidOffset = Field[bool](
        doc="Whether the PSF is drawn at the source's place within its pixel; else on the centre of a pixel.",
        default=False,
    )

    def setDefaults(self) -> None:
        """Give positions relative to the nominal centre."""
        super().setDefaults()
        self.subtractCenter = True


@register("ext_shapeHSM_HsmPsfMoments")
class HsmPsfMomentsPlugin(HsmMomentsPlugin):
    """Match a Gaussian to the PSF model at each source."""

    ConfigClass: ClassVar[type[PluginConfig]] = HsmPsfMomentsConfig
    what: ClassVar[str] = "PSF"

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        x, y = batch.centroid(self.name)
        stamps = batch.psf_stamps
        if self.config.useSourceCentroidOffset:
            images = stamps.images
            x, y = x - stamps.x0, y - stamps.y0
        else:
            images = batch.psf_kernels
            x, y = np.full(batch.n, images.shape[2] // 2.0), np.full(batch.n, images.shape[1] // 2.0)
        found = np.full((batch.n, 6), np.nan)
        status = np.empty(batch.n, np.int64)
        sigma = trace_radius(batch.psf_moments)
        hsm_stack_moments(images, x, y, sigma, self.config.roundMoments, found, status)
        if not self.config.subtractCenter:
            found[:, 0] += stamps.x0
            found[:, 1] += stamps.y0
        self.store(batch, found, status, x, y)
