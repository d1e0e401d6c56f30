"""Shears by the method of Kaiser, Squires and Broadhurst: ``ext_shapeHSM_HsmShapeKsb`` (spec 07d)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..kernels.hsm_ksb import ksb_shapes
from ._hsm_shape import HsmShapePlugin, Sources
from .registry import register

__all__ = ["HsmShapeKsbPlugin"]


@register("ext_shapeHSM_HsmShapeKsb")
class HsmShapeKsbPlugin(HsmShapePlugin):
    """Correct the polarisation by its responses to shear and to smearing."""

    method: ClassVar[str] = "KSB"
    letter: ClassVar[str] = "g"
    elliptical: ClassVar[bool] = False

    def correct(self, sources: Sources, out: NDArray[np.float64], status: NDArray[np.int64]) -> None:
        """Correct shapes; see `HsmShapePlugin.correct`."""
        ksb_shapes(*sources, out, status)
