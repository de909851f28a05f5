"""`ztopo check`: everything that can be said about a file before anything starts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import click

from topo.cli import Exit, Refusal, color_option, files_argument, formats, out, say, set_option, source_of, style_for

if TYPE_CHECKING:
    from topo.compile import Compilation
    from topo.diagnostic import Diagnostic

aliases = ("validate",)


@click.command()
@files_argument
@set_option
@click.option("-W", "--fail-on-warning", is_flag=True, help="End with 1 if there are warnings, too.")
@click.option("-v", "--verbose", is_flag=True, help="Show remarks (info) as well.")
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
    format: str,
    timings: bool,
    color: str,
) -> Exit:
    """Say everything that can be said before launch (also: validate).

    Findings go to standard output. Ends with 0 if there are no errors, 1 if there are, 2 if a file cannot be read.
    """
    from topo.compile import compile as compile_source
    from topo.diagnostic import Diagnostic
    from topo.timing import Timings

    watch = Timings()
    found: list[Diagnostic] = []
    good: list[Compilation] = []
    unreadable = False
    for file in dict.fromkeys(files):
        try:
            with watch("read"):
                source = source_of(file)
        except Refusal as refusal:
            say(f"error: {refusal.format_message()}")
            unreadable = True
            continue
        if isinstance(source, Diagnostic):
            found.append(source)
            continue
        compilation = compile_source(source, params, watch=watch)
        said = [d for d in compilation.diagnostics if verbose or d.severity != "info"]
        found.extend(said)
        if all(d.severity == "info" for d in said):
            good.append(compilation)
    if found or format == "json":
        with watch("write the findings"):
            out(import_module(f"topo.render.findings_{format}").render(found, style_for(sys.stdout, color)))
    if format == "full":
        _sum_up(found, good)
    if timings:
        say(import_module("topo.render.timings").render(watch.spent, style_for(sys.stderr, color)))
    if unreadable:
        return Exit.USAGE
    failing = {"error", "warning"} if fail_on_warning else {"error"}
    return Exit.FINDINGS if any(d.severity in failing for d in found) else Exit.DONE


def _sum_up(found: Sequence[Diagnostic], good: Sequence[Compilation]) -> None:
    """A line for people: what was counted shows whether a file was understood as it was meant."""
    from topo.render import plural

    for compilation in good:
        graph = compilation.graph
        assert graph is not None  # what has no graph has a finding
        counts = (
            plural(len(graph.model.devices), "device"),
            plural(len(graph.model.apps), "app"),
            plural(len(graph.links), "link"),
            *([f"{len(compilation.silenced)} allowed"] if compilation.silenced else []),
        )
        say(f"{compilation.source.name}: ok ({', '.join(counts)})")
    kinds = [plural(n, kind) for kind in ("error", "warning", "info") if (n := sum(d.severity == kind for d in found))]
    if kinds:
        say(", ".join(kinds))
