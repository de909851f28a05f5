"""`ztopo export`: write a topology as another program has it."""

from __future__ import annotations

import click

from topo.cli import Exit, Refusal, color_option, compiled, file_argument, output_option, report, set_option, write_data
from topo.exchange import forms, module


@click.command()
@click.argument("form", type=click.Choice(forms("export")))
@file_argument
@set_option
@click.option(
    "--format", help="In which of its formats: json or zpl for zdcf, system or user for systemd; the first one if none is given."
)
@output_option
@color_option
def command(form: str, file: str, params: dict[str, str], format: str | None, output: str | None, color: str) -> Exit:
    """Write a topology in another form.

    zdcf is the device configuration of the ZeroMQ RFC 17. What that has nothing for is said on standard error, each with the
    place where it was declared.

    systemd is a unit that runs the topology by `ztopo up` from where its file lies now, with the params that are set: ready when
    everything is, watched, reloaded by SIGHUP. Its formats are system and user.

    A topology with errors is not written.
    """
    target = module("export", form)
    if format is not None and format not in target.FORMATS:
        raise Refusal(f"{form} is not written as {format}, but as {' or '.join(target.FORMATS)}")
    compilation = compiled(file, params, color)
    if not compilation.valid:
        return Exit.FINDINGS
    text, said = target.write(compilation.graph, format or target.FORMATS[0], params)
    report(said, color)
    if text is None:
        return Exit.FINDINGS
    write_data(text, output)
    return Exit.DONE
