"""``secondlight demo``: from nothing to a reprocessed visit that one can look at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from .simulate import visit_options

__all__ = ["command"]

#: The first of several detectors: one in the middle of the camera.
_FIRST = 90


@click.command("demo")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Directory."
)
@click.option(
    "--detectors",
    type=click.IntRange(1, 99),
    help="A visit of so many detectors in a Butler repository; without it, one detector as files.",
)
@click.option(
    "--executor",
    type=click.Choice(["pipetask", "bps"]),
    default="pipetask",
    show_default=True,
    help="What runs the pipeline in the repository; bps needs the extra of that name.",
)
@visit_options
@click.option(
    "--threads", type=click.IntRange(min=0), default=0, show_default=True, help="0: one a processor."
)
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
def command(
    out: Path,
    detectors: int | None,
    executor: str,
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
    if detectors is not None:
        _in_repository(
            out,
            executor,
            threads,
            overwrite,
            detectors=range(_FIRST, _FIRST + detectors),
            size=size,
            seed=seed,
            band=band,
            density=density,
            snaps=snaps,
        )
        return
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


def _in_repository(
    out: Path, executor: str, processes: int, overwrite: bool, *, size: tuple[int, int], **visit: Any
) -> None:
    """Simulate a visit into a Butler repository, run the pipeline on it, compare with the truth, draw a detector."""
    import shlex

    from lsst.daf.butler import Butler
    from rich.console import Console

    from ..pipeline.execution import bps_arguments, pipetask_arguments, run_command
    from ..pipeline.repository import create_repository, remove_repository
    from ..selfcheck import check
    from ..simulate import compare_visit_with_truth, draw_visit, ingest_visit
    from ._progress import Progress

    console = Console()
    repository, output = str(out / "repo"), "reprocessed"
    processes = processes or len(os.sched_getaffinity(0))
    if overwrite:
        remove_repository(repository)
    console.print(
        f"Simulating a visit of {len(visit['detectors'])} detectors of {size[0]} by {size[1]} pixels …"
    )
    with Progress() as progress:
        # once, before several processes would all compile the kernels
        progress.stage("compile kernels")
        check()
        progress.stage("simulate")
        create_repository(repository)
        with Butler.from_config(repository, writeable=True) as butler:
            inputs = ingest_visit(butler, pipeline="reprocessVisitImage", size=size, **visit)
    if executor == "bps":
        arguments = bps_arguments(repository, inputs, output, out / "submit", jobs=processes)
    else:
        arguments = pipetask_arguments(repository, inputs, output, processes=processes)
    console.print(f"$ {executor} {shlex.join(arguments)}", soft_wrap=True, highlight=False)
    with Progress() as progress:
        progress.stage(executor)
        run_command(executor, arguments, out / f"{executor}.log")
    with Butler.from_config(repository, collections=[output]) as butler:
        console.print(compare_visit_with_truth(butler))
        draw_visit(butler, out / "demo.png")
    console.print(
        f"The picture, of one detector, is {out / 'demo.png'}; what {executor} said is in {out / executor}.log; "
        f"the outputs are collection {output} of {repository}."
    )
