"""Reading on after a mistake: what braces are meant, and what the parser would take next."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import Mistake, right_texts, wrong_texts
from topo.compile import compile
from topo.diagnostic import counted
from topo.source import Source
from topo.syntax.automaton import Automaton, Stuck
from topo.syntax.parse import _parser
from topo.zeromq.libzmq import Libzmq


def told(text: str) -> list[tuple[str, int]]:
    diagnostics = counted(compile(Source(text), libzmq=Libzmq(), fragment=True).diagnostics)
    return [(d.code, d.span.position.line if d.span else 0) for d in diagnostics]


DEVICE = "device q: streamer {\n    in  bind tcp://*:1 { linger 0 }\n    out bind tcp://*:2 { linger 0 }\n}\n"
BEHIND = "app a: PUSH connect q.in\napp b: PULL connect q.out, nobody\n"
LINES = DEVICE.splitlines()


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        (DEVICE.replace("{\n    in", "\n    in"), "ZT015", 1),
        (DEVICE.replace(" }\n    out", "\n    out"), "ZT013", 2),
        (DEVICE.replace(" }\n}", "\n}"), "ZT013", 3),
        (DEVICE.replace("}\n", "", 3).replace("linger 0 ", "linger 0 }\n"), "ZT013", 1),
        (DEVICE.replace(" }\n    out", " } }\n    out"), "ZT014", 2),
        (DEVICE.replace("streamer {", "streamer { }"), "ZT014", 1),
        (DEVICE.replace("streamer {", "streamer\n{"), "ZT012", 2),
        (DEVICE + "}\n", "ZT014", 5),
    ],
)
def test_the_rest_is_checked_whatever_brace_is_wrong(text: str, code: str, line: int) -> None:
    lines = text.count("\n")
    assert told(text + BEHIND) == [(code, line), ("ZT101", lines + 2)]


def test_several_braces_in_several_places() -> None:
    closed = DEVICE.replace("q:", "r:").replace(" }\n    out", " } }\n    out")
    open = DEVICE.replace(" }\n    out", "\n    out")
    text = f"{closed}app c: PULL connect nobody\n{open}{BEHIND}{open.replace('q:', 's:')}"
    assert [code for code, _ in told(text)] == ["ZT014", "ZT101", "ZT013", "ZT101", "ZT013"]


def test_lines_that_do_not_tell_make_nothing_worse() -> None:
    flat = "device q: streamer {\nin bind tcp://*:1\nout bind tcp://*:2\n\napp a: PUSH connect q.in\n"
    assert told(flat) == [("ZT013", 1)]


def test_a_comment_of_another_language_is_passed_over() -> None:
    text = "app a: PUSH bind tcp://*:5,\n/* why */ app c: PUSH bind tcp://*:7\napp b: PULL connect nobody\n"
    assert told(text) == [("ZT040", 1), ("ZT034", 2), ("ZT101", 3)]


def test_a_text_that_ends_in_the_middle_of_two_things() -> None:
    assert told("device a: streamer { in bind tcp://*:1; out bind") == [("ZT013", 1), ("ZT031", 1)]


def test_one_line_that_never_ends_its_block() -> None:
    assert told("app a: PUB bind tcp://*:1 { linger 0\napp b: PULL connect nobody\n") == [("ZT013", 1), ("ZT101", 2)]


@given(wrong_texts())
@settings(max_examples=500)
def test_mistakes_in_some_statements_are_found_there_each_once_and_none_elsewhere(made: tuple[str, dict[int, Mistake]]) -> None:
    text, mistakes = made
    assert sorted(told(text)) == sorted((mistake.code, line) for line, mistake in mistakes.items())


@given(right_texts(), st.data())
def test_the_automaton_takes_what_the_parser_takes(text: str, data: st.DataObject) -> None:
    """At any place of a right text, and nothing changes by asking."""
    build, parser, _ = _parser()
    build.begin(Source(text))
    interactive: Any = parser.parse_interactive("", start="start")
    state = interactive.parser_state
    automaton = Automaton(state.parse_conf.states, state.parse_conf.end_state)
    tokens = list(parser.lex(text))
    place = data.draw(st.integers(0, len(tokens) - 1))
    for token in tokens[:place]:
        after = automaton.feed(state.state_stack, token.type)
        interactive.feed_token(token)
        assert state.state_stack == after
    before = list(state.state_stack)
    accepted = automaton.accepted(state.state_stack)
    assert accepted == interactive.accepts()
    assert state.state_stack == before
    assert tokens[place].type in accepted
    for kind in {"SWAP", "RPAR", "EQUALS", "OTHER_QUOTES"} - accepted:
        with pytest.raises(Stuck):
            automaton.feed(state.state_stack, kind)
    build.end()


@pytest.mark.parametrize("text", ["device \\", "ztopo 1\napp a: \\", "app é", "app a { \\"])
def test_a_text_that_ends_in_something_strange_has_an_end(text: str) -> None:
    assert told(text)
