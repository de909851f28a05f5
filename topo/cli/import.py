"""`ztopo import`: make a text in ztopo of what another program has."""

from __future__ import annotations

import click

from topo.cli import Exit, color_option, output_option, report, source_of, write_data
from topo.exchange import forms, module


@click.command()
@click.argument("form", type=click.Choice(forms("import")))
@click.argument("file", type=click.Path())
@output_option
@color_option
def command(form: str, file: str, output: str | None, color: str) -> Exit:
    """Write what FILE says as a text in ztopo.

    zdcf is the device configuration of the ZeroMQ RFC 17, as JSON or as ZPL; `-` is standard input. What there is nothing for in
    ztopo is said on standard error, each with its place. Ends with 1 if FILE is not of that form; then nothing is written.
    """
    from topo.diagnostic import Diagnostic

    source = source_of(file)
    text, said = (None, [source]) if isinstance(source, Diagnostic) else module("import", form).read(source)
    report(said, color)
    if text is None:
        return Exit.FINDINGS
    write_data(text, output)
    return Exit.DONE
