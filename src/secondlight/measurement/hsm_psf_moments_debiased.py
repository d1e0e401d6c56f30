"""Adaptive moments of the PSF with the noise of the source: ``ext_shapeHSM_HsmPsfMomentsDebiased`` (spec 07d)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from lsst.pex.config import ChoiceField, Field, ListField
from numpy.typing import NDArray

from ..kernels.hsm_noisy_psf import HSM_EDGE, hsm_noisy_psf_moments
from ..kernels.random import ZIGGURAT_K, ZIGGURAT_W, ZIGGURAT_Y
from ._hsm import trace_radius
from .batch import Batch
from .hsm_psf_moments import HsmPsfMomentsConfig, HsmPsfMomentsPlugin
from .plugin import FLUX_ORDER, PluginConfig
from .registry import register

__all__ = ["HsmPsfMomentsDebiasedConfig", "HsmPsfMomentsDebiasedPlugin"]

_TABLES = (ZIGGURAT_K, ZIGGURAT_W, ZIGGURAT_Y)


class HsmPsfMomentsDebiasedConfig(HsmPsfMomentsConfig):
    """Configuration of `HsmPsfMomentsDebiasedPlugin`."""

    noiseSource = ChoiceField[str](
        doc="Where the variance of the noise comes from.",
        default="variance",
        allowed={
            "meta": "the entry BGMEAN of the image's metadata",
            "variance": "the variance plane",
        },
    )
    seedOffset = Field[int](doc="Added to a source's id to make the seed of its noise.", default=0)
    badMaskPlanes = ListField[str](doc="Mask planes whose pixels are left out.", default=["BAD", "SAT"])

    def setDefaults(self) -> None:
        """Draw the PSF where the source is."""
        super().setDefaults()
        self.useSourceCentroidOffset = True


@register("ext_shapeHSM_HsmPsfMomentsDebiased")
class HsmPsfMomentsDebiasedPlugin(HsmPsfMomentsPlugin):
    """Match a Gaussian to the PSF model with the flux and the noise of each source."""

    ConfigClass: ClassVar[type[PluginConfig]] = HsmPsfMomentsDebiasedConfig
    # the flux of the PSF is needed
    order: ClassVar[float] = FLUX_ORDER + 0.1
    kind: ClassVar[str] = "debiased "

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
        hsm_noisy_psf_moments(
            batch.pixels,
            batch.exposure.mask_planes.bits(self.config.badMaskPlanes),
            images,
            stamps.x0 - batch.x0,
            stamps.y0 - batch.y0,
            batch["slot_PsfFlux_instFlux"],
            self._seeds(batch),
            _TABLES,
            self._noise_variance(batch),
            x,
            y,
            trace_radius(batch.psf_moments),
            self.config.roundMoments,
            found,
            status,
        )
        if not self.config.subtractCenter:
            found[:, 0] += stamps.x0
            found[:, 1] += stamps.y0
        self.store(batch, found, status, x, y)
        batch[f"{self.name}_flag_edge"][:] = status == HSM_EDGE

    def _seeds(self, batch: Batch) -> NDArray[np.uint64]:
        seeds = (batch["id"] + self.config.seedOffset).astype(np.uint64)
        # no generator starts from zero
        return np.where(seeds == 0, np.uint64(2**64 - 1), seeds)

    def _noise_variance(self, batch: Batch) -> float:
        """Return the variance of the noise [square of the image's unit], or -1 for that of each pixel."""
        if self.config.noiseSource == "variance":
            return -1.0
        return float(batch.exposure.metadata["BGMEAN"])
