"""The formatter: one style, every comment kept, nothing changed in what a text means."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given

from tests.strategies import almost_texts, right_texts
from topo.source import Source
from topo.syntax.format import format
from topo.zeromq.kinds import KINDS

ROOT = Path(__file__).parent.parent.parent
USUAL = {kind.name: {"in": kind.in_type, "out": kind.out_type, "monitor": kind.monitor_type} for kind in KINDS.values()}


def formatted(text: str) -> str:
    result, said = format(Source(text), USUAL)
    assert said == []
    return result


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


def comments(text: str) -> list[str]:
    return sorted(line.strip() for line in re.findall(r"(?:^|\s)(#.*)", text))


@pytest.mark.parametrize("text", [UGLY, *(p.read_text(encoding="utf-8") for p in (ROOT / "tests/corpus/good").glob("*.ztopo"))])
def test_again_changes_nothing_and_every_comment_is_kept(text: str) -> None:
    once = formatted(text)
    assert formatted(once) == once
    assert comments(once) == comments(text)


@given(right_texts())
def test_generated_texts(text: str) -> None:
    once = formatted(text)
    assert formatted(once) == once


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
    assert [d.code for d in said] == ["ZT001"]
