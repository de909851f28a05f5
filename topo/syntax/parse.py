"""From text to tree.

`Build` has a method per rule, which makes a node of the tree when Lark has read it. Right texts are read by their shapes
(`topo/syntax/shapes.py`), wrong ones token by token (`topo/syntax/recover.py`). Comments leave the tree; those that begin with `##`
come back as the `doc` of the declaration that follows them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from threading import RLock
from typing import Any

from lark import Lark, Token, Transformer

from topo import collector
from topo.diagnostic import Diagnostic
from topo.source import Source, Span
from topo.syntax import mistakes, tree
from topo.syntax.docs import Docs
from topo.syntax.grammar import load
from topo.syntax.naming import Learned, learn, name
from topo.syntax.recover import recover
from topo.syntax.shapes import STARTS, Misfit, Shapes
from topo.syntax.trouble import Trouble

__all__ = ["parse", "tokens"]


MOST_DEPTH = 16
"""How deep blocks and brackets may stand in each other; what the language has use for is four."""


class TooDeep(Exception):
    """Blocks stand too deep in blocks; `span` is the brace at which that was noticed."""

    def __init__(self, span: Span) -> None:
        super().__init__()
        self.span = span


_one_at_a_time = RLock()  # a compiled grammar has one Build, which belongs to one text at a time


def parse(source: Source, *, fragment: bool = False) -> tuple[tree.File, list[Diagnostic]]:
    """Read a text: its tree, of which the parts that could not be read are missing, and what there is to say about it.

    A `fragment` need not begin with the version of the language. A right text is read at full speed; only one with mistakes
    is read again in a way that recovers from them.
    """
    with _one_at_a_time, collector.paused():
        build, parser, shapes = _parser()
        build.begin(source)
        said: list[Diagnostic] = []
        try:
            try:
                file = tree.File(source, shapes.read(source))
            except Misfit:
                learned = _learned()
                build.begin(source)
                file, troubles = recover(source, parser)
                said = _one_at_a_place(name(trouble, learned) for trouble in troubles)
        except TooDeep as deep:
            file = _nothing_of(source)
            said = [mistakes.too_deep(deep.span, MOST_DEPTH)]
        finally:
            build.end()
    version = _check_version(file, fragment)
    if version and isinstance(file.statements[0] if file.statements else None, tree.Version):
        return _nothing_of(source), version  # what a later version says is not judged by the rules of this one
    return file, [*version, *said]


def _one_at_a_place(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The first of those that begin at one place: what else is wrong there comes of it."""
    said: dict[int, Diagnostic] = {}
    for diagnostic in diagnostics:
        said.setdefault(diagnostic.span.start if diagnostic.span else -1, diagnostic)
    return list(said.values())


def tokens(source: Source) -> list[Token]:
    """The tokens of a right text, with its comments among them, in the order of their places.

    Raises lark.exceptions.UnexpectedCharacters where no token begins.
    """
    with _one_at_a_time:
        build, parser, _ = _parser()
        build.begin(source)
        try:
            return sorted([*parser.lex(source.text), *build.comments], key=lambda t: t.start_pos or 0)
        finally:
            build.end()


def _nothing_of(source: Source) -> tree.File:
    """A file of which nothing could be read."""
    return tree.File(source, (), (Span(source, 0, len(source.text) + 1),))


def _check_version(file: tree.File, fragment: bool) -> list[Diagnostic]:
    if any(place.start == 0 for place in file.doubtful):
        return []  # the first statement could not be read, which has been said
    first = file.statements[0] if file.statements else None
    if isinstance(first, tree.Version):
        if first.number.text == str(mistakes.LANGUAGE_VERSION):
            return []
        return [mistakes.version_unknown(first.number.span, first.number.text)]
    if fragment:
        return []
    start = first.span.start if first else 0
    end = first.span.end if first else 0
    line_end = file.source.text.find("\n", start)
    return [mistakes.version_missing(Span(file.source, start, min(end, line_end) if line_end >= 0 else end))]


class Build(Transformer[Token, Any]):
    """Makes the tree, rule by rule. Between `begin` and `end` it belongs to one source.

    What a method makes of tokens depends on their kinds; their texts and places it only passes on. `Shapes` relies on that.
    """

    def __init__(self) -> None:
        super().__init__()
        self.source = Source("")
        self.docs = Docs("")
        self.comments: list[Token] = []
        self.depth = 0

    def begin(self, source: Source) -> None:
        """Start with a source."""
        self.source = source
        self.docs = Docs(source.text)
        self.comments = []
        self.depth = 0

    def end(self) -> None:
        """Let go of the source."""
        self.begin(Source(""))

    def comment(self, token: Token) -> Token:
        """See a comment go by, and keep it."""
        self.comments.append(token)
        self.docs.note(token.start_pos or 0, token.line or 0, token)
        return token

    def opening(self, token: Token) -> Token:
        """See a block begin."""
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise TooDeep(self.at(token))
        return token

    def closing(self, token: Token) -> Token:
        """See a block end."""
        self.depth = max(0, self.depth - 1)
        return token

    def doc(self, first: Token) -> str:
        """The doc comment that ends on the line above."""
        return self.docs.take(first.start_pos or 0, first.line or 0)

    # Places

    def at(self, token: Token) -> Span:
        return Span(self.source, token.start_pos or 0, token.end_pos or 0)

    def over(self, children: list[Any]) -> Span:
        """From the first child to the last one that there is."""
        first = children[0]
        start: int = first.start_pos if type(first) is Token else first.span.start  # type: ignore[assignment]  # a lexer sets it
        last = next(
            c for c in reversed(children) if c is not None and not (isinstance(c, tree.SocketSpec) and not _spec_parts(c))
        )
        if isinstance(last, tree.SocketSpec):
            last = _spec_parts(last)[-1]
        end: int = last.end_pos if type(last) is Token else last.span.end  # type: ignore[assignment]  # a lexer sets it
        return Span(self.source, start, end)

    def name(self, token: Token) -> tree.Name:
        return tree.Name(self.at(token), str(token))

    def maybe_bracket(self, token: Token | None) -> tree.Bracket | None:
        return None if token is None else tree.Bracket(self.at(token), token[1:-1])

    # Leaves

    def any_name(self, c: list[Token]) -> tree.Name:
        return self.name(c[0])

    def text(self, c: list[Token]) -> tree.Text:
        return tree.Text(self.at(c[0]), c[0][1:-1])

    def number(self, c: list[Token]) -> tree.Number:
        return tree.Number(self.at(c[0]), str(c[0]))

    def endpoint(self, c: list[Token]) -> tree.EndpointText:
        return tree.EndpointText(self.at(c[0]), str(c[0]))

    def interpolation(self, c: list[Token]) -> tree.Interpolation:
        return tree.Interpolation(self.at(c[0]), c[0][2:-1])

    def star(self, c: list[Token]) -> tree.Star:
        return tree.Star(self.at(c[0]))

    def file(self, c: list[Token]) -> tree.FileText:
        return tree.FileText(self.over(c), tree.Text(self.at(c[1]), c[1][1:-1]))

    def part(self, c: list[Any]) -> tree.Part:
        bracket = self.maybe_bracket(c[1])
        return tree.Part(c[0].span if bracket is None else c[0].span.to(bracket.span), c[0], bracket)

    def reference(self, c: list[Any]) -> tree.Reference:
        parts = tuple(p for p in c if isinstance(p, tree.Part))
        own = isinstance(c[0], Token)
        start = c[0].start_pos if own else parts[0].span.start
        return tree.Reference(Span(self.source, start, parts[-1].span.end), own, parts)

    def several(self, c: list[Any]) -> tree.Value:
        values = tuple(v for v in c if not isinstance(v, Token))
        one: tree.Value = values[0]
        return one if len(values) == 1 else tree.Several(self.over(c), values)

    def call(self, c: list[Any]) -> tree.Call:
        arguments = tuple(v for v in c[1:] if v is not None and not isinstance(v, Token))
        return tree.Call(self.over(c), c[0], arguments)

    # Sockets

    def bind(self, c: list[Any]) -> tree.Bind:
        return tree.Bind(self.over(c), tuple(p for p in c if not isinstance(p, Token)))

    def connect(self, c: list[Any]) -> tree.Connect:
        return tree.Connect(self.over(c), tuple(p for p in c if not isinstance(p, Token)))

    def same(self, c: list[Token]) -> tree.Same:
        return tree.Same(self.at(c[0]))

    def secured(self, c: list[Any]) -> tree.Secured:
        return tree.Secured(self.over(c), c[2], c[4])

    def socket_spec(self, c: list[Any]) -> tree.SocketSpec:
        kind = self.name(c[0]) if c[0] is not None else None
        program = self.name(c[2]) if c[2] is not None else None
        return tree.SocketSpec(kind, program, tuple(c[3:]))

    def option(self, c: list[Any]) -> tree.Option:
        return tree.Option(self.over(c), self.name(c[0]), tuple(v for v in c[1:] if not isinstance(v, Token)))

    def side(self, c: list[Any]) -> tree.Side:
        return tree.Side(self.over(c), self.name(c[0]), c[1], c[2])

    def socket(self, c: list[Any]) -> tree.Socket:
        return tree.Socket(self.over(c), c[1], self.maybe_bracket(c[2]), c[4], c[5])

    def block(self, c: list[Any]) -> tree.Block:
        return tree.Block(self.over(c), tuple(i for i in c if i is not None and not isinstance(i, Token)))

    # Statements inside blocks

    def run(self, c: list[Token]) -> tree.Run:
        if c[1].type == "STRING":
            return tree.Run(self.over(c), None, tree.Text(self.at(c[1]), c[1][1:-1]))
        return tree.Run(self.over(c), self.name(c[1]), None)

    def restart(self, c: list[Any]) -> tree.Restart:
        return tree.Restart(self.over(c), c[1], c[3], c[5], c[7], c[10], c[12])

    def on(self, c: list[Any]) -> tree.On:
        return tree.On(self.over(c), c[1])

    def context(self, c: list[Any]) -> tree.Context:
        return tree.Context(self.over(c), c[1])

    def with_(self, c: list[Any]) -> tree.With:
        return tree.With(self.over(c), c[1])

    # Declarations

    def version(self, c: list[Token]) -> tree.Version:
        return tree.Version(self.over(c), self.number([c[1]]))

    def topology(self, c: list[Any]) -> tree.Topology:
        return tree.Topology(self.over(c), c[1])

    def param(self, c: list[Any]) -> tree.Param:
        return tree.Param(self.over(c), c[1], c[3], c[5], self.doc(c[0]))

    def device(self, c: list[Any]) -> tree.Device:
        swap = self.name(c[5]) if c[5] is not None else None
        return tree.Device(self.over(c), c[1], self.maybe_bracket(c[2]), c[4], swap, c[6], self.doc(c[0]))

    def process(self, c: list[Any]) -> tree.Process:
        return tree.Process(self.over(c), c[1], self.maybe_bracket(c[2]), c[3])

    def app(self, c: list[Any]) -> tree.App:
        return tree.App(self.over(c), c[1], self.maybe_bracket(c[2]), c[4], c[5], self.doc(c[0]))

    def use(self, c: list[Any]) -> tree.Use:
        return tree.Use(self.over(c), self.text([c[1]]), c[3], self.maybe_bracket(c[4]), c[5])

    def host(self, c: list[Any]) -> tree.Host:
        return tree.Host(self.over(c), c[1], self.maybe_bracket(c[2]), c[3])

    def security(self, c: list[Any]) -> tree.Security:
        return tree.Security(self.over(c), c[1], c[3], c[4])

    def option_set(self, c: list[Any]) -> tree.OptionSet:
        return tree.OptionSet(self.over(c), c[1], c[2])

    def start(self, c: list[Any]) -> tuple[tree.Statement, ...]:
        return tuple(s for s in c if s is not None and not isinstance(s, Token))


setattr(Build, "with", Build.with_)  # the rule's name is a word of Python


def _spec_parts(spec: tree.SocketSpec) -> list[tree.Name | tree.Clause]:
    return [p for p in (spec.type, spec.program, *spec.clauses) if p is not None]


@lru_cache(maxsize=1)
def _parser() -> tuple[Build, Lark, Shapes]:
    build = Build()
    callbacks = {
        "COMMENT": build.comment,
        "LBRACE": build.opening,
        "RBRACE": build.closing,
        "LPAR": build.opening,
        "RPAR": build.closing,
    }
    lark = load("ztopo.lark", build, callbacks, STARTS)
    return build, lark, Shapes(lark)


@lru_cache(maxsize=1)
def _learned() -> Learned:
    """What the examples teach, which depends on how this parser numbers its states."""
    build, parser, _ = _parser()

    def stuck(text: str) -> list[Trouble]:
        source = Source(text)
        build.begin(source)
        return recover(source, parser)[1]

    return learn(stuck)
