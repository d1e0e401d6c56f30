"""Blocks of results: printed, and put into their places on a page."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks._tables import write_blocks

__all__ = ["finish", "page_parser", "seconds"]


def page_parser(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser with the option that all benchmarks share.

    Parameters
    ----------
    doc
        What the command does.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--write",
        type=Path,
        nargs="+",
        default=[],
        metavar="PAGE",
        help="replace the blocks of these pages, too: docs/performance.md README.md",
    )
    return parser


def finish(blocks: Mapping[str, str], pages: Sequence[Path]) -> None:
    """Print blocks, and write them into pages if any are given.

    Parameters
    ----------
    blocks
        Markdown, by the name of the block.
    pages
        Pages that have those blocks.
    """
    for block in blocks.values():
        print(f"\n{block}", flush=True)
    if pages:
        write_blocks(pages, blocks)


def seconds(value: float) -> str:
    """Return seconds to three significant digits, no finer than a millisecond."""
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"
