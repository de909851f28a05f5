"""Reading a text that has mistakes: every mistake once, at its place, and as much of a tree as there can be.

The text is taken apart into tokens first; where none begins, a strange one stands for what is there (`topo/syntax/strange.py`). Then the
tokens are fed to Lark's interactive parser. When one does not fit:

1. *Keep it.* What it is called, `topo/syntax/naming.py` finds out.
2. *Mend the line.* A strange token read as what it is like; a comma read as the end of a statement; one token put in, left out, or
   taken for another: if the rest of the line, up to its end or the `{` that opens its block, then fits, the reading goes on with
   the mended line. What is inside the block gets its own chance.
3. *Leave the statement out.* If no such mend exists, go back to where the statement began, pass over it with the blocks in it,
   and go on behind it.

If there is a brace too many or too few, the text is read once more for each place where that may be, as the lines begin; the
first such reading that has no other mistakes than before is the one that counts.

A statement with a mistake is noted as doubtful, and what is wrong in it is not judged further. Trials are made on the states
alone, without the callbacks that build the tree, because those change what they are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from lark import Lark, Token
from msgspec.structs import replace

from topo.diagnostic import nearest
from topo.source import Source, Span
from topo.syntax import braces, tree
from topo.syntax.automaton import Automaton, Stuck
from topo.syntax.strange import NOTHING, instead, is_strange, made_up, tokens
from topo.syntax.trouble import ENDS, SIGNS, Trouble, is_word

__all__ = ["MOST_MISTAKES", "recover"]

MOST_MISTAKES = 100
"""After so many mistakes of syntax a text is something else, and not read further."""

INSIDE = ("IN", "OUT", "MONITOR", "CONTROL", "SOCKET", "RUN", "RESTART", "ON", "CONTEXT", "WITH")
"""The words that statements begin with that stand in blocks only."""

STANDING = {"NAME", "NUMBER", "STRING", "ENDPOINT"}
"""What may be meant by something that is none of it."""

MOST_GUESSES = 10
"""So many places are tried for a brace that is missing or too many."""
MOST_TOKENS = 200_000
"""So many tokens are read once more for that, at most."""


def recover(source: Source, parser: Lark) -> tuple[tree.File, list[Trouble]]:
    """Read a text that has mistakes: what could be read, and where the parser got stuck. `parser` has begun with the source."""
    found = [*tokens(source.text, parser), Token("$END", "", len(source.text), end_pos=len(source.text))]
    reading = _Reading(source, parser, found, ())
    while reading.unbalanced and (better := _with_other_braces(reading, parser)) is not None:
        reading = better
    return tree.File(source, reading.statements, tuple(reading.doubtful), frozenset(reading.lost)), reading.troubles


def _with_other_braces(reading: _Reading, parser: Lark) -> _Reading | None:
    """The text with a `}` put in or left out where the lines tell that it is missing or too many, if that is better."""
    trouble = reading.unbalanced[0]
    missing = trouble.token.type == "$END"
    guesses = braces.missing if missing else braces.surplus
    tries = min(MOST_GUESSES, MOST_TOKENS // len(reading.given))
    for brace, at in islice(guesses(reading.source, reading.given), tries):
        given = reading.given
        if missing:
            put = made_up("RBRACE", given[at], in_front=True)
            given = [*given[:at], put, *given[at:]]
            named = replace(trouble, token=made_up("$END", put), opened=(brace,))
        else:
            given = [*given[:at], *given[at + 1 :]]
            named = replace(trouble, token=brace, before=(), behind=())
        other = _Reading(reading.source, parser, given, (*reading.mended, named))
        if other.others <= reading.others and other.depth < reading.depth:
            return other
    return None


class _Reading:
    """A text that has been read. `mended` are the braces that were put in or left out before, which is to be said."""

    def __init__(self, source: Source, parser: Lark, given: list[Token], mended: tuple[Trouble, ...]) -> None:
        self.source = source
        self.given = given
        self.mended = mended
        self.troubles: list[Trouble] = list(mended)
        self.unbalanced: list[Trouble] = []
        """Those at which a brace is missing, or closes nothing."""
        self.depth = 0
        """How many braces that are."""
        self.doubtful: list[Span] = [_of_brace(trouble) for trouble in mended]
        self.lost: set[str] = set()
        self.tokens = list(given)
        self.parser: Any = parser.parse_interactive("", start="start")  # an InteractiveParser, whose methods have no types
        conf = self.parser.parser_state.parse_conf
        self.automaton = Automaton(conf.states, conf.end_state)
        self.begins: list[tuple[int, Any]] = [(0, self._state())]
        """For each open block, the text's own first: where its present statement begins, and the parser's state there."""
        self.opened: list[Token] = []
        """The braces that are open."""
        self.statements = self._read()

    @property
    def others(self) -> int:
        """How many mistakes there are that braces do not explain."""
        return len(self.troubles) - len(self.mended) - len(self.unbalanced)

    def _state(self) -> Any:
        return self.parser.parser_state.copy(deepcopy_values=False)

    @property
    def _stack(self) -> list[Any]:
        """The parser's states."""
        stack: list[Any] = self.parser.parser_state.state_stack
        return stack

    # Reading

    def _read(self) -> tuple[tree.Statement, ...]:
        """Feed all tokens, going on after each mistake."""
        at = 0
        while True:
            token = self.tokens[at]
            try:
                self.automaton.feed(self._stack, token.type)
            except Stuck as stuck:
                at = self._go_on(at, stuck.stack[-1])
                if at < 0 or len(self.troubles) >= MOST_MISTAKES:
                    return self._give_up()
                continue
            result = self.parser.feed_token(token)
            if token.type == "$END":
                statements: tuple[tree.Statement, ...] = result
                return statements
            at += 1
            self._note(token, at)

    def _note(self, token: Token, after: int) -> None:
        """Keep track of where statements begin."""
        if token.type == "LBRACE":
            self.opened.append(token)
            self.begins.append((after, self._state()))
        elif token.type == "RBRACE":
            if self.opened:  # at the end of the text those that were not closed have been closed before
                self.opened.pop()
            self.begins.pop()
        elif token.type in ("NEWLINE", "SEMICOLON"):
            self.begins[-1] = (after, self._state())

    def _go_on(self, at: int, state: int) -> int:
        """Deal with the token that does not fit; where to go on, or -1 if there is nothing to go on with."""
        token = self.tokens[at]
        begin = self.begins[-1][0]
        self._notice(at, begin, state)
        if token.type == "$END":
            return self._close(at)
        end = self._line_end(at)
        if token.type in NOTHING:
            self._doubt(begin, end)
            del self.tokens[at]
            return at
        if (earlier := self._end_at_comma(at, begin)) >= 0:
            return earlier
        if [t.type for t in self.tokens[at : at + 3]] == ["LBRACE", "NAME", "RBRACE"] and self._fits([self._param(at)]):
            self._doubt(begin, at + 2)
            self.tokens[at : at + 3] = [self._param(at)]
            return at
        if self._is_another(at):
            self._doubt(begin, end)
            self.tokens.insert(at, made_up("SEMICOLON", token, in_front=True))
            return at
        mended = self._mend(at, end)
        if mended is not None:
            self._doubt(begin, end)
            self.tokens[at : at + mended[0]] = mended[1]
            return at
        return self._leave_out(at)

    def _notice(self, at: int, begin: int, state: int) -> None:
        token = self.tokens[at]
        if token.type == "$END" and self.unbalanced and self.unbalanced[-1].token.type == "$END":
            return  # it has been said, and the blocks are being closed
        trouble = Trouble(
            source=self.source,
            token=token,
            accepted=self.automaton.accepted(self._stack),
            before=tuple(self.tokens[begin:at]),
            behind=tuple(self._rest_of_line(at)),
            opened=tuple(self.opened),
            state=state,
        )
        if token.type == "$END" and self.opened:
            self._unbalanced(replace(trouble, before=(), state=-1), len(self.opened))
            if begin < at and not self._fits([made_up("RBRACE", token)]):
                self.troubles.append(replace(trouble, opened=()))  # its last statement is not finished either
        elif token.type == "RBRACE" and not self.opened:
            self._unbalanced(trouble, 1)
        else:
            self.troubles.append(trouble)

    def _unbalanced(self, trouble: Trouble, braces: int) -> None:
        self.troubles.append(trouble)
        self.unbalanced.append(trouble)
        self.depth += braces

    def _rest_of_line(self, at: int) -> Iterator[Token]:
        """What follows a token in its line, and what ends that; behind the end of a line what comes first."""
        for token in self.tokens[at + 1 :]:
            if token.type != "NEWLINE" or self.tokens[at].type != "NEWLINE":
                yield token
            if token.type in ENDS and not (token.type == "NEWLINE" and self.tokens[at].type == "NEWLINE"):
                return

    def _line_end(self, at: int) -> int:
        """The token behind which the line's own trouble cannot reach: its end, or the brace that opens its block."""
        while self.tokens[at].type not in ENDS and self.tokens[at].type not in braces.OPENING:
            at += 1
        return at

    # Mending

    def _end_at_comma(self, at: int, begin: int) -> int:
        """Where to go on if a statement was meant to end with its last comma; -1 if that does not help."""
        comma = next((n for n in range(at - 1, begin, -1) if self.tokens[n].type == "COMMA"), -1)
        if comma < at - 2 or comma < 0:
            return -1
        over = "\n" in self.tokens[comma]
        sign = made_up("NEWLINE" if over else "SEMICOLON", self.tokens[comma])
        behind = self.tokens[comma + 1 : at + 1]
        if over and braces.indent(self.source, behind[0]) <= braces.indent(self.source, self.tokens[begin]):
            behind = []  # another statement, whatever may be wrong in it
        before = self.begins[-1][1]
        if not self._fits([*self.tokens[begin:comma], sign, *behind], before.state_stack):
            return -1
        self._doubt(begin, comma)
        self.tokens[comma] = sign
        self.parser.parser_state = before.copy(deepcopy_values=False)
        return begin

    def _in_one_word(self, at: int) -> int:
        """How many tokens there are from one on, without a blank between them."""
        end = at
        while self.tokens[end + 1].start_pos == self.tokens[end].end_pos and self.tokens[end + 1].type not in (
            *ENDS,
            "LBRACE",
            "COMMA",
        ):
            end += 1
        return end - at + 1

    def _is_another(self, at: int) -> bool:
        """Whether a statement could end in front of a word, and one with that word begin."""
        put = made_up("SEMICOLON", self.tokens[at])
        return is_word(self.tokens[at]) and self._fits([put, *self.tokens[at : at + 2]])

    def _param(self, at: int) -> Token:
        """What is read for `{name}`."""
        return made_up("INTERPOLATION", self.tokens[at])

    def _mend(self, at: int, end: int) -> tuple[int, list[Token]] | None:
        """How many tokens to take out at `at` and which to put there, so that the rest of the line fits."""
        rest = self.tokens[at : end + 1]
        keeps_end = rest[-1].type == "$END" or (self.tokens[at].type not in ENDS and not is_strange(self.tokens[at]))
        most = len(rest) - keeps_end
        for out, put in self._mends(at):
            if out <= most and self._fits([*put, *rest[out:]]):
                return out, put
        return None

    def _mends(self, at: int) -> Iterator[tuple[int, list[Token]]]:
        token = self.tokens[at]
        accepted = self.automaton.accepted(self._stack) - {"$END"}
        if is_strange(token):
            yield 1, instead(token)
            yield 1, []
        if token.type == "NEWLINE" and "LBRACE" in accepted and self._goes_on_below(at):
            yield 0, [made_up("LBRACE", token, in_front=True)]
        if token.type == "RBRACE" and not self.opened:
            yield 1, []
        for word in range(0 if is_word(token) else self._in_one_word(at), 1, -1):
            yield word, []
            yield from ((word, [made_up(kind, token)]) for kind in sorted(accepted & STANDING))
        for near in nearest(str(token), sorted(t.lower() for t in accepted - SIGNS)) if token.type == "NAME" else ():
            yield 1, [Token.new_borrow_pos(near.upper(), near, token)]
        for kind in sorted(accepted - {"NEWLINE", "SEMICOLON", "LBRACE", "RBRACE"}, key=_plainness):
            yield int(is_strange(token)), [made_up(kind, token, in_front=True)]
        if token.type in ("LBRACE", "RBRACE", "NEWLINE", "SEMICOLON"):
            return
        for out in (1, 2, 3):
            yield out, []
        for kind in sorted(accepted & STANDING):
            yield 1, [made_up(kind, token)]

    def _goes_on_below(self, at: int) -> bool:
        """Whether what comes behind the end of a line stands in a block that was not opened."""
        below = next(token for token in self.tokens[at:] if token.type != "NEWLINE")
        return below.type in INSIDE or (
            below.type == "NAME" and braces.indent(self.source, below) > braces.indent(self.source, self.tokens[at])
        )

    def _fits(self, tokens: Iterable[Token], stack: list[Any] | None = None) -> bool:
        """Whether tokens fit, strange ones read as what they are like, or left out."""
        after = self._stack if stack is None else stack
        for token in tokens:
            kinds = [t.type for t in instead(token)] if is_strange(token) else [token.type]
            if self.automaton.fits(after, kinds):
                for kind in kinds:
                    after = self.automaton.feed(after, kind)
            elif not is_strange(token):
                return False
        return True

    # Leaving out

    def _leave_out(self, at: int) -> int:
        """Go back to where the statement began, and on behind it."""
        begin, state = self.begins[-1]
        depth = 0
        end = begin
        while True:
            kind = self.tokens[end].type
            if (
                kind == "$END"
                or (kind == "RBRACE" and depth == 0)
                or (kind in ("NEWLINE", "SEMICOLON") and depth == 0 and end >= at)
            ):
                break
            depth += (kind in braces.OPENING) - (kind == "RBRACE")
            end += 1
        self._doubt(begin, max(end - 1, begin))
        self._lose(self.tokens[begin:end])
        if end == begin:  # a brace too many, or the end of the text: nothing was left out, so leave out this one
            if self.tokens[end].type == "$END":
                return -1
            del self.tokens[end]
        self.parser.parser_state = state
        self.begins[-1] = (end, self._state())
        return end

    def _lose(self, tokens: list[Token]) -> None:
        """Note every name that may have been declared there."""
        declaring = False
        for token in tokens:
            if token.type in ("DEVICE", "APP", "USE"):
                declaring = True
            elif token.type in ("COLON", "LBRACE", "NEWLINE"):
                declaring = False
            elif declaring:
                self.lost.add(str(token))

    def _close(self, at: int) -> int:
        """The text ends too early: finish the statement if it can be, and close what is open.

        Where the missing brace belongs is not known, so nothing behind the open one is judged.
        """
        if self.opened:
            self._doubt_from(self.opened[0], at)
            self.opened = []
        end = self.tokens[at]
        if self._fits([made_up("RBRACE", end)]):
            self.tokens.insert(at, made_up("RBRACE", end))
            return at
        begin, state = self.begins[-1]
        self._doubt(begin, at)
        self._lose(self.tokens[begin:at])
        self.parser.parser_state = state
        self.tokens[at:at] = [made_up("RBRACE", end)] * (len(self.begins) - 1)
        return at if begin < at or len(self.begins) > 1 else -1

    def _doubt(self, begin: int, end: int) -> None:
        start, stop = self.tokens[begin].start_pos or 0, self.tokens[end].end_pos or 0
        beyond = stop == len(self.source.text)  # what is put in at the end of the text stands there
        self.doubtful.append(Span(self.source, start, max(start, stop) + beyond))

    def _doubt_from(self, brace: Token, at: int) -> None:
        self.doubtful.append(Span(self.source, brace.start_pos or 0, len(self.source.text) + 1))
        self._lose([t for t in self.tokens[:at] if (t.start_pos or 0) > (brace.start_pos or 0)])

    def _give_up(self) -> tuple[tree.Statement, ...]:
        """Keep nothing: too much is wrong. What might be declared somewhere is not missed."""
        self.doubtful.append(Span(self.source, 0, len(self.source.text) + 1))
        return ()


def _of_brace(trouble: Trouble) -> Span:
    """What is doubtful for a brace that was put in or left out: from the line of the one that it closes."""
    brace = trouble.opened[-1] if trouble.opened else trouble.token
    start = trouble.source.text.rfind("\n", 0, brace.start_pos or 0) + 1
    return Span(trouble.source, start, max(trouble.token.end_pos or 0, brace.end_pos or 0))


def _plainness(kind: str) -> tuple[int, str]:
    """Which tokens to try first: punctuation that people forget, then values, then words."""
    order = ("COLON", "COMMA", "EQUALS", "STRING", "NUMBER", "ENDPOINT", "NAME")
    return (order.index(kind) if kind in order else len(order), kind)
