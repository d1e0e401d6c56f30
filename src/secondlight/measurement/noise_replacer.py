"""Noise in the place of a source's neighbours while it is measured (spec 07.3)."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, NamedTuple, Self

import numpy as np
from lsst.pex.config import ChoiceField, Config, Field
from numpy.typing import NDArray

from ..kernels.pixels import (
    Pixels,
    Replacement,
    count_covering,
    leave,
    pass_over,
    read_only,
    remember,
    take_noise,
    take_own,
    write_noise,
)
from ..model.catalog import SourceCatalog
from ..model.exposure import Exposure
from ..model.random import AfwRandom
from ..model.statistics import ImageStatistics

__all__ = ["Noise", "NoiseReplacer", "NoiseReplacerConfig", "pixel_owners"]

_LOG = logging.getLogger(__name__)

#: Deviates drawn at once: bounds the memory to 8 MB, unless one footprint needs more.
_DRAW = 1 << 20


class NoiseReplacerConfig(Config):
    """Configuration of `NoiseReplacer`."""

    noiseSource = ChoiceField[str](
        doc="Where mean and variance of the noise come from.",
        allowed={
            "measure": "Clipped mean and variance of the whole image.",
            "meta": "Mean 0; the variance is BGMEAN of the exposure's metadata (as 'measure' if there is none).",
            "variance": "Mean 0; the variance is that of each pixel.",
        },
        default="measure",
        optional=False,
    )
    noiseOffset = Field[float](doc="Added to the mean of the noise [count].", default=0.0, optional=False)
    noiseSeedMultiplier = Field[int](
        doc="Multiplied with the exposure's id, if one is given, to make the seed; 0 makes the seed 1.",
        default=1,
    )


class Noise(NamedTuple):
    """Gaussian noise: its mean and standard deviation [count], the latter None if each pixel has its own."""

    mean: float
    stdev: float | None

    @classmethod
    def of(cls, exposure: Exposure, config: Any) -> Noise:
        """Return the noise that a configuration asks for.

        Parameters
        ----------
        exposure
            The image, with all sources in place.
        config
            A `NoiseReplacerConfig`.
        """
        offset = float(config.noiseOffset)
        if config.noiseSource == "variance":
            return cls(offset, None)
        if config.noiseSource == "meta":
            mean = exposure.metadata.get("BGMEAN")
            if isinstance(mean, int | float) and mean >= 0:
                return cls(offset, math.sqrt(mean))
            _LOG.debug("no usable BGMEAN in the exposure's metadata: the noise is measured")
        clipped = ImageStatistics(exposure.image).clipped
        return cls(clipped.mean + offset, math.sqrt(clipped.variance))


def pixel_owners(catalog: SourceCatalog) -> NDArray[np.int64]:
    """Return whose pixels stand for each source while it is measured.

    Parameters
    ----------
    catalog
        Sources with columns ``id`` and ``parent``, and footprints.

    Returns
    -------
    ndarray
        Shape ``(n,)``: the source's own row if its footprint is heavy or it has no parent; else the closest ancestor's
        of which that is true; -1 if there is none.
    """
    n = len(catalog)
    ids, parents = catalog["id"], catalog["parent"]
    owner = np.arange(n)
    lacking = np.flatnonzero((parents != 0) & (np.diff(catalog.footprints.heavy_offsets) == 0))
    if not len(lacking):
        return owner
    row_of = {int(key): row for row, key in enumerate(ids.tolist())}
    without = set(lacking.tolist())
    for row in lacking.tolist():
        above = row
        # no chain is longer than the table: a longer one goes round in a circle
        for _ in range(n):
            above = row_of.get(int(parents[above]), -1)
            if above not in without:
                break
        owner[row] = -1 if above in without else above
    return owner


class _Plane:
    """An image that one thread has for itself, and the row of the table up to which its sources have been measured on it."""

    def __init__(self, image: NDArray[np.float32]) -> None:
        self.image = image
        self.row = -1


class NoiseReplacer:
    """Shows each source of a table among noise, to many threads at once.

    Within a ``with`` block of the replacer the exposure's own image is lent to the first thread, which saves a copy: it
    must not be looked at until the block ends and it is, to the last bit, what it was. Without, it is only read.

    Every footprint is filled with Gaussian noise, drawn once in the order of the table. See
    `~secondlight.kernels.pixels.Replacement` for what a source is measured on where footprints overlap. Results depend
    on the row alone, never on which thread measures it.

    Parameters
    ----------
    catalog
        The sources; children have heavy footprints.
    exposure
        The image, with all sources in place.
    config
        A `NoiseReplacerConfig`.
    exposure_id
        Makes the seed; see ``noiseSeedMultiplier``.

    Attributes
    ----------
    noise
        The noise that was drawn.
    mask_planes
        The exposure's mask planes, and THISDET and OTHERDET.
    """

    def __init__(
        self, catalog: SourceCatalog, exposure: Exposure, config: Any, exposure_id: int | None = None
    ) -> None:
        f = catalog.footprints
        n = len(catalog)
        owner = pixel_owners(catalog)
        areas = np.where(owner == np.arange(n), f.areas, 0)
        self.mask_planes = exposure.mask_planes.copy()
        self.noise = Noise.of(exposure, config)
        self._catalog, self._exposure = catalog, exposure
        self._lock = Lock()
        self._free: list[_Plane] = []
        pixel_offsets = np.concatenate([[0], np.cumsum(areas)]).astype(np.int64)
        self._owner, self._pixel_offsets = owner, pixel_offsets
        own = self._pixels_of(f.heavy_offsets)
        noise = np.empty_like(own)
        self._draw(catalog, owner, pixel_offsets, noise, _seed(config, exposure_id))
        nothing = np.zeros(0, np.int64)
        self._replacement = Replacement(
            plane=np.zeros((0, 0), np.float32),
            span_offsets=read_only(f.span_offsets),
            spans=read_only(f.spans),
            x0=exposure.x0,
            y0=exposure.y0,
            pixel_offsets=read_only(pixel_offsets),
            own=read_only(own),
            noise=read_only(noise),
            owner=read_only(owner),
            shared=np.zeros(n, np.bool_),
            cover=np.zeros(exposure.image.shape, np.uint8),
            before_offsets=read_only(nothing),
            before=np.zeros(0, np.float32),
            first=0,
            offset=0,
            shown=nothing,
            this_bit=self.mask_planes.bit("THISDET"),
            other_bit=self.mask_planes.bit("OTHERDET"),
        )
        count_covering(self._replacement)
        self._original: Replacement | None = None

    def __enter__(self) -> Self:
        image = self._exposure.image
        if image.flags.writeable:
            # nothing is ever written but where footprints are: what is there now, in the place of noise, brings it back
            nobody = np.zeros_like(self._catalog.footprints.heavy_offsets)
            self._original = self._replacement._replace(plane=image, noise=read_only(self._pixels_of(nobody)))
            self._free.append(_Plane(image))
        return self

    def __exit__(self, *_error: object) -> None:
        if self._original is not None:
            write_noise(self._original)
            self._free = [plane for plane in self._free if plane.image is not self._exposure.image]
            self._original = None

    def _pixels_of(self, heavy_offsets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the pixels that rows own: those that their footprints hold, else those of the image."""
        f = self._catalog.footprints
        own = np.empty(self._pixel_offsets[-1], np.float32)
        take_own(
            self._exposure.image,
            self._exposure.x0,
            self._exposure.y0,
            self._owner,
            f.span_offsets,
            f.spans,
            heavy_offsets,
            f.heavy.image,
            self._pixel_offsets,
            own,
        )
        return own

    def _draw(
        self,
        catalog: SourceCatalog,
        owner: NDArray[np.int64],
        pixel_offsets: NDArray[np.int64],
        noise: NDArray[np.float32],
        seed: int,
    ) -> None:
        """Draw one deviate a pixel of each owner's bounding box, in the order of the table, and keep the footprints'."""
        f = catalog.footprints
        boxes = f.boxes
        sizes = (boxes[:, 1] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 2])
        total = np.concatenate([[0], np.cumsum(np.where(owner == np.arange(len(owner)), sizes, 0))])
        stdev = self.noise.stdev
        variance = np.zeros((0, 0), np.float32) if stdev is not None else self._exposure.variance
        random = AfwRandom(seed)
        start = 0
        while start < len(owner):
            stop = max(int(np.searchsorted(total, total[start] + _DRAW, side="right")) - 1, start + 1)
            take_noise(
                random.gaussian(int(total[stop] - total[start])),
                start,
                stop,
                owner,
                boxes,
                f.span_offsets,
                f.spans,
                np.float32(self.noise.mean),
                np.float32(0.0 if stdev is None else stdev),
                variance,
                self._exposure.x0,
                self._exposure.y0,
                pixel_offsets,
                noise,
            )
            start = stop

    def _acquire(self, start: int) -> _Plane:
        """Return a plane that nobody uses, in the state before row ``start``."""
        with self._lock:
            # the one that is nearest behind needs least work
            usable = [p for p in self._free if p.row <= start]
            plane = max(usable, key=lambda p: p.row) if usable else self._free[0] if self._free else None
            if plane is not None:
                self._free.remove(plane)
        # another thread may write to the image meanwhile, but only where noise will be
        plane = _Plane(self._exposure.image.copy()) if plane is None else plane
        everything = self._replacement._replace(plane=plane.image)
        if not 0 <= plane.row <= start:
            write_noise(everything)
            plane.row = 0
        pass_over(everything, plane.row, start)
        return plane

    @contextmanager
    def show(self, start: int, stop: int) -> Iterator[Pixels]:
        """Lend the image on which a batch of sources is measured.

        Parameters
        ----------
        start, stop
            The batch's rows: ``range(start, stop)``. Within one thread ascending batches are fastest.

        Yields
        ------
        Pixels
            To be used by one thread at a time, and not after the ``with`` block.
        """
        plane = self._acquire(start)
        everything = self._replacement
        owner = everything.owner[start:stop]
        lengths = np.where(owner >= 0, np.diff(everything.pixel_offsets)[owner], 0)
        before_offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        replacement = everything._replace(
            plane=plane.image,
            before_offsets=read_only(before_offsets),
            before=np.empty(before_offsets[-1], np.float32),
            first=start,
            shown=np.full(1, -1, np.int64),
        )
        remember(replacement)
        pixels = Pixels.of(plane.image, self._exposure.mask, self._exposure.variance, replacement)
        yield pixels
        # after an exception the plane is in no known state, and is dropped
        leave(pixels)
        plane.row = stop
        with self._lock:
            self._free.append(plane)


def _seed(config: Any, exposure_id: int | None) -> int:
    """Return the seed (spec 07.3)."""
    multiplier = int(config.noiseSeedMultiplier)
    if not multiplier:
        return 1
    return multiplier * exposure_id if exposure_id else multiplier
