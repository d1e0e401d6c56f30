"""Noise replacement as spec 07.3 tells it: one image, one source after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondlight.model.catalog import SourceCatalog
from secondlight.model.exposure import Exposure
from secondlight.model.footprints import PEAK_DTYPE, Footprint, Footprints, HeavyPixels, span_pixels
from secondlight.model.random import AfwRandom
from secondlight.model.schema import Schema


def states(
    catalog: SourceCatalog, exposure: Exposure, seed: int, mean: float, stdev: float | None
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Image and mask that each source is measured on, row by row; ``stdev`` None for the variance plane's."""
    image, mask = exposure.image.copy(), exposure.mask.copy()
    planes = exposure.mask_planes.copy()
    this, other = planes.bit("THISDET"), planes.bit("OTHERDET")
    mask &= ~(this | other)
    random = AfwRandom(seed)
    at, inside, heavies, noises = {}, {}, {}, {}
    parents = dict(zip(catalog["id"].tolist(), catalog["parent"].tolist(), strict=True))

    def put(key, values):
        image[at[key]] = values[inside[key]]

    for key, footprint in zip(parents, catalog.footprints, strict=True):
        y, x = span_pixels(footprint.spans)
        y, x = y - exposure.y0, x - exposure.x0
        ok = (y >= 0) & (y < image.shape[0]) & (x >= 0) & (x < image.shape[1])
        at[key], inside[key] = (y[ok], x[ok]), ok
        if footprint.heavy is not None:
            heavies[key] = footprint.heavy.image
        elif parents[key] == 0:
            heavies[key] = np.zeros(len(y), np.float32)
            heavies[key][ok] = exposure.image[at[key]]
    for key, footprint in zip(parents, catalog.footprints, strict=True):
        if key not in heavies:
            continue
        if not footprint.area:
            noises[key] = np.zeros(0, np.float32)
            continue
        box = footprint.bbox
        noise = random.gaussian(int(np.prod(box.shape))).astype(np.float32).reshape(tuple(box.shape))
        noise = noise[footprint.mask()]
        if stdev is None:
            sigma = np.zeros(len(noise), np.float32)
            sigma[inside[key]] = np.sqrt(exposure.variance[at[key]])
        else:
            sigma = np.float32(stdev)
        noises[key] = noise * sigma + np.float32(mean)
        put(key, noises[key])
        mask[at[key]] |= other
    for key in parents:
        owner, steps = key, 0
        while owner in parents and owner not in heavies and steps < len(parents):
            owner, steps = parents[owner], steps + 1
        if owner not in heavies:
            yield image.copy(), mask.copy()
            continue
        put(owner, heavies[owner])
        mask[at[owner]] |= this
        mask[at[owner]] &= ~other
        yield image.copy(), mask.copy()
        put(owner, noises[owner])
        mask[at[owner]] &= ~this
        mask[at[owner]] |= other


def random_blends(seed: int, n: int = 30, shape: tuple[int, int] = (50, 60), x0: int = 7, y0: int = -3):
    """An exposure and a catalogue of parents, children and grandchildren that overlap as they like.

    Some lie partly or wholly off the image, some have no pixels, some children are not heavy, and one has no parent
    in the catalogue.
    """
    rng = np.random.default_rng(seed)
    exposure = Exposure(
        rng.normal(100, 10, shape).astype(np.float32),
        rng.integers(0, 4, shape).astype(np.int32),
        rng.uniform(50, 150, shape).astype(np.float32),
        x0=x0,
        y0=y0,
    )
    parent = np.zeros(n, int)
    footprints = []
    for i in range(n):
        if i > n // 3:
            parent[i] = rng.integers(1, i + 1)
        cx, cy = rng.integers(-4, shape[1] + 4) + x0, rng.integers(-4, shape[0] + 4) + y0
        rows = np.arange(cy, cy + rng.integers(0, 12))
        left = cx + rng.integers(-3, 3, len(rows))
        spans = np.column_stack([rows, left, left + rng.integers(0, 9, len(rows))]).astype(np.int32)
        # a hole in some rows
        more = spans[rng.random(len(rows)) < 0.3] + np.array([0, 12, 12], np.int32)
        spans = np.concatenate([spans, more])
        spans = spans[np.lexsort((spans[:, 1], spans[:, 0]))]
        area = int((spans[:, 2] - spans[:, 1] + 1).sum())
        heavy = None
        if area and ((parent[i] and rng.random() < 0.7) or rng.random() < 0.1):
            heavy = HeavyPixels(
                rng.normal(0, 1, area).astype(np.float32), np.zeros(area, np.int32), np.ones(area, np.float32)
            )
        footprints.append(Footprint(spans, np.zeros(1, PEAK_DTYPE), heavy))
    parent[n - 1] = 99999
    catalog = SourceCatalog(Schema.minimal(), n, Footprints.from_list(footprints))
    catalog["id"] = np.arange(1, n + 1)
    catalog["parent"] = parent
    return exposure, catalog
