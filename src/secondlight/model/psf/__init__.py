"""Point-spread functions evaluated at many positions in one call."""

from __future__ import annotations

from ._base import BatchPsf, PsfStamps
from ._piff_objects import piff_from_objects, piff_from_parts
from ._piff_wcs import AffineWcs, FieldWcs, PiffWcs, SkyWcs
from ._wrapped import WrappedPsf, as_batch
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
    "AffineWcs",
    "BatchPsf",
    "Chebyshev1Function2D",
    "FieldWcs",
    "FixedKernel",
    "GaussianPsf",
    "Kernel",
    "KernelPsf",
    "LinearCombinationKernel",
    "PiffInterpolation",
    "PiffOptions",
    "PiffPsf",
    "PiffStars",
    "PiffWcs",
    "PixelGrid",
    "PolynomialFunction2D",
    "PsfStamps",
    "PsfexPsf",
    "SingleGaussianPsf",
    "SkyWcs",
    "SpatialFunction",
    "WrappedPsf",
    "as_batch",
    "piff_from_objects",
    "piff_from_parts",
]
