"""``secondlight butler``: repositories that need no stack, and the pipelines for them."""

from __future__ import annotations

import click

from .simulate import visit_options

__all__ = ["command"]

_DEBUG = click.option("--debug", is_flag=True, help="Show tracebacks of errors.")


@click.group("butler")
def command() -> None:
    """Make Butler repositories, and find the pipelines for them."""


@command.command("create")
@click.argument("repo")
@click.option("--db", metavar="URL", help="Database of the registry (postgresql://…); SQLite if not given.")
@click.option("--namespace", help="Schema within a PostgreSQL database; one for each repository in it.")
@click.option("--datastore", metavar="URL", help="Where datasets lie (s3://…); in REPO if not given.")
@_DEBUG
def create(repo: str, db: str | None, namespace: str | None, datastore: str | None, debug: bool) -> None:
    """Make an empty repository REPO, a folder or a URL, with storage classes that need no stack."""
    from ..pipeline.repository import create_repository

    create_repository(repo, database=db, namespace=namespace, datastore=datastore)


@command.command("ingest-demo")
@click.argument("repo")
@click.option(
    "--detectors", type=click.IntRange(1, 99), default=4, show_default=True, help="Number of detectors."
)
@click.option(
    "--first-detector", type=click.IntRange(min=0), default=90, show_default=True, help="Id of the first."
)
@click.option(
    "--without-psf", type=int, multiple=True, metavar="ID", help="A detector for which upstream found no PSF."
)
@click.option(
    "--pipeline", default="reprocessVisitImage", show_default=True, help="Whose names the datasets get."
)
@click.option("--visit", type=int, default=2025112000123, show_default=True)
@visit_options
@_DEBUG
def ingest_demo(
    repo: str,
    detectors: int,
    first_detector: int,
    without_psf: tuple[int, ...],
    pipeline: str,
    visit: int,
    size: tuple[int, int],
    seed: int,
    band: str,
    density: float,
    snaps: int,
    debug: bool,
) -> None:
    """Simulate a visit of several detectors into REPO.

    Prints the ``pipetask run`` command that reprocesses it.
    """
    import shlex

    from lsst.daf.butler import Butler

    from ..pipeline.repository import shipped_pipeline
    from ..simulate import ingest_visit

    path = shipped_pipeline(pipeline)
    with Butler.from_config(repo, writeable=True) as butler:
        collection = ingest_visit(
            butler,
            detectors=range(first_detector, first_detector + detectors),
            pipeline=pipeline,
            size=size,
            seed=seed,
            visit=visit,
            band=band,
            density=density,
            snaps=snaps,
            without_psf=without_psf,
        )
    arguments = ["-b", repo, "-p", str(path), "-i", collection, "-o", "reprocessed"]
    click.echo(f"pipetask run {shlex.join(arguments)} -j 2 --register-dataset-types")


@command.command("recover")
@click.argument("repo")
@_DEBUG
def recover(repo: str, debug: bool) -> None:
    """Make REPO readable again after a process that wrote to its SQLite registry was killed.

    SQLite rolls back what was cut off when the file is next opened for writing, and does not when it is opened for reading.
    """
    from ..pipeline.repository import recover_repository

    recover_repository(repo)


@command.command("pipeline")
@click.argument("name", required=False)
@_DEBUG
def pipeline_path(name: str | None, debug: bool) -> None:
    """Print the path of the shipped pipeline NAME; without it, the names there are."""
    from ..pipeline.repository import shipped_pipeline, shipped_pipelines

    click.echo(shipped_pipeline(name) if name else "\n".join(shipped_pipelines()))


@command.command("bps")
@click.argument("site", required=False)
@_DEBUG
def bps_site(site: str | None, debug: bool) -> None:
    """Print the path of the file that ``bps submit`` is given for a kind of SITE; without it, the kinds there are.

    ``bps submit "$(secondlight butler bps local)" -b REPO -i INPUTS -o OUTPUTS`` runs on this machine. Needs the extra
    "bps".
    """
    from ..pipeline.repository import shipped_site, shipped_sites

    click.echo(shipped_site(site) if site else "\n".join(shipped_sites()))


@command.command("overrides")
@_DEBUG
def overrides(debug: bool) -> None:
    """Print the shell command that lets repositories of the stack be used without it.

    It sets DAF_BUTLER_CONFIG_PATH, so that the Butler reads and writes afw's storage classes with Second Light's types:
    eval "$(secondlight butler overrides)". Folders that are in the variable already stay in it.
    """
    import os
    import shlex

    from ..pipeline.storage import overrides_path

    ours = str(overrides_path())
    others = [p for p in os.environ.get("DAF_BUTLER_CONFIG_PATH", "").split(":") if p and p != ours]
    click.echo(f"export DAF_BUTLER_CONFIG_PATH={shlex.quote(':'.join([ours, *others]))}")
