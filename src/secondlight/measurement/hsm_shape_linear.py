"""Shapes by the method of Hirata and Seljak, linear in the fourth moments: ``ext_shapeHSM_HsmShapeLinear`` (spec 07d)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..kernels.hsm_shear import corrected_shapes
from ._hsm_shape import HsmShapePlugin, Sources
from .registry import register

__all__ = ["HsmShapeLinearPlugin"]


@register("ext_shapeHSM_HsmShapeLinear")
class HsmShapeLinearPlugin(HsmShapePlugin):
    """Correct the distortion to first order in the fourth moments (Hirata & Seljak 2003)."""

    method: ClassVar[str] = "Hirata & Seljak (2003) 'linear'"

    def correct(self, sources: Sources, out: NDArray[np.float64], status: NDArray[np.int64]) -> None:
        """Correct shapes; see `HsmShapePlugin.correct`."""
        corrected_shapes(True, sources.found, sources.psf_found, sources.sky_variance, out, status)
