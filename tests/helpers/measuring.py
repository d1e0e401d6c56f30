"""Small scenes to measure: stars on an image, their footprints, and a run of some plugins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from secondlight.model.catalog import SourceCatalog
from secondlight.model.exposure import Exposure
from secondlight.model.footprints import PEAK_DTYPE, Footprint, Footprints
from secondlight.model.psf.gaussian import GaussianPsf
from secondlight.model.schema import Schema
from secondlight.tasks.measurement import SingleFrameMeasurementTask


def gaussian_stars(shape, x, y, flux, sigma=1.8, noise=0.0, seed=0, x0=0, y0=0) -> Exposure:
    """An image of round Gaussian stars (sampled, not integrated) at parent positions, and its PSF."""
    ny, nx = shape
    gy, gx = np.mgrid[y0 : y0 + ny, x0 : x0 + nx].astype(float)
    image = np.zeros(shape)
    for xi, yi, fi in zip(np.atleast_1d(x), np.atleast_1d(y), np.atleast_1d(flux), strict=True):
        image += fi / (2 * np.pi * sigma**2) * np.exp(-0.5 * ((gx - xi) ** 2 + (gy - yi) ** 2) / sigma**2)
    if noise:
        image += np.random.default_rng(seed).normal(0.0, noise, shape)
    return Exposure(
        image.astype(np.float32),
        np.zeros(shape, np.int32),
        np.full(shape, max(noise, 1e-3) ** 2, np.float32),
        x0=x0,
        y0=y0,
        psf=GaussianPsf(sigma, 25, 25),
    )


def square_footprints(x: Iterable[float], y: Iterable[float], half: int = 6) -> Footprints:
    """Squares with one peak each, at the pixel that holds the position."""
    out = []
    for xi, yi in zip(np.atleast_1d(x), np.atleast_1d(y), strict=True):
        ix, iy = int(np.floor(xi + 0.5)), int(np.floor(yi + 0.5))
        peaks = np.zeros(1, PEAK_DTYPE)
        peaks["f_x"], peaks["f_y"], peaks["i_x"], peaks["i_y"] = ix, iy, ix, iy
        spans = [(row, ix - half, ix + half) for row in range(iy - half, iy + half + 1)]
        out.append(Footprint(np.array(spans, np.int32), peaks))
    return Footprints.from_list(out)


def measurement_task(names: list[str], configure: Any = None) -> SingleFrameMeasurementTask:
    """A task that runs some plugins on the image as it is, on a schema of its own; unused slots are none."""
    config = SingleFrameMeasurementTask.ConfigClass()
    config.plugins.names = names
    config.doReplaceWithNoise = False
    for slot in ("centroid", "shape", "psfShape"):
        if getattr(config.slots, slot) not in names:
            setattr(config.slots, slot, None)
    if configure is not None:
        configure(config)
    return SingleFrameMeasurementTask(Schema.minimal(), config=config)


def measure(
    exposure: Exposure, footprints: Footprints, names: list[str], configure: Any = None, **kwargs: Any
) -> SourceCatalog:
    """Run some plugins on a new catalogue of footprints."""
    task = measurement_task(names, configure)
    catalog = SourceCatalog(task.schema, len(footprints), footprints)
    catalog["id"] = np.arange(1, len(footprints) + 1)
    task.run(catalog, exposure, **kwargs)
    return catalog
