"""Find the pixels that cosmic rays hit and repair them (spec 03.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from lsst.pex.config import Config, ConfigField, Field
from numpy.typing import NDArray

from secondlight.errors import ProcessingError
from secondlight.kernels.cosmic_rays import (
    find_hit_pixels,
    grow_into_neighbours,
    grow_rays,
    label_rays,
    ray_pixels,
    ray_sums,
)
from secondlight.model.exposure import Exposure

from .cosmic_ray_repair import LinePrediction, noise_fill
from .subtract_background import SubtractBackgroundConfig

__all__ = ["CosmicRays", "FindCosmicRaysConfig", "TooManyCosmicRays", "find_cosmic_rays"]


class FindCosmicRaysConfig(Config):
    """Configuration of `find_cosmic_rays`."""

    nCrPixelMax = Field[int](doc="maximum number of contaminated pixels", default=1000000)
    minSigma = Field[float](
        doc="how far a pixel must stand above the mean of its neighbours on a line [sigma]; if negative, how high it "
        "must be [count]",
        default=6.0,
    )
    min_DN = Field[float](doc="least total of a cosmic ray above the background [count]", default=150.0)
    cond3_fac = Field[float](
        doc="margin, in sigma, of the comparison of a pixel's sharpness with the PSF's", default=2.0
    )
    cond3_fac2 = Field[float](doc="sharpness of the PSF that counts, as a fraction", default=0.35)
    niteration = Field[int](doc="number of times that cosmic rays may grow into their neighbours", default=6)
    keepCRs = Field[bool](doc="only mark cosmic rays, and leave their pixels as they are", default=False)
    background = ConfigField[SubtractBackgroundConfig](
        doc="background to subtract before the search", dtype=SubtractBackgroundConfig
    )

    def setDefaults(self) -> None:
        """Make the background one level for the whole image."""
        self.background.useApprox = False
        self.background.binSize = 100000
        self.background.statisticsProperty = "MEDIAN"
        self.background.undersampleStyle = "REDUCE_INTERP_ORDER"
        self.background.algorithm = "AKIMA_SPLINE"


class TooManyCosmicRays(ProcessingError):  # noqa: N818 (the reference's name, which ends up in metadata)
    """More pixels are hit than ``nCrPixelMax``; metadata ``maxCosmicRays``."""


@dataclass(frozen=True, slots=True)
class CosmicRays:
    """What was found.

    Parameters
    ----------
    count
        Number of cosmic rays.
    pixels
        Flat indices of all their pixels, ascending.
    unpredicted
        How many pixels had no neighbours to predict them from and became a local median.
    """

    count: int
    pixels: NDArray[np.int64]
    unpredicted: int = 0


@dataclass(frozen=True, slots=True)
class _Rays:
    """Spans (y, x0, x1) of rays: ray k has those from ``first[k]`` up to ``first[k + 1]``."""

    spans: NDArray[np.int32]
    first: NDArray[np.int64]

    def pixels(self, width: int, *, backwards: bool = False) -> NDArray[np.int64]:
        out = np.empty(int((self.spans[:, 2] - self.spans[:, 1] + 1).sum()), np.int64)
        ray_pixels(self.spans, self.first, width, backwards, out)
        return out


def find_cosmic_rays(
    exposure: Exposure,
    psf: NDArray[np.float64],
    background: float,
    config: Any,
    *,
    reproduce_reference_defects: bool = False,
) -> CosmicRays:
    """Find cosmic rays, mark them in the mask, and repair their pixels unless ``keepCRs`` is set.

    A pixel is hit that stands above the mean of a pair of opposite neighbours by ``minSigma`` and, compared with the
    PSF's image of a star, too far above such a mean for any source. Hit pixels that touch are one cosmic ray; those
    fainter than ``min_DN`` are dropped. Then rays grow into neighbours that pass the same test with half the
    ``minSigma`` and no margin.

    Hit pixels are predicted from their good neighbours (`LinePrediction`), anew after every growth. Masked pixels are
    not used. Rays grow into bad and interpolated pixels, but neither into saturated ones nor into those without data.
    With ``reproduce_reference_defects``, hit pixels are background and noise throughout, growth looks neither at the
    mask nor at whether a pixel is in the ray already, and changes pixels as it goes.

    Parameters
    ----------
    exposure
        Image, mask and variance are changed in place: the image's hit pixels, and in the mask the bits ``CR`` and, if
        repaired, ``INTRP``. If there are too many, nothing is changed.
    psf
        PSF image, its centre in the middle.
    background
        Level under the sources [unit of the image].
    config
        A `FindCosmicRaysConfig`.
    reproduce_reference_defects
        Whether to do as the reference does, faults included.

    Raises
    ------
    TooManyCosmicRays
        Raised if more than ``nCrPixelMax`` pixels are hit.
    """
    image, mask, variance = exposure.image, exposure.mask, exposure.variance
    planes = exposure.mask_planes
    bad = planes.bits(["BAD", "INTRP", "SAT", "NO_DATA"])
    cr, interpolated = planes.bit("CR"), planes.bit("INTRP")
    thresholds = _psf_thresholds(psf, config.cond3_fac2)
    flat_image, flat_mask = image.reshape(-1), mask.reshape(-1)

    room = min(config.nCrPixelMax, image.size)
    hit = np.empty(room, np.int64)
    originals = np.empty(room, np.float32)
    n = find_hit_pixels(
        image,
        mask,
        variance,
        background,
        thresholds,
        config.minSigma,
        config.cond3_fac,
        bad,
        interpolated,
        hit,
        originals,
    )
    flat_image[hit[:n]] = originals[: min(n, room)]
    if n > room:
        raise _too_many(config.nCrPixelMax)
    hit = hit[:n]
    rays = _group(hit, image, background, config.min_DN)
    count = len(rays.first) - 1
    if reproduce_reference_defects:
        pixels = _reference_repair(exposure, rays, n, thresholds, background, config)
        unpredicted = 0
    else:
        pixels, unpredicted = _repair(exposure, rays, psf, thresholds, background, config, cr, bad)
    flat_mask[pixels] |= cr if config.keepCRs else cr | interpolated
    return CosmicRays(count, np.unique(pixels), unpredicted)


def _too_many(limit: int) -> TooManyCosmicRays:
    return TooManyCosmicRays(f"cosmic rays hit more than the {limit} pixels allowed", maxCosmicRays=limit)


def _psf_thresholds(psf: NDArray[np.float64], fraction: float) -> NDArray[np.float64]:
    """Mean of the neighbours on a line around a star's centre as a fraction of it: along x, along y, diagonal."""
    y, x = psf.shape[0] // 2, psf.shape[1] // 2
    along_x = psf[y, x - 1] + psf[y, x + 1]
    along_y = psf[y - 1, x] + psf[y + 1, x]
    diagonal = psf[y - 1, x - 1] + psf[y - 1, x + 1] + psf[y + 1, x - 1] + psf[y + 1, x + 1]
    means: NDArray[np.float64] = np.array([along_x / 2, along_y / 2, diagonal / 4])
    return fraction * means / float(psf[y, x])


def _group(hit: NDArray[np.int64], image: NDArray[np.float32], background: float, minimum: float) -> _Rays:
    """Group hit pixels into rays, in the reference's order, and drop those whose total is below the minimum."""
    spans = np.empty((len(hit), 3), np.int32)
    labels = np.empty(len(hit), np.int64)
    n_spans = label_rays(hit, image.shape[1], spans, labels)
    order = np.argsort(labels[:n_spans], kind="stable")
    spans, labels = spans[:n_spans][order], labels[:n_spans][order]
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    first = np.append(starts, n_spans)
    sums = np.empty(len(starts), np.float32)
    ray_sums(image, background, spans, first, sums)
    keep = sums >= minimum
    sizes = np.diff(first)
    spans = spans[np.repeat(keep, sizes)]
    return _Rays(spans, np.concatenate([[0], np.cumsum(sizes[keep])]))


def _repair(
    exposure: Exposure,
    rays: _Rays,
    psf: NDArray[np.float64],
    thresholds: NDArray[np.float64],
    background: float,
    config: Any,
    cr: int,
    bad: int,
) -> tuple[NDArray[np.int64], int]:
    """Grow the rays and predict their pixels; return these, and how many could not be predicted."""
    image, mask, variance = exposure.image, exposure.mask, exposure.variance
    flat_image, flat_mask = image.reshape(-1), mask.reshape(-1)
    unusable = bad | cr
    # a ray across a bad column spoils what was interpolated there from hit neighbours; charge that bled is no ray
    not_grown_into = exposure.mask_planes.bits(["SAT", "NO_DATA"]) | cr
    prediction = LinePrediction(psf)
    pixels = rays.pixels(image.shape[1])
    originals = flat_image[pixels]
    # predictions must not use the hit pixels: while they are sought, the mask tells which they are
    before = flat_mask[pixels]
    flat_mask[pixels] |= cr
    for _ in range(config.niteration):
        prediction.fill(
            image, mask, variance, pixels=pixels, unusable=unusable, otherwise=background, growing=True
        )
        found = np.empty(8 * len(pixels), np.int64)
        n = grow_into_neighbours(
            image, mask, variance, background, thresholds, config.minSigma / 2, not_grown_into, pixels, found
        )
        new = np.unique(found[:n])
        if len(new) == 0:
            break
        pixels = np.concatenate([pixels, new])
        originals = np.concatenate([originals, flat_image[new]])
        before = np.concatenate([before, flat_mask[new]])
        flat_mask[new] |= cr
        if len(pixels) > config.nCrPixelMax:
            flat_image[pixels], flat_mask[pixels] = originals, before
            raise _too_many(config.nCrPixelMax)
    if config.keepCRs:
        flat_image[pixels] = originals
        return pixels, 0
    unpredicted = prediction.fill(
        image, mask, variance, pixels=pixels, unusable=unusable, otherwise=background
    )
    return pixels, unpredicted


def _reference_repair(
    exposure: Exposure,
    rays: _Rays,
    n_stored: int,
    thresholds: NDArray[np.float64],
    background: float,
    config: Any,
) -> NDArray[np.int64]:
    """Grow the rays and fill them with noise as the reference does; return their pixels, some more than once."""
    image, variance = exposure.image, exposure.variance
    width = image.shape[1]
    original = image.copy()
    first_pixels = rays.pixels(width)
    noise_fill(image, variance, rays.pixels(width, backwards=True), background)
    # the reference counts one more stored pixel than there are
    room = config.nCrPixelMax - n_stored - 1
    grown = 0
    for _ in range(config.niteration):
        n_pixels = int((rays.spans[:, 2] - rays.spans[:, 1] + 3).sum())
        spans = np.empty((len(rays.spans) + 3 * n_pixels, 3), np.int32)
        first = np.empty_like(rays.first)
        taken, too_many = grow_rays(
            image,
            variance,
            background,
            thresholds,
            config.minSigma / 2,
            rays.spans,
            rays.first,
            room - grown,
            spans,
            first,
        )
        if too_many:
            image[:] = original
            raise _too_many(config.nCrPixelMax)
        rays = _Rays(spans[: first[-1]].copy(), first)
        grown += taken
        if grown == 0:
            break
    pixels = rays.pixels(width, backwards=True)
    if config.keepCRs:
        image.reshape(-1)[first_pixels] = original.reshape(-1)[first_pixels]
    else:
        noise_fill(image, variance, pixels, background)
    return pixels
