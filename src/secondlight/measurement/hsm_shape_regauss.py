"""Shapes by re-Gaussianisation: ``ext_shapeHSM_HsmShapeRegauss`` (spec 07d)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..kernels.hsm_regauss import regaussianise
from ._hsm_shape import HsmShapePlugin, Sources
from .registry import register

__all__ = ["HsmShapeRegaussPlugin"]


@register("ext_shapeHSM_HsmShapeRegauss")
class HsmShapeRegaussPlugin(HsmShapePlugin):
    """Take off what of the PSF is not Gaussian, then the Gaussian (Hirata & Seljak 2003)."""

    method: ClassVar[str] = "Hirata & Seljak (2003) 'regaussianization'"

    def correct(self, sources: Sources, out: NDArray[np.float64], status: NDArray[np.int64]) -> None:
        """Correct shapes; see `HsmShapePlugin.correct`."""
        regaussianise(*sources, out, status)
