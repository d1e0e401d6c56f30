"""The deblender in a process of its own, beside photutils and sep or on hostile blends; prints JSON.

python -m benchmarks._deblend speed FOLDER
python -m benchmarks._deblend {thousand,nan,off-edge,saturated} CROWDED_FOLDER
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._captured import Captured, capture
from benchmarks._measuring import Spent, best_of, measured, peak_mib, reset_peak
from benchmarks._scenes import WARM_UP, inputs_of
from secondlight import threads
from secondlight.model.catalog import SourceCatalog
from secondlight.model.footprints import Footprint, Footprints, span_pixels
from secondlight.tasks._smooth import gaussian_kernel, smooth
from secondlight.tasks.deblend import SourceDeblendTask

__all__ = ["blend_map", "smoothed_like_detection"]


def smoothed_like_detection(captured: Captured) -> tuple[Any, float]:
    """Return the image smoothed as the detection smooths it, and the width of the PSF [pixel]."""
    config = captured.task.config.detection
    sigma = captured.task.detection.metadata["sigma"]
    return smooth(captured.repaired, gaussian_kernel(sigma, config.nSigmaForKernel)), sigma


def blend_map(footprints: Footprints, shape: tuple[int, ...], x0: int, y0: int) -> np.ndarray:
    """Return an image of labels: 1, 2, … for the footprints in turn."""
    out = np.zeros(shape, np.int32)
    label = np.repeat(np.arange(1, len(footprints) + 1), np.diff(footprints.span_offsets))
    y, a, b = (footprints.spans - np.array([y0, x0, x0])).T
    for value, i, j, k in zip(label.tolist(), y.tolist(), a.tolist(), b.tolist(), strict=True):
        out[i, j : k + 1] = value
    return out


def _row(name: str, n_threads: int, spent: Spent, blends: int | None, children: int) -> dict[str, Any]:
    return {
        "name": name,
        "threads": n_threads,
        "cpu": spent.cpu,
        "wall": spent.wall,
        "blends": blends,
        "children": children,
    }


def _ours(captured: Captured) -> list[dict[str, Any]]:
    rows = []
    # a copy of the catalogue is the benchmark's own expense
    copying = best_of(lambda: copy.deepcopy((captured.catalog, captured.ids)))
    for n in (1, 2):
        with threads.use(n):
            spent = best_of(captured.deblend)
        catalog = captured.deblend()
        spent = Spent(spent.cpu - copying.cpu, spent.wall - copying.wall)
        parents = int((catalog["deblend_nChild"] > 0).sum())
        rows.append(_row("secondlight", n, spent, parents, int((catalog["parent"] != 0).sum())))
    return rows


def _photutils(captured: Captured) -> list[dict[str, Any]]:
    from photutils.segmentation import SegmentationImage, deblend_sources

    image, _ = smoothed_like_detection(captured)
    footprints = captured.catalog.footprints
    whole = blend_map(footprints, captured.exposure.image.shape, captured.exposure.x0, captured.exposure.y0)
    # without the frame in which nothing is smoothed
    labels = np.ascontiguousarray(whole[image.part])
    blends = np.flatnonzero(footprints.peak_counts > 1) + 1
    blends = np.intersect1d(blends, labels)
    data = image.image.astype(np.float64)
    segments = SegmentationImage(labels)
    rows = []
    for n in (1, 2):

        def work(n: int = n) -> Any:
            return deblend_sources(data, segments, 5, labels=blends, n_threads=n)

        spent = best_of(work, 1)
        children = work().n_labels - segments.n_labels + len(blends)
        rows.append(_row("photutils `deblend_sources`", n, spent, len(blends), children))
    return rows


def _sep(captured: Captured) -> list[dict[str, Any]]:
    import sep

    image, _ = smoothed_like_detection(captured)
    data, error = image.image, np.sqrt(image.variance[:])
    threshold = captured.task.config.detection.thresholdValue
    sep.set_extract_pixstack(len(data.ravel()))
    sep.set_sub_object_limit(1_000_000)

    def extract(contrast: float) -> Any:
        return sep.extract(
            data, threshold, err=error, minarea=1, filter_kernel=None, deblend_cont=contrast, clean=False
        )

    whole, plain = best_of(lambda: extract(0.005)), best_of(lambda: extract(1.0))
    found = len(extract(0.005)) - len(extract(1.0))
    spent = Spent(whole.cpu - plain.cpu, whole.wall - plain.wall)
    return [_row("sep `extract`, with less without deblending", 1, spent, None, found)]


def _speed(folder: Path) -> dict[str, Any]:
    # photutils has no such limit
    captured = capture(inputs_of(folder), "deblend.maxFootprintArea=0")
    return {"rows": [*_ours(captured), *_photutils(captured), *_sep(captured)]}


def _hostile(folder: Path, change: Callable[[Captured], Footprint]) -> dict[str, Any]:
    """Deblend one blend after ``change`` made it, on one thread."""
    captured = capture(inputs_of(folder))
    footprint = change(captured)
    config = SourceDeblendTask.ConfigClass()
    config.maxFootprintArea = 0
    schema = type(captured.catalog.schema).minimal()
    task = SourceDeblendTask(schema=schema, config=config, name="deblend")
    catalog = SourceCatalog(schema, 1, Footprints.from_list([footprint]))
    catalog["id"] = captured.catalog["id"][:1]
    reset_peak()
    before = peak_mib()
    with threads.use(1), measured() as spent:
        task.run(captured.exposure, catalog, captured.ids)
    flags = [c.name for c in schema if c.name.startswith("deblend_") and c.type == "Flag"]
    return {
        "cpu": spent.cpu,
        "wall": spent.wall,
        "peak_mib": peak_mib(),
        "before_mib": before,
        "area": footprint.area,
        "peaks": len(footprint.peaks),
        "children": len(catalog) - 1,
        "flags": [f.removeprefix("deblend_") for f in flags if catalog[f][0]],
    }


def _largest(captured: Captured) -> Footprint:
    """The blend of the scene with the most peaks."""
    footprints = captured.catalog.footprints
    return footprints[int(np.argmax(footprints.peak_counts))]


def _thousand(captured: Captured) -> Footprint:
    """All peaks of the scene in one footprint as large as the image."""
    exposure = captured.exposure
    ny, nx = exposure.image.shape
    rows = np.arange(ny, dtype=np.int32) + exposure.y0
    spans = np.column_stack([rows, np.full(ny, exposure.x0), np.full(ny, exposure.x0 + nx - 1)])
    peaks = captured.catalog.footprints.peaks
    return Footprint(spans.astype(np.int32), peaks[np.argsort(-peaks["peakValue"], kind="stable")])


def _nebula(captured: Captured) -> Footprint:
    """A hundred of the peaks on light that covers the whole image, so that no template ends where the sky begins."""
    exposure = captured.exposure
    ny, nx = exposure.image.shape
    y, x = np.mgrid[:ny, :nx] - np.array([ny / 2, nx / 2])[:, None, None]
    noise = float(np.sqrt(np.median(exposure.variance)))
    exposure.image += (100 * noise * np.exp(-(x * x + y * y) / (2 * (nx / 3) ** 2))).astype(np.float32)
    footprint = _thousand(captured)
    return Footprint(footprint.spans, footprint.peaks[:100])


def _with_nan(captured: Captured) -> Footprint:
    footprint = _largest(captured)
    x, y = int(footprint.peaks["i_x"][1]), int(footprint.peaks["i_y"][1])
    captured.exposure.image[y - captured.exposure.y0, x - captured.exposure.x0] = np.nan
    return footprint


def _off_edge(captured: Captured) -> Footprint:
    """The same, moved so that half of it is left of the image."""
    footprint = _largest(captured)
    shift = captured.exposure.x0 - int(footprint.centroid[0])
    peaks = footprint.peaks.copy()
    peaks["i_x"] += shift
    peaks["f_x"] += shift
    return Footprint(footprint.spans + np.array([0, shift, shift], np.int32), peaks)


def _saturated(captured: Captured) -> Footprint:
    footprint = _largest(captured)
    exposure = captured.exposure
    y, x = span_pixels(footprint.spans)
    exposure.image[y - exposure.y0, x - exposure.x0] = 150000.0
    exposure.mask[y - exposure.y0, x - exposure.x0] |= exposure.mask_planes.bit("SAT")
    return footprint


_HOSTILE = {
    "thousand": _thousand,
    "nebula": _nebula,
    "nan": _with_nan,
    "off-edge": _off_edge,
    "saturated": _saturated,
}


def main() -> None:
    """Warm up, run, print."""
    what, folder = sys.argv[1], Path(sys.argv[2])
    capture(inputs_of(WARM_UP.folder())).deblend()
    print(json.dumps(_speed(folder) if what == "speed" else _hostile(folder, _HOSTILE[what])))


if __name__ == "__main__":
    main()
