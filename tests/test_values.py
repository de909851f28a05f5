"""What is said of values that are not written as the language has them, and what is offered in their place."""

from __future__ import annotations

import pytest

from topo.compile import compile
from topo.source import Source
from topo.zeromq.libzmq import Libzmq


@pytest.mark.parametrize(
    ("option", "said", "offered"),
    [
        ("sndhwm 1k", "could be a number or a size | a number is written out, `1000`; a size is `1KiB`", None),
        ("sndbuf 2M", "could be a number or a size | a number is written out, `2000000`; a size is `2MiB`", None),
        ("ipv6 True", "`True` is not a value", "true"),
        ("ipv6 yes", "`yes` is not a value", "true"),
        ("ipv6 OFF", "`OFF` is not a value", "false"),
        ("routing_id name", "`name` is not a value", '"name"'),
        ("heartbeat_ivl 2.5s", "`2.5s` has a fraction, and numbers are whole", "2500ms"),
        ("heartbeat_ivl 5min", "`5min` has a unit that there is not", "5m"),
        ("linger 5weeks", "`5weeks` is not a number", None),
    ],
)
def test_what_is_offered_for_a_value(option: str, said: str, offered: str | None) -> None:
    text = f"ztopo 1\napp a: DEALER bind tcp://*:5555 {{ {option} }}\n"
    (found,) = compile(Source(text), libzmq=Libzmq()).diagnostics
    assert said in " | ".join((found.message, *found.notes))
    assert (found.fix.edits[0].text if found.fix else None) == offered
    if found.fix is not None:
        edit = found.fix.edits[0]
        mended = text[: edit.span.start] + edit.text + text[edit.span.end :]
        assert compile(Source(mended), libzmq=Libzmq()).diagnostics == ()


@pytest.mark.parametrize(
    ("kind", "near"), [("integer", "int"), ("string", "text"), ("Boolean", "bool"), ("prt", "port"), ("float", "")]
)
def test_the_types_of_params_are_listed(kind: str, near: str) -> None:
    (found,) = compile(Source(f"ztopo 1\nparam p: {kind} = 5\n"), libzmq=Libzmq()).diagnostics
    assert found.message == f"there is no type `{kind}`"
    assert found.notes[-1].startswith("there are `int`, `port`, `text`")
    assert found.notes[:-1] == ((f"did you mean `{near}`?",) if near else ())
