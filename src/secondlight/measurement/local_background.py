"""Background in a ring around the source: ``base_LocalBackground`` (spec 07.12)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Field, ListField

from ..kernels.local_background import NO_GOOD_PIXELS, local_backgrounds
from ..model.schema import Column, Schema
from .batch import Batch
from .plugin import FLUX_ORDER, Flag, FlagList, Plugin, PluginConfig
from .registry import register

__all__ = ["LocalBackgroundConfig", "LocalBackgroundPlugin"]

# the kernel's bits end where this begins
_INVALID_PSF = 2

_FLAGS = FlagList(
    Flag("flag", "General Failure Flag", NO_GOOD_PIXELS | _INVALID_PSF),
    Flag("flag_noGoodPixels", "no good pixels in the annulus", NO_GOOD_PIXELS),
    # without a PSF no source is measured at all; the column is there for readers that expect it
    Flag("flag_noPsf", "no PSF provided"),
)


class LocalBackgroundConfig(PluginConfig):
    """Configuration of `LocalBackgroundPlugin`."""

    badMaskPlanes = ListField[str](
        doc="Mask planes whose pixels are left out.", default=["BAD", "SAT", "NO_DATA"]
    )
    annulusInner = Field[float](doc="Inner radius of the ring in units of the PSF's sigma.", default=7.0)
    annulusOuter = Field[float](doc="Outer radius of the ring in units of the PSF's sigma.", default=15.0)
    bgRej = Field[float](doc="Half-width of the clipping [standard deviation].", default=3.0)
    bgIter = Field[int](doc="Number of clippings.", default=3)


@register("base_LocalBackground")
class LocalBackgroundPlugin(Plugin):
    """Clipped mean of the pixels around the source, and their scatter as its error."""

    ConfigClass: ClassVar[type[PluginConfig]] = LocalBackgroundConfig
    order: ClassVar[float] = FLUX_ORDER

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        schema.add(Column(f"{name}_instFlux", "D", "count", "background in annulus around source"))
        schema.add(Column(f"{name}_instFluxErr", "D", "count", "1-sigma instFlux uncertainty"))
        _FLAGS.declare(schema, name)
        self.alias_bad_centroid(schema)

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        x, y = batch.centroid(self.name)
        xx, yy, xy = batch.psf_moments.T
        with np.errstate(invalid="ignore"):
            sigma = ((xx * yy - xy * xy) ** 0.25).astype(np.float32)
        bits = np.zeros(batch.n, np.int64)
        local_backgrounds(
            batch.pixels,
            x - batch.x0,
            y - batch.y0,
            (sigma * np.float32(self.config.annulusInner)).astype(np.float64),
            (sigma * np.float32(self.config.annulusOuter)).astype(np.float64),
            batch.exposure.mask_planes.bits(self.config.badMaskPlanes),
            self.config.bgRej,
            self.config.bgIter,
            batch[f"{self.name}_instFlux"],
            batch[f"{self.name}_instFluxErr"],
            bits,
        )
        bits[np.isnan(sigma)] = _INVALID_PSF
        _FLAGS.store(batch, self.name, bits)
