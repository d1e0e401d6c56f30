"""``secondlight doctor``: is this installation well?"""

from __future__ import annotations

import gc
import os
import platform
import sys
import time

import click

__all__ = ["command"]

_PACKAGES = (
    "secondlight",
    "numpy",
    "numba",
    "scipy",
    "astropy",
    "pyarrow",
    "lsst-images",
    "lsst-pipe-base",
    "lsst-pex-config",
    "lsst-daf-butler",
    "starlink-pyast",
    "galsim",
    "piff",
    "matplotlib",
)


@click.command("doctor")
@click.option("--warm", is_flag=True, help="Compile all kernels into the cache; print only what it took.")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
@click.pass_context
def command(ctx: click.Context, warm: bool, debug: bool) -> None:
    """Show versions, kernel cache and threads, and reprocess a tiny image whose truth is known."""
    from importlib.metadata import PackageNotFoundError, version

    if not warm:
        click.echo(f"python {platform.python_version()} ({sys.executable})")
        for name in _PACKAGES:
            try:
                click.echo(f"{name} {version(name)}")
            except PackageNotFoundError:
                click.echo(f"{name}: not installed (optional)")
        click.echo(f"processors this process may use: {len(os.sched_getaffinity(0))}")
    from ..selfcheck import cache_state, check

    before = cache_state()
    if not warm:
        click.echo(f"kernel cache: {before.kernels} compiled in {before.directory}")
    if not before.kernels:
        click.echo("compiling kernels: a minute or two, once per installation", err=True)
    start = time.perf_counter()
    # compiling makes objects by the million that all stay: looking for garbage among them is a twentieth of the time
    gc.disable()
    try:
        findings = check()
    finally:
        gc.enable()
    seconds = time.perf_counter() - start
    after = cache_state()
    if warm:
        click.echo(f"{after.kernels} kernels in {after.directory} ({seconds:.1f} s)")
    for finding in findings:
        if not warm or not finding.good:
            click.echo(f"{'ok  ' if finding.good else 'BAD '} {finding.text}")
    if not all(f.good for f in findings):
        click.echo("the self-check failed: remove the kernel cache above and try again", err=True)
        ctx.exit(1)
    if not warm:
        click.echo(f"self-check passed in {seconds:.1f} s")
