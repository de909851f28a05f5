"""What a syntax error is called: each example teaches its own code, in whatever statement, and no other."""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.strategies import any_texts
from topo.compile import Compilation, compile
from topo.diagnostic import counted
from topo.mend import MOST_ROUNDS, mend
from topo.source import Source
from topo.syntax import slips
from topo.syntax.naming import Slip, examples, slips_by_code
from topo.syntax.parse import parse
from topo.zeromq.libzmq import Libzmq

SLIPS = [pytest.param(code, slip, id=code) for code, slip in slips_by_code().items()]


def told(text: str) -> list[str]:
    return [d.code for d in parse(Source(text), fragment=True)[1]]


def compiled(source: Source) -> Compilation:
    return compile(source, libzmq=Libzmq(), fragment=True)


def test_each_slip_is_a_function_of_its_module_with_examples() -> None:
    assert all(slip.__module__ == slips.__name__ for slip in slips_by_code().values())
    assert all(list(examples(slip.finding)) for slip in slips_by_code().values())  # type: ignore[attr-defined]  # a mark


@pytest.mark.parametrize(("code", "slip"), SLIPS)
def test_an_example_is_called_what_it_is_an_example_of(code: str, slip: Slip) -> None:
    for text in examples(slip.finding):  # type: ignore[attr-defined]  # a mark of `finding`
        assert set(told(text)) == {code}


@pytest.mark.parametrize(("code", "slip"), SLIPS)
def test_what_stands_around_it_changes_nothing(code: str, slip: Slip) -> None:
    text = next(examples(slip.finding))  # type: ignore[attr-defined]  # a mark of `finding`
    alone = told(text)
    before, behind = (
        "param before = 1\ndevice b: queue { in bind tcp://*:1; out bind tcp://*:2 }\n\n",
        "\napp behind: PUB bind tcp://*:3\n",
    )
    assert told(f"{before}{text}{behind}") == alone


@pytest.mark.parametrize(("code", "slip"), SLIPS)
def test_safe_fixes_of_the_examples_mend_all_that_they_are_for(code: str, slip: Slip) -> None:
    for text in examples(slip.finding):  # type: ignore[attr-defined]  # a mark of `finding`
        first = compiled(Source(text))
        mended, fixed = mend(first, compiled)
        assert len(fixed) < MOST_ROUNDS
        assert not [d for d in mended.diagnostics if d.fix is not None and d.fix.safe]
        left = [d for d in mended.diagnostics if d.code == code]
        assert len(left) <= len([d for d in first.diagnostics if d.fix is None or not d.fix.safe])


@given(any_texts)
def test_safe_fixes_come_to_an_end(text: str) -> None:
    _, fixed = mend(compiled(Source(text)), compiled)
    assert len(fixed) < 100 * MOST_ROUNDS


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("app a PUB bind tcp://*:1", "app a: PUB bind tcp://*:1"),
        ("param p int = 5", "param p: int = 5"),
        ("param p: int: 5", "param p: int = 5"),
        ("app a = PUB bind tcp://*:1", "app a: PUB bind tcp://*:1"),
        ("app a: PUB bind tcp://*:1 { linger=0; sndhwm: 5 }", "app a: PUB bind tcp://*:1 { linger 0; sndhwm 5 }"),
        ("device d: queue\n{\n    in bind tcp://*:1\n    out bind tcp://*:2\n}", "device d: queue {\n    in bind tcp://*:1\n    out bind tcp://*:2\n}"),
        ("device d: queue  # why\n{ in bind tcp://*:1; out bind tcp://*:2 }", "device d: queue {  # why\n in bind tcp://*:1; out bind tcp://*:2 }"),
        ("app a: PUB bind tcp://*:1 { zap_domain 'x' }", 'app a: PUB bind tcp://*:1 { zap_domain "x" }'),
        ("app a: PUB bind tcp://*:1 { linger 0, sndhwm 5 }", "app a: PUB bind tcp://*:1 { linger 0; sndhwm 5 }"),
        ("app a: PUB bind tcp://*:1 {\n    linger 0,\n    sndhwm 5\n}", "app a: PUB bind tcp://*:1 {\n    linger 0\n    sndhwm 5\n}"),
        ("app a: PUB bind tcp://*:1,\napp b: PUB bind tcp://*:2,", "app a: PUB bind tcp://*:1\napp b: PUB bind tcp://*:2"),
        ("param p = 1\napp a: PUB bind tcp://*:{p}, tcp://*:2", "param p = 1\napp a: PUB bind tcp://*:${p}, tcp://*:2"),
        ("param p = tcp://*:1\napp a: PUB bind $p", "param p = tcp://*:1\napp a: PUB bind ${p}"),
        ("app a: bind tcp://*:1 PUB", "app a: PUB bind tcp://*:1"),
        ("app a: PUB bind tcp://*:1 { linger 0 sndhwm 5 } app b: PUB bind tcp://*:2", "app a: PUB bind tcp://*:1 { linger 0; sndhwm 5 }; app b: PUB bind tcp://*:2"),
        ("app a: PUB bind tcp://*:1 tcp://*:2", "app a: PUB bind tcp://*:1, tcp://*:2"),
        ("app a: PUB bind tcp://*:1 { run python a.py # why\n}", 'app a: PUB bind tcp://*:1 { run "python a.py" # why\n}'),
        ("app a: zmq.PUB bind tcp://*:1", "app a: PUB bind tcp://*:1"),
        ('app "a": PUB bind tcp://*:1', "app a: PUB bind tcp://*:1"),
        ("App a: PUB Bind tcp://*:1", "app a: PUB bind tcp://*:1"),
        ("app a: PUB bind tcp://*:1  // why", "app a: PUB bind tcp://*:1  # why"),
        ("app a：PUB bind tcp://*:1", "app a:PUB bind tcp://*:1"),
        ("app a:\xa0PUB bind tcp://*:1", "app a: PUB bind tcp://*:1"),
        ("param p = env(HOME)", 'param p = env("HOME")'),
    ],
)  # fmt: skip
def test_what_can_be_meant_in_one_way_only_is_mended(wrong: str, right: str) -> None:
    assert told(wrong) or compiled(Source(wrong)).diagnostics
    mended, _ = mend(compiled(Source(wrong)), compiled)
    assert mended.source.text == right
    assert [str(d) for d in counted(mended.diagnostics)] == []


@pytest.mark.parametrize(
    "text",
    [
        "app a: PUB bind tcp://*:1 }",  # which brace is too many
        "app a: PUB bind tcp://*:1 { linger 0",  # where it ends
        'app a: PUB bind tcp://*:1 { zap_domain "x }',
        "app a[3: PUB bind tcp://*:*",
        "app a: PUB bind 5555",  # which transport
        "app a: PUB tcp://*:1",  # bind or connect
        "app a: PUB bnd tcp://*:1",  # a guess, however good
        "devcie d: queue { in bind tcp://*:1; out bind tcp://*:2 }",
        "app a: PUB bind tcp://*:1 { linger }",
        "app a: PUB ? bind tcp://*:1",
        "app 4th: PUB bind tcp://*:1",
    ],
)
def test_what_is_a_guess_is_not_mended(text: str) -> None:
    (said,) = parse(Source(text), fragment=True)[1]
    assert said.fix is None or not said.fix.safe


def test_what_a_text_says_is_in_no_message() -> None:
    """It may be a password."""
    for text in ("'geheim'", '"geheim" "x"', ': "geheim"', '= "geheim"', '"geheim" linger 0', '"geheim', "“geheim”"):
        for said in parse(Source(f"app a: PUB bind tcp://*:1 {{ plain_password {text} }}"), fragment=True)[1]:
            edits = [edit.text for edit in said.fix.edits] if said.fix is not None else []
            assert "geheim" not in " ".join([said.message, *said.notes, *(label.text for label in said.labels), *edits])
            assert said.fix is None or "geheim" not in said.fix.title
