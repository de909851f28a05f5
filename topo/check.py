"""The shape of a check, and how all of them are found and run.

A check is one file in `topo/checks/`: a function over the graph that yields diagnostics, marked with its code and title. It
is found by looking into the folder. Those in `topo/hostchecks/` ask about the host, too, and are run before something is
started on it. Codes that are given before there is a graph (syntax, names) and after it (run time)
are marked with `topo.diagnostic.finding` in the modules named below, and are explained in the same way.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, Protocol, cast

from topo.diagnostic import Diagnostic, Finding, Severity
from topo.graph import Graph
from topo.host import Host
from topo.timing import Watch, unwatched
from topo.zeromq.libzmq import Libzmq

__all__ = ["Check", "check", "checks", "findings", "host_checks", "run", "run_host"]


class Check(Protocol):
    """A question to the graph."""

    finding: Finding

    def __call__(self, graph: Graph, libzmq: Libzmq, host: Host = ..., /) -> Iterable[Diagnostic]:
        """Everything that there is to say."""
        ...


MODULES_WITH_FINDINGS = (
    "topo.syntax.mistakes",
    "topo.syntax.slips",
    "topo.mistakes",
    "topo.exchange._mistakes",
    "topo.run.mistakes",
)


def check(
    code: str, title: str, *levels: Severity, allowable: bool = True
) -> Callable[[Callable[..., Iterable[Diagnostic]]], Check]:
    """Mark a check. It takes the graph, and besides that what it declares by these names: the `libzmq` at hand, the `host`.

    `levels` are the severities that it gives, error if none is named. What is not `allowable` no comment in the text can
    silence, because no plan can be made of it. The docstring is what `ztopo explain` prints and what the tests run; see
    `topo.diagnostic.finding`.
    """

    def mark(ask: Callable[..., Iterable[Diagnostic]]) -> Check:
        wanted = ask.__code__.co_varnames[1 : ask.__code__.co_argcount]

        def question(graph: Graph, libzmq: Libzmq, host: Host = NO_HOST) -> Iterable[Diagnostic]:
            known = {"libzmq": libzmq, "host": host}
            return ask(graph, *(known[name] for name in wanted))

        known = Finding(code, title, ask.__doc__ or "", levels or ("error",), allowable)
        question.finding = known  # type: ignore[attr-defined]  # a mark, read below
        question.__module__, question.__name__, question.__doc__ = ask.__module__, ask.__name__, ask.__doc__
        return cast(Check, question)

    return mark


NO_HOST = Host()
"""What a check of the graph alone is asked with."""


def _marked(module: Any) -> Iterator[Any]:
    for value in vars(module).values():
        if hasattr(value, "finding") and value.__module__ == module.__name__:
            yield value


@cache
def checks() -> tuple[Check, ...]:
    """Every check of a text, in the order of their codes."""
    return _in("topo.checks")


@cache
def host_checks() -> tuple[Check, ...]:
    """Every check of a host, in the order of their codes."""
    return _in("topo.hostchecks")


def _in(package: str) -> tuple[Check, ...]:
    found: list[Any] = []
    for info in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        found.extend(_marked(importlib.import_module(info.name)))
    return tuple(sorted(found, key=lambda c: str(c.finding.code)))


@cache
def findings() -> dict[str, Finding]:
    """Everything that can be found, by code: the checks, and the mistakes of the other phases."""
    marked: list[Any] = [*checks(), *host_checks()]
    for name in MODULES_WITH_FINDINGS:
        marked.extend(_marked(importlib.import_module(name)))
    return {m.finding.code: m.finding for m in sorted(marked, key=lambda m: str(m.finding.code))}


def run(graph: Graph, libzmq: Libzmq, watch: Watch = unwatched) -> list[Diagnostic]:
    """Ask every check of a text. What several of them need to know is counted to the first that asks for it."""
    return _ask(checks(), graph, libzmq, NO_HOST, watch)


def run_host(graph: Graph, libzmq: Libzmq, host: Host, watch: Watch = unwatched) -> list[Diagnostic]:
    """Ask every check of a host."""
    return _ask(host_checks(), graph, libzmq, host, watch)


def _ask(asked: Iterable[Check], graph: Graph, libzmq: Libzmq, host: Host, watch: Watch) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    for ask in asked:
        with watch(f"{ask.finding.code}  {ask.finding.title}"):
            found.extend(ask(graph, libzmq, host))
    return found
