"""``secondlight simulate``: a visit as files, with truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

__all__ = ["command", "visit_options"]


def visit_options[F: Callable[..., object]](function: F) -> F:
    """Add the options that describe a simulated visit; a decorator of click commands."""
    for option in reversed(
        (
            click.option(
                "--size",
                nargs=2,
                type=int,
                default=(2000, 1000),
                show_default=True,
                metavar="NX NY",
                help="Pixels.",
            ),
            click.option("--seed", type=int, default=1, show_default=True, help="Seed of everything random."),
            click.option("--band", default="r", show_default=True, help="One of u, g, r, i, z, y."),
            click.option(
                "--density",
                type=float,
                default=1.0,
                show_default=True,
                help="Objects, relative to 0.95 per 1000 pixels.",
            ),
            click.option("--snaps", type=click.IntRange(1, 2), default=1, show_default=True),
        )
    ):
        function = option(function)
    return function


@click.command("simulate")
@click.argument("directory", type=click.Path(path_type=Path))
@visit_options
@click.option("--detector", type=int, default=94, show_default=True)
@click.option("--visit", type=int, default=2025112000123, show_default=True)
@click.option("--flat-ratio", is_flag=True, help="Flatten for the background, and write the ratio image.")
@click.option(
    "--no-data-border", type=int, default=0, show_default=True, help="Width of a frame without data [pixel]."
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["native", "afw"]),
    default="native",
    show_default=True,
    help="Layout of the files: those of lsst.images, or those of lsst.afw.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
def command(
    directory: Path,
    size: tuple[int, int],
    seed: int,
    band: str,
    density: float,
    snaps: int,
    detector: int,
    visit: int,
    flat_ratio: bool,
    no_data_border: int,
    file_format: str,
    overwrite: bool,
    debug: bool,
) -> None:
    """Simulate one detector of a visit into DIRECTORY, with the truth in DIRECTORY/truth.

    Prints the ``secondlight run`` command that reprocesses it.
    """
    import shlex

    from ..simulate import run_arguments, simulate_visit, write_visit
    from ._progress import Progress

    with Progress() as progress:
        progress.stage("simulate")
        simulated = simulate_visit(
            *size,
            seed=seed,
            visit=visit,
            detector=detector,
            band=band,
            density=density,
            snaps=snaps,
            flat_ratio=flat_ratio,
            no_data_border=no_data_border,
        )
        progress.stage("write")
        write_visit(directory, simulated, overwrite=overwrite, afw=file_format == "afw")
    arguments = run_arguments(directory, simulated, directory / "outputs")
    click.echo(f"secondlight run {shlex.join(arguments)}")
