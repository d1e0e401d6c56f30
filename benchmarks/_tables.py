"""What benchmarks print: Markdown tables, blocks of a page that they replace, and straight lines through points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = ["Line", "fit_line", "replace_block", "table", "write_blocks"]


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table: the first column to the left, the others to the right.

    Parameters
    ----------
    header
        Names of the columns.
    rows
        Cells, as many a row as there are columns; `None` is an empty one.

    Raises
    ------
    ValueError
        Raised if a row has another number of cells.
    """
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"a row of {len(row)} cells in a table of {len(header)} columns: {row}")
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join("" if c is None else str(c) for c in line) + " |" for line in lines)


def replace_block(text: str, name: str, block: str) -> str:
    """Return a page with one marked block replaced.

    Parameters
    ----------
    text
        The page. A block begins after the line ``<!-- begin NAME -->`` and ends before ``<!-- end NAME -->``.
    name
        Which block.
    block
        What to put there.

    Raises
    ------
    ValueError
        Raised if the page does not have the block exactly once.
    """
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"the page has not exactly one block {name!r}")
    head, rest = text.split(begin)
    if end not in rest:
        raise ValueError(f"the block {name!r} ends before it begins")
    _, tail = rest.split(end)
    return f"{head}{begin}{block.strip()}\n{end}{tail}"


def write_blocks(pages: Sequence[Path], blocks: Mapping[str, str]) -> None:
    """Replace blocks of pages on disk, all or none.

    Parameters
    ----------
    pages
        Each has some of the blocks.
    blocks
        New contents, by name.

    Raises
    ------
    ValueError
        Raised if no page has one of the blocks, or a page has it twice.
    """
    texts = {page: page.read_text() for page in pages}
    for name, block in blocks.items():
        homes = [page for page, text in texts.items() if f"<!-- begin {name} -->" in text]
        if not homes:
            raise ValueError(f"no page has a block {name!r}")
        for page in homes:
            texts[page] = replace_block(texts[page], name, block)
    for page, text in texts.items():
        page.write_text(text)


class Line(NamedTuple):
    """A straight line, and how far the points lie from it."""

    offset: float
    slope: float
    #: Largest distance of a point from the line, as a part of the line's value there.
    worst: float


def fit_line(x: Sequence[float], y: Sequence[float]) -> Line:
    """Fit a straight line whose relative distances from the points are least in the sum of squares.

    Costs span decades, and their errors are a part of the cost: points are weighted with the inverse of their values.

    Parameters
    ----------
    x, y
        At least two points; every ``y`` is positive.

    Raises
    ------
    ValueError
        Raised for fewer than two different ``x``, or a ``y`` that is not positive.
    """
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(np.unique(xs)) < 2:
        raise ValueError("a line needs two points at least")
    if not (ys > 0).all():
        raise ValueError("a cost that is not positive has no relative error")
    design = np.column_stack([1 / ys, xs / ys])
    (offset, slope), *_ = np.linalg.lstsq(design, np.ones(len(ys)))
    fitted = offset + slope * xs
    return Line(float(offset), float(slope), float(np.abs(ys / fitted - 1).max()))
