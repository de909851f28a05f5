"""Twice the topology, about twice the work: counted in lines of Python run, which no busy machine changes.

Each check by itself, once what several of them ask of the graph is there; and everything from the tree on, in which that counts too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from topo.check import Check, checks, host_checks
from topo.compile import Compilation, compile_tree, judge_host
from topo.host import Endpoint, Host, Refused, wanted
from topo.source import Source
from topo.syntax.parse import parse
from topo.syntax.tree import File
from topo.zeromq.libzmq import Libzmq

SIZE = 500
LIBZMQ = Libzmq(abstract=False)

SHAPES: dict[str, Callable[[int], str]] = {
    "a chain of devices, each with a monitor and its reader": lambda count: (
        "".join(
            f"device d{n}: streamer {{ in bind tcp://*:{1000 + 2 * n}; out connect d{n + 1}.in; monitor bind ipc://m{n} }}\n"
            f'app a{n}: SUB connect d{n}.monitor {{ subscribe "" }}\n'
            for n in range(count)
        )
        + f"device d{count}: streamer {{ in bind tcp://*:5; out bind tcp://*:6 }}\n"
    ),
    "many peers of one socket": lambda count: (
        "device d: queue { in bind tcp://*:5; out bind tcp://*:6 }\ndevice f: forwarder { in bind tcp://*:7; out bind tcp://*:8 }\n"
        + "".join(
            f'app a{n}: REQ connect d.in {{ routing_id "a{n}" }}\napp b{n}: REP connect d.out {{ run "b{n}" }}\n'
            f'app c{n}: PUB connect f.in\napp e{n}: SUB connect f.out {{ subscribe "{n}" }}\n'
            for n in range(count // 2)
        )
    ),
    "replicas": lambda count: (
        f"device d[{count}]: queue {{ in bind tcp://*:${{6000 + index}}; out bind inproc://${{index}}; monitor PUB bind ipc://@${{index}} }}\n"
        f'app a[{count}]: REQ connect d[index].in {{ routing_id "a"; linger 0 }}\n'
        f'app s: SUB connect d.monitor {{ subscribe "in" }}\n'
    ),
    "one ring": lambda count: "".join(
        f"device d{n}: streamer {{ in bind tcp://*:{1000 + n}; out connect d{(n + 1) % count}.in }}\n" for n in range(count)
    ),
    "a mistake in every device": lambda count: "".join(
        f"device d{n}: queue {{ in ROUTER bind tcp://*:{70000 + n}, ipc://x; out ROUTER bind tcp://*:5 {{ lingr 0; sndhwm -1 }} }}\n"
        f"app a{n}: SUB connect d{n}.out, tcp://127.0.0.1:{7000 + n}, tcp://eth0:5 {{ conflate 1 }}\n"
        for n in range(count // 2)
    ),
    "messages that come to nothing": lambda count: (
        "device m: queue swap { in bind tcp://*:5; out ROUTER bind tcp://*:6 }\ndevice q: queue { in bind tcp://*:7; out bind tcp://*:8 }\n"
        "device p: proxy { in DEALER bind tcp://*:9; out ROUTER bind tcp://*:10 }\ndevice s: proxy { in ROUTER connect q.out; out PUB bind tcp://*:11 }\n"
        + "".join(
            f"app a{n}: REQ connect m.in\napp b{n}: DEALER connect m.out\napp c{n}: DEALER connect q.in\napp d{n}: REP connect q.out\n"
            f"app e{n}: DEALER as REQ connect p.in\napp f{n}: ROUTER connect p.out\n"
            f'app g{n}: REQ connect s.in\napp h{n}: SUB connect s.out {{ subscribe "{n}" }}\n'
            for n in range(count // 4)
        )
    ),
    "ways that meet": lambda count: (
        "app d0: PUB bind tcp://*:5\n"
        + "".join(
            f"device l{n}: forwarder {{ in connect d{n}.out; out bind tcp://*:{10 + 3 * n} }}\n".replace("d0.out", "d0")
            + f"device r{n}: forwarder {{ in connect d{n}.out; out bind tcp://*:{11 + 3 * n} }}\n".replace("d0.out", "d0")
            + f"device d{n + 1}: forwarder {{ in connect l{n}.out, r{n}.out; out bind tcp://*:{12 + 3 * n} }}\n"
            for n in range(count // 3)
        )
    ),
    "an allow for every device": lambda count: "".join(
        f'app a{n}: PULL connect tcp://127.0.0.1:{7000 + n}  # ztopo: allow ZT302 "by hand"\n'
        f'app b{n}: PULL connect tcp://127.0.0.1:{7000 + n}\n# ztopo: allow ZT302 "by hand"\napp c{n}: PUSH bind tcp://*:*\n'
        for n in range(count // 3)
    ),
    "a name that nothing has in every device": lambda count: "".join(
        f"app a{n}: PULL connect nobody{n}, tcp://127.0.0.1:{7000 + n}\napp b{n}: PULL connect tcp://127.0.0.1:{7000 + n}\n"
        for n in range(count // 2)
    ),
}


def host_of(compilation: Compilation) -> Host:
    """One that refuses everything."""
    asked = wanted(compilation.graph)
    return Host(
        refused={endpoint: Refused(98 if number % 2 else 2) for number, endpoint in enumerate(sorted(asked.binds, key=_text))},
        left=asked.binds,
        unknown=asked.names,
        missing=dict.fromkeys(asked.commands, 2),
        descriptors=100,
    )


def _text(endpoint: Endpoint) -> str:
    return endpoint.text


@cache
def tree_of(shape: str, count: int) -> File:
    file, said = parse(Source(SHAPES[shape](count), path=Path("/srv/x.ztopo")), fragment=True)
    assert not said
    return file


@cache
def compiled(shape: str, count: int) -> Compilation:
    return compile_tree(tree_of(shape, count), libzmq=LIBZMQ)


def lines(work: Callable[[], object]) -> int:
    """How many lines of Python it takes."""
    count = 0

    def trace(frame: object, event: str, argument: object) -> object:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]  # a tracer of our own
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def in_proportion(work: Callable[[int], Callable[[], object]]) -> bool:
    small, large = lines(work(SIZE)), lines(work(2 * SIZE))
    return large < 2.2 * small + 100


@pytest.mark.parametrize("shape", SHAPES)
def test_no_check_asks_each_about_every_other(shape: str) -> None:
    def asking(ask: Check, count: int) -> Callable[[], object]:
        compilation = compiled(shape, count)
        host = host_of(compilation)
        list(ask(compilation.graph, LIBZMQ, host))  # and what the graph has to know for that is there
        return lambda: list(ask(compilation.graph, LIBZMQ, host))

    slow = [
        ask.finding.code
        for ask in (*checks(), *host_checks())
        if not in_proportion(lambda count, ask=ask: asking(ask, count))  # type: ignore[misc]  # the loop's own
    ]
    assert slow == []


@pytest.mark.parametrize("shape", SHAPES)
def test_from_the_tree_to_the_findings(shape: str) -> None:
    assert in_proportion(lambda count: lambda: compile_tree(tree_of(shape, count), libzmq=LIBZMQ))


@pytest.mark.parametrize("shape", SHAPES)
def test_what_the_host_says(shape: str) -> None:
    def asking(count: int) -> Callable[[], object]:
        compilation = compiled(shape, count)
        return lambda: judge_host(compilation, host_of(compilation), LIBZMQ)

    assert in_proportion(asking)


def test_what_is_not_in_proportion_is_found() -> None:
    assert not in_proportion(lambda count: lambda: [None for n in range(count // 20) for m in range(count // 20)])
    assert in_proportion(lambda count: lambda: [None for n in range(count)])
