"""base_SdssCentroid: the maximum of the PSF-smoothed image (spec 07b; Pier et al. 2003)."""

from __future__ import annotations

from typing import Any

import numpy as np
from lsst.pex.config import Field

from ..kernels import sdss_centroid as kernels
from ..model.schema import Column, Schema
from .batch import Batch
from .plugin import CENTROID_ORDER, Flag, FlagList, Plugin, PluginConfig, negative_sources
from .registry import register

__all__ = ["SdssCentroidConfig", "SdssCentroidPlugin"]


class SdssCentroidConfig(PluginConfig):
    """Configuration of `SdssCentroidPlugin`."""

    binmax = Field[int](doc="Largest binning.", default=16)
    peakMin = Field[float](
        doc="Binning stops at no binning only if the peak is above this [count]; not checked if negative.",
        default=-1.0,
    )
    wfac = Field[float](doc="Bin objects that are wider than the PSF by more than this factor.", default=1.5)
    doFootprintCheck = Field[bool](doc="Reset centroids outside the footprint to the peak.", default=True)
    maxDistToPeak = Field[float](
        doc="Reset centroids farther from the peak than this [pixel]; not checked if not positive.",
        default=1.0,
    )


@register("base_SdssCentroid")
class SdssCentroidPlugin(Plugin):
    """Centroid from the maximum of the image smoothed with its PSF, starting from the first peak."""

    ConfigClass = SdssCentroidConfig
    order = CENTROID_ORDER

    FLAGS = FlagList(
        Flag("flag", "General Failure Flag", kernels.FAILURE),
        Flag("flag_edge", "Object too close to edge; peak used.", kernels.EDGE),
        Flag("flag_noSecondDerivative", "Vanishing second derivative", kernels.NO_SECOND_DERIVATIVE),
        Flag("flag_almostNoSecondDerivative", "Almost vanishing second derivative"),
        Flag("flag_notAtMaximum", "Object is not at a maximum", kernels.NOT_AT_MAXIMUM),
        Flag("flag_near_edge", "Object close to edge; fallback kernel used.", kernels.NEAR_EDGE),
        Flag("flag_resetToPeak", "set if CentroidChecker reset the centroid", kernels.RESET_TO_PEAK),
        Flag("flag_badError", "Error on x and/or y position is NaN", kernels.BAD_ERROR),
    )

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        schema.add(Column(f"{name}_x", "D", "pixel", "centroid from Sdss Centroid algorithm"))
        schema.add(Column(f"{name}_y", "D", "pixel", "centroid from Sdss Centroid algorithm"))
        schema.add(Column(f"{name}_xErr", "F", "pixel", "1-sigma uncertainty on x position"))
        schema.add(Column(f"{name}_yErr", "F", "pixel", "1-sigma uncertainty on y position"))
        self.FLAGS.declare(schema, name)

    def measure(self, batch: Batch) -> None:
        """Centre a batch of sources; see `Plugin.measure`."""
        peak_x, peak_y = batch.peaks
        # the PSF is that of the middle of the peak's pixel
        ix, iy = np.floor(peak_x + 0.5), np.floor(peak_y + 0.5)
        psf_kernels = batch.evaluate_psf(batch.psf.kernel_images, ix, iy)
        moments = batch.evaluate_psf_moments(ix, iy, psf_kernels)
        sigmas = (moments[:, 0] * moments[:, 1] - moments[:, 2] ** 2) ** 0.25
        sigmas[np.isnan(psf_kernels).any(axis=(1, 2))] = np.nan
        x, y = batch[f"{self.name}_x"], batch[f"{self.name}_y"]
        flags = np.zeros(batch.n, np.int32)
        kernels.sdss_centroids(
            batch.pixels,
            batch.footprints.span_offsets,
            batch.footprints.spans,
            batch.x0,
            batch.y0,
            peak_x - batch.x0,
            peak_y - batch.y0,
            psf_kernels,
            sigmas,
            self.config.binmax,
            self.config.peakMin,
            self.config.wfac,
            self.config.doFootprintCheck,
            self.config.maxDistToPeak,
            negative_sources(batch),
            x,
            y,
            batch[f"{self.name}_xErr"],
            batch[f"{self.name}_yErr"],
            flags,
        )
        x += batch.x0
        y += batch.y0
        self.FLAGS.store(batch, self.name, flags)
