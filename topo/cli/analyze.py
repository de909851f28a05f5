"""`ztopo analyze`: what hangs on what, who holds up whom, and how much may lie about."""

from __future__ import annotations

import re
import sys
from importlib import import_module

import click

from topo.cli import Exit, color_option, compiled, file_argument, formats, out, set_option, style_for

UNITS = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def _bytes(context: click.Context, parameter: click.Parameter, value: str) -> int:
    """A size as the language has it, in bytes."""
    found = re.fullmatch(r"(\d{1,12})(B|KiB|MiB|GiB)", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no size, as 512B or 64KiB")
    return int(found[1]) * UNITS[found[2]]


@click.command(short_help="Say what hangs on what, who holds up whom, and how much may wait.")
@file_argument
@set_option
@click.option(
    "--message-size",
    callback=_bytes,
    default="1KiB",
    show_default=True,
    metavar="SIZE",
    help="How large a message is, as 512B or 64KiB.",
)
@click.option("--format", type=click.Choice(formats("analysis")), default="text", show_default=True, help="How it is written.")
@color_option
def command(file: str, params: dict[str, str], message_size: int, format: str, color: str) -> Exit:
    """Say what hangs on what in a topology, who holds up whom, and how much may lie about.

    Which devices others hang on; where no message gets to; rings; what becomes of messages where one does not read, and at which
    high water mark; how much memory these allow; and in which order to start. Ends with 0, or with 1 if the file has errors.
    """
    from topo.analysis import analyze

    compilation = compiled(file, params, color)
    analysis = analyze(compilation.graph, message_size)
    out(import_module(f"topo.render.analysis_{format}").render(analysis, style_for(sys.stdout, color)))
    return Exit.DONE if compilation.valid else Exit.FINDINGS
