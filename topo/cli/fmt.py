"""`ztopo fmt`: write files in the one style."""

from __future__ import annotations

import click

from topo.cli import Exit, Refusal, color_option, files_argument, out, replace, report, say, source_of

aliases = ("format",)


@click.command(short_help="Write files in the one style.")
@files_argument
@click.option("--check", is_flag=True, help="Write nothing; end with 1 if a file would change.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
@color_option
def command(files: tuple[str, ...], check: bool, diff: bool, color: str) -> Exit:
    """Write files in the one style, in place; `-` is standard input, written to standard output.

    It has no options of style, keeps every comment, and never changes what a file means. A file with errors is left as it is.
    Ends with 1 if a file has errors, or, with --check, would change.
    """
    from topo.diagnostic import Diagnostic, has_errors
    from topo.rewrite import difference
    from topo.syntax.format import format
    from topo.zeromq.kinds import KINDS

    usual = {kind.name: {"in": kind.in_type, "out": kind.out_type, "monitor": kind.monitor_type} for kind in KINDS.values()}
    worst = Exit.DONE
    for file in dict.fromkeys(files):
        shown = "<stdin>" if file == "-" else file
        try:
            source = source_of(file)
        except Refusal as refusal:
            say(f"error: {refusal.format_message()}")
            worst = Exit.USAGE
            continue
        if not isinstance(source, Diagnostic) and source.is_json:
            say(f"error: {shown} is JSON, which is not formatted; `ztopo show {file}` writes it as a text")
            worst = Exit.USAGE
            continue
        text, said = (None, [source]) if isinstance(source, Diagnostic) else format(source, usual)
        if text is None or isinstance(source, Diagnostic) or has_errors(said):
            report(said, color)
            say(f"{shown} is left as it is")
            worst = max(worst, Exit.FINDINGS)
            continue
        text = text.replace("\n", "\r\n") if "\r\n" in source.text else text
        changed = text != source.text
        if diff:
            out(difference(source, text, "formatted"))
        if check or diff:
            if changed and check:
                say(f"{shown} would change")
                worst = max(worst, Exit.FINDINGS)
        elif file == "-":
            out(text)
        elif changed:
            replace(source, text)
            say(f"{file} is formatted")
    return worst
