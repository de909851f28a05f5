"""From text to tree: what is kept, where it stands, and what is said about texts that are none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import any_texts, right_texts
from topo.compile import compile
from topo.diagnostic import counted
from topo.source import Source
from topo.syntax import tree
from topo.syntax.parse import parse
from topo.syntax.recover import MOST_MISTAKES
from topo.zeromq.libzmq import Libzmq


def read(text: str) -> tree.File:
    file, said = parse(Source(text), fragment=True)
    assert said == []
    return file


def mistake(text: str) -> tuple[str, str, str, tuple[str, ...]]:
    _, said = parse(Source(text))
    assert len(said) == 1
    assert said[0].span is not None
    return said[0].code, said[0].message, said[0].span.text, said[0].notes


def test_keywords_are_ordinary_names() -> None:
    file = read("device in: queue { in bind tcp://*:1; out connect in.in }\napp socket: PUB connect monitor.out, out")
    device, app = file.statements
    assert isinstance(device, tree.Device)
    assert device.name.text == "in"
    assert isinstance(app, tree.App)
    assert app.name.text == "socket"


def test_every_node_has_its_place() -> None:
    file = read("app a[3]: PUSH connect broker.in, tcp://127.0.0.1:5555 { linger 250ms }")
    (app,) = file.statements
    assert isinstance(app, tree.App)
    assert app.bracket is not None
    assert app.spec is not None
    assert app.spec.type is not None
    assert app.block is not None
    (connect,) = app.spec.clauses
    assert isinstance(connect, tree.Connect)
    (option,) = app.block.items
    assert isinstance(option, tree.Option)
    texts = [n.span.text for n in (app.name, app.bracket, app.spec.type, *connect.places, option.name, *option.values)]
    assert texts == ["a", "[3]", "PUSH", "broker.in", "tcp://127.0.0.1:5555", "linger", "250ms"]
    assert app.span.text == file.source.text


def test_an_endpoint_keeps_its_own_semicolons_and_hashes() -> None:
    file = read("app a: PUB bind tcp://0.0.0.0:0;10.0.0.1:9701; app b: PUB bind ipc://x#y # a comment")
    found = []
    for app in file.statements:
        assert isinstance(app, tree.App)
        assert app.spec is not None
        (bind,) = app.spec.clauses
        assert isinstance(bind, tree.Bind)
        found += [p.span.text for p in bind.places]
    assert found == ["tcp://0.0.0.0:0;10.0.0.1:9701", "ipc://x#y"]


def test_a_line_that_ends_with_a_comma_goes_on() -> None:
    (app,) = read("app a: PUB bind tcp://*:1,  # one\n\n  # two\n  tcp://*:2\n").statements
    assert isinstance(app, tree.App)
    assert app.spec is not None
    (bind,) = app.spec.clauses
    assert isinstance(bind, tree.Bind)
    assert len(bind.places) == 2


def test_doc_comments_belong_to_the_next_declaration() -> None:
    text = "## one\n##  two\napp a: PUB bind tcp://*:1\n\n## none of b's\n\n# nor this\napp b: PUB bind tcp://*:2\n"
    a, b = read(text).statements
    assert isinstance(a, tree.App)
    assert isinstance(b, tree.App)
    assert (a.doc, b.doc) == ("one\ntwo", "")


def test_inside_brackets_a_hyphen_is_a_minus() -> None:
    (app,) = read("app a-b: PUB connect x[index-1]").statements
    assert isinstance(app, tree.App)
    assert app.name.text == "a-b"


def test_windows_line_ends() -> None:
    assert len(read("app a: PUB bind tcp://*:1\r\napp b: PUB bind tcp://*:2\r\n").statements) == 2


@pytest.mark.parametrize(
    ("text", "code", "message", "place"),
    [
        ("", "ZT002", "the file does not say which version of the language it is written in", ""),
        ("ztopo 2", "ZT002", "version 2 of the language is not known here", "2"),
        ("ztopo 1\nfoo", "ZT007", "there is no declaration `foo`", "foo"),
        ("ztopo 1\napp ${a}: X", "ZT030", "`${a}` is not a name", "${a}"),
        ("ztopo 1\ndevice a: queue\n{\n}", "ZT012", "a `{` stands on the line that it belongs to", "{"),
        ("ztopo 1\napp a: PUSH bind", "ZT031", "an endpoint or a name is missing behind `bind`", "bind"),
        ("ztopo 1\napp a: PUB bind tcp://*:5 {", "ZT013", "a block is never closed", "{"),
        ("ztopo 1\napp a: PUB bind tcp://*:5 }", "ZT014", "a `}` too many", "}"),
        ('ztopo 1\napp a: PUB bind "tcp://*:1', "ZT016", "a text that does not end on its line", '"tcp://*:1'),
        ("ztopo 1\napp a[: PUB", "ZT017", "a `[` that is not closed on its line", "["),
        ("ztopo 1\napp a: PUB bind tcp://*:${port", "ZT017", "a `${` that is not closed on its line", "${"),
        ("ztopo 1\n\x07", "ZT035", "the character U+0007 means nothing here", "\x07"),
        ("ztopo 1\napp a[1][2]: PUB bind tcp://*:5", "ZT001", "expected `{`, `:` or the end of the line, found `[2]`", "[2]"),
    ],
)
def test_what_a_mistake_is_called(text: str, code: str, message: str, place: str) -> None:
    assert mistake(text)[:3] == (code, message, place)


def test_a_later_version_is_not_judged_by_the_rules_of_this_one() -> None:
    assert mistake("ztopo 2\nwhatever that => may be\n}")[:2] == ("ZT002", "version 2 of the language is not known here")


def test_after_a_hundred_mistakes_it_is_given_up() -> None:
    _, said = parse(Source("ztopo 1\n" + "oops\n" * 50_000))
    assert {d.code for d in said} == {"ZT007"}
    assert len(said) == MOST_MISTAKES


def test_a_word_that_is_nearly_right_is_proposed() -> None:
    assert mistake("ztopo 1\ndevcie a: queue { }")[3] == ("did you mean `device`?",)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("app a: PUSH bind $f", "ZT041", "`$f` means nothing here"),
        ("app a: PUSH bind 5555", "ZT027", "`5555` has no transport"),
        ("app a: PUSH bind 127.0.0.1:5555", "ZT027", "`127.0.0.1:5555` has no transport"),
        ("app a: zmq.PUB bind tcp://*:5", "ZT029", "socket types have no `zmq.` in front"),
        ("device a: queue {\nin = ROUTER\n}", "ZT011", "no `=` stands here"),
        ("device a: queue {\nin: ROUTER\n}", "ZT011", "no `:` stands here"),
        ("app a: SUB bind tcp://*:5 { subscribe “x” }", "ZT018", "`“` means nothing here"),
        ("app a: PUSH bind tcp:/*:5555 { linger 0 }", "ZT027", "`tcp:/*:5555` has no transport"),
        ("// a comment: here", "ZT034", "`//` means nothing here"),
        ("```", "ZT035", "a backtick means nothing here"),
        ("app a: PUSH bind tcp://*:5 { linger }", "ZT031", "a value is missing behind `linger`"),
        ("app a: PUSH bind tcp://*:5 { linger = 0 }", "ZT011", "no `=` stands here"),
        ("app a: PUSH bind tcp://*:5 { sndhwm 1, rcvhwm 2 }", "ZT019", "`rcvhwm` is another option, and a `,` stands between the values of one"),
        ("device a: queue {\nmon PUB bind tcp://*:5\n}", "ZT008", "there is no statement `mon`"),
    ],
)  # fmt: skip
def test_a_habit_from_elsewhere_is_one_mistake_and_teaches(text: str, code: str, message: str) -> None:
    _, (said,) = parse(Source(f"ztopo 1\n{text}\napp b: PULL bind tcp://*:6\n"))
    assert (said.code, said.message) == (code, message)


@pytest.mark.parametrize(
    "text", ["device a: queue {\nbind bind tcp://*:5\n}", "device a: queue { connect b, c; out bind tcp://*:5 }", "name a string"]
)
def test_what_mends_a_line_is_a_word_of_the_language(text: str) -> None:
    """A side that is made of another word is called as the side, and a name or a text is made of no keyword."""
    compilation = compile(Source(f"ztopo 1\n{text}\n"), libzmq=Libzmq())
    assert any(d.code.startswith("ZT0") for d in compilation.diagnostics)
    assert {s.name for c in compilation.model.components for s in c.sockets} <= {"in", "out", "monitor"}


def test_a_command_is_put_in_quotes() -> None:
    text = "ztopo 1\napp a: PUSH bind tcp://*:5 { run python x.py; linger 0ms }\n"
    _, (said,) = parse(Source(text))
    assert said.fix is not None
    (edit,) = said.fix.edits
    assert edit.text == '"python x.py"'
    assert parse(Source(text[: edit.span.start] + edit.text + text[edit.span.end :]))[1] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("device q: queue {\nin bind tcp://*:5\nout bind tcp://*:6\napp a: REQ connect q.in\n", "a block is never closed"),
        ("app b: PULL connect a\ndevice q: queue {\nin bind tcp://*:5\napp a: PUSH bind tcp://*:6\n", "a block is never closed"),
        ("device q: queue {\nin bind tcp:/*:5\nout bind tcp://*:6\n}\napp a: REQ connect q.in\n", "`tcp:/*:5` has no transport"),
    ],
)  # fmt: skip
def test_what_follows_from_a_mistake_is_not_said(text: str, message: str) -> None:
    (said,) = counted(compile(Source(f"ztopo 1\n{text}"), libzmq=Libzmq()).diagnostics)
    assert said.message == message


@pytest.mark.parametrize("deep", ["process a { ", "device a: queue { in { ", "app a {\n", "{ ", "param x = env("])
def test_deep_nesting_is_a_mistake_like_any_other(deep: str) -> None:
    _, said = parse(Source("ztopo 1\n" + deep * 100_000))
    assert [(d.code, d.message) for d in said] == [("ZT036", "blocks and brackets stand in each other more than 16 deep")]


@given(any_texts)
@settings(deadline=None)
def test_any_text_gives_a_tree_or_something_to_say(text: str) -> None:
    file, said = parse(Source(text))
    assert said or not file.doubtful
    for diagnostic in said:
        assert diagnostic.span is not None
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)


@given(right_texts(), st.data())
def test_one_mistake_in_a_right_text_is_found_in_its_line_and_nothing_else(text: str, data: st.DataObject) -> None:
    lines = text.splitlines()
    number = data.draw(st.integers(2, len(lines) - 1))
    words = lines[number].split()
    place = data.draw(st.integers(0, len(words)))
    lines[number] = " ".join([*words[:place], "= )", *words[place:]])
    compilation = compile(Source("\n".join(lines)), libzmq=Libzmq())
    (said,) = counted(compilation.diagnostics)
    assert said.code.startswith("ZT0")
    assert said.span is not None
    assert said.span.position.line == number + 1
