"""The children of blends: footprints with pixels of their own, and what the table says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondlight import threads
from secondlight.kernels.deblend.apportion import apportion
from secondlight.kernels.deblend.regions import view
from secondlight.kernels.deblend.stray import (
    RULE_NEAREST,
    RULE_TO_FOOTPRINT,
    RULE_TO_PEAK,
    share_stray_flux,
)
from secondlight.kernels.spans import find_pixels
from secondlight.model.exposure import Exposure
from secondlight.model.footprints import Footprint, HeavyPixels, normalize_spans, span_pixels

from ._blends import BLEND_CHUNK, Blends, offsets
from ._point_sources import PointSources, find_point_sources
from ._templates import PeakTemplates, find_templates

__all__ = ["Deblended", "deblend"]

_RULES = {
    "r-to-peak": RULE_TO_PEAK,
    "r-to-footprint": RULE_TO_FOOTPRINT,
    "nearest-footprint": RULE_NEAREST,
}


@dataclass(frozen=True)
class Deblended:
    """What became of a blend.

    Parameters
    ----------
    spans
        The parent's footprint from now on, in parent coordinates.
    skipped
        What the parent's ``deblend_skipped`` says.
    children
        Footprints of the children in the order of the peaks.
    peaks
        Shape ``(c,)``: the peak of each child, counted within the blend.
    columns
        Values of the children's columns, by name.
    """

    spans: NDArray[np.int32]
    skipped: bool
    children: list[Footprint]
    peaks: NDArray[np.intp]
    columns: dict[str, NDArray[Any]]


def deblend(exposure: Exposure, blends: Blends, sigma: float, config: Any) -> list[Deblended]:
    """Deblend some blends.

    Parameters
    ----------
    exposure
        The image; it is not changed.
    blends
        The blends.
    sigma
        Noise of the image [count].
    config
        A `SourceDeblendConfig`.
    """
    sources = find_point_sources(exposure, blends, config)
    templates = find_templates(exposure, blends, sources, sigma, config)
    pixels, start = _divide(exposure, blends, templates)
    return [
        _assemble(exposure, blends, b, sources, templates, pixels, start, config) for b in range(len(blends))
    ]


def _divide(
    exposure: Exposure, blends: Blends, found: PeakTemplates
) -> tuple[HeavyPixels, NDArray[np.int64]]:
    """Divide the pixels; return those of all templates and where each one's begin."""
    spans, span_start = found.templates.spans, found.templates.span_start
    start = offsets(spans[:, 2].astype(np.int64) - spans[:, 1] + 1)[span_start]
    n = int(start[-1])
    pixels = HeavyPixels(np.zeros(n, np.float32), np.zeros(n, np.int32), np.zeros(n, np.float32))

    def work(first: int, stop: int) -> None:
        apportion(
            exposure.image,
            exposure.mask,
            exposure.variance,
            blends.regions,
            blends.peaks,
            found.templates,
            found.used,
            start,
            first,
            stop,
            pixels.image,
            pixels.mask,
            pixels.variance,
        )

    threads.map_chunks(work, len(blends), BLEND_CHUNK)
    return pixels, start


def _assemble(
    exposure: Exposure,
    blends: Blends,
    b: int,
    sources: PointSources,
    found: PeakTemplates,
    pixels: HeavyPixels,
    pixel_start: NDArray[np.int64],
    config: Any,
) -> Deblended:
    """Make the children of one blend."""
    first, stop = (int(v) for v in blends.peaks.start[b : b + 2])
    own_peaks = blends.footprints[b].peaks
    shift = np.array([exposure.y0, exposure.x0, exposure.x0], np.int32)
    used = found.used[first:stop]
    spans: dict[int, NDArray[np.int32]] = {}
    heavy: dict[int, HeavyPixels] = {}
    for i in np.flatnonzero(used).tolist():
        k = first + i
        spans[i] = (
            found.templates.spans[found.templates.span_start[k] : found.templates.span_start[k + 1]] + shift
        )
        part = slice(pixel_start[k], pixel_start[k + 1])
        heavy[i] = HeavyPixels(pixels.image[part], pixels.mask[part], pixels.variance[part])
    stray = np.zeros(stop - first, np.bool_)
    trim = config.strayFluxRule == "trim"
    if config.assignStrayFlux and not trim and spans:
        _add_stray_flux(exposure, blends, b, sources, found, spans, heavy, stray, config)
    parent = normalize_spans(
        np.concatenate(
            [*spans.values(), *([] if trim else [blends.footprints[b].spans]), np.empty((0, 3), np.int32)]
        )
    )
    if not len(parent) and not config.reproduceReferenceDefects:
        parent = blends.footprints[b].spans
    chosen = np.flatnonzero(used)
    if config.propagateAllPeaks:
        chosen = np.arange(stop - first)
        area = int((parent[:, 2] - parent[:, 1] + 1).sum())
        nothing = HeavyPixels(
            np.zeros(area, np.float32), np.zeros(area, np.int32), np.zeros(area, np.float32)
        )
        for i in np.flatnonzero(~used).tolist():
            spans[i], heavy[i] = parent, nothing
    if config.reproduceReferenceDefects:
        skipped = not (used[-1] or config.propagateAllPeaks)
    else:
        skipped = not used.any()
    is_psf = sources.is_psf[first:stop][chosen]

    def of_psf(values: NDArray[np.float64], shift: int = 0) -> NDArray[np.float64]:
        return np.where(is_psf, values[first:stop][chosen] + shift, np.nan)

    return Deblended(
        parent,
        skipped,
        [Footprint(spans[i], own_peaks[i : i + 1], heavy[i]) for i in chosen.tolist()],
        chosen,
        {
            "deblend_deblendedAsPsf": is_psf,
            "deblend_psfCenter_x": of_psf(sources.x, exposure.x0),
            "deblend_psfCenter_y": of_psf(sources.y, exposure.y0),
            "deblend_psf_instFlux": of_psf(sources.flux),
            "deblend_rampedTemplate": found.ramped[first:stop][chosen],
            "deblend_patchedTemplate": found.patched[first:stop][chosen],
            "deblend_hasStrayFlux": stray[chosen],
        },
    )


def _add_stray_flux(
    exposure: Exposure,
    blends: Blends,
    b: int,
    sources: PointSources,
    found: PeakTemplates,
    spans: dict[int, NDArray[np.int32]],
    heavy: dict[int, HeavyPixels],
    stray: NDArray[np.bool_],
    config: Any,
) -> None:
    """Add its stray flux to each child of a blend, in place; set ``stray`` for those that get some."""
    first, stop = (int(v) for v in blends.peaks.start[b : b + 2])
    places, values, start = share_stray_flux(
        exposure.image,
        view(blends.regions, b),
        blends.regions.box[b],
        found.templates,
        found.used,
        sources.is_psf,
        blends.peaks.iy,
        blends.peaks.ix,
        first,
        stop,
        _RULES[config.strayFluxRule],
        config.strayFluxToPointSources == "always",
        config.strayFluxToPointSources == "necessary",
        config.clipStrayFluxFraction,
    )
    for i in np.flatnonzero(np.diff(start)).tolist():
        stray[i] = True
        y, x = places[start[i] : start[i + 1]].T
        given = HeavyPixels(values[start[i] : start[i + 1]], exposure.mask[y, x], exposure.variance[y, x])
        y, x = y + exposure.y0, x + exposure.x0
        spans[i], heavy[i] = _with_pixels(spans[i], heavy[i], y, x, given)


def _with_pixels(
    spans: NDArray[np.int32],
    heavy: HeavyPixels,
    y: NDArray[np.integer],
    x: NDArray[np.integer],
    more: HeavyPixels,
) -> tuple[NDArray[np.int32], HeavyPixels]:
    """Add pixels to a footprint: images and variances add up, masks are united."""
    united = normalize_spans(np.concatenate([spans, np.column_stack([y, x, x])]))
    row = offsets(united[:, 2].astype(np.int64) - united[:, 1] + 1)

    def place(y: NDArray[np.integer], x: NDArray[np.integer]) -> NDArray[np.int64]:
        span = find_pixels(united, np.asarray(y, np.int32), np.asarray(x, np.int32))
        return np.asarray(row[span] + x - united[span, 1], np.int64)

    n = int(row[-1])
    out = HeavyPixels(np.zeros(n, np.float32), np.zeros(n, np.int32), np.zeros(n, np.float32))
    old = place(*span_pixels(spans))
    out.image[old], out.mask[old], out.variance[old] = heavy.image, heavy.mask, heavy.variance
    new = place(y, x)
    out.image[new] += more.image
    out.mask[new] |= more.mask
    out.variance[new] += more.variance
    return united, out
