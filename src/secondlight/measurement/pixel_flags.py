"""base_PixelFlags: what the mask says about a source's footprint and centre (spec 07.6)."""

from __future__ import annotations

from typing import Any

import numpy as np
from lsst.pex.config import ListField

from ..kernels.pixel_flags import mask_bits
from ..model.schema import Column, Schema
from .batch import Batch
from .plugin import FLUX_ORDER, Flag, FlagList, Plugin, PluginConfig
from .registry import register

__all__ = ["PixelFlagsConfig", "PixelFlagsPlugin"]

#: Mask plane by the name of its flags.
_PLANES = {
    "edge": "EDGE",
    "nodata": "NO_DATA",
    "interpolated": "INTRP",
    "saturated": "SAT",
    "cr": "CR",
    "bad": "BAD",
    "suspect": "SUSPECT",
}


class PixelFlagsConfig(PluginConfig):
    """Configuration of `PixelFlagsPlugin`."""

    masksFpCenter = ListField[str](doc="More mask planes to look for around the centre.", default=[])
    masksFpAnywhere = ListField[str](doc="More mask planes to look for in the footprint.", default=[])


@register("base_PixelFlags")
class PixelFlagsPlugin(Plugin):
    """Flags of the footprint, of any pixel of the 3x3 around the centroid, and of all of them."""

    ConfigClass = PixelFlagsConfig
    order = FLUX_ORDER

    FLAGS = FlagList(
        Flag("flag", "General failure flag, set if anything went wrong setting flags."),
        Flag("flag_offimage", "Source center is off image"),
        Flag(
            "flag_edge",
            "Pixel in source outside usable exposure region (masked EDGE or centroid off image).",
        ),
        Flag("flag_nodata", "NO_DATA pixel in the source footprint."),
        Flag("flag_interpolated", "Interpolated pixel in the Source footprint"),
        Flag("flag_saturated", "Saturated pixel in the Source footprint"),
        Flag("flag_cr", "Cosmic ray in the Source footprint"),
        Flag("flag_bad", "Bad pixel in the Source footprint"),
        Flag("flag_suspect", "Source's footprint includes suspect pixels"),
        Flag("flag_edgeCenter", "EDGE pixel in the 3x3 region around the centroid."),
        Flag("flag_nodataCenter", "NO_DATA pixel in the 3x3 region around the centroid."),
        Flag("flag_interpolatedCenter", "Interpolated pixel in the 3x3 region around the centroid."),
        Flag("flag_saturatedCenter", "Saturated pixel in the 3x3 region around the centroid."),
        Flag("flag_crCenter", "Cosmic ray in the 3x3 region around the centroid."),
        Flag("flag_badCenter", "Bad pixel in the 3x3 region around the centroid"),
        Flag("flag_suspectCenter", "Suspect pixel in the 3x3 region around the centroid."),
        Flag("flag_edgeCenterAll", "All pixels in the 3x3 region around the centroid are marked EDGE."),
        Flag("flag_nodataCenterAll", "All pixels in the 3x3 region around the centroid are marked NO_DATA"),
        Flag(
            "flag_interpolatedCenterAll", "All pixels in the 3x3 region around the centroid are interpolated."
        ),
        Flag("flag_saturatedCenterAll", "All pixels in the 3x3 region around the centroid are saturated."),
        Flag(
            "flag_crCenterAll",
            "All pixels in the 3x3 region around the centroid have the cosmic ray mask bit.",
        ),
        Flag("flag_badCenterAll", "All pixels in the 3x3 region around the centroid are bad."),
        Flag("flag_suspectCenterAll", "All pixels in the 3x3 region around the centroid are suspect."),
    )

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        self.FLAGS.declare(schema, name)
        self._center = _PLANES | {plane.lower(): plane for plane in config.masksFpCenter}
        self._anywhere = _PLANES | {plane.lower(): plane for plane in config.masksFpAnywhere}
        for flag, plane in self._center.items():
            if flag not in _PLANES:
                near = "in the 3x3 region around the centroid"
                schema.add(Column(f"{name}_flag_{flag}Center", "Flag", doc=f"{plane} pixel {near}."))
                schema.add(
                    Column(f"{name}_flag_{flag}CenterAll", "Flag", doc=f"All pixels {near} are {plane}.")
                )
        for flag, plane in self._anywhere.items():
            if flag not in _PLANES:
                schema.add(
                    Column(f"{name}_flag_{flag}", "Flag", doc=f"{plane} pixel in the source footprint.")
                )

    def measure(self, batch: Batch) -> None:
        """Set the flags of a batch of sources; see `Plugin.measure`."""
        x, y = batch["slot_Centroid_x"] - batch.x0, batch["slot_Centroid_y"] - batch.y0
        anywhere, center, center_all = np.empty((3, batch.n), np.int32)
        f = batch.footprints
        mask_bits(
            batch.pixels.mask, f.span_offsets, f.spans, batch.x0, batch.y0, x, y, anywhere, center, center_all
        )
        planes = batch.exposure.mask_planes
        prefix = f"{self.name}_flag"
        for flag, plane in self._anywhere.items():
            batch[f"{prefix}_{flag}"][:] = (anywhere & planes.bits([plane])) != 0
        for flag, plane in self._center.items():
            batch[f"{prefix}_{flag}Center"][:] = (center & planes.bits([plane])) != 0
            batch[f"{prefix}_{flag}CenterAll"][:] = (center_all & planes.bits([plane])) != 0
        finite = np.isfinite(x) & np.isfinite(y)
        batch[prefix][:] = ~finite
        ny, nx = batch.pixels.mask.shape
        off = finite & ~((x >= -0.5) & (x < nx - 0.5) & (y >= -0.5) & (y < ny - 0.5))
        for flag in ("offimage", "edge", "edgeCenter", "edgeCenterAll"):
            batch[f"{prefix}_{flag}"][off] = True
