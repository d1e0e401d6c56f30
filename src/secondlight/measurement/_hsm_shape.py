"""What the plugins of PSF-corrected shapes share (spec 07d, HsmShapeRegauss)."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

import numpy as np
from lsst.pex.config import Field, ListField
from numpy.typing import NDArray

from ..kernels.hsm_moments import HSM_EMPTY, HSM_OK
from ..kernels.hsm_shear import N_FOUND, cut_sources, shear_moments
from ..model.schema import Column, Schema
from ._hsm import trace_radius
from .batch import Batch
from .plugin import SHAPE_ORDER, Flag, FlagList, Plugin, PluginConfig

__all__ = ["HsmShapeConfig", "HsmShapePlugin", "Sources"]

_FAILED = 1

#: The first guess of a source's width is this many times the PSF's.
_FIRST_GUESS = 2.5

# The particular flags are in the schema for the readers that expect them; as in the reference, a failure sets the
# general one only.
_FLAGS = FlagList(
    Flag("flag", "General failure flag, set if anything went wrong", _FAILED),
    Flag("flag_no_pixels", "No pixels to measure"),
    Flag("flag_not_contained", "Center not contained in footprint bounding box"),
    Flag("flag_parent_source", "Parent source, ignored"),
    Flag("flag_galsim", "GalSim failure"),
)


class HsmShapeConfig(PluginConfig):
    """Configuration that all plugins of PSF-corrected shapes share."""

    deblendNChild = Field[str](
        doc="Column of the number of children; sources that have any are not measured. Empty: all are.",
        default="",
    )
    badMaskPlanes = ListField[str](doc="Mask planes whose pixels are left out.", default=["BAD", "SAT"])


class Sources(NamedTuple):
    """Sources cut out of the image, what was found of them and of their PSFs; see `secondlight.kernels.hsm_shear`."""

    stamps: NDArray[np.float64]
    offsets: NDArray[np.int64]
    boxes: NDArray[np.int64]
    bounds: NDArray[np.int64]
    found: NDArray[np.float64]
    psf: NDArray[np.float64]
    psf_found: NDArray[np.float64]
    sky_variance: NDArray[np.float64]


class HsmShapePlugin(Plugin):
    """Base of the plugins of PSF-corrected shapes: measures source and PSF, and stores what a method makes of them."""

    ConfigClass: ClassVar[type[PluginConfig]] = HsmShapeConfig
    order: ClassVar[float] = SHAPE_ORDER
    #: The method, in the words of the columns' texts.
    method: ClassVar[str]
    #: Letter of the shape columns: ``e`` for a distortion (a² - b²) / (a² + b²), ``g`` for a shear.
    letter: ClassVar[str] = "e"
    #: Whether the elliptical moments of the source are results, and not only a guess for what follows.
    elliptical: ClassVar[bool] = True

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        _FLAGS.declare(schema, name)
        for column, what in (
            (f"{self.letter}1", "+ component of ellipticity"),
            (f"{self.letter}2", "x component of ellipticity"),
            ("sigma", "shape measurement uncertainty per component"),
        ):
            doc = f"PSF-corrected shear using {self.method} method ({what})"
            schema.add(Column(f"{name}_{column}", "D", "", doc))
        doc = "Resolution factor (0=unresolved, 1=resolved)"
        schema.add(Column(f"{name}_resolution", "D", "", doc))
        self.alias_bad_centroid(schema)

    @abstractmethod
    def correct(self, sources: Sources, out: NDArray[np.float64], status: NDArray[np.int64]) -> None:
        """Take the PSF off the sources' shapes.

        Parameters
        ----------
        sources
            The sources; may be overwritten.
        out
            Shape ``(n, 4)``: receives the two components, their error, and the resolution.
        status
            Shape ``(n,)``: sources that are not `HSM_OK` are passed over; receives why there is no result.
        """

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        x, y = batch.centroid(self.name)
        psf_sigma = trace_radius(batch.psf_moments)
        boxes = batch.footprints.boxes - np.array([batch.y0, batch.y0, batch.x0, batch.x0])
        some = np.flatnonzero(self._measurable(batch, boxes, x - batch.x0, y - batch.y0, psf_sigma))
        boxes = boxes[some]
        x, y = x[some] - batch.x0 - boxes[:, 2], y[some] - batch.y0 - boxes[:, 0]
        offsets = np.concatenate(
            [[0], np.cumsum((boxes[:, 1] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 2]))]
        ).astype(np.int64)
        n = len(some)
        sources = Sources(
            stamps=np.empty(offsets[-1]),
            offsets=offsets,
            boxes=boxes,
            bounds=np.empty((n, 4), np.int64),
            found=np.full((n, N_FOUND), np.nan),
            psf=batch.psf_stamps.images[some],
            psf_found=np.full((n, N_FOUND), np.nan),
            sky_variance=np.empty(n),
        )
        status = np.empty(n, np.int64)
        cut_sources(
            batch.pixels,
            some,
            batch.exposure.mask_planes.bits(self.config.badMaskPlanes),
            boxes,
            offsets,
            sources.stamps,
            sources.bounds,
            sources.sky_variance,
            status,
        )
        shear_moments(
            sources.stamps,
            offsets,
            boxes,
            sources.bounds,
            x,
            y,
            _FIRST_GUESS * psf_sigma[some],
            sources.psf,
            psf_sigma[some],
            self.elliptical,
            sources.found,
            sources.psf_found,
            status,
        )
        out = np.full((n, 4), np.nan)
        self.correct(sources, out, status)
        status[np.isnan(out[:, 3])] = HSM_EMPTY
        self._store(batch, some, out, status)

    def _measurable(
        self,
        batch: Batch,
        boxes: NDArray[np.int64],
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        psf_sigma: NDArray[np.float64],
    ) -> NDArray[np.bool_]:
        ny, nx = batch.pixels.image.shape
        column, row = np.floor(x + 0.5), np.floor(y + 0.5)
        measurable = (
            (row >= boxes[:, 0])
            & (row < boxes[:, 1])
            & (column >= boxes[:, 2])
            & (column < boxes[:, 3])
            & (boxes[:, [0, 2]] >= 0).all(axis=1)
            & (boxes[:, [1, 3]] <= [ny, nx]).all(axis=1)
            & np.isfinite(psf_sigma)
            & np.isfinite(batch.psf_stamps.images).all(axis=(1, 2))
        )
        if self.config.deblendNChild and self.config.deblendNChild in batch:
            measurable &= batch[self.config.deblendNChild] == 0
        return measurable

    def _store(
        self, batch: Batch, some: NDArray[np.intp], out: NDArray[np.float64], status: NDArray[np.int64]
    ) -> None:
        # an error is that of a distortion, which is twice a shear
        out[:, 2] *= 2.0 if self.letter == "e" else 1.0
        for i, column in enumerate((f"{self.letter}1", f"{self.letter}2", "sigma", "resolution")):
            batch[f"{self.name}_{column}"][some] = out[:, i]
        failed = np.ones(batch.n, np.int64)
        failed[some[status == HSM_OK]] = 0
        # the method's own verdict stands: a doubtful centroid does not make it a failure
        _FLAGS.store(batch, self.name, failed, overwrite=True)
