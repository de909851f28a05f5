"""`ztopo check`: everything that can be said about a file before anything starts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import click

from topo.cli import (
    Exit,
    Refusal,
    color_option,
    files_argument,
    formats,
    host_says,
    out,
    replace,
    say,
    set_option,
    source_of,
    style_for,
)

if TYPE_CHECKING:
    from topo.compile import Compilation
    from topo.diagnostic import Diagnostic
    from topo.source import Source

aliases = ("validate",)

DOCUMENTS = ("json", "sarif")
"""The formats that are one document, even if there is nothing to say."""


@click.command()
@files_argument
@set_option
@click.option("-W", "--fail-on-warning", is_flag=True, help="End with 1 if there are warnings, too.")
@click.option("-v", "--verbose", is_flag=True, help="Show remarks (info) as well.")
@click.option("--env", is_flag=True, help="Ask this host as well: ports, paths, names, commands.")
@click.option("--fix", is_flag=True, help="Apply the safe fixes, and show what remains.")
@click.option("--diff", is_flag=True, help="Write nothing; show what --fix would change.")
@click.option(
    "--format", type=click.Choice(formats("findings")), default="full", show_default=True, help="How findings are written."
)
@click.option("--timings", is_flag=True, help="Say on standard error how long each phase and each check took.")
@color_option
def command(
    files: tuple[str, ...],
    params: dict[str, str],
    fail_on_warning: bool,
    verbose: bool,
    env: bool,
    fix: bool,
    diff: bool,
    format: str,
    timings: bool,
    color: str,
) -> Exit:
    """Say everything that can be said before launch (also: validate).

    Findings go to standard output. Ends with 0 if there are no errors, 1 if there are, 2 if a file cannot be read or written.

    With --env this host is asked, too, as `ztopo up` does before it starts anything.

    With --fix, what can be mended in one way only is mended in the files, and the rest decides what it ends with. Of standard
    input the mended text goes to standard output; then, as with --diff, findings go to standard error.
    """
    from topo.compile import compile as compile_source
    from topo.diagnostic import Diagnostic, counted, in_order
    from topo.timing import Timings

    watch = Timings()
    found: list[Diagnostic] = []
    sources: list[Source] = []
    failed = False
    for file in dict.fromkeys(files):
        try:
            with watch("read"):
                source = source_of(file)
            if isinstance(source, Diagnostic):
                found.append(source)
                continue
            if diff:
                _show_mended(source, params)
            sources.append(_mended(source, params) if fix and not diff else source)
        except Refusal as refusal:
            say(f"error: {refusal.format_message()}")
            failed = True
    good: list[Compilation] = []
    for source in sources:  # only now, for files that use each other are all mended
        compilation = compile_source(source, params, watch=watch)
        said = in_order([*compilation.diagnostics, *(host_says(compilation, watch) if env else ())])
        found.extend(said if verbose else counted(said))
        if not counted(said):
            good.append(compilation)
    aside = diff or (fix and "-" in files)
    if found or format in DOCUMENTS:
        with watch("write the findings"):
            stream, write = (sys.stderr, say) if aside else (sys.stdout, out)
            write(import_module(f"topo.render.findings_{format}").render(found, style_for(stream, color)))
    if format == "full":
        _sum_up(found, good)
    if timings:
        say(import_module("topo.render.timings").render(watch.spent, style_for(sys.stderr, color)))
    if failed:
        return Exit.USAGE
    failing = {"error", "warning"} if fail_on_warning else {"error"}
    return Exit.FINDINGS if any(d.severity in failing for d in found) else Exit.DONE


def _mended(source: Source, params: dict[str, str]) -> Source:
    """A file with its safe fixes applied, which is written, and said."""
    from topo.text import clean

    mended, fixed = _mend(source, params)
    if source.path is None:
        out(mended.text)
    elif fixed:
        replace(source, mended.text)
    for diagnostic in fixed:
        assert diagnostic.span is not None  # a fix has a place
        assert diagnostic.fix is not None
        line, column = diagnostic.span.position
        say(clean(f"{source.name}:{line}:{column}: fixed[{diagnostic.code}]: {diagnostic.fix.title}"))
    return mended


def _show_mended(source: Source, params: dict[str, str]) -> None:
    """What the safe fixes of a file would change."""
    from topo.rewrite import difference

    mended, _ = _mend(source, params)
    out(difference(source, mended.text, "fixed"))


def _mend(source: Source, params: dict[str, str]) -> tuple[Source, tuple[Diagnostic, ...]]:
    from topo.compile import compile as compile_source
    from topo.mend import mend

    compilation, fixed = mend(compile_source(source, params), lambda mended: compile_source(mended, params))
    return compilation.source, fixed


def _sum_up(found: Sequence[Diagnostic], good: Sequence[Compilation]) -> None:
    """A line for people: what was counted shows whether a file was understood as it was meant."""
    from topo.render import plural

    for compilation in good:
        graph = compilation.graph
        counts = (
            plural(len(graph.model.devices), "device"),
            plural(len(graph.model.apps), "app"),
            plural(len(graph.links), "link"),
            *([f"{len(compilation.silenced)} allowed"] if compilation.silenced else []),
        )
        say(f"{compilation.source.name}: ok ({', '.join(counts)})")
    kinds = [plural(n, kind) for kind in ("error", "warning", "info") if (n := sum(d.severity == kind for d in found))]
    if kinds:
        fixable = sum(d.fix is not None and d.fix.safe for d in found)
        say(", ".join(kinds) + (f", of which --fix mends {fixable}" if fixable else ""))
