"""Flux of the PSF model fitted at the centroid: ``base_PsfFlux`` (spec 07.13)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import ListField

from ..kernels.psf_flux import PSF_EDGE, PSF_NO_PIXELS, PSF_NOT_FINITE, psf_fluxes
from ..model.schema import Column, Schema
from .batch import Batch
from .plugin import FLUX_ORDER, Flag, FlagList, Plugin, PluginConfig
from .registry import register

__all__ = ["PsfFluxConfig", "PsfFluxPlugin"]

_FLAGS = FlagList(
    Flag("flag", "General Failure Flag", PSF_NO_PIXELS | PSF_EDGE | PSF_NOT_FINITE),
    Flag("flag_noGoodPixels", "not enough non-rejected pixels in data to attempt the fit", PSF_NO_PIXELS),
    Flag(
        "flag_edge",
        "object was too close to the edge of the image to use the full PSF model",
        PSF_EDGE,
    ),
)


class PsfFluxConfig(PluginConfig):
    """Configuration of `PsfFluxPlugin`."""

    badMaskPlanes = ListField[str](doc="Mask planes whose pixels are left out of the fit.", default=[])


@register("base_PsfFlux")
class PsfFluxPlugin(Plugin):
    """Fit the PSF model's amplitude with equal weights."""

    ConfigClass: ClassVar[type[PluginConfig]] = PsfFluxConfig
    order: ClassVar[float] = FLUX_ORDER
    aperture_corrected: ClassVar[bool] = True

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        doc = "instFlux derived from linear least-squares fit of PSF model"
        schema.add(Column(f"{name}_instFlux", "D", "count", doc))
        schema.add(Column(f"{name}_instFluxErr", "D", "count", "1-sigma instFlux uncertainty"))
        schema.add(Column(f"{name}_area", "F", "pixel", "effective area of PSF"))
        schema.add(Column(f"{name}_chi2", "F", "", "chi2 of the fitted PSF"))
        schema.add(
            Column(f"{name}_npixels", "I", "pixel", "number of pixels that were included in the PSF fit")
        )
        _FLAGS.declare(schema, name)
        self.alias_bad_centroid(schema)

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        batch.centroid(self.name)
        stamps = batch.psf_stamps
        out = np.full((batch.n, 5), np.nan)
        # what is counted starts from none
        out[:, 4] = 0.0
        bits = np.zeros(batch.n, np.int64)
        psf_fluxes(
            batch.pixels,
            batch.exposure.mask_planes.bits(self.config.badMaskPlanes),
            stamps.images,
            stamps.x0 - batch.x0,
            stamps.y0 - batch.y0,
            out,
            bits,
        )
        for i, column in enumerate(("instFlux", "instFluxErr", "area", "chi2", "npixels")):
            batch[f"{self.name}_{column}"][:] = out[:, i]
        _FLAGS.store(batch, self.name, bits)
