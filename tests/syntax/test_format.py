"""The formatter: one style, every comment kept, nothing changed in what a text means."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.meaning import USUAL, assert_formatted, formatted
from tests.strategies import almost_texts, modular_files, relaid_texts, right_texts, whole_texts
from tests.texts import every_text
from tests.whole import grammar_rules, relaid, whole_tokens
from topo.source import Source
from topo.syntax.format import format
from topo.syntax.parse import parse

ROOT = Path(__file__).parents[2]
RIGHT = {name: text for name, text in every_text().items() if not parse(Source(text))[1]}
"""What the formatter may touch: it has no mistakes of syntax, though perhaps others."""


UGLY = """ztopo 1;topology   ugly
# above a


## doc of a
app a [3] :PUB bind "tcp://*:${6000+index}" , ipc://x{linger 0;   sndhwm 5 } # behind a



app b: SUB connect a  ,  # first
  # second
  a [ 1 ] { subscribe "x" # inside

}
device q: queue {
in bind tcp://*:1   # in
out DEALER bind ipc://a;b
  monitor bind ipc://m { prefix "in","out" }

  run   process }  # behind q
app in: PUSH connect monitor.in
# at the end"""

NEAT = """ztopo 1
topology ugly
# above a

## doc of a
app a[3]: PUB bind tcp://*:${6000 + index}, ipc://x { linger 0; sndhwm 5 }  # behind a

app b: SUB connect a,  # first
    # second
    a[1] {
    subscribe "x"  # inside
}
device q: queue {
    in      ROUTER bind tcp://*:1  # in
    out     DEALER bind ipc://a;b
    monitor PUB    bind ipc://m { prefix "in", "out" }

    run     process
}  # behind q
app in: PUSH connect monitor.in
# at the end
"""


def test_the_one_style() -> None:
    assert formatted(UGLY) == NEAT


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.ztopo")), ids=lambda p: p.stem)
def test_the_examples_are_in_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert formatted(text) == text


MENDED = {
    "an endpoint with a quote": ('app a: PUB bind ipc://a"b', 'app a: PUB bind ipc://a"b'),
    "a brace behind an endpoint in a call": ('param a = env("A",tcp://b )', 'param a = env("A", tcp://b )'),
    "one socket has no type for its other side": (
        "device a: queue swap {\nin bind tcp://*:1\nout same\n}",
        "device a: queue swap {\n    in  ROUTER bind tcp://*:1\n    out same\n}",
    ),
    "arithmetic that cannot be read": ("app a[1 2]: PUB bind tcp://*:${a b}", "app a[1 2]: PUB bind tcp://*:${a b}"),
    "a name that is a word": ('param bind = "tcp://*:1"', 'param bind = "tcp://*:1"'),
    "the text of an endpoint": ('param a: endpoint = "tcp://*:1"', "param a: endpoint = tcp://*:1"),
    "a comment behind the end of a block": ("device a: proxy {\n};# behind", "device a: proxy {\n}  # behind"),
    "a comment behind the end of an empty statement": ("app a\n; # below\napp b", "app a\n# below\napp b"),
    "a reference within its own app": (
        "app a { socket b: PUB connect .c, bind.in; socket c: PUB bind tcp://*:1 }",
        "app a {\n    socket b: PUB connect .c, bind.in\n    socket c: PUB bind tcp://*:1\n}",
    ),
    "a param that is a socket of one's own": ('use "a" as b { from .c.d }', 'use "a" as b { from .c.d }'),
    "no doc is won": ("## none\nprocess a { device b: proxy { } }", "## none\nprocess a {\n    device b: proxy {\n    }\n}"),
    "no doc is lost": ("## none\n;\napp a", "## none\n\napp a"),
    "no doc of a comment that stands behind something": ("app a { ; ## none\ndevice b: proxy { } }", "app a {  ## none\n    device b: proxy {\n    }\n}"),
}  # fmt: skip


@pytest.mark.parametrize("name", MENDED)
def test_what_was_wrong_once(name: str) -> None:
    text, neat = (f"ztopo 1\n{text}\n" for text in MENDED[name])
    assert assert_formatted(text) == neat


def test_arithmetic_that_has_no_room_for_blanks_has_none() -> None:
    text = f"ztopo 1\napp a: PUB bind tcp://*:${{{'1+' * 99}1}}\n"
    assert assert_formatted(text) == text


def test_what_has_no_room_goes_on_behind_a_comma() -> None:
    feeds = [f"tcp://10.0.0.1:{6000 + n}" for n in range(20)]
    text = f'ztopo 1\napp a {{ socket seen: SUB connect {",".join(feeds)} {{subscribe ""}} }}\n'
    lines = assert_formatted(text).splitlines()
    assert (
        "".join(line.strip() + " " for line in lines[2:-1]) == f'socket seen: SUB connect {", ".join(feeds)} {{ subscribe "" }} '
    )
    assert all(line.endswith(",") for line in lines[2:-2])
    assert all(100 - len(feeds[0]) - 2 < len(line) <= 100 for line in lines[2:-2])


@pytest.mark.parametrize(("columns", "lines"), [(100, 2), (101, 4)])
def test_a_block_of_options_stands_on_one_line_up_to_a_hundred_columns(columns: int, lines: int) -> None:
    text = 'ztopo 1\napp a: SUB connect tcp://*:5555 { subscribe "" }\n'
    text = text.replace('""', f'"{"x" * (columns - len(text.splitlines()[1]))}"')
    assert len(assert_formatted(text).splitlines()) == lines


@pytest.mark.parametrize("name", RIGHT)
def test_every_text_of_the_project(name: str) -> None:
    assert_formatted(RIGHT[name])


@pytest.mark.parametrize("name", RIGHT)
def test_every_text_of_the_project_in_another_layout(name: str) -> None:
    for seed in range(5):
        assert_formatted(relaid(Random(seed), RIGHT[name]))


@given(whole_texts)
def test_texts_of_the_whole_grammar(text: str) -> None:
    assert_formatted(text)


@given(relaid_texts(right_texts()))
def test_right_texts_in_any_layout(text: str) -> None:
    assert_formatted(text)


@given(modular_files(), st.integers(0, 99))
@settings(max_examples=20)
def test_files_that_use_each_other(files: dict[str, str], seed: int) -> None:
    for text in files.values():
        assert_formatted(relaid(Random(seed), text))


def test_the_texts_are_of_the_whole_grammar() -> None:
    ways, _ = grammar_rules()
    used = {rule for seed in range(600) for rule in whole_tokens(Random(seed))[1]}
    assert [rule for rules in ways.values() for rule in rules if rule not in used] == []


@given(almost_texts)
def test_any_text_is_formatted_once_and_for_all_or_left_as_it_is(text: str) -> None:
    once, said = format(Source(text), USUAL)
    if said:
        assert once == text
    else:
        assert formatted(once) == once


def test_a_text_with_errors_is_left_as_it_is() -> None:
    text = "ztopo 1\napp   a PUSH\n"
    result, said = format(Source(text), USUAL)
    assert result == text
    assert [d.code for d in said] == ["ZT010"]
