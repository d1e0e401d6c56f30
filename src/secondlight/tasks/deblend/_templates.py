"""The templates of all peaks, and which of them count (spec 06.4.2 to 06.4.6, and the options on templates)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from lsst.images import Box
from numpy.typing import NDArray

from secondlight import threads
from secondlight.kernels.deblend.edge import Ramps, find_bright_edges, find_masked
from secondlight.kernels.deblend.overlap import template_products
from secondlight.kernels.deblend.regions import view
from secondlight.kernels.deblend.templates import (
    KIND_NONE,
    KIND_PATCHED,
    KIND_PSF,
    KIND_RAMPED,
    KIND_SYMMETRIC,
    Templates,
    make_templates,
)
from secondlight.model.exposure import Exposure
from secondlight.model.spans import circle, dilate

from ._blends import BLEND_CHUNK, Blends, draw_stamps, offsets, paint_regions
from ._point_sources import PointSources

__all__ = ["PeakTemplates", "find_templates"]

#: Peaks that a thread makes templates of at a time.
_CHUNK = 32

#: Templates that the reference removes from a blend at most.
_REFERENCE_REMOVALS = 50


@dataclass(frozen=True)
class PeakTemplates:
    """Templates, an entry a peak.

    Parameters
    ----------
    templates
        The templates.
    used
        Whether a peak takes part in dividing the flux.
    ramped, patched
        How templates at the edge were made.
    """

    templates: Templates
    used: NDArray[np.bool_]
    ramped: NDArray[np.bool_]
    patched: NDArray[np.bool_]


def find_templates(
    exposure: Exposure, blends: Blends, sources: PointSources, sigma: float, config: Any
) -> PeakTemplates:
    """Make templates, weight them and drop those too much alike, as configured.

    Parameters
    ----------
    exposure
        The image.
    blends
        The blends.
    sources
        Which peaks are point sources.
    sigma
        Noise of the image [count].
    config
        A `SourceDeblendConfig`.

    Raises
    ------
    RuntimeError
        Raised with ``weightTemplates``, if the reference's defects are wanted.
    """
    defects = bool(config.reproduceReferenceDefects)
    extended = blends.active & ~sources.skip & ~sources.is_psf & blends.in_footprint()
    kind = np.full(blends.n_peaks, KIND_NONE)
    kind[extended] = KIND_SYMMETRIC
    kind[sources.is_psf] = KIND_PSF
    at_edge = _templates_at_edge(exposure, blends, extended, sigma, config.edgeHandling)
    if config.edgeHandling == "ramp":
        kind[at_edge] = KIND_RAMPED
    elif config.edgeHandling == "noclip":
        kind[at_edge] = KIND_PATCHED
    ramps = _make_ramps(exposure, blends, kind == KIND_RAMPED)
    parts: dict[int, Templates] = {}

    def work(start: int, stop: int) -> None:
        parts[start] = make_templates(
            exposure.image,
            blends.regions,
            blends.peaks,
            kind,
            sources.stamps,
            sources.flux,
            ramps,
            bool(config.medianSmoothTemplate),
            defects,
            start,
            stop,
        )

    threads.map_chunks(work, blends.n_peaks, _CHUNK)
    templates = _joined(parts)
    used = kind != KIND_NONE
    if not defects:
        # what has no pixels is no source
        used &= np.diff(templates.span_start) > 0
    if config.weightTemplates and defects:
        raise RuntimeError("the reference cannot weight templates")
    if config.weightTemplates or config.removeDegenerateTemplates:
        for b in range(len(blends)):
            _select(exposure, blends, b, templates, used, sources.is_psf, config)
    return PeakTemplates(templates, used, kind == KIND_RAMPED, kind == KIND_PATCHED)


def _joined(parts: dict[int, Templates]) -> Templates:
    """Put templates one behind the other, by their keys; ``parts`` is emptied on the way: they are held only once."""
    order = sorted(parts)
    start = offsets(np.concatenate([np.diff(parts[k].start) for k in order]))
    span_start = offsets(np.concatenate([np.diff(parts[k].span_start) for k in order]))
    boxes = np.concatenate([parts[k].box for k in order])
    spans = np.concatenate([parts[k].spans for k in order])
    values = np.empty(start[-1], np.float32)
    done = 0
    for k in order:
        part = parts.pop(k).values
        values[done : done + len(part)] = part
        done += len(part)
    return Templates(values, start, boxes, spans, span_start)


def _templates_at_edge(
    exposure: Exposure, blends: Blends, extended: NDArray[np.bool_], sigma: float, handling: str
) -> NDArray[np.bool_]:
    """Find the peaks whose templates the edge cuts off: bright to their own edge, or touching a pixel masked EDGE."""
    found = np.zeros(blends.n_peaks, np.bool_)

    def bright(start: int, stop: int) -> None:
        threshold = np.float32(3 * sigma)
        find_bright_edges(
            exposure.image, blends.regions, blends.peaks, extended, threshold, start, stop, found
        )

    def masked(start: int, stop: int) -> None:
        bits = exposure.mask_planes.bits(["EDGE"])
        find_masked(exposure.mask, bits, blends.regions, blends.peaks, extended, start, stop, found)

    if handling != "clip":
        threads.map_chunks(bright if handling == "ramp" else masked, len(blends), BLEND_CHUNK)
    return found


def _make_ramps(exposure: Exposure, blends: Blends, ramped: NDArray[np.bool_]) -> Ramps:
    """Gather what continues the templates of the blends that have a template to continue."""
    chosen = np.unique(blends.peaks.blend[ramped])
    index = np.full(len(blends), -1)
    index[chosen] = np.arange(len(chosen))
    reach = ((1.5 * blends.fwhm[chosen] + 0.5) / 2).astype(np.int64) * 2 + 1
    y0, x0, h, w = blends.regions.box[chosen].T
    # the middle in parent coordinates, which the reference truncates
    x_mid = ((2 * (x0 + exposure.x0) + w - 1) / 2).astype(np.int64) - exposure.x0
    y_mid = ((2 * (y0 + exposure.y0) + h - 1) / 2).astype(np.int64) - exposure.y0
    stamps = draw_stamps(exposure, x_mid.astype(np.float64), y_mid.astype(np.float64))
    if not stamps.usable.all():
        raise ValueError("the PSF has no image in the middle of the blend")
    sy, sx = stamps.y0 - y_mid, stamps.x0 - x_mid
    for i, s in enumerate(reach):
        rows = slice(max(-s - sy[i], 0), max(s - sy[i] + 1, 0))
        columns = slice(max(-s - sx[i], 0), max(s - sx[i] + 1, 0))
        stamps.images[i] /= stamps.images[i, rows, columns].max()
    boxes = np.column_stack([y0 - reach, x0 - reach, h + 2 * reach, w + 2 * reach]).astype(np.int64)
    bounds = blends.footprints.span_offsets
    spans = [
        dilate(blends.spans[bounds[b] : bounds[b + 1]], circle(int(s)), Box.factory[y : y + h, x : x + w])
        for b, s, (y, x, h, w) in zip(chosen, reach, boxes.tolist(), strict=True)
    ]
    wide = paint_regions(
        np.concatenate([np.empty((0, 3), np.int32), *spans]), offsets([len(s) for s in spans]), boxes
    )
    return Ramps(wide, index, stamps.images, sy, sx, reach)


def _select(
    exposure: Exposure,
    blends: Blends,
    b: int,
    templates: Templates,
    used: NDArray[np.bool_],
    is_psf: NDArray[np.bool_],
    config: Any,
) -> None:
    """Weight the templates of one blend and drop those too much like another; ``templates`` and ``used`` are changed."""
    start, stop = blends.peaks.start[b : b + 2]
    chosen = start + np.flatnonzero(used[start:stop])
    if not len(chosen):
        return
    region, (y0, x0) = view(blends.regions, b), blends.regions.box[b, :2]

    def products(within: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        square, data = np.empty((len(chosen), len(chosen))), np.empty(len(chosen))
        template_products(exposure.image, region, y0, x0, templates, chosen, within, square, data)
        return square, data

    kept = np.arange(len(chosen))
    weights = np.ones(len(chosen))
    fit = products(True) if config.weightTemplates else None
    if fit is not None:
        weights = best_weights(*fit, kept)
    if config.removeDegenerateTemplates:
        square, _ = products(False)
        peak_values = np.array([_extremes(templates, k) for k in chosen])
        limit = _REFERENCE_REMOVALS if config.reproduceReferenceDefects else len(chosen)
        while limit > 0:
            scaled = square[np.ix_(kept, kept)] * np.outer(weights[kept], weights[kept])
            brightest = (peak_values[kept] * weights[kept, None]).max(axis=1)
            out = degenerate(scaled, brightest, is_psf[chosen[kept]], config.maxTempDotProd)
            if out is None:
                break
            used[chosen[kept[out]]] = False
            kept = np.delete(kept, out)
            limit -= 1
            if fit is not None:
                weights = best_weights(*fit, kept)
    if fit is not None:
        for i in kept:
            k = chosen[i]
            templates.values[templates.start[k] : templates.start[k + 1]] *= np.float32(weights[i])


def _extremes(templates: Templates, k: int) -> tuple[float, float]:
    values = templates.values[templates.start[k] : templates.start[k + 1]]
    return float(values.max(initial=0.0)), float(values.min(initial=0.0))


def best_weights(
    square: NDArray[np.float64], data: NDArray[np.float64], kept: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the weights with which templates add up to the image best, in the least-squares sense.

    Parameters
    ----------
    square
        Inner products of templates, shape ``(n, n)``.
    data
        Their inner products with the image, shape ``(n,)``.
    kept
        The templates that take part; the others get a weight of 0.

    Returns
    -------
    ndarray
        Shape ``(n,)``; the shortest solution where templates are not independent.
    """
    weights = np.zeros(len(data))
    weights[kept] = np.linalg.lstsq(square[np.ix_(kept, kept)], data[kept], rcond=None)[0]
    return weights


def degenerate(
    square: NDArray[np.float64], brightest: NDArray[np.float64], is_psf: NDArray[np.bool_], limit: float
) -> int | None:
    """Find a template that is too much like another one, and tell which of the two should go.

    Parameters
    ----------
    square
        Inner products of templates, shape ``(n, n)``.
    brightest
        Largest value of each.
    is_psf
        Which are point sources.
    limit
        Largest cosine between two templates that may both stay.

    Returns
    -------
    int or None
        Of the first pair that is too much alike: the point source if only one of them is, else the fainter one. `None` if
        there is no such pair.
    """
    norm = np.sqrt(np.outer(np.diag(square), np.diag(square)))
    cosine = np.tril(np.divide(square, norm, out=np.zeros_like(square), where=norm > 0), -1)
    rows = np.flatnonzero((cosine > limit).any(axis=1))
    if not len(rows):
        return None
    i = int(rows[0])
    j = int(np.argmax(cosine[i]))
    if is_psf[i] != is_psf[j]:
        return i if is_psf[i] else j
    return i if brightest[j] > brightest[i] else j
