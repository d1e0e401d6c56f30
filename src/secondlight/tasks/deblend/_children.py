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
from secondlight.model.footprints import Footprint, Footprints, HeavyPixels, normalize_spans, span_pixels

from ._blends import BLEND_CHUNK, Blends, offsets, ranges
from ._point_sources import PointSources, find_point_sources
from ._templates import PeakTemplates, find_templates

__all__ = ["Deblended", "deblend"]

_RULES = {
    "r-to-peak": RULE_TO_PEAK,
    "r-to-footprint": RULE_TO_FOOTPRINT,
    "nearest-footprint": RULE_NEAREST,
}

type _Spans = NDArray[np.int32]


@dataclass(frozen=True)
class Deblended:
    """What became of some blends.

    Parameters
    ----------
    spans, span_start
        The parents' footprints from now on, in parent coordinates.
    skipped
        What ``deblend_skipped`` of each parent says.
    children
        The children of each blend in turn, in the order of their peaks.
    blend
        Shape ``(c,)``: the blend of each child.
    columns
        Values of the children's columns, by name.
    """

    spans: _Spans
    span_start: NDArray[np.int64]
    skipped: NDArray[np.bool_]
    children: Footprints
    blend: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]


def deblend(exposure: Exposure, blends: Blends, sigma: float, config: Any) -> Deblended:
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
    found = find_templates(exposure, blends, sources, sigma, config)
    pixels, pixel_start = _divide(exposure, blends, found)
    (chosen,) = np.nonzero(found.used)
    children = _cut_out(blends, found, pixels, pixel_start, chosen)
    trim = config.strayFluxRule == "trim"
    stray = np.zeros(blends.n_peaks, np.bool_)
    if config.assignStrayFlux and not trim:
        children, stray[chosen] = _add_stray_flux(exposure, blends, sources, found, children, chosen, config)
    spans, span_start = _unite(blends, children, chosen, keep_own=not trim)
    if not config.reproduceReferenceDefects:
        spans, span_start = _keep_some(blends, spans, span_start)
    made = found.used
    if config.propagateAllPeaks:
        children = _with_all_peaks(blends, children, chosen, spans, span_start)
        chosen = np.arange(blends.n_peaks)
        made = np.ones_like(made)
    if config.reproduceReferenceDefects:
        skipped = ~made[blends.peaks.start[1:] - 1]
    else:
        skipped = ~np.logical_or.reduceat(found.used, blends.peaks.start[:-1])
    is_psf = sources.is_psf[chosen]
    return Deblended(
        spans,
        span_start,
        skipped,
        children,
        blends.peaks.blend[chosen],
        {
            "deblend_deblendedAsPsf": is_psf,
            "deblend_psfCenter_x": np.where(is_psf, sources.x[chosen] + blends.x0, np.nan),
            "deblend_psfCenter_y": np.where(is_psf, sources.y[chosen] + blends.y0, np.nan),
            "deblend_psf_instFlux": np.where(is_psf, sources.flux[chosen], np.nan),
            "deblend_rampedTemplate": found.ramped[chosen],
            "deblend_patchedTemplate": found.patched[chosen],
            "deblend_hasStrayFlux": stray[chosen],
        },
    )


def _divide(
    exposure: Exposure, blends: Blends, found: PeakTemplates
) -> tuple[HeavyPixels, NDArray[np.int64]]:
    """Divide the pixels; return those of all templates and where each one's begin."""
    start = offsets(_lengths(found.templates.spans))[found.templates.span_start]
    pixels = _nothing(int(start[-1]))

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


def _lengths(spans: _Spans) -> NDArray[np.int64]:
    return np.asarray(spans[:, 2].astype(np.int64) - spans[:, 1] + 1, np.int64)


def _nothing(area: int) -> HeavyPixels:
    return HeavyPixels(np.zeros(area, np.float32), np.zeros(area, np.int32), np.zeros(area, np.float32))


def _cut_out(
    blends: Blends,
    found: PeakTemplates,
    pixels: HeavyPixels,
    pixel_start: NDArray[np.int64],
    chosen: NDArray[np.intp],
) -> Footprints:
    """Make footprints, in parent coordinates, of the peaks that take part."""
    index, span_start = ranges(found.templates.span_start, chosen)
    shift = np.array([blends.y0, blends.x0, blends.x0], np.int32)
    lengths = np.diff(pixel_start)
    if lengths[chosen].sum() < len(pixels.image):
        kept = np.repeat(found.used, lengths)
        pixels = HeavyPixels(pixels.image[kept], pixels.mask[kept], pixels.variance[kept])
    return Footprints(
        span_start,
        found.templates.spans[index] + shift,
        np.arange(len(chosen) + 1),
        blends.footprints.peaks[chosen],
        offsets(lengths[chosen]),
        pixels,
    )


def _unite(
    blends: Blends, children: Footprints, chosen: NDArray[np.intp], *, keep_own: bool
) -> tuple[_Spans, NDArray[np.int64]]:
    """Return the spans of all children of each blend, and of the blend itself if it is to keep its own."""
    spans = children.spans
    blend = np.repeat(blends.peaks.blend[chosen], np.diff(children.span_offsets))
    if keep_own:
        own = blends.footprints
        spans = np.concatenate([spans, own.spans])
        blend = np.concatenate([blend, np.repeat(np.arange(len(blends)), np.diff(own.span_offsets))])
    if not len(spans):
        return spans, np.zeros(len(blends) + 1, np.int64)
    y, x0, x1 = spans.T
    order = np.lexsort((x0, y, blend))
    blend, y, x0, x1 = blend[order], y[order], x0[order], x1[order]
    # rows of all blends one behind the other, told apart by an offset larger than any x
    row = np.cumsum(np.concatenate([[0], (np.diff(blend) != 0) | (np.diff(y) != 0)])) << 33
    reach = np.maximum.accumulate(row + x1)
    (first,) = np.nonzero(np.concatenate([[True], row[1:] + x0[1:] > reach[:-1] + 1]))
    united = np.column_stack([y[first], x0[first], np.maximum.reduceat(x1, first)])
    return united, np.searchsorted(blend[first], np.arange(len(blends) + 1)).astype(np.int64)


def _keep_some(
    blends: Blends, spans: _Spans, span_start: NDArray[np.int64]
) -> tuple[_Spans, NDArray[np.int64]]:
    """Give blends that were left without any pixel their own footprints back."""
    lengths = np.diff(span_start)
    empty = lengths == 0
    own_index, own_start = ranges(blends.footprints.span_offsets, np.flatnonzero(empty))
    lengths[empty] = np.diff(own_start)
    out = np.empty((lengths.sum(), 3), np.int32)
    from_own = np.repeat(empty, lengths)
    out[from_own], out[~from_own] = blends.footprints.spans[own_index], spans
    return out, offsets(lengths)


def _with_all_peaks(
    blends: Blends,
    children: Footprints,
    chosen: NDArray[np.intp],
    spans: _Spans,
    span_start: NDArray[np.int64],
) -> Footprints:
    """Return a footprint for every peak: for those without a template, the parent's, with pixels that are all 0."""
    found = dict(zip(chosen.tolist(), children, strict=True))
    result = []
    for k, b in enumerate(blends.peaks.blend.tolist()):
        if k not in found:
            own = spans[span_start[b] : span_start[b + 1]]
            found[k] = Footprint(own, blends.footprints.peaks[k : k + 1], _nothing(int(_lengths(own).sum())))
        result.append(found[k])
    return Footprints.from_list(result)


def _add_stray_flux(
    exposure: Exposure,
    blends: Blends,
    sources: PointSources,
    found: PeakTemplates,
    children: Footprints,
    chosen: NDArray[np.intp],
    config: Any,
) -> tuple[Footprints, NDArray[np.bool_]]:
    """Add its stray flux to each child; also tell which children got some."""
    shares: dict[int, tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]] = {}

    def work(start: int, stop: int) -> None:
        for b in range(start, stop):
            shares[b] = share_stray_flux(
                exposure.image,
                view(blends.regions, b),
                blends.regions.box[b],
                found.templates,
                found.used,
                sources.is_psf,
                blends.peaks.iy,
                blends.peaks.ix,
                int(blends.peaks.start[b]),
                int(blends.peaks.start[b + 1]),
                _RULES[config.strayFluxRule],
                config.strayFluxToPointSources == "always",
                config.strayFluxToPointSources == "necessary",
                float(config.clipStrayFluxFraction),
            )

    threads.map_chunks(work, len(blends), 1)
    result = []
    got_some = np.zeros(len(chosen), np.bool_)
    for n, (k, child) in enumerate(zip(chosen.tolist(), children, strict=True)):
        b = int(blends.peaks.blend[k])
        places, values, start = shares[b]
        part = slice(*start[k - blends.peaks.start[b] :][:2])
        if part.start == part.stop:
            result.append(child)
            continue
        got_some[n] = True
        y, x = places[part].T
        given = HeavyPixels(values[part], exposure.mask[y, x], exposure.variance[y, x])
        result.append(_with_pixels(child, y + blends.y0, x + blends.x0, given))
    return Footprints.from_list(result), got_some


def _with_pixels(
    footprint: Footprint, y: NDArray[np.integer], x: NDArray[np.integer], more: HeavyPixels
) -> Footprint:
    """Add pixels to a footprint: images and variances add up, masks are united."""
    united = normalize_spans(np.concatenate([footprint.spans, np.column_stack([y, x, x])]))
    row = offsets(_lengths(united))

    def place(y: NDArray[np.integer], x: NDArray[np.integer]) -> NDArray[np.int64]:
        span = find_pixels(united, np.asarray(y, np.int32), np.asarray(x, np.int32))
        return np.asarray(row[span] + x - united[span, 1], np.int64)

    out = _nothing(int(row[-1]))
    if footprint.heavy is not None:
        old = place(*span_pixels(footprint.spans))
        out.image[old], out.mask[old] = footprint.heavy.image, footprint.heavy.mask
        out.variance[old] = footprint.heavy.variance
    new = place(y, x)
    out.image[new] += more.image
    out.mask[new] |= more.mask
    out.variance[new] += more.variance
    return Footprint(united, footprint.peaks, out)
