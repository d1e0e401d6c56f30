"""Shapes by the method of Bernstein and Jarvis: ``ext_shapeHSM_HsmShapeBj`` (spec 07d)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..kernels.hsm_shear import corrected_shapes
from ._hsm_shape import HsmShapePlugin, Sources
from .registry import register

__all__ = ["HsmShapeBjPlugin"]


@register("ext_shapeHSM_HsmShapeBj")
class HsmShapeBjPlugin(HsmShapePlugin):
    """Correct the distortion by the resolution and the fourth moments (Bernstein & Jarvis 2002)."""

    method: ClassVar[str] = "Bernstein & Jarvis (2002)"

    def correct(self, sources: Sources, out: NDArray[np.float64], status: NDArray[np.int64]) -> None:
        """Correct shapes; see `HsmShapePlugin.correct`."""
        corrected_shapes(False, sources.found, sources.psf_found, sources.sky_variance, out, status)
