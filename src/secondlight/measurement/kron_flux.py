"""Flux in an ellipse of a multiple of the Kron radius: ``ext_photometryKron_KronFlux`` (spec 07e)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Field
from numpy.typing import NDArray

from ..kernels.elliptical_sinc import elliptical_sinc_fluxes
from ..kernels.kron import (
    KRON_BAD,
    KRON_BAD_RADIUS,
    KRON_EDGE,
    KRON_NO_FALLBACK,
    KRON_SMALL_RADIUS,
    KRON_USED_MINIMUM,
    KRON_USED_PSF,
    ellipse_fluxes,
    kron_apertures,
)
from ..model.footprints import Footprint, span_pixels
from ..model.schema import Column, Schema
from .batch import Batch
from .plugin import FLUX_ORDER, Flag, FlagList, Plugin, PluginConfig
from .registry import register

__all__ = ["KronFluxConfig", "KronFluxPlugin"]

#: Of the kernel with which the reference shifts weights.
_LANCZOS_ORDER = 5

# the kernel's bits end where this begins
_BAD_SHAPE = 1 << 16

_FLAGS = FlagList(
    Flag(
        "flag",
        "general failure flag, set if anything went wrong",
        KRON_BAD | KRON_EDGE | KRON_NO_FALLBACK | _BAD_SHAPE,
    ),
    Flag("flag_edge", "bad measurement due to image edge", KRON_EDGE),
    # without a PSF no source is measured at all; the columns are there for readers that expect them
    Flag("flag_bad_shape_no_psf", "bad shape and no PSF"),
    Flag("flag_no_minimum_radius", "minimum radius could not enforced: no minimum value or PSF"),
    Flag("flag_no_fallback_radius", "no minimum radius and no PSF provided", KRON_NO_FALLBACK),
    Flag("flag_bad_radius", "bad Kron radius", KRON_BAD_RADIUS),
    Flag("flag_used_minimum_radius", "used the minimum radius for the Kron aperture", KRON_USED_MINIMUM),
    Flag("flag_used_psf_radius", "used the PSF Kron radius for the Kron aperture", KRON_USED_PSF),
    Flag("flag_small_radius", "measured Kron radius was smaller than that of the PSF", KRON_SMALL_RADIUS),
    Flag("flag_bad_shape", "shape for measuring Kron radius is bad; used PSF shape", _BAD_SHAPE),
)


class KronFluxConfig(PluginConfig):
    """Configuration of `KronFluxPlugin`."""

    fixed = Field[bool](doc="Whether the shape slot is the Kron ellipse already.", default=False)
    nSigmaForRadius = Field[float](
        doc="The Kron radius is measured in an ellipse this many times the shape's size.", default=6.0
    )
    nIterForRadius = Field[int](doc="How often the Kron radius is measured.", default=1)
    nRadiusForFlux = Field[float](doc="Size of the aperture in Kron radii.", default=2.5)
    maxSincRadius = Field[float](
        doc="Largest semi-minor axis of an aperture that is measured as the integral of a band-limited image [pixel]; "
        "larger ones are sums of pixels.",
        default=10.0,
    )
    minimumRadius = Field[float](
        doc="Smallest Kron radius, used also where none can be measured [pixel]; the PSF's if 0.", default=0.0
    )
    enforceMinimumRadius = Field[bool](doc="Whether there is a smallest Kron radius.", default=True)
    useFootprintRadius = Field[bool](
        doc="Whether the first size is that of the footprint where that is larger.", default=False
    )
    smoothingSigma = Field[float](
        doc="Width of a Gaussian that smooths the image on which the radius is measured [pixel]; none if not positive.",
        default=-1.0,
    )
    refRadiusName = Field[str](
        doc="Column of the radius in a reference table, for forced measurement; not used here.",
        default="ext_photometryKron_KronFlux_radius",
    )
    reproduceReferenceDefects = Field[bool](
        doc="Flag as small whichever ellipses rounding leaves below the PSF's radius that they were scaled to; make the "
        "weights of small apertures on a pixel's centre, shift all but the outermost to the aperture's, and keep their sums "
        "in single precision.",
        default=False,
    )


def _footprint_size2(footprint: Footprint) -> float:
    """Return √det of the second moments of a footprint's pixels [pixel²]."""
    return math.sqrt(
        max(float(np.linalg.det(np.cov(np.stack(span_pixels(footprint.spans)), bias=True))), 0.0)
    )


@register("ext_photometryKron_KronFlux")
class KronFluxPlugin(Plugin):
    """Measure the radius within which a source's light lies, and the flux in an ellipse of that size."""

    ConfigClass: ClassVar[type[PluginConfig]] = KronFluxConfig
    order: ClassVar[float] = FLUX_ORDER
    aperture_corrected: ClassVar[bool] = True

    def __init__(self, config: Any, name: str, schema: Schema, metadata: dict[str, Any]) -> None:
        super().__init__(config, name, schema, metadata)
        schema.add(Column(f"{name}_instFlux", "D", "count", "flux from Kron Flux algorithm"))
        schema.add(Column(f"{name}_instFluxErr", "D", "count", "1-sigma instFlux uncertainty"))
        schema.add(Column(f"{name}_radius", "F", "", "Kron radius (sqrt(a*b))"))
        doc = "radius used to estimate <radius> (sqrt(a*b))"
        schema.add(Column(f"{name}_radius_for_radius", "F", "", doc))
        schema.add(Column(f"{name}_psf_radius", "F", "", "Radius of PSF"))
        _FLAGS.declare(schema, name)
        self.alias_bad_centroid(schema, "flag_badInitialCentroid")

    def measure(self, batch: Batch) -> None:
        """Measure; see `Plugin.measure`."""
        config = self.config
        x, y = batch.center
        psf_radius = self._psf_radius(batch)
        own = np.stack([batch[f"slot_Shape_{m}"] for m in ("xx", "yy", "xy")], axis=1)
        bad_shape = batch["slot_Shape_flag"]
        first = own
        if bad_shape.any():
            # NaN stands for the position that represents the PSF as a whole
            average = batch.psf.moments(np.array([np.nan]), np.array([np.nan]))
            first = np.where(bad_shape[:, None], average, own)
        if config.useFootprintRadius:
            first = first * self._footprint_scale(batch, first)[:, None]
        axes, used = np.empty((batch.n, 3)), np.empty(batch.n)
        bits = np.zeros(batch.n, np.int64)
        kron_apertures(
            batch.pixels,
            x - batch.x0,
            y - batch.y0,
            np.ascontiguousarray(first),
            own,
            psf_radius,
            config.fixed,
            config.nSigmaForRadius,
            config.nIterForRadius,
            config.smoothingSigma,
            config.enforceMinimumRadius,
            config.minimumRadius,
            config.reproduceReferenceDefects,
            axes,
            used,
            bits,
        )
        bits[bad_shape] |= _BAD_SHAPE
        radius = np.sqrt(axes[:, 0] * axes[:, 1])
        lost = ~(np.isfinite(psf_radius) & np.isfinite(x) & np.isfinite(y))
        bits[lost] = KRON_BAD
        tiny = radius < np.finfo(float).eps
        bits[tiny] |= KRON_BAD | KRON_BAD_RADIUS
        nothing = lost | tiny
        axes[nothing] = np.nan
        flux = np.full((batch.n, 2), np.nan)
        bits |= self._fluxes(batch, axes, flux)
        stored = (bits & (KRON_EDGE | KRON_NO_FALLBACK) == 0) & ~nothing
        for column, values in (
            ("instFlux", flux[:, 0]),
            ("instFluxErr", flux[:, 1]),
            ("radius", radius),
            ("radius_for_radius", used),
            ("psf_radius", psf_radius),
        ):
            batch[f"{self.name}_{column}"][:] = np.where(stored, values, np.nan)
        _FLAGS.store(batch, self.name, bits)

    def _psf_radius(self, batch: Batch) -> NDArray[np.float64]:
        """Return the Kron radius of a Gaussian of the PSF's size, smoothed as the image is."""
        xx, yy, xy = batch.psf_moments.T
        # by way of the semi-axes, as the ellipses' own radii, so that the two can be compared to the last digit
        with np.errstate(invalid="ignore"):
            spread = np.sqrt((xx - yy) * (xx - yy) + 4.0 * xy * xy)
            sigma = np.sqrt(np.sqrt(0.5 * (xx + yy + spread)) * np.sqrt(0.5 * (xx + yy - spread)))
        return np.asarray(math.sqrt(math.pi / 2.0) * np.hypot(sigma, max(self.config.smoothingSigma, 0.0)))

    def _footprint_scale(self, batch: Batch, moments: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factors that bring moments to the footprints' sizes where those are larger."""
        scale = np.ones(batch.n)
        for i, footprint in enumerate(batch.footprints):
            if not footprint.area:
                continue
            own = math.sqrt(max(float(moments[i, 0] * moments[i, 1] - moments[i, 2] ** 2), 0.0))
            # twice its moments make a disc's own radius
            size = 2.0 * _footprint_size2(footprint) / self.config.nSigmaForRadius**2
            if own > 0.0 and size > own:
                scale[i] = size / own
        return scale

    def _fluxes(
        self, batch: Batch, axes: NDArray[np.float64], flux: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Measure the fluxes; return bits."""
        x, y = batch.center
        axes = axes * [self.config.nRadiusForFlux, self.config.nRadiusForFlux, 1.0]
        bits = np.zeros(batch.n, np.int64)
        large = np.flatnonzero(axes[:, 1] > self.config.maxSincRadius)
        part, part_bits = np.empty((len(large), 2)), np.empty(len(large), np.int64)
        ellipse_fluxes(
            batch.pixels, large, x[large] - batch.x0, y[large] - batch.y0, axes[large], part, part_bits
        )
        flux[large], bits[large] = part, part_bits
        small = axes.copy()
        small[large] = np.nan
        elliptical_sinc_fluxes(
            batch.pixels,
            batch.x0,
            batch.y0,
            small,
            x,
            y,
            flux,
            np.zeros(batch.n, np.int64),
            order=_LANCZOS_ORDER if self.config.reproduceReferenceDefects else 0,
        )
        return bits
