"""The ``secondlight`` command: subcommands are imported when they are called, so that ``--help`` is quick."""

from __future__ import annotations

import gc
import importlib
import logging
import sys
from collections.abc import Sequence

import click

__all__ = ["main"]

#: One-line help by subcommand; each lives in the module of its name.
_COMMANDS = {
    "run": "Reprocess one detector from files.",
    "demo": "Simulate a visit, reprocess it, compare with the truth, draw it.",
    "simulate": "Simulate a visit as files, with truth.",
    "butler": "Make Butler repositories, and find the pipelines for them.",
    "schema": "List the output columns.",
    "doctor": "Show versions, kernel cache and threads, and check that the kernels work.",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"secondlight.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"secondlight {version('secondlight')}")
        ctx.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
@click.pass_context
def _secondlight(ctx: click.Context, debug: bool) -> None:
    """Make the final calibrated image and source table of a visit's detector."""
    ctx.obj = {"debug": debug}


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status.

    Parameters
    ----------
    args
        Arguments without the program's name; those of this process if not given.
    """
    arguments = list(sys.argv[1:] if args is None else args)
    # imports and compilation make millions of objects that stay: looking for garbage among them ever so often is in vain
    gc.set_threshold(50_000, 20, 50)
    # what the tasks warn of; nothing if someone has set up logging already
    logging.basicConfig(level=logging.WARNING, format="secondlight: %(levelname)s: %(message)s")
    # the Butler misses pandas, which nothing here uses
    logging.getLogger("lsst.daf.butler._storage_class").setLevel(logging.ERROR)
    try:
        status = _secondlight.main(arguments, prog_name="secondlight", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("secondlight: interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except Exception as error:
        from ..errors import SecondLightError

        if "--debug" in arguments or not isinstance(error, SecondLightError | OSError | MemoryError):
            raise
        message = " ".join(str(error).split())
        click.echo(f"secondlight: {message}", err=True)
        sys.exit(getattr(error, "exit_status", 3))
    sys.exit(status if isinstance(status, int) else 0)
