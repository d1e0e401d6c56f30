"""Sources in empty places, for judging what measurements make of nothing (spec 05)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from lsst.pex.config import Config, Field, ListField
from lsst.pipe.base import Task
from numpy.typing import NDArray

from ..model.catalog import SourceCatalog
from ..model.exposure import Exposure
from ..model.footprints import PEAK_DTYPE, Footprint, Footprints
from ..model.ids import IdFactory
from ..model.schema import Column, Schema
from ..model.spans import circle, stencil_spans

__all__ = ["SkyObjectsConfig", "SkyObjectsTask", "scrambled_halton"]


class SkyObjectsConfig(Config):
    """Configuration of `SkyObjectsTask`."""

    avoidMask = ListField[str](
        doc="Mask planes to keep off.", default=["DETECTED", "DETECTED_NEGATIVE", "BAD", "NO_DATA"]
    )
    growMask = Field[int](
        doc="Keep off the surroundings of masked pixels too, as far as this [pixel].", default=0
    )
    sourceRadius = Field[float](doc="Radius of a sky source [pixel]; its integer part counts.", default=8.0)
    nSources = Field[int](doc="Number of sky sources wanted; none if not positive.", default=100)
    nTrialSources = Field[int](
        doc="Number of places to try. None: nTrialSourcesMultiplier for each source.",
        default=None,
        optional=True,
    )
    nTrialSourcesMultiplier = Field[int](doc="Number of places to try for each source.", default=5)


def scrambled_halton(n: int, seed: int) -> NDArray[np.float64]:
    """Return the beginning of a randomized Halton sequence in the plane.

    Each digit of each coordinate is permuted at random (Owen 2017, arXiv:1706.02808, algorithm 1). Written out here so that
    the same seed gives the same sky sources whatever the version of SciPy; equal to its ``qmc.Halton(seed=seed)``.

    Parameters
    ----------
    n
        Number of points.
    seed
        Seed of the permutations.

    Returns
    -------
    ndarray
        Shape ``(n, 2)``, in [0, 1).
    """
    rng = np.random.default_rng(seed)
    out = np.zeros((n, 2))
    for dimension, base in enumerate((2, 3)):
        # as many digits as a double holds
        permutations = np.tile(np.arange(base), (math.ceil(54 / math.log2(base)) - 1, 1))
        for permutation in permutations:
            rng.shuffle(permutation)
        rest = np.arange(n)
        weight = 1.0
        for permutation in permutations:
            weight /= base
            out[:, dimension] += permutation[rest % base] * weight
            rest //= base
    return out


def _disc(radius: int) -> NDArray[np.bool_]:
    """Return a disc as an image of ``2 radius + 1`` pixels a side."""
    half_widths = circle(radius)
    return np.abs(np.arange(-radius, radius + 1))[None, :] <= half_widths[:, None]


def _dilate(shape: NDArray[np.bool_], by: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the Minkowski sum of two centred shapes."""
    margin = len(by) // 2
    out = np.zeros((len(shape) + 2 * margin,) * 2, np.bool_)
    for y, x in np.argwhere(by):
        out[y : y + len(shape), x : x + len(shape)] |= shape
    return out


class SkyObjectsTask(Task):
    """Add sources where nothing was detected.

    Places come from a scrambled Halton sequence, which spreads them evenly; a place is taken if its disc touches neither
    masked pixels nor the surroundings of sky sources before it.

    Parameters
    ----------
    schema
        Columns of the catalogue; ``sky_source`` is added.
    **kwargs
        Passed to `lsst.pipe.base.Task`.
    """

    ConfigClass: ClassVar[type[Config]] = SkyObjectsConfig
    _DefaultName: ClassVar[str] = "skyObjects"
    config: Any

    def __init__(self, schema: Schema | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if schema is not None:
            schema.add(Column("sky_source", "Flag", "", "Region on image with no detections."))

    def run(self, exposure: Exposure, catalog: SourceCatalog, *, seed: int, ids: IdFactory) -> int:
        """Append sky sources to a catalogue.

        Parameters
        ----------
        exposure
            Image whose mask tells where not to put them; unchanged.
        catalog
            Sources detected on it; its schema has ``sky_source``.
        seed
            Seed of the sequence of places: the same seed, the same places.
        ids
            Gives the new rows their ids.

        Returns
        -------
        int
            Number of sky sources.
        """
        catalog.declare_missing()
        centers = self.find_places(exposure, seed)
        radius = int(self.config.sourceRadius)
        peaks = np.zeros(len(centers), PEAK_DTYPE)
        for name in ("i", "f"):
            peaks[f"{name}_x"], peaks[f"{name}_y"] = centers.T
        peaks["id"] = np.arange(1, len(centers) + 1) + catalog.footprints.peaks["id"].max(initial=0)
        footprints = [
            Footprint(stencil_spans(circle(radius), int(x), int(y)), peaks[i : i + 1])
            for i, (x, y) in enumerate(centers)
        ]
        catalog.append(
            Footprints.from_list(footprints), {"id": ids.take(len(centers)), "parent": 0, "sky_source": True}
        )
        self.metadata["sky_footprint_count"] = len(centers)
        return len(centers)

    def find_places(self, exposure: Exposure, seed: int) -> NDArray[np.int64]:
        """Choose the places.

        Parameters
        ----------
        exposure
            Image whose mask tells where not to put them.
        seed
            Seed of the sequence of places.

        Returns
        -------
        ndarray
            Shape ``(n, 2)``: x, y of each, parent coordinates, in the order in which they were taken.
        """
        config = self.config
        none = np.empty((0, 2), np.int64)
        radius = int(config.sourceRadius)
        height, width = exposure.image.shape
        margin = radius + 1
        if config.nSources <= 0 or min(height, width) <= 2 * margin:
            return none
        low = np.array([exposure.x0 + margin, exposure.y0 + margin])
        high = np.array([exposure.x0 + width - 1 - margin, exposure.y0 + height - 1 - margin])
        trials = config.nTrialSources
        if trials is None:
            trials = config.nTrialSourcesMultiplier * config.nSources
        places = (scrambled_halton(trials, seed) * (high - low) + low).astype(np.int64)

        avoid = exposure.mask_planes.bits(config.avoidMask)
        disc = _disc(radius)
        # a disc touches a grown mask where the disc, grown as much, touches the mask
        reach = _dilate(disc, _disc(config.growMask)) if config.growMask > 0 else disc
        half = len(reach) // 2
        # offsets between two places at which a disc touches the surroundings of another
        touching = _dilate(_dilate(disc, disc), disc)
        taken = none
        for place in places:
            x, y = int(place[0]) - exposure.x0, int(place[1]) - exposure.y0
            top, left = max(y - half, 0), max(x - half, 0)
            window = exposure.mask[top : y + half + 1, left : x + half + 1]
            part = reach[top - (y - half) :, left - (x - half) :][: window.shape[0], : window.shape[1]]
            if (((window & avoid) != 0) & part).any():
                continue
            offset = place - taken + len(touching) // 2
            near = offset[((offset >= 0) & (offset < len(touching))).all(axis=1)]
            if touching[near[:, 1], near[:, 0]].any():
                continue
            taken = np.vstack([taken, place])
            if len(taken) == config.nSources:
                break
        return taken
