"""Stored footprints of every generation (spec 11.4, 11.5)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...model.footprints import PEAK_DTYPE, Footprint, HeavyPixels, normalize_spans, span_pixels
from .archive import Archive
from .table import Table

__all__ = ["FootprintReader", "make_footprint", "stored_footprint"]

_CLASSES = ("Footprint", "HeavyFootprintF", "HeavyFootprintD", "HeavyFootprintI")


def make_footprint(
    spans: NDArray[np.integer], peaks: NDArray[np.void], heavy: HeavyPixels | None = None
) -> Footprint:
    """Return a footprint of spans in any order.

    Parameters
    ----------
    spans
        Shape ``(n, 3)``: y, x0, x1 (inclusive). The oldest files do not sort them.
    peaks
        Of `PEAK_DTYPE`.
    heavy
        Pixel values in the order of these spans.

    Raises
    ------
    ValueError
        Raised if there are not as many values as pixels.
    """
    normal = normalize_spans(spans)
    if heavy is None:
        return Footprint(normal, peaks)
    y, x = span_pixels(np.asarray(spans, np.int32))
    if not len(heavy.image) == len(heavy.mask) == len(heavy.variance) == len(y):
        raise ValueError(
            f"{len(heavy.image)}, {len(heavy.mask)} and {len(heavy.variance)} pixel values for {len(y)} pixels"
        )
    order = np.lexsort((x, y))
    # a pixel that two spans share counts once
    order = order[np.r_[True, (np.diff(y[order]) != 0) | (np.diff(x[order]) != 0)][: len(order)]]
    return Footprint(normal, peaks, HeavyPixels(heavy.image[order], heavy.mask[order], heavy.variance[order]))


def stored_footprint(archive: Archive, key: int) -> Footprint:
    """Return one stored footprint.

    Parameters
    ----------
    archive
        The archive.
    key
        Id of a ``Footprint`` or ``HeavyFootprintF``.
    """
    return FootprintReader(archive).read(key)


class FootprintReader:
    """Reads many footprints of one archive, decoding each table that they share once.

    Parameters
    ----------
    archive
        The archive.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._spans: dict[int, NDArray[np.int32]] = {}
        self._peaks: dict[int, NDArray[np.void]] = {}

    def read(self, key: int) -> Footprint:
        """Return one footprint.

        Parameters
        ----------
        key
            Archive id.

        Raises
        ------
        InputError
            Raised if the object is no footprint, or its pieces do not fit together.
        """
        self._archive.expect(key, *_CLASSES)
        pieces = self._archive.pieces(key)
        where: dict[str, Any] = {
            "path": self._archive.path,
            "part": f"{self._archive.name(key)} (id {key})",
        }
        if len(pieces) not in (2, 3):
            raise InputError(
                f"stored in {len(pieces)} pieces; expected spans, peaks and perhaps pixels", **where
            )
        table, row, _ = pieces[0]
        if "id" in table:  # the spans are an object of their own since 2016
            spans_key = int(table["id"][row])
            self._archive.expect(spans_key, "SpanSet")
            parts = self._archive.pieces(spans_key)
            spans = self._read_spans(*parts[0]) if parts else np.empty((0, 3), np.int32)
        else:
            spans = self._read_spans(*pieces[0])
        heavy = None
        if len(pieces) == 3:
            table, row, _ = pieces[2]
            heavy = HeavyPixels(
                np.asarray(table["image"][row], np.float32),
                # 16 bits before 2017
                np.asarray(table["mask"][row]).astype(np.int32),
                np.asarray(table["variance"][row], np.float32),
            )
        try:
            return make_footprint(spans, self._read_peaks(*pieces[1]), heavy)
        except ValueError as error:
            raise InputError(str(error), **where) from None

    def _read_spans(self, table: Table, row0: int, nrows: int) -> NDArray[np.int32]:
        if id(table) not in self._spans:
            self._spans[id(table)] = np.column_stack([table["y"], table["x0"], table["x1"]]).astype(np.int32)
        return self._spans[id(table)][row0 : row0 + nrows]

    def _read_peaks(self, table: Table, row0: int, nrows: int) -> NDArray[np.void]:
        if id(table) not in self._peaks:
            peaks = np.zeros(len(table), PEAK_DTYPE)
            peaks["significance"] = np.nan
            for name in PEAK_DTYPE.names or ():
                if name in table:
                    peaks[name] = table[name]
            self._peaks[id(table)] = peaks
        return self._peaks[id(table)][row0 : row0 + nrows]
