"""`ztopo graph`: the picture of a topology."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from topo.cli import Exit, color_option, compiled, file_argument, formats, output_option, set_option, style_for, write_data


@click.command()
@file_argument
@set_option
@click.option("--format", type=click.Choice(formats("graph")), default="ascii", show_default=True, help="What kind of picture.")
@click.option(
    "--width", type=click.IntRange(40, 1000), default=80, show_default=True, help="The most columns of a picture in characters."
)
@output_option
@color_option
def command(file: str, params: dict[str, str], format: str, width: int, output: str | None, color: str) -> Exit:
    """Draw the picture of a topology.

    Devices are drawn in heavy lines, apps in light ones, dashed where ztopo does not start them. Arrow heads say where
    messages go. What is wrong with the file is said on standard error, and the picture drawn as far as it goes.
    """
    from msgspec.structs import replace

    from topo.picture import picture

    compilation = compiled(file, params, color)
    assert compilation.graph is not None
    style = style_for(sys.stdout, "never" if output and color == "auto" else color)
    style = replace(style, width=width, unicode=style.unicode or output is not None)
    write_data(import_module(f"topo.render.graph_{format}").render(picture(compilation.graph), style), output)
    return Exit.DONE if compilation.valid else Exit.FINDINGS
