"""Params and what values come to: their types, whoever sets them, and what is offered for those that are not right."""

from __future__ import annotations

import pytest

from topo.compile import Compilation, compile
from topo.diagnostic import counted
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
    (found,) = counted(compile(Source(text), libzmq=Libzmq()).diagnostics)
    assert said in " | ".join((found.message, *found.notes))
    assert (found.fix.edits[0].text if found.fix else None) == offered
    if found.fix is not None:
        edit = found.fix.edits[0]
        mended = text[: edit.span.start] + edit.text + text[edit.span.end :]
        assert counted(compile(Source(mended), libzmq=Libzmq()).diagnostics) == []


@pytest.mark.parametrize(
    ("kind", "near"), [("integer", "int"), ("string", "text"), ("Boolean", "bool"), ("prt", "port"), ("float", "")]
)
def test_the_types_of_params_are_listed(kind: str, near: str) -> None:
    (found,) = counted(compile(Source(f"ztopo 1\nparam p: {kind} = 5\n"), libzmq=Libzmq()).diagnostics)
    assert found.message == f"there is no type `{kind}`"
    assert found.notes[-1].startswith("there are `int`, `port`, `text`")
    assert found.notes[:-1] == ((f"did you mean `{near}`?",) if near else ())


def told(text: str, **params: object) -> Compilation:
    return compile(Source(text, "x.ztopo"), params, Libzmq(), fragment=True)


def said(text: str, **params: object) -> list[tuple[str, str]]:
    return [(d.code, d.message) for d in counted(told(text, **params).diagnostics)]


PORT = 'param port = env("ZTOPO_TEST_PORT", 5555)\napp a: PUB bind tcp://*:${port + 1}'


@pytest.mark.parametrize(("value", "bound"), [(None, "tcp://*:5556"), ("6000", "tcp://*:6001")])
def test_a_param_has_the_type_of_its_default_wherever_its_value_comes_from(
    value: str | None, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is None:
        monkeypatch.delenv("ZTOPO_TEST_PORT", raising=False)
    else:
        monkeypatch.setenv("ZTOPO_TEST_PORT", value)
    compilation = told(PORT)
    assert counted(compilation.diagnostics) == []
    assert compilation.model.apps[0].sockets[0].binds[0].endpoint.text == bound


def test_an_environment_that_does_not_fit_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZTOPO_TEST_PORT", "many")
    assert said(PORT)[0] == ("ZT104", "the default of `port` is not an int")


def test_a_list_from_the_environment_is_taken_apart_like_one_from_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'param topics: list = env("ZTOPO_TEST_TOPICS")\napp a: SUB connect tcp://10.0.0.1:1 { subscribe ${topics} }'
    monkeypatch.setenv("ZTOPO_TEST_TOPICS", "AAPL,MSFT")
    for compilation in (told(text), told(text, topics="AAPL,MSFT")):
        option = compilation.model.apps[0].sockets[0].option("subscribe")
        assert option is not None
        assert [v.value for v in option.values] == [b"AAPL", b"MSFT"]


@pytest.mark.parametrize(("value", "kind"), [("5s", "duration"), ("true", "bool"), ("64KiB", "size"), ('"5"', "text")])
def test_arithmetic_is_for_whole_numbers(value: str, kind: str) -> None:
    text = f"param x = {value}\napp a: PUB bind tcp://*:${{x + 1}}"
    assert said(text) == [("ZT004", f"`${{x + 1}}` has no value: `x` is a {kind}, not a number")]


def test_a_param_without_a_type_has_that_of_its_default_when_it_is_set() -> None:
    text = "param n = 2\napp a[n]: PUB bind tcp://*:*"
    assert said(text, n=3) == []
    assert said(text, n="3") == []
    assert said(text, n="three") == [("ZT104", "`three`, set for `n`, is not an int")]
    assert said(text, n=b"3") == [("ZT104", "`b'3'`, set for `n`, is not an int")]


def test_texts_in_texts_are_bounded() -> None:
    lines = ['param p0 = "aaaaaaaaaa"', *(f'param p{n} = "{f"${{p{n - 1}}}" * 10}"' for n in range(1, 30))]
    found = said("\n".join(lines) + '\napp a: SUB connect tcp://10.0.0.1:1 { subscribe "${p29}" }')
    assert [code for code, _ in found] == ["ZT004"]
    assert found[0][1].endswith("with its params it is longer than 64 KiB")


def test_a_chain_of_params_is_bounded() -> None:
    lines = [f'param p{n} = "${{p{n + 1}}}"' for n in range(5000)]
    codes = {code for code, _ in said("\n".join(lines) + '\nparam p5000 = "x"')}
    assert codes == {"ZT004"}


def test_links_are_bounded() -> None:
    text = 'app a[3000]: PUB bind tcp://127.0.0.1:* { run inside }\napp b[3000]: SUB connect a { subscribe "" }'
    assert [code for code, _ in said(text)] == ["ZT109"]
