"""Small texts that stand for much: each ends in a result or in findings, in work that grows with the text and no faster.

Work is counted in lines of code that are run, so that what is slow on a busy machine fails nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.meaning import USUAL
from topo.compile import Compilation, compile
from topo.render import Style, findings_concise, findings_full, findings_json
from topo.source import Source
from topo.syntax.format import format
from topo.zeromq.libzmq import Libzmq

Make = Callable[[int], str]
PORT = 60_000


def lines(text: str, end: str = "\n") -> Make:
    """So many times a text, with its number for `@` and a port for `%`."""
    return lambda n: end.join(text.replace("@", str(i)).replace("%", str(i % PORT + 1)) for i in range(n))


def both(*makes: Make) -> Make:
    return lambda n: "\n".join(make(n) for make in makes)


def within(before: str, make: Make, behind: str = "") -> Make:
    return lambda n: before + make(n) + behind


GROWING: dict[str, Make] = {
    "nothing wrong": lines("device d@: queue { in bind tcp://127.0.0.1:%; out connect d@.in }"),
    "as many wrong names as right ones": both(lines("app name@: PUSH bind tcp://*:%"), lines("app b@: PULL connect nome@")),
    "as many wrong params as right ones": both(lines("param name@ = @"), lines("app b@: PULL bind tcp://*:${nome@}")),
    "as many wrong sockets as right ones": both(
        within("app a {", lines("socket name@: PUSH bind tcp://*:%"), "}"), lines("app b@: PULL connect a.nome@")
    ),
    "as many references as sockets": both(within("app a {", lines("socket s@: PUSH bind tcp://*:%"), "}"), lines("app b@: PULL connect a.s@")),
    "as many findings as broken declarations": both(
        lines("app a@: PUSH bind tcp://*:% { linger x }"), lines("app b@: PUB bind tcp://*:% { sndhwm 1; sndhwm 2 }")
    ),
    "one line": lines("app a@: PUSH bind tcp://*:% { linger 5 }", "; "),
    "one block on one line": within("app a: SUB bind tcp://*:1 { ", lines('subscrib@ "@"', "; "), " }"),
    "one option again and again": within("app a: PUB bind tcp://*:1 { ", lines("sndhwm @", "; "), " }"),
    "one side again and again": within("device d: queue { ", lines("in bind tcp://*:%", "; "), " }"),
    "characters that mean nothing": both(lines("app a@: PUSH bind tcp://*:%"), lambda n: "app x ?\n" * 120),
    "texts that do not end": both(lambda n: '"\n' * 120, lines("app a@")),
    "words that mean nothing": lambda n: ("x" * n * 10 + " y\n") * 30,
    "words in blocks that mean nothing": lambda n: "app a {\n" + ("x" * n * 10 + ": 5\n") * 30 + "}",
    "one name": lines("app a: PUB bind tcp://*:1"),
    "one endpoint": lines("app a@: PUB bind tcp://*:1"),
    "one routing id": within("app r: ROUTER bind tcp://*:1\n", lines('app a@: DEALER connect r { routing_id "a" }')),
    "places": within("app a: PUB bind ", lines("tcp://*:%", ",")),
    "lines that go on": within("app a: PUB bind tcp://*:1", lambda n: ",\n# c\n" * n, "tcp://*:2"),
    "references": within("app a: PUB bind tcp://*:1\napp b: SUB connect ", lines("a", ", "), ' { subscribe "" }'),
    "a long reference": within("app a: PUB connect ", lines("a", ".")),
    "a ring": lambda n: "".join(f"device d{i}: queue {{ in bind tcp://127.0.0.1:{i + 1}; out connect d{(i + 1) % n}.in }}\n" for i in range(n)),
    "neighbours": lambda n: f"app a[{n}]: PUB bind tcp://127.0.0.1:*\napp b[{n}]: SUB connect a[index]",
    "insertions": lambda n: f'param p = "{"${q}" * n}"\nparam q = "x"',
    "a wide text": lambda n: f"app 日本: PUB bind {'日本' * n} {{ ? }}",
    "tabs": lambda n: "\t" * n + "app a: oops oops",
    "comments": both(lines("# a"), lines("## b"), lambda n: "app a"),
    "empty statements": lambda n: ";" * n,
    "empty lines": lambda n: "\n" * n,
    "modules that are missing": lines('use "none@.ztopo" as u@'),
}  # fmt: skip


def done(text: str) -> Compilation:
    """All that `check` and `fmt` do with a text."""
    source = Source(f"ztopo 1\n{text}\n", "x.ztopo", Path("/nowhere/x.ztopo"))
    compilation = compile(source, libzmq=Libzmq())
    for renderer in (findings_full, findings_json, findings_concise):
        assert len(renderer.render(compilation.diagnostics, Style())) < 12_000 * (len(compilation.diagnostics) + 1) + 200 * len(
            text
        )
    format(source, USUAL)
    return compilation


def work(text: str) -> int:
    """How many lines of code are run for a text: of ztopo, and of the libraries that are written in Python."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        done(text)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", GROWING)
def test_work_grows_with_the_text(name: str) -> None:
    make = GROWING[name]
    for size in (90, 390):
        done(make(size))  # what is done once is done
    small, large = work(make(100)), work(make(400))
    assert large < 5.5 * small + 5_000


LIMITS = {
    "topo.drafts.MOST_REPLICAS": 100, "topo.drafts.MOST_IN_ALL": 1000, "topo.drafts.MOST_CONTENT": 256 * 1024, "topo.resolve.MOST_LINKS": 2000,
}  # fmt: skip
"""The limits of the language, a hundredth or so of what they are, so that the tests take as much less time."""

LARGE: dict[str, str] = {
    "replicas": "app a[100]: PUB bind tcp://127.0.0.1:* { linger 0 }\napp b[100]: SUB connect a",
    "sockets in replicas": within("app a[100] {", lines("socket s@: PUB bind tcp://127.0.0.1:*"), "}")(500),
    "replicas in replicas": "app a[100] { socket s[100]: PUB bind tcp://127.0.0.1:* }",
    "devices in processes": within("process p[100] {", lines("device d@: queue { in bind inproc://a; out bind inproc://b }"), "}")(50),
    "options in replicas": within("app a[100]: SUB bind tcp://127.0.0.1:* { ", lines('subscribe "@"', "; "), " }")(1000),
    "endpoints in replicas": within("app a[100]: SUB connect ", lines("tcp://10.0.0.1:%", ","))(1000),
    "references in replicas": within("app b: PUB bind tcp://*:1\napp a[100]: SUB connect ", lines("b", ","))(1000),
    "statements that mean nothing in replicas": within("app a[100] {", lines("linger @"), "}")(500),
    "lists": within(f"param l: list = {lines('@', ',')(500)}\napp a: SUB bind tcp://*:1 {{ ", lines("subscribe ${l}", "; "), " }")(500),
    "texts": within(f'param t = "{"x" * 6000}"\napp a: SUB bind tcp://*:1 {{ ', lines('subscribe "${t}"', "; "), " }")(1000),
    "sets of sets": "\n".join(f"options u{n} {{ with u{n + 1}; with u{n + 1} }}" for n in range(60)) + "\noptions u60 { linger 0 }\napp a: PUB bind tcp://*:1 { with u0 }",
    "digits": f"app a: PUB bind tcp://*:1 {{ linger {'9' * 6000}k; sndhwm {'9' * 6000}.5s; rcvhwm {'9' * 6000} }}",
    "digits of another script": "app a: PUB bind tcp://*:_²",
    "arithmetic": f"app a: PUB bind tcp://*:${{{'9999999999*' * 17}9}}\napp b: PUB bind tcp://*:${{{'-' * 198}1}}",
    "nesting": "app a { device d: queue { " * 5_000,
    "brackets": f"app a: PUB bind tcp://*:${{{'(' * 50_000}}}",
    "a long line": "app a: PUB bind tcp://*:" + "1" * 200_000,
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_what_stands_for_very_much_is_bounded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, value in LIMITS.items():
        monkeypatch.setattr(limit, value)
    model = compile(Source(f"ztopo 1\n{LARGE[name]}\n", "x.ztopo", Path("/nowhere/x.ztopo")), libzmq=Libzmq()).model
    assert len(model.components) <= 1000
    assert sum(len(c.sockets) for c in model.components) <= 2000
    assert (
        sum(
            len(v.value) if isinstance(v.value, bytes) else 1
            for c in model.components
            for s in c.sockets
            for o in s.options
            for v in o.values
        )
        <= 512 * 1024
    )
    assert sum(len(c.targets) for component in model.components for s in component.sockets for c in s.connects) <= 4000
    assert work(LARGE[name]) < 8_000_000


def test_a_module_that_is_used_often_declares_no_more_than_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, value in LIMITS.items():
        monkeypatch.setattr(limit, value)
    module = Source("ztopo 1\n" + lines("param p@ = @")(100), "m.ztopo", Path("/nowhere/m.ztopo"))
    text = 'ztopo 1\nuse "m.ztopo" as a[100]\nuse "m.ztopo" as b[100]\n'
    compilation = compile(Source(text, "x.ztopo", Path("/nowhere/x.ztopo")), libzmq=Libzmq(), reader=lambda path, name: module)
    assert {d.code for d in compilation.diagnostics} == {"ZT109", "ZT114"}
    assert len(compilation.diagnostics) <= 4
