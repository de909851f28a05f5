"""`ztopo explain`: the long text of a finding."""

from __future__ import annotations

import sys

import click

from topo.cli import Exit, Refusal, color_option, out, style_for


@click.command()
@click.argument("code", required=False)
@color_option
def command(code: str | None, color: str) -> Exit:
    """Explain a finding, with a wrong and a right example.

    CODE is what stands in brackets behind error or warning, as ZT201. Without it all codes are listed, with how grave each can be.
    """
    from topo.check import findings
    from topo.diagnostic import did_you_mean
    from topo.render.explanation import catalogue, render

    known = findings()
    style = style_for(sys.stdout, color)
    if code is None:
        out(catalogue(known.values(), style))
        return Exit.DONE
    wanted = code.upper().strip("[]")
    if wanted.isdecimal():
        wanted = f"ZT{wanted:0>3}"
    if wanted not in known:
        near = "".join(f", {note}" for note in did_you_mean(wanted, known)) or ";"
        raise Refusal(f"there is no finding `{code}`{near} `ztopo explain` lists all of them")
    out(render(known[wanted], style))
    return Exit.DONE
