"""Which part of the light at a source is its own: ``base_Blendedness`` (spec 07c).

Bosch et al. 2018 (PASJ 70, S5), section 4.9.11.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Field
from numpy.typing import NDArray

from ..kernels.blendedness import N_MOMENTS, dot_products, noise_bias_table, weighted_moments
from ..model.schema import Column, Schema
from .batch import Batch
from .plugin import SHAPE_ORDER, Flag, FlagList, Plugin, PluginConfig
from .registry import register

__all__ = ["BlendednessConfig", "BlendednessPlugin"]

_FAILED, _NO_CENTROID, _NO_SHAPE = 1, 2, 4

_FLAGS = FlagList(
    Flag("flag", "General Failure Flag", _FAILED),
    Flag("flag_noCentroid", "Object has no centroid", _NO_CENTROID),
    Flag("flag_noShape", "Object has no shape", _NO_SHAPE),
)

#: The two kinds of pixel values: as they are, and absolute.
_KINDS = {
    "raw": 'Operates on the "raw" pixel values.',
    "abs": (
        'Operates on the absolute value of the pixels to try to obtain a "de-noised" value.  '
        "See section 4.9.11 of Bosch et al. 2018, PASJ, 70, S5 for details."
    ),
}


class BlendednessConfig(PluginConfig):
    """Configuration of `BlendednessPlugin`."""

    doOld = Field[bool](
        doc="Whether to compare the deblended pixels with the image by dot products.", default=True
    )
    doFlux = Field[bool](doc="Whether to measure fluxes under the source's Gaussian.", default=True)
    doShape = Field[bool](doc="Whether to measure shapes under the source's Gaussian.", default=True)
    nSigmaWeightMax = Field[float](doc="Where the Gaussian ends [standard deviation].", default=3.0)


@register("base_Blendedness")
class BlendednessPlugin(Plugin):
    """Measure each source alone, and among its neighbours, with the same weight."""

    ConfigClass: ClassVar[type[PluginConfig]] = BlendednessConfig
    order: ClassVar[float] = SHAPE_ORDER
    last: ClassVar[bool] = True

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        if config.doOld:
            doc = "Blendedness from dot products: (child.dot(parent)/child.dot(child) - 1)"
            schema.add(Column(f"{name}_old", "D", "", doc))
        if config.doFlux:
            for kind, how in _KINDS.items():
                doc = "Measure of how much the flux is affected by neighbors: (1 - child_instFlux/parent_instFlux)."
                schema.add(Column(f"{name}_{kind}", "D", "", f"{doc}  {how}"))
                for whose in ("child", "parent"):
                    doc = f"Instrumental flux of the {whose}, measured with a Gaussian weight matched to the child."
                    schema.add(Column(f"{name}_{kind}_{whose}_instFlux", "D", "count", f"{doc}  {how}"))
        if config.doShape:
            for kind, how in _KINDS.items():
                for whose in ("child", "parent"):
                    doc = f"Shape of the {whose}, measured with a Gaussian weight matched to the child."
                    for m in ("xx", "yy", "xy"):
                        schema.add(Column(f"{name}_{kind}_{whose}_{m}", "D", "pixel^2", f"{doc}  {how}"))
        _FLAGS.declare(schema, name)

    def measure(self, batch: Batch) -> None:
        """Measure the child; see `Plugin.measure`."""
        if self.config.doFlux or self.config.doShape:
            bits = self._check(batch)
            self._store(batch, "child", self._moments(batch))
            _FLAGS.store(batch, self.name, bits)

    def measure_restored(self, batch: Batch) -> None:
        """Measure the parent, and compare; see `Plugin.measure_restored`."""
        if self.config.doOld:
            f = batch.footprints
            dot_products(
                batch.exposure.image,
                batch.x0,
                batch.y0,
                f.span_offsets,
                f.spans,
                f.heavy_offsets,
                f.heavy.image,
                batch[f"{self.name}_old"],
            )
        if not (self.config.doFlux or self.config.doShape):
            return
        parent = self._moments(batch)
        self._store(batch, "parent", parent)
        if self.config.doFlux:
            for i, kind in enumerate(_KINDS):
                child = batch[f"{self.name}_{kind}_child_instFlux"]
                with np.errstate(all="ignore"):
                    batch[f"{self.name}_{kind}"][:] = 1.0 - child / parent[:, 4 * i]
            _FLAGS.store(batch, self.name, np.where(parent[:, 4] == 0.0, _FAILED, 0))

    def _store(self, batch: Batch, whose: str, found: NDArray[np.float64]) -> None:
        """Fill the columns of child or parent."""
        for i, kind in enumerate(_KINDS):
            for j, column in enumerate(("instFlux", "xx", "yy", "xy")):
                if self.config.doShape if j else self.config.doFlux:
                    batch[f"{self.name}_{kind}_{whose}_{column}"][:] = found[:, 4 * i + j]

    @staticmethod
    def _check(batch: Batch) -> NDArray[np.int64]:
        """Return the bits that tell of doubtful positions and shapes."""
        bits = np.zeros(batch.n, np.int64)
        # a peak in place of the centroid is good enough
        bits[batch["slot_Centroid_flag"]] = _NO_CENTROID
        xx, yy, xy = (batch[f"slot_Shape_{m}"] for m in ("xx", "yy", "xy"))
        bits[batch["slot_Shape_flag"] | ~(xx * yy - xy * xy >= 0.0)] |= _NO_SHAPE | _FAILED
        placed = np.isfinite(batch["slot_Centroid_x"]) & np.isfinite(batch["slot_Centroid_y"])
        bits[~placed] |= _NO_CENTROID | _FAILED
        return bits

    def _moments(self, batch: Batch) -> NDArray[np.float64]:
        out = np.empty((batch.n, N_MOMENTS))
        weighted_moments(
            batch.pixels,
            batch["slot_Centroid_x"] - batch.x0,
            batch["slot_Centroid_y"] - batch.y0,
            batch["slot_Shape_xx"],
            batch["slot_Shape_yy"],
            batch["slot_Shape_xy"],
            self.config.nSigmaWeightMax,
            noise_bias_table(),
            out,
        )
        return out
