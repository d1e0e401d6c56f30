"""``secondlight demo``: from nothing to a reprocessed visit that one can look at."""

from __future__ import annotations

from pathlib import Path

import click

from .simulate import visit_options

__all__ = ["command"]


@click.command("demo")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Directory."
)
@visit_options
@click.option(
    "--threads", type=click.IntRange(min=0), default=0, show_default=True, help="0: one a processor."
)
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
def command(
    out: Path,
    size: tuple[int, int],
    seed: int,
    band: str,
    density: float,
    snaps: int,
    threads: int,
    overwrite: bool,
    debug: bool,
) -> None:
    """Simulate a visit, reprocess it, compare with the truth, draw it."""
    import shlex

    import numpy as np
    from rich.console import Console

    from ..io.native import read_visit_image
    from ..io.tables import read_footprints, read_sources
    from ..simulate import compare_with_truth, draw_picture, run_arguments, simulate_visit, write_visit
    from ._progress import Progress
    from .run import command as run

    console = Console()
    nx, ny = size
    console.print(f"Simulating a visit image of {nx} by {ny} pixels, band {band} …")
    with Progress() as progress:
        progress.stage("simulate")
        visit = simulate_visit(nx, ny, seed=seed, band=band, density=density, snaps=snaps)
        progress.stage("write")
        write_visit(out / "inputs", visit, overwrite=overwrite)
    arguments = run_arguments(out / "inputs", visit, out / "outputs")
    arguments += ["--threads", str(threads)] + ["--overwrite"] * overwrite
    console.print(f"$ secondlight run {shlex.join(arguments)}", soft_wrap=True, highlight=False)
    run.main(arguments, standalone_mode=False)

    exposure = read_visit_image(out / "outputs" / "pvi.fits")
    catalog = read_sources(out / "outputs" / "sources.parquet")
    catalog.footprints = read_footprints(out / "outputs" / "sources_footprints.parquet").footprints
    comparison = compare_with_truth(
        catalog,
        visit.truth,
        footprints=catalog.footprints,
        cr_found=(exposure.mask & exposure.mask_planes.bits(["CR"])) != 0,
        cr_truth=np.logical_or.reduce(visit.cr_truth),
    )
    console.print(comparison)
    picture = out / "demo.png"
    figure = draw_picture(
        exposure.image,
        exposure.mask,
        exposure.mask_planes,
        catalog,
        x0=exposure.x0,
        y0=exposure.y0,
        title=f"Second Light: a simulated {band}-band visit image, reprocessed",
    )
    figure.savefig(picture, dpi=100)
    console.print(f"The picture is {picture}; the catalogue is {out / 'outputs' / 'sources.parquet'}.")
