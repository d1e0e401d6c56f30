"""Adaptive moments in the manner of SDSS: ``base_SdssShape`` (spec 07b).

Bernstein & Jarvis 2002 (AJ 123, 583); errors from the Fisher matrix of a Gaussian in white noise.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Field
from numpy.typing import NDArray

from ..kernels.sdss_moments import FAILURE, MAX_ITER, SHIFT, UNWEIGHTED, UNWEIGHTED_BAD
from ..kernels.sdss_shape import MOMENT_COLUMNS, sdss_shapes
from ..model.schema import Column, Schema
from .batch import Batch
from .plugin import SHAPE_ORDER, Flag, FlagList, Plugin, PluginConfig, negative_sources
from .registry import register

__all__ = ["SdssShapeConfig", "SdssShapePlugin"]

# the kernel's bits end where this begins
_PSF = 1 << 16

_FLAGS = FlagList(
    Flag("flag", "General Failure Flag", FAILURE),
    Flag("flag_unweightedBad", "Both weighted and unweighted moments were invalid", UNWEIGHTED_BAD),
    Flag(
        "flag_unweighted",
        "Weighted moments converged to an invalid value; using unweighted moments",
        UNWEIGHTED,
    ),
    Flag("flag_shift", "centroid shifted by more than the maximum allowed amount", SHIFT),
    Flag("flag_maxIter", "Too many iterations in adaptive moments", MAX_ITER),
)
_PSF_FLAG = Flag("flag_psf", "Failure in measuring PSF model shape", _PSF)


class SdssShapeConfig(PluginConfig):
    """Configuration of `SdssShapePlugin`."""

    background = Field[float](doc="Level subtracted from every pixel [count].", default=0.0)
    maxIter = Field[int](doc="Iterations before giving up.", default=100)
    maxShift = Field[float](
        doc="Largest distance of the weighted centroid from the given one [pixel]; brought into 2 to 10.",
        default=0.0,
    )
    # float32 in the reference
    tol1 = Field[float](doc="Convergence: change of the ellipticity.", default=float(np.float32(1e-5)))
    tol2 = Field[float](doc="Convergence: relative change of the size.", default=float(np.float32(1e-4)))
    doMeasurePsf = Field[bool](doc="Whether to measure the PSF model, too.", default=True)
    reproduceReferenceDefects = Field[bool](
        doc="Whether errors are found from a matrix rounded to single precision, as the reference does.",
        default=False,
    )


@register("base_SdssShape")
class SdssShapePlugin(Plugin):
    """Match a Gaussian to the image around each source's centroid, which stays where it is."""

    ConfigClass: ClassVar[type[PluginConfig]] = SdssShapeConfig
    order: ClassVar[float] = SHAPE_ORDER

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        doc = "elliptical Gaussian adaptive moments"
        for m in ("xx", "yy", "xy"):
            schema.add(Column(f"{name}_{m}", "D", "pixel^2", doc))
        for m in ("xx", "yy", "xy"):
            schema.add(Column(f"{name}_{m}Err", "F", "pixel^2", f"Standard deviation of {m} moment"))
        for m in ("x", "y"):
            schema.add(Column(f"{name}_{m}", "D", "pixel", doc))
        schema.add(Column(f"{name}_instFlux", "D", "count", doc))
        schema.add(Column(f"{name}_instFluxErr", "D", "count", "1-sigma instFlux uncertainty"))
        if config.doMeasurePsf:
            doc = "adaptive moments of the PSF model at the object position"
            for m in ("xx", "yy", "xy"):
                schema.add(Column(f"{name}_psf_{m}", "D", "pixel^2", doc))
        for m in ("xx", "yy", "xy"):
            doc = f"uncertainty covariance between {name}_instFlux and {name}_{m}"
            schema.add(Column(f"{name}_instFlux_{m}_Cov", "F", "count*pixel^2", doc))
        self._flags = FlagList(*_FLAGS, _PSF_FLAG) if config.doMeasurePsf else _FLAGS
        self._flags.declare(schema, name)
        self.alias_bad_centroid(schema)

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        x, y = batch.centroid(self.name)
        found = np.full((batch.n, len(MOMENT_COLUMNS)), np.nan)
        bits = np.zeros(batch.n, np.int64)
        config = self.config
        sdss_shapes(
            batch.pixels,
            x - batch.x0,
            y - batch.y0,
            config.background,
            config.maxIter,
            min(max(config.maxShift, 2.0), 10.0),
            config.tol1,
            config.tol2,
            config.reproduceReferenceDefects,
            negative_sources(batch),
            found,
            bits,
        )
        for i, column in enumerate(MOMENT_COLUMNS):
            batch[f"{self.name}_{column}"][:] = found[:, i]
        result_x, result_y = batch[f"{self.name}_x"], batch[f"{self.name}_y"]
        result_x += batch.x0
        result_y += batch.y0
        if config.doMeasurePsf:
            bits |= self._measure_psf(batch, result_x, result_y)
        # this algorithm's own verdict stands: a doubtful centroid does not make it a failure
        self._flags.store(batch, self.name, bits, overwrite=True)

    def _measure_psf(self, batch: Batch, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
        """Store the PSF's moments where the image's were found; return the flag bits."""
        moments = batch.evaluate_psf(batch.psf.moments, x, y)
        for i, m in enumerate(("xx", "yy", "xy")):
            batch[f"{self.name}_psf_{m}"][:] = moments[:, i]
        return np.where(np.isnan(moments).any(axis=1), _PSF, 0)
