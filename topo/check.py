"""The shape of a check, and how all of them are found and run.

A check is one file in `topo/checks/`: a function over the graph that yields diagnostics, marked with its code and title. It
is found by looking into the folder. Codes that are given before there is a graph (syntax, names) and after it (run time)
are marked with `topo.diagnostic.finding` in the modules named below, and are explained in the same way.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from topo.diagnostic import Diagnostic, Finding
from topo.graph import Graph
from topo.zeromq.libzmq import Libzmq

__all__ = ["Check", "check", "checks", "findings", "run"]

Check = Callable[[Graph, Libzmq], Iterable[Diagnostic]]

MODULES_WITH_FINDINGS = ("topo.syntax.mistakes", "topo.mistakes", "topo.run.mistakes")


def check(code: str, title: str) -> Callable[[Callable[..., Iterable[Diagnostic]]], Check]:
    """Mark a check. It takes the graph, and the libzmq at hand as a second argument if it declares one.

    Its docstring is what `ztopo explain` prints and what the tests run; see `topo.diagnostic.finding`.
    """

    def mark(ask: Callable[..., Iterable[Diagnostic]]) -> Check:
        takes_libzmq = ask.__code__.co_argcount == 2

        def question(graph: Graph, libzmq: Libzmq) -> Iterable[Diagnostic]:
            return ask(graph, libzmq) if takes_libzmq else ask(graph)

        question.finding = Finding(code, title, ask.__doc__ or "")  # type: ignore[attr-defined]  # a mark, read below
        question.__module__, question.__name__, question.__doc__ = ask.__module__, ask.__name__, ask.__doc__
        return question

    return mark


def _marked(module: Any) -> Iterator[Any]:
    for value in vars(module).values():
        if hasattr(value, "finding") and value.__module__ == module.__name__:
            yield value


@cache
def checks() -> tuple[Check, ...]:
    """Every check there is, in the order of their codes."""
    import topo.checks

    found: list[Any] = []
    for info in pkgutil.iter_modules(topo.checks.__path__, "topo.checks."):
        found.extend(_marked(importlib.import_module(info.name)))
    return tuple(sorted(found, key=lambda c: str(c.finding.code)))


@cache
def findings() -> dict[str, Finding]:
    """Everything that can be found, by code: the checks, and the mistakes of the other phases."""
    marked: list[Any] = list(checks())
    for name in MODULES_WITH_FINDINGS:
        marked.extend(_marked(importlib.import_module(name)))
    return {m.finding.code: m.finding for m in sorted(marked, key=lambda m: str(m.finding.code))}


def run(graph: Graph, libzmq: Libzmq) -> list[Diagnostic]:
    """Ask every check."""
    return [d for ask in checks() for d in ask(graph, libzmq)]
