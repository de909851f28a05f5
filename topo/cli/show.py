"""`ztopo show`: the topology as ztopo understands it."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from topo.cli import (
    Exit,
    color_option,
    compiled,
    file_argument,
    formats,
    out,
    output_option,
    set_option,
    style_for,
    write_data,
)


def _schema(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from topo.syntax.grammar import text

    out(text("topology.schema.json"))
    context.exit()


@click.command()
@click.option(
    "--schema",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_schema,
    help="Write the JSON Schema of the JSON, and end.",
)
@file_argument
@set_option
@click.option(
    "--format", type=click.Choice(formats("model")), default="ztopo", show_default=True, help="How the topology is written."
)
@output_option
@color_option
def command(file: str, params: dict[str, str], format: str, output: str | None, color: str) -> Exit:
    """Show the expanded topology: params inserted, names resolved.

    Both can be used in place of the file, by every verb. As JSON it holds everything, places included; --schema says what
    each key is. Secrets are never shown: only where they come from is.
    """
    compilation = compiled(file, params, color)
    assert compilation.graph is not None
    if compilation.graph.model.doubtful:
        return Exit.FINDINGS
    write_data(import_module(f"topo.render.model_{format}").render(compilation.graph, style_for(sys.stdout, color)), output)
    return Exit.DONE if compilation.valid else Exit.FINDINGS
