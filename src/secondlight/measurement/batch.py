"""What a plugin is given: some sources of the table, and the image they are measured on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ProcessingError, SecondLightError
from ..kernels.pixels import Pixels, cut_stamps
from ..model.catalog import SourceCatalog
from ..model.exposure import Exposure
from ..model.footprints import Footprints
from ..model.psf import BatchPsf, PsfStamps

__all__ = ["Batch", "Stamps"]

type Floats = NDArray[np.float64]


class Stamps(NamedTuple):
    """Cut-outs around sources, each array of shape ``(n, h, w)`` unless said otherwise.

    ``valid`` tells the pixels that lie on the image; the others are 0. ``x0`` and ``y0``, of shape ``(n,)``,
    are the parent coordinates of each cut-out's first pixel.
    """

    image: NDArray[np.float32]
    mask: NDArray[np.int32]
    variance: NDArray[np.float32]
    valid: NDArray[np.bool_]
    x0: NDArray[np.int64]
    y0: NDArray[np.int64]


class Batch:
    """Consecutive rows of a source table, to be measured together.

    ``batch["slot_Centroid_x"]`` is a writable view of that column's rows, aliases followed. Positions in
    columns are in the parent's coordinates; kernels work in array coordinates, so subtract `x0` and `y0`.

    Parameters
    ----------
    catalog
        The whole table.
    exposure
        What the sources are on: its mask, variance, PSF and so on are only read. While neighbours are replaced by noise, its
        image is in no state to be looked at: take that of ``pixels``.
    start, stop
        The batch's rows: ``range(start, stop)``.
    pixels
        The image on which each source of the batch is measured, neighbours replaced by noise; if not given, all are
        measured on the exposure as it is.

    Attributes
    ----------
    n
        Number of sources.
    x0, y0
        Parent coordinates of the image's first pixel.
    pixels
        The planes that the sources are measured on, to hand to kernels. Each source has an image of its own: a kernel
        calls `~secondlight.kernels.pixels.show` before it reads a pixel for a source, and code in NumPy takes `stamps`.
        The mask is that of the exposure; see `~secondlight.kernels.pixels.box_bits` for the planes THISDET and OTHERDET.
    footprints
        The sources' footprints; ``footprints.spans`` and ``.peaks`` are those of the whole table, and the
        offsets point into them.
    """

    def __init__(
        self,
        catalog: SourceCatalog,
        exposure: Exposure,
        start: int,
        stop: int,
        pixels: Pixels | None = None,
    ) -> None:
        self.catalog = catalog
        self.exposure = exposure
        self.start = start
        self.stop = stop
        self.n = stop - start
        self.x0 = exposure.x0
        self.y0 = exposure.y0
        if pixels is None:
            pixels = Pixels.of(exposure.image, exposure.mask, exposure.variance)
        self.pixels = pixels
        f = catalog.footprints
        rows = slice(start, stop + 1)
        self.footprints = Footprints(
            f.span_offsets[rows], f.spans, f.peak_offsets[rows], f.peaks, f.heavy_offsets[rows], f.heavy
        )

    def __len__(self) -> int:
        return self.n

    def __contains__(self, name: str) -> bool:
        return name in self.catalog

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.catalog[name][self.start : self.stop]

    def single(self, i: int) -> Batch:
        """Return the batch of one source.

        Parameters
        ----------
        i
            Its place in this batch.
        """
        replacement = self.pixels.replacement
        pixels = self.pixels._replace(replacement=replacement._replace(offset=replacement.offset + i))
        return Batch(self.catalog, self.exposure, self.start + i, self.start + i + 1, pixels)

    # ---------------------------------------------------------------- positions and shapes

    @cached_property
    def peaks(self) -> tuple[Floats, Floats]:
        """Positions (x, y) of the first (brightest) peaks, shape ``(n,)``; NaN for a footprint without."""
        offsets = self.footprints.peak_offsets
        has = offsets[1:] > offsets[:-1]
        x, y = np.full(self.n, np.nan), np.full(self.n, np.nan)
        first = self.footprints.peaks[offsets[:-1][has]]
        x[has], y[has] = first["f_x"], first["f_y"]
        return x, y

    def _safe_centroid(self) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        x, y = self["slot_Centroid_x"].copy(), self["slot_Centroid_y"].copy()
        flagged = self["slot_Centroid_flag"].copy()
        lost = np.isnan(x) | np.isnan(y)
        # a NaN that its own flag does not admit is a fault of the centroider: no position then
        instead = lost & flagged
        x[instead], y[instead] = self.peaks[0][instead], self.peaks[1][instead]
        neither = lost & ~flagged
        x[neither], y[neither] = np.nan, np.nan
        return x, y, flagged | lost

    @cached_property
    def center(self) -> tuple[Floats, Floats]:
        """Where the sources are, (x, y), shape ``(n,)``: what `centroid` returns, without setting a flag."""
        return self._safe_centroid()[:2]

    def centroid(self, plugin: str) -> tuple[Floats, Floats]:
        """Return the sources' positions and warn of those that cannot be trusted (spec 07.4).

        A position that the centroid slot lacks is replaced by the first peak. Where the slot's flag is set,
        so is the plugin's general flag.

        Parameters
        ----------
        plugin
            Prefix of the flag: ``<plugin>_flag``.

        Returns
        -------
        x, y : ndarray
            Shape ``(n,)`` [pixel], parent coordinates. NaN, with the flag set, where there is none at all.
        """
        x, y, doubtful = self._safe_centroid()
        self[f"{plugin}_flag"][doubtful] = True
        return x, y

    def shape(self, plugin: str) -> tuple[Floats, Floats, Floats]:
        """Return the second moments of the shape slot and warn of those that cannot be trusted (spec 07.4).

        Parameters
        ----------
        plugin
            Prefix of the flag, which is set where the moments are unusable or their own flag is set.

        Returns
        -------
        xx, yy, xy : ndarray
            Shape ``(n,)`` [pixel²]; all three NaN where unusable (the measurement fails there).
        """
        xx, yy, xy = (self[f"slot_Shape_{m}"].copy() for m in ("xx", "yy", "xy"))
        # the margin keeps the ellipse's determinant clear of zero
        usable = xx * yy >= (1.0 + 1e-6) * xy * xy
        self[f"{plugin}_flag"][~usable | self["slot_Shape_flag"]] = True
        for moment in (xx, yy, xy):
            moment[~usable] = np.nan
        return xx, yy, xy

    # ---------------------------------------------------------------- the PSF

    @property
    def psf(self) -> BatchPsf:
        """The image's PSF.

        Raises
        ------
        ProcessingError
            Raised if it has none.
        """
        if self.exposure.psf is None:
            raise ProcessingError("the exposure has no PSF, which a measurement plugin needs")
        return self.exposure.psf

    def evaluate_psf(
        self, evaluate: Callable[[Floats, Floats], NDArray[Any]], x: Floats, y: Floats
    ) -> NDArray[Any]:
        """Evaluate the PSF at one position a source, and flag sources where it is not valid.

        Parameters
        ----------
        evaluate
            Function of (x, y) that returns one row a position, such as ``batch.psf.kernel_images``.
        x, y
            Positions [pixel], shape ``(n,)``.

        Returns
        -------
        ndarray
            Shape ``(n, …)``. Rows are NaN where the PSF raised or was not finite; those sources have
            ``base_InvalidPsf_flag`` set, and the plugin must flag them as failed.
        """
        return self._evaluate_psf(lambda x, y: (evaluate(x, y),), x, y)[0]

    def evaluate_psf_moments(self, x: Floats, y: Floats, kernels: Floats) -> NDArray[Any]:
        """Measure the PSF at one position a source, of which the kernel images are there already.

        Parameters
        ----------
        x, y
            Positions [pixel], shape ``(n,)``.
        kernels
            What ``evaluate_psf(batch.psf.kernel_images, x, y)`` returned.

        Returns
        -------
        ndarray
            Shape ``(n, 3)``: moments xx, yy, xy [pixel²]; NaN where invalid, as in `evaluate_psf`.
        """

        def evaluate(x: Floats, y: Floats) -> NDArray[Any]:
            # one position at a time, if together they raise: then drawn anew
            return self.psf.moments(x, y, images=kernels if len(x) == len(kernels) else None)

        return self.evaluate_psf(evaluate, x, y)

    def _evaluate_psf(
        self, evaluate: Callable[[Floats, Floats], tuple[NDArray[Any], ...]], x: Floats, y: Floats
    ) -> tuple[NDArray[Any], ...]:
        """Evaluate the PSF into several arrays, the first of which says by NaN where it is not valid."""
        try:
            first, *others = evaluate(x, y)
        except (MemoryError, SecondLightError):
            raise
        except Exception:
            first, *others = self._evaluate_psf_each(evaluate, x, y)
        invalid = ~np.isfinite(first).reshape(self.n, -1).all(axis=1)
        if invalid.any():
            first = first.copy()
            first[invalid] = np.nan
            if "base_InvalidPsf_flag" in self:
                self["base_InvalidPsf_flag"][invalid] = True
        return first, *others

    def _evaluate_psf_each(
        self, evaluate: Callable[[Floats, Floats], tuple[NDArray[Any], ...]], x: Floats, y: Floats
    ) -> tuple[NDArray[Any], ...]:
        """Evaluate the PSF position by position, with NaN (0 in integers) for those where it raises."""
        rows: dict[int, tuple[NDArray[Any], ...]] = {}
        for i in range(self.n):
            try:
                rows[i] = evaluate(x[i : i + 1], y[i : i + 1])
            except (MemoryError, SecondLightError):
                raise
            except Exception:
                continue
        if not rows:
            return np.full((self.n, 1, 1), np.nan), np.zeros(self.n, np.int64), np.zeros(self.n, np.int64)
        some = next(iter(rows.values()))
        out = tuple(
            np.full((self.n, *a.shape[1:]), np.nan if a.dtype.kind == "f" else 0, a.dtype) for a in some
        )
        for i, row in rows.items():
            for whole, part in zip(out, row, strict=True):
                whole[i] = part[0]
        return out

    @cached_property
    def psf_kernels(self) -> Floats:
        """PSF images at `center`, centred on the central pixel: shape ``(n, h, w)``, NaN where invalid."""
        return self.evaluate_psf(self.psf.kernel_images, *self.center)

    @cached_property
    def psf_stamps(self) -> PsfStamps:
        """PSF images at `center` as a star there would look; NaN where invalid."""

        def evaluate(x: Floats, y: Floats) -> tuple[NDArray[Any], ...]:
            stamps = self.psf.stellar_images(x, y)
            return stamps.images, stamps.x0, stamps.y0

        images, x0, y0 = self._evaluate_psf(evaluate, *self.center)
        return PsfStamps(images, x0, y0)

    @cached_property
    def psf_moments(self) -> Floats:
        """Moments xx, yy, xy of the PSF at `center` [pixel²]: shape ``(n, 3)``, NaN where invalid."""
        return self.evaluate_psf_moments(*self.center, self.psf_kernels)

    # ---------------------------------------------------------------- pixels

    def stamps(self, half: int) -> Stamps:
        """Cut out what each source is measured on: its own pixels, and noise for those of its neighbours.

        While neighbours are noise, the mask tells the source's footprint (THISDET) from all others (OTHERDET).

        Parameters
        ----------
        half
            The cut-outs have ``2 * half + 1`` pixels a side, the middle one being that which holds `center`.
            A source without a position has no valid pixel.
        """
        x, y = self.center
        known = np.isfinite(x) & np.isfinite(y)
        x0 = np.where(known, np.floor(np.where(known, x, 0.0) + 0.5), 0).astype(np.int64) - half
        y0 = np.where(known, np.floor(np.where(known, y, 0.0) + 0.5), 0).astype(np.int64) - half
        shape = (self.n, 2 * half + 1, 2 * half + 1)
        stamps = Stamps(
            np.empty(shape, np.float32),
            np.empty(shape, np.int32),
            np.empty(shape, np.float32),
            np.empty(shape, np.bool_),
            x0,
            y0,
        )
        # far from any image, but so that sums fit an integer
        nowhere = np.int64(-(1 << 40))
        cut_stamps(
            self.pixels,
            np.where(known, x0 - self.x0, nowhere),
            np.where(known, y0 - self.y0, nowhere),
            stamps.image,
            stamps.mask,
            stamps.variance,
            stamps.valid,
        )
        return stamps
