"""Blocks of results: printed, and put into their places on a page."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
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
        "--write", type=Path, metavar="PAGE", help="replace the blocks of this page, too: docs/performance.md"
    )
    return parser


def finish(blocks: Mapping[str, str], page: Path | None) -> None:
    """Print blocks, and write them into a page if one is given.

    Parameters
    ----------
    blocks
        Markdown, by the name of the block.
    page
        A page that has those blocks.
    """
    for block in blocks.values():
        print(f"\n{block}", flush=True)
    if page is not None:
        write_blocks(page, blocks)


def seconds(value: float) -> str:
    """Return seconds to three significant digits, no finer than a millisecond."""
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"
