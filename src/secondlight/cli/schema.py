"""``secondlight schema``: the output columns, from their declarations."""

from __future__ import annotations

import csv
import sys
from typing import Any

import click

__all__ = ["command"]

_FELIS_TYPES = {
    "L": "long",
    "I": "int",
    "U": "int",
    "F": "float",
    "D": "double",
    "Angle": "double",
    "Flag": "boolean",
}


@click.command("schema")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "felis", "markdown"]),
    default="text",
    show_default=True,
)
@click.option("--config-file", "config_files", multiple=True, help="Configuration overrides.")
@click.option(
    "--config", "config_values", multiple=True, metavar="KEY=VALUE", help="One configuration override."
)
@click.option("--aliases", is_flag=True, help="List aliases too, as the source table holds them.")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
def command(
    form: str, config_files: tuple[str, ...], config_values: tuple[str, ...], aliases: bool, debug: bool
) -> None:
    """List the columns of the source table: name, type, unit, description."""
    from ..overrides import build_config
    from ..reprocess import ReprocessVisitImageTask

    schema = ReprocessVisitImageTask(build_config(config_files, config_values)).schema
    rows = []
    for column in schema:
        unit = "rad" if column.type == "Angle" else column.unit
        rows.append((column.name, column.type, unit, column.doc))
        if aliases:
            rows += [
                (a, column.type, unit, f"alias of {column.name}") for a in schema.aliases_of(column.name)
            ]
    if form == "markdown":
        from ._columns_page import columns_page

        click.echo(columns_page(schema), nl=False)
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(("name", "type", "unit", "doc"))
        writer.writerows(rows)
    elif form == "felis":
        import yaml

        click.echo(yaml.safe_dump(_felis(rows), sort_keys=False, allow_unicode=True, width=110), nl=False)
    else:
        width = max(len(r[0]) for r in rows)
        for name, kind, unit, doc in rows:
            click.echo(f"{name:{width}}  {kind:5}  {unit:12}  {doc}")
        click.echo(f"{len(rows)} columns")


def _felis(rows: list[tuple[str, str, str, str]]) -> dict[str, Any]:
    """Return the columns as a schema in the felis format."""
    table = "sources_detector"
    columns = []
    for name, kind, unit, doc in rows:
        column = {
            "name": name,
            "@id": f"#{table}.{name}",
            "datatype": _FELIS_TYPES[kind],
            "description": doc or name,
        }
        if unit:
            column["fits:tunit"] = unit
        columns.append(column)
    return {
        "name": "secondlight",
        "@id": "#secondlight",
        "description": "Source table of one visit and detector.",
        "tables": [
            {
                "name": table,
                "@id": f"#{table}",
                "description": "Sources measured on one visit image.",
                "primaryKey": f"#{table}.id",
                "columns": columns,
            }
        ],
    }
