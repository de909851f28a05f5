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
    output_option,
    set_option,
    style_for,
    write_data,
)


@click.command()
@file_argument
@set_option
@click.option(
    "--format", type=click.Choice(formats("model")), default="ztopo", show_default=True, help="How the topology is written."
)
@output_option
@color_option
def command(file: str, params: dict[str, str], format: str, output: str | None, color: str) -> Exit:
    """Show the expanded topology: params inserted, names resolved.

    As ztopo the text can be used in place of the file; as JSON it holds everything, places included. Secrets are never shown.
    """
    compilation = compiled(file, params, color)
    assert compilation.graph is not None
    if compilation.graph.model.doubtful:
        return Exit.FINDINGS
    write_data(import_module(f"topo.render.model_{format}").render(compilation.graph, style_for(sys.stdout, color)), output)
    return Exit.DONE if compilation.valid else Exit.FINDINGS
