"""Comments that allow a finding: for which statement each is, what it silences, and what is said of those that do not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.imagined import HOST
from tests.strategies import PIECES, right_texts
from topo import allow
from topo.compile import Compilation, compile, judge_host
from topo.diagnostic import counted
from topo.host import Host
from topo.source import Source
from topo.syntax.format import format
from topo.syntax.parse import parse, tokens
from topo.zeromq.libzmq import Libzmq

ALLOW = '# ztopo: allow ZT302 "by hand"'
NOBODY = "tcp://127.0.0.1:5999"
"""An endpoint that nobody binds: a warning, ZT302."""


def told(text: str, **files: str) -> Compilation:
    def reader(path: Path, name: str) -> Source:
        return Source(files[path.stem], path.name, path)

    return compile(Source(text, "x.ztopo", Path("/srv/x.ztopo")), libzmq=Libzmq(), fragment=True, reader=reader)


def codes(text: str, **files: str) -> list[str]:
    return [d.code for d in counted(told(text, **files).diagnostics)]


SILENT = [
    f"app a: PULL connect {NOBODY}  {ALLOW}",
    f"{ALLOW}\napp a: PULL connect {NOBODY}",
    f"{ALLOW}\n# another comment\n## a doc comment\napp a: PULL connect {NOBODY}",
    f"app a: PULL connect {NOBODY};  {ALLOW}",
    f"app a: PULL connect {NOBODY} {{ linger 0 }}  {ALLOW}",
    f"app a: PULL connect {NOBODY} {{  {ALLOW}\n    linger 0\n}}",
    f"app a: PULL connect {NOBODY} {{\n    linger 0\n}}  {ALLOW}",
    f"app a: PULL connect tcp://10.0.0.1:5,  {ALLOW}\n    {NOBODY}",
    f"app a: PULL connect tcp://10.0.0.1:5,\n    {ALLOW}\n    {NOBODY}",
    f"app a {{  {ALLOW}\n    socket b: PULL connect {NOBODY}\n}}",
    f"app a {{\n    {ALLOW}\n    socket b: PULL connect {NOBODY}\n}}",
    f"app a {{\n    socket b: PULL connect {NOBODY}  {ALLOW}\n}}",
    f"app a {{\n    socket b: PULL connect {NOBODY} {{\n        linger 0  # other\n    }}  {ALLOW}\n}}",
    f"app b: PUSH bind tcp://*:5; app a: PULL connect {NOBODY}  {ALLOW}",
    f"app a[50]: PULL connect {NOBODY}  {ALLOW}",
    f'app a: PULL connect {NOBODY}\t#ztopo:allow ZT302 "by hand"\r',
    f"{ALLOW}\n{ALLOW}\napp a {{\n    socket b: PULL connect {NOBODY}\n    socket c: PULL connect {NOBODY}\n}}",
    f"{ALLOW}\napp a {{\n    socket b: PULL connect {NOBODY}\n    socket c: PULL connect {NOBODY}  {ALLOW}\n}}",
]


@pytest.mark.parametrize("text", SILENT)
def test_the_finding_of_its_statement_is_silenced(text: str) -> None:
    compilation = told(text)
    assert [str(d) for d in counted(compilation.diagnostics)] == []
    assert {d.code for d in compilation.silenced} == {"ZT302"}
    assert told(text.replace("ztopo:", "")).diagnostics


@pytest.mark.parametrize("text", SILENT)
def test_formatting_keeps_what_is_allowed(text: str) -> None:
    written, _ = format(Source(f"ztopo 1\n{text}\n"), {})
    assert written.count("allow ZT302") == text.count("allow ZT302")
    assert codes(written) == []


LOUD = [
    ("ZT302 ZT118", f"{ALLOW}\n\napp a: PULL connect {NOBODY}"),  # an empty line between
    ("ZT302 ZT118", f"app b: PUSH bind tcp://*:5  {ALLOW}\napp a: PULL connect {NOBODY}"),
    ("ZT302 ZT118", f"app a: PULL connect {NOBODY}\n{ALLOW}"),
    ("ZT302 ZT118", f"app a {{\n    socket b: PULL connect {NOBODY}\n    {ALLOW}\n}}"),
    ("ZT302 ZT118", f"app a: PULL connect {NOBODY} {{\n    linger 0  {ALLOW}\n}}"),
    ("ZT302 ZT118", f"app a: PULL connect {NOBODY}; app b: PUSH bind tcp://*:5  {ALLOW}"),
    ("ZT302 ZT118", f'app a: PULL connect {NOBODY}  # ztopo: allow ZT301 "by hand"'),
    ("ZT118", f"app a: PUSH bind tcp://*:5  {ALLOW}"),
    ("ZT118", f"{ALLOW}\n{ALLOW}\napp a: PULL connect {NOBODY}"),  # one silences one
    ("ZT302", f"{ALLOW}\napp a {{\n    socket b: PULL connect {NOBODY}\n    socket c: PULL connect {NOBODY}\n}}"),
    ("ZT302 ZT117", f"app a: PULL connect {NOBODY}  # ztopo: allow ZT302"),
    ("ZT302 ZT117", f'app a: PULL connect {NOBODY}  # ztopo: allow ZT302 ""'),
    ("ZT302 ZT117", f"app a: PULL connect {NOBODY}  # ztopo: allow ZT302 by hand"),
    ("ZT302 ZT117", f"app a: PULL connect {NOBODY}  # ztopo: allow"),
    ("ZT302 ZT117", f'app a: PULL connect {NOBODY}  # ztopo: allow ZT999 "by hand"'),
    ("ZT302 ZT117", f'app a: PULL connect {NOBODY}  # ztopo: alow ZT302 "by hand"'),
    ("ZT501 ZT117", 'app a: PUSH bind tcp://*:5 { lingr 0 }  # ztopo: allow ZT501 "so be it"'),
    ("ZT101 ZT117", 'app a: PULL connect nobody  # ztopo: allow ZT101 "so be it"'),
    ("ZT302", f"app a: PULL connect {NOBODY}  # ztopo: the checker does not know who is there"),
    ("ZT302", f'options b {{ subscribe "{ALLOW[:-10]}" }}\napp a: PULL connect {NOBODY}'),  # a text, not a comment
    ("ZT302", f"app b: PUSH bind ipc://#ztopo:allow\napp a: PULL connect {NOBODY}"),
    ("ZT304", f"app a: PUSH bind tcp://*:70000, tcp://*:70001  {ALLOW.replace('302', '304')}"),  # one of two
]


@pytest.mark.parametrize(("expected", "text"), LOUD)
def test_anything_else_is_said(expected: str, text: str) -> None:
    assert sorted(codes(text)) == sorted(expected.split())


def test_an_error_that_is_allowed_lets_the_topology_start() -> None:
    compilation = told('app a: PUSH bind tcp://*:5\napp b: PUSH connect a  # ztopo: allow ZT201 "a PULL, in truth"')
    assert compilation.valid
    assert [d.code for d in compilation.silenced] == ["ZT201"]


def test_what_is_wrong_elsewhere_makes_no_allow_useless() -> None:
    """A finding may be missing only because of a mistake that is said already."""
    assert codes(f"app a: PULL connect b  {ALLOW}\napp b PUSH") == ["ZT010"]
    assert codes(f"app a: PULL connect {NOBODY} nothing  {ALLOW}") == ["ZT025"]
    assert codes(f"app a: PULL connect nobody  {ALLOW}") == ["ZT101"]


def test_a_module_allows_for_itself() -> None:
    module = f"ztopo 1\napp a: PULL connect {NOBODY}"
    use = 'use "m.ztopo" as m[2]'
    assert codes(use, m=module) == ["ZT302"]
    assert codes(use, m=f"{module}  {ALLOW}") == []
    assert codes(f"{use}  {ALLOW}", m=module) == ["ZT302", "ZT118"]


def test_what_the_host_is_asked_is_allowed_too() -> None:
    taken = 'app a: PUSH bind tcp://127.0.0.1:5555 { run "python a.py" }  # ztopo: allow ZT601 "it will be gone by then"'
    compilation = told(taken)
    assert counted(compilation.diagnostics) == []  # nobody has asked the host yet
    assert judge_host(compilation, HOST, Libzmq()) == ()
    assert [d.code for d in judge_host(compilation, Host(), Libzmq())] == ["ZT118"]
    assert [d.code for d in judge_host(told(taken.replace("601", "602")), HOST, Libzmq())] == ["ZT601", "ZT118"]


def test_the_place_of_one_that_is_useless_can_be_taken_out() -> None:
    for text, rest in (
        (f"app a: PUSH bind tcp://*:5 \t{ALLOW}\n", "app a: PUSH bind tcp://*:5\n"),
        (f"{ALLOW}\napp a: PUSH bind tcp://*:5\n", "app a: PUSH bind tcp://*:5\n"),
        (f"app a: PUSH bind tcp://*:5\n{ALLOW}", "app a: PUSH bind tcp://*:5\n"),
    ):
        (only,) = counted(told(text).diagnostics)
        assert only.fix is not None
        assert only.fix.safe
        (edit,) = only.fix.edits
        assert text[: edit.span.start] + edit.text + text[edit.span.end :] == rest


LINES = [
    *(f"app a{n}: PULL connect {NOBODY}" for n in range(4)),
    *(f"app b{n}: PULL connect {NOBODY}  {ALLOW}" for n in range(4)),
    *(f"app c{n} {{\nsocket d: PULL connect {NOBODY}  {ALLOW}\nsocket e: PUSH\n}}" for n in range(2)),
    *(f"{ALLOW}{' ' * n}" for n in range(6)),
    *(f'# ztopo: allow ZT207 "{n}"' for n in range(4)),
    *(
        "app f: PUSH",
        "app g: PUSH",
        "app h PUSH",
        "app i: PULL connect nobody",
        "",
        "}",
        "{",
        ";",
        '"',
        "## doc",
        "# ztopo: allow",
        "é",
    ),
]
MORE = st.lists(st.sampled_from(LINES), unique=True, max_size=20).map("\n".join)


@given(st.one_of(MORE, st.lists(st.sampled_from([*PIECES, f"{ALLOW}\n"]), max_size=40).map(" ".join)))
def test_allowing_takes_away_and_changes_nothing_else(text: str) -> None:
    """In any text: what is said and what is silenced is what would be said if the comments were none."""
    allowing, plain = told(text), told(text.replace("# ztopo:", "# xtopo:"))
    left = [d for d in allowing.diagnostics if d.code not in ("ZT117", "ZT118")]
    assert sorted(map(str, [*left, *allowing.silenced])) == sorted(map(str, plain.diagnostics))
    assert {d.code for d in allowing.silenced} <= {"ZT302", "ZT207"}


@given(right_texts())
def test_comments_are_found_where_the_lexer_finds_them(text: str) -> None:
    """Behind every line of a right text stands a comment; the endpoints, texts and brackets in it hide none and are none."""
    text = "".join(f'{line}  # "a # ztopo: no order"\n' for line in text.splitlines())
    source = Source(text)
    lexed = [t.start_pos for t in tokens(source) if t.type == "COMMENT"]
    assert [allow._comment(source, n) for n in range(1, text.count("\n") + 1)] == lexed


def test_no_token_goes_over_the_end_of_a_line() -> None:
    """But a comma, whose lines hold comments only: what a line is made of is seen in that line."""
    path = Path(__file__).parent / "corpus" / "good"
    texts = [p.read_text(encoding="utf-8") for p in path.glob("*.ztopo")]
    assert texts
    for text in texts:
        for token in tokens(Source(text)):
            assert "\n" not in token or token.type in ("NEWLINE", "COMMA")
            assert token.type != "COMMA" or re.fullmatch(r",(\s*(#[^\n]*)?\n)*", token)


def test_a_file_without_the_word_is_not_looked_at_again() -> None:
    source = Source("ztopo 1\napp a: PUSH bind tcp://*:5  # a comment\n")
    file, _ = parse(source)
    source._starts = None
    assert list(allow.find(file)) == []
    assert source._starts is None
