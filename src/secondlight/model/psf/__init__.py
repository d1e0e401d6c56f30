"""Point-spread functions evaluated at many positions in one call."""

from __future__ import annotations

from ._base import BatchPsf, PsfStamps
from .gaussian import GaussianPsf, SingleGaussianPsf
from .kernel import (
    Chebyshev1Function2D,
    FixedKernel,
    Kernel,
    KernelPsf,
    LinearCombinationKernel,
    PolynomialFunction2D,
    SpatialFunction,
)
from .piff import PiffInterpolation, PiffOptions, PiffPsf, PiffStars, PixelGrid
from .psfex import PsfexPsf

__all__ = [
    "BatchPsf",
    "Chebyshev1Function2D",
    "FixedKernel",
    "GaussianPsf",
    "Kernel",
    "KernelPsf",
    "LinearCombinationKernel",
    "PiffInterpolation",
    "PiffOptions",
    "PiffPsf",
    "PiffStars",
    "PixelGrid",
    "PolynomialFunction2D",
    "PsfStamps",
    "PsfexPsf",
    "SingleGaussianPsf",
    "SpatialFunction",
]
