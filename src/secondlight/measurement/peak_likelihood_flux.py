"""Flux of a point source from the peak of an image smoothed by the PSF: ``base_PeakLikelihoodFlux``."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Field
from numpy.typing import NDArray

from ..kernels.peak_likelihood import OFF_IMAGE, interpolated_values
from ..model.schema import Column, Schema
from .batch import Batch
from .circular_aperture_flux import LANCZOS
from .plugin import FLUX_ORDER, Flag, FlagList, Plugin, PluginConfig
from .registry import register

__all__ = ["PeakLikelihoodFluxConfig", "PeakLikelihoodFluxPlugin"]

_FAILED = 1
_FLAGS = FlagList(Flag("flag", "General Failure Flag", _FAILED))


class PeakLikelihoodFluxConfig(PluginConfig):
    """Configuration of `PeakLikelihoodFluxPlugin`."""

    warpingKernelName = Field[str](
        doc="Kernel that interpolates the image at the centroid: lanczos2 to lanczos9.",
        default="lanczos4",
        check=lambda value: LANCZOS.fullmatch(value) is not None,
    )


@register("base_PeakLikelihoodFlux")
class PeakLikelihoodFluxPlugin(Plugin):
    """Multiply the image's value at the centroid by the effective area of the PSF.

    This is a flux only on an image that was convolved with its PSF.
    """

    ConfigClass: ClassVar[type[PluginConfig]] = PeakLikelihoodFluxConfig
    order: ClassVar[float] = FLUX_ORDER

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        schema.add(Column(f"{name}_instFlux", "D", "count", "instFlux from PeakLikelihood Flux algorithm"))
        schema.add(Column(f"{name}_instFluxErr", "D", "count", "1-sigma instFlux uncertainty"))
        _FLAGS.declare(schema, name)
        self.alias_bad_centroid(schema)

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        x, y = batch["slot_Centroid_x"], batch["slot_Centroid_y"]
        found = np.empty((batch.n, 2))
        bits = np.zeros(batch.n, np.int64)
        order = int(self.config.warpingKernelName.removeprefix("lanczos"))
        interpolated_values(batch.pixels, x - batch.x0, y - batch.y0, order, found, bits)

        def area(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
            return batch.psf.effective_area(x, y)

        # the PSF is that of the pixel which holds the source
        scale = batch.evaluate_psf(area, np.floor(x + 0.5), np.floor(y + 0.5))
        with np.errstate(invalid="ignore"):
            flux, error = found[:, 0] * scale, np.sqrt(found[:, 1]) * scale
        batch[f"{self.name}_instFlux"][:] = flux
        batch[f"{self.name}_instFluxErr"][:] = error
        failed = (bits & OFF_IMAGE != 0) | ~np.isfinite(flux) | ~np.isfinite(error)
        _FLAGS.store(batch, self.name, np.where(failed, _FAILED, 0))
