"""Small archives made for tests with astropy alone."""

from pathlib import Path

import numpy as np
from astropy.io import fits


def bintable(columns: dict[str, tuple[str, object]], **cards) -> fits.BinTableHDU:
    """Make a table from name: (format, values)."""
    made = [
        fits.Column(
            name, form, array=np.asarray(v, object) if form[0] in "PQ" or form[1] in "PQ" else np.asarray(v)
        )
        for name, (form, v) in columns.items()
    ]
    hdu = fits.BinTableHDU.from_columns(made)
    for key, value in cards.items():
        hdu.header[key] = value
    return hdu


def write_archive(
    path: Path, objects: list[tuple[str, list[dict[str, tuple[str, object]]]]], before=()
) -> Path:
    """Write objects, numbered from 1, each a class name and the tables it is stored in."""
    index, data = [], []
    for key, (name, tables) in enumerate(objects, 1):
        for ordinal, table in enumerate(tables):
            hdu = bintable(table, EXTTYPE="ARCHIVE_DATA", AR_NAME=name, AR_CATN=len(data) + 1)
            data.append(hdu)
            index.append((key, len(data), ordinal, 0, len(hdu.data), name))
        if not tables:
            index.append((key, -1, 0, 0, 0, name))
    ids, numbers, ordinals, row0, nrows, names = zip(*index, strict=True)
    columns = {
        "id": ("1J", ids),
        "cat.archive": ("1J", numbers),
        "cat.persistable": ("1J", ordinals),
        "row0": ("1J", row0),
        "nrows": ("1J", nrows),
        "name": ("64A", names),
    }
    head = bintable(columns, EXTTYPE="ARCHIVE_INDEX", AR_NCAT=len(data) + 1)
    fits.HDUList([fits.PrimaryHDU(), *before, head, *data]).writeto(path)
    return path


def chebyshev_table(coefficients, order_x: int, box=(0, 0, 99, 49)):
    """The table of a ChebyshevBoundedField over a box of inclusive corners."""
    names = ("bbox_min_x", "bbox_min_y", "bbox_max_x", "bbox_max_y")
    table = {"order_x": ("1J", [order_x])} | {n: ("1J", [v]) for n, v in zip(names, box, strict=True)}
    return table | {"coefficients": (f"{len(coefficients)}D", [coefficients])}
