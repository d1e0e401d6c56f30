"""Adaptive moments of sources: ``ext_shapeHSM_HsmSourceMoments`` (spec 07d)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from lsst.pex.config import ListField

from ..kernels.hsm_moments import HSM_EMPTY, hsm_source_moments
from ._hsm import HsmMomentsConfig, HsmMomentsPlugin, trace_radius
from .batch import Batch
from .plugin import PluginConfig
from .registry import register

__all__ = ["HsmSourceMomentsConfig", "HsmSourceMomentsPlugin"]

#: The first guess of a source's width is this many times the PSF's.
_FIRST_GUESS = 2.5


class HsmSourceMomentsConfig(HsmMomentsConfig):
    """Configuration of `HsmSourceMomentsPlugin`."""

    badMaskPlanes = ListField[str](doc="Mask planes whose pixels are left out.", default=["BAD", "SAT"])


@register("ext_shapeHSM_HsmSourceMoments")
class HsmSourceMomentsPlugin(HsmMomentsPlugin):
    """Match a Gaussian to each source, within the bounding box of its footprint."""

    ConfigClass: ClassVar[type[PluginConfig]] = HsmSourceMomentsConfig
    what: ClassVar[str] = "source"

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        x, y = batch.centroid(self.name)
        x, y = x - batch.x0, y - batch.y0
        sigma = _FIRST_GUESS * trace_radius(batch.psf_moments)
        origin = np.array([batch.y0, batch.y0, batch.x0, batch.x0], np.int64)
        boxes = batch.footprints.boxes - origin
        ny, nx = batch.pixels.image.shape
        column, row = np.floor(x + 0.5), np.floor(y + 0.5)
        measurable = (
            (row >= boxes[:, 0])
            & (row < boxes[:, 1])
            & (column >= boxes[:, 2])
            & (column < boxes[:, 3])
            & (boxes[:, [0, 2]] >= 0).all(axis=1)
            & (boxes[:, [1, 3]] <= [ny, nx]).all(axis=1)
            & np.isfinite(sigma)
        )
        found = np.full((batch.n, 6), np.nan)
        status = np.full(batch.n, HSM_EMPTY)
        some = np.flatnonzero(measurable)
        part = np.full((len(some), 6), np.nan)
        part_status = np.empty(len(some), np.int64)
        hsm_source_moments(
            batch.pixels,
            some,
            batch.exposure.mask_planes.bits(self.config.badMaskPlanes),
            boxes[some],
            x[some],
            y[some],
            sigma[some],
            self.config.roundMoments,
            part,
            part_status,
        )
        found[some], status[some] = part, part_status
        if not self.config.subtractCenter:
            found[:, :2] += [batch.x0, batch.y0]
        self.store(batch, found, status, x, y)
