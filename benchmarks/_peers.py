"""Stages beside the packages that have them, on one thread, in one process; prints JSON.

python -m benchmarks._peers SCENE_FOLDER
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._captured import Captured, capture
from benchmarks._measuring import measured
from benchmarks._scenes import WARM_UP, inputs_of
from secondlight import threads
from secondlight.measurement import Batch
from secondlight.model.exposure import Exposure
from secondlight.tasks._smooth import gaussian_kernel
from secondlight.tasks.detection import SourceDetectionTask
from secondlight.tasks.subtract_background import SubtractBackgroundTask

#: Sources that are measured together, as in the task.
_BATCH = 128

#: Who does what: name, work, and the number of things that it made, to see that the work is alike.
type _Work = tuple[str, Callable[[], object], Callable[[Any], int]]


def background(captured: Captured) -> Iterator[_Work]:
    """Clipped levels of 128-pixel boxes, and a smooth model of them at every pixel."""
    import sep
    from photutils.background import Background2D

    exposure = captured.repaired
    task = SubtractBackgroundTask()
    yield "secondlight", lambda: task.fit_background(exposure).image(), np.size
    image = np.ascontiguousarray(exposure.image)
    masked = (exposure.mask & exposure.mask_planes.bits(task.config.ignoredPixelMask)) != 0
    yield "sep", lambda: sep.Background(image, mask=masked, bw=128, bh=128).back(), np.size
    yield "photutils", lambda: Background2D(image, 128, mask=masked).background, np.size


def detection(captured: Captured) -> Iterator[_Work]:
    """Smooth with a Gaussian as wide as the PSF, threshold at 5 of each pixel's own sigma, find connected regions."""
    import sep
    from astropy.convolution import convolve
    from photutils.segmentation import detect_sources

    exposure = captured.repaired
    task: SourceDetectionTask = captured.task.detection
    kept = Exposure(exposure.image, exposure.mask, exposure.variance, mask_planes=exposure.mask_planes)
    kept.psf = captured.exposure.psf
    yield "secondlight", lambda: task.run(kept), lambda found: found.numPos
    sigma = captured.task.detection.metadata["sigma"]
    weights = gaussian_kernel(sigma, task.config.nSigmaForKernel)
    kernel = np.outer(weights, weights)
    error = np.sqrt(exposure.variance)
    # as many pixels may be above the threshold as it likes
    sep.set_extract_pixstack(exposure.image.size)

    # smoothing lowers the noise by this
    quieter = float(np.sqrt((kernel**2).sum()))

    def by_sep(filter_type: str, threshold: float) -> Any:
        return sep.extract(
            exposure.image,
            threshold,
            err=error,
            minarea=1,
            filter_kernel=kernel,
            filter_type=filter_type,
            deblend_cont=1.0,
            clean=False,
            segmentation_map=True,
        )

    limit = task.config.thresholdValue
    yield "sep, noise smoothed too", lambda: by_sep("matched", limit), lambda found: len(found[0])
    yield "sep", lambda: by_sep("conv", limit * quieter), lambda found: len(found[0])
    threshold = limit * error * quieter

    def by_photutils() -> Any:
        return detect_sources(convolve(exposure.image, kernel, boundary="extend"), threshold, 1)

    yield "photutils", by_photutils, lambda found: found.n_labels


def apertures(captured: Captured) -> Iterator[_Work]:
    """Fluxes and errors in circles of ten radii, 3 to 70 pixels, around every source."""
    import sep
    from photutils.aperture import CircularAperture, aperture_photometry

    catalog, exposure = captured.measured, captured.exposure
    plugin = _plugin(captured, "base_CircularApertureFlux")
    radii = list(plugin.config.radii)
    yield "secondlight", lambda: _measure(captured, plugin), lambda _: len(catalog)
    x = np.ascontiguousarray(catalog["slot_Centroid_x"] - exposure.x0)
    y = np.ascontiguousarray(catalog["slot_Centroid_y"] - exposure.y0)
    error = np.sqrt(exposure.variance)

    def by_sep(subpix: int) -> list[Any]:
        return [sep.sum_circle(exposure.image, x, y, r, err=error, subpix=subpix) for r in radii]

    yield "sep, exact", lambda: by_sep(0), lambda found: len(found[0][0])
    yield "sep, 5 x 5 points a pixel", lambda: by_sep(5), lambda found: len(found[0][0])
    circles = [CircularAperture(np.column_stack([x, y]), r) for r in radii]

    def by_photutils() -> Any:
        return aperture_photometry(exposure.image, circles, error=error)

    yield "photutils, exact", by_photutils, len


def moments(captured: Captured) -> Iterator[_Work]:
    """Adaptive moments of every source, on the box of its footprint, bad pixels left out."""
    import galsim

    catalog, exposure = captured.measured, captured.exposure
    plugin = _plugin(captured, "ext_shapeHSM_HsmSourceMoments")
    column = "ext_shapeHSM_HsmSourceMoments_xx"
    yield (
        "secondlight",
        lambda: _measure(captured, plugin),
        lambda _: int(np.isfinite(catalog[column]).sum()),
    )
    bad = exposure.mask_planes.bits(plugin.config.badMaskPlanes)
    ny, nx = exposure.image.shape
    boxes = catalog.footprints.boxes - np.array([exposure.y0, exposure.y0, exposure.x0, exposure.x0])
    x, y = catalog["slot_Centroid_x"] - exposure.x0, catalog["slot_Centroid_y"] - exposure.y0
    psf = exposure.psf
    assert psf is not None
    widths = 2.5 * np.sqrt(
        psf.moments(catalog["slot_Centroid_x"], catalog["slot_Centroid_y"])[:, :2].mean(axis=1)
    )

    def by_galsim() -> int:
        done = 0
        for i, (y0, y1, x0, x1) in enumerate(np.clip(boxes, 0, [ny, ny, nx, nx]).tolist()):
            part = slice(y0, y1), slice(x0, x1)
            image = galsim.Image(exposure.image[part].astype(np.float64), xmin=x0, ymin=y0)
            badpix = galsim.Image(((exposure.mask[part] & bad) != 0).astype(np.int32), xmin=x0, ymin=y0)
            try:
                shape = galsim.hsm.FindAdaptiveMom(
                    image,
                    badpix=badpix,
                    guess_sig=widths[i],
                    guess_centroid=galsim.PositionD(x[i], y[i]),
                    strict=False,
                )
            except (galsim.GalSimError, ValueError):
                continue
            done += shape.error_message == ""
        return done

    yield "GalSim `hsm`, called once a source", by_galsim, int


def _plugin(captured: Captured, name: str) -> Any:
    return next(p for p in captured.task.measurement.plugins if p.name == name)


def _measure(captured: Captured, plugin: Any) -> None:
    """Measure all sources with one plugin, on the image as it is."""
    n = len(captured.measured)
    for start in range(0, n, _BATCH):
        plugin.measure(Batch(captured.measured, captured.exposure, start, min(start + _BATCH, n)))


STAGES = {
    "background": background,
    "detection": detection,
    "apertures": apertures,
    "adaptive moments": moments,
}


def main() -> None:
    """Capture, measure, print."""
    capture(inputs_of(WARM_UP.folder()), measure=True)
    captured = capture(inputs_of(Path(sys.argv[1])), measure=True)
    rows: list[dict[str, Any]] = []
    with threads.use(1):
        for stage, make in STAGES.items():
            for name, work, count in make(captured):
                # the first call compiles and touches the inputs, and tells what it made
                made = int(count(work()))
                with measured() as spent:
                    work()
                rows.append(
                    {"stage": stage, "name": name, "cpu": spent.cpu, "wall": spent.wall, "made": made}
                )
                print(rows[-1], file=sys.stderr)
    print(
        json.dumps({"rows": rows, "pixels": captured.exposure.image.size, "sources": len(captured.measured)})
    )


if __name__ == "__main__":
    main()
