"""base_SkyCoord: the position on the sky, and its error (spec 07.7)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..model.schema import Column, Schema
from ..model.wcs import local_linear, pixel_to_sky
from .batch import Batch
from .plugin import SHAPE_ORDER, Plugin
from .registry import register

__all__ = ["SkyCoordPlugin"]


@register("base_SkyCoord")
class SkyCoordPlugin(Plugin):
    """Right ascension and declination of the slot centroid, and the covariance that its errors propagate to.

    ``coord_raErr`` is an error on the sky: it includes cos(dec). An exposure without WCS leaves NaN.
    """

    order = SHAPE_ORDER

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        for column in (
            Column("coord_raErr", "F", "rad", "1-sigma uncertainty on ra"),
            Column("coord_decErr", "F", "rad", "1-sigma uncertainty on dec"),
            Column("coord_ra_dec_Cov", "F", "rad rad", "uncertainty covariance between ra and dec"),
        ):
            if column.name not in schema:
                schema.add(column)

    def measure(self, batch: Batch) -> None:
        """Place a batch of sources on the sky; see `Plugin.measure`."""
        wcs = batch.exposure.wcs
        if wcs is None:
            return
        x, y = batch["slot_Centroid_x"], batch["slot_Centroid_y"]
        batch["coord_ra"][:], batch["coord_dec"][:] = pixel_to_sky(wcs, x, y)
        if "slot_Centroid_xErr" not in batch:
            return
        scale = np.float32(np.deg2rad(1.0 / 3600.0))
        d = local_linear(wcs, x, y).astype(np.float32) * scale
        sigma = np.stack([batch["slot_Centroid_xErr"], batch["slot_Centroid_yErr"]], axis=1)
        half = d * sigma[:, None, :].astype(np.float32)
        with np.errstate(invalid="ignore"):  # an error may be infinite
            covariance = half @ half.transpose(0, 2, 1)
        batch["coord_raErr"][:] = np.sqrt(covariance[:, 0, 0])
        batch["coord_decErr"][:] = np.sqrt(covariance[:, 1, 1])
        batch["coord_ra_dec_Cov"][:] = covariance[:, 0, 1]
