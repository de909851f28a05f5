"""Reading a text that has mistakes: every mistake once, at its place, and as much of a tree as there can be.

The text is taken apart into tokens first; where no token begins, the character is taken out (a text, a bracket or an insertion
that does not end is ended at its line). Then the tokens are fed to Lark's interactive parser. When one does not fit:

1. *Mend the line.* One token put in, left out, or taken for another: if the rest of the line, up to its end or the `{` that
   opens its block, then fits, the reading goes on with the mended line. What is inside the block gets its own chance.
2. *Leave the statement out.* If no such mend exists, go back to where the statement began, pass over it with the blocks in it,
   and go on behind it.

Either way the statement is noted as doubtful, and what is wrong in it is not judged further. Trials are made without the
callbacks that build the tree, because those change what they are given.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from difflib import SequenceMatcher
from typing import Any

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from topo.diagnostic import Diagnostic
from topo.source import Source, Span
from topo.syntax import tree
from topo.syntax.naming import WORDS, unexpected, unexpected_character, unexpected_end

__all__ = ["MOST_MISTAKES", "recover"]

MOST_MISTAKES = 100
"""After so many mistakes of syntax a text is something else, and not read further."""

ENDS = ("NEWLINE", "SEMICOLON", "RBRACE", "$END")
CURLED = {"“": "”", "„": "“", "‘": "’", "«": "»"}
STAND_INS = {"NUMBER": "0", "STRING": '""', "BRACKET": "[0]", "INTERPOLATION": "${0}", "ENDPOINT": "inproc://"}
OPENING = {'"': '"', "[": "]", "$": "}"}


def recover(source: Source, parser: Lark) -> tuple[tree.File, list[Diagnostic]]:
    """Read a text that has mistakes. `parser` has begun with the source."""
    reading = _Reading(source, parser)
    statements = reading.read()
    return tree.File(source, statements, tuple(reading.doubtful), frozenset(reading.lost)), reading.said


class _Reading:
    """One text being read."""

    def __init__(self, source: Source, parser: Lark) -> None:
        self.source = source
        self.said: list[Diagnostic] = []
        self.doubtful: list[Span] = []
        self.lost: set[str] = set()
        self.at_characters: list[int] = []
        self.tokens = [*self._tokens(parser), Token("$END", "", len(source.text), end_pos=len(source.text))]
        self.parser: Any = parser.parse_interactive("", start="start")  # an InteractiveParser, whose methods have no types
        self.begins: list[tuple[int, Any]] = [(0, self._state())]
        """For each open block, the text's own first: where its present statement begins, and the parser's state there."""
        self.opened: list[Token] = []
        self.ended = False

    def _state(self) -> Any:
        return self.parser.parser_state.copy(deepcopy_values=False)

    # Tokens

    def _tokens(self, parser: Lark) -> list[Token]:
        text = self.source.text
        while True:
            try:
                return list(parser.lex(text))
            except UnexpectedCharacters as error:
                at = error.pos_in_stream or 0
                if len(self.said) >= MOST_MISTAKES:
                    return list(parser.lex(text[:at]))
                self.said.append(unexpected_character(self.source, at))
                self.at_characters.append(at)
                self.doubtful.append(Span(self.source, at, _end_of_line(text, at)))
                text = _without(text, at)

    # Reading

    def read(self) -> tuple[tree.Statement, ...]:
        """Feed all tokens, going on after each mistake."""
        at = 0
        while True:
            token = self.tokens[at]
            try:
                result = self.parser.feed_token(token)
            except UnexpectedToken:
                at = self._go_on(at)
                if at < 0 or len(self.said) >= MOST_MISTAKES:
                    return self._give_up()
                continue
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
            self.opened.pop()
            self.begins.pop()
        elif token.type in ("NEWLINE", "SEMICOLON"):
            self.begins[-1] = (after, self._state())

    def _go_on(self, at: int) -> int:
        """Deal with the token that does not fit; where to go on, or -1 if there is nothing to go on with."""
        token = self.tokens[at]
        begin = self.begins[-1][0]
        self._say(at, begin)
        if token.type == "$END":
            return self._close(at)
        end = self._line_end(at)
        mended = self._mend(at, end)
        if mended is not None:
            self._doubt(begin, end)
            self.tokens[at : at + mended[0]] = mended[1]
            return at
        return self._leave_out(at)

    def _say(self, at: int, begin: int) -> None:
        token = self.tokens[at]
        start = self.tokens[begin].start_pos or 0
        if any(start <= c <= (token.end_pos or 0) for c in self.at_characters):
            return  # it follows from a character that has been reported
        if token.type == "$END":
            if not self.ended:
                self.said.append(unexpected_end(self.source, self.opened[-1] if self.opened else None))
            self.ended = True
        else:
            before = [self.tokens[begin], self.tokens[at - 1]] if at > begin else []
            self.said.append(unexpected(self.source, token, self.parser.accepts(), before))

    def _line_end(self, at: int) -> int:
        """The token behind which the line's own trouble cannot reach: its end, or the brace that opens its block."""
        while self.tokens[at].type not in ENDS and self.tokens[at].type != "LBRACE":
            at += 1
        return at

    # Mending

    def _mend(self, at: int, end: int) -> tuple[int, list[Token]] | None:
        """How many tokens to take out at `at` and which to put there, so that the rest of the line fits."""
        rest = self.tokens[at : end + 1]
        for out, put in self._mends(self.tokens[at]):
            if out <= len(rest) - (self.tokens[at].type not in ENDS) and self._fits([*put, *rest[out:]]):
                return out, put
        return None

    def _mends(self, token: Token) -> Iterator[tuple[int, list[Token]]]:
        accepted = self.parser.accepts() - {"$END"}
        if token.type == "NEWLINE" and "LBRACE" in accepted:
            yield from self._brace_below(token)
        if token.type == "RBRACE" and not self.opened:
            yield 1, []
        near = [t for t in accepted - WORDS.keys() if SequenceMatcher(None, t.lower(), str(token).lower()).ratio() > 0.6]
        for kind in sorted(near, key=lambda t: -SequenceMatcher(None, t.lower(), str(token).lower()).ratio()):
            yield 1, [Token.new_borrow_pos(kind, kind.lower(), token)]
        for kind in sorted(accepted - {"NEWLINE", "SEMICOLON", "LBRACE", "RBRACE"}, key=_plainness):
            yield 0, [_nothing(kind, token)]
        if token.type in ("LBRACE", "RBRACE", "NEWLINE", "SEMICOLON"):
            return
        for out in (1, 2, 3):
            yield out, []
        for kind in sorted(accepted & {"NAME", "NUMBER", "STRING", "ENDPOINT"}):
            yield 1, [Token.new_borrow_pos(kind, _stand_in(kind), token)]

    def _brace_below(self, token: Token) -> Iterator[tuple[int, list[Token]]]:
        """A block whose brace stands on a line of its own."""
        at = end = next(i for i, t in enumerate(self.tokens) if t is token)
        while self.tokens[end].type == "NEWLINE":
            end += 1
        if self.tokens[end].type == "LBRACE":
            yield end - at, []

    def _fits(self, tokens: list[Token]) -> bool:
        trial = self.parser.copy(deepcopy_values=False)
        silent = copy(trial.parser_state.parse_conf)
        silent.callbacks = {}
        trial.parser_state.parse_conf = silent
        try:
            for token in tokens:
                trial.feed_token(token)
        except (UnexpectedToken, AssertionError):  # Lark asserts that the end of the text is never shifted
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
            depth += (kind == "LBRACE") - (kind == "RBRACE")
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
        if self._fits([_nothing("RBRACE", self.tokens[at])]):
            self.tokens.insert(at, _nothing("RBRACE", self.tokens[at]))
            return at
        begin, state = self.begins[-1]
        self._doubt(begin, at)
        self._lose(self.tokens[begin:at])
        self.parser.parser_state = state
        for _ in self.opened:
            self.tokens.insert(at, _nothing("RBRACE", self.tokens[at]))
        return at if begin < at or self.opened else -1

    def _doubt(self, begin: int, end: int) -> None:
        start, stop = self.tokens[begin].start_pos or 0, self.tokens[end].end_pos or 0
        self.doubtful.append(Span(self.source, start, max(start, stop)))

    def _doubt_from(self, brace: Token, at: int) -> None:
        self.doubtful.append(Span(self.source, brace.start_pos or 0, len(self.source.text) + 1))
        self._lose([t for t in self.tokens[:at] if (t.start_pos or 0) > (brace.start_pos or 0)])

    def _give_up(self) -> tuple[tree.Statement, ...]:
        """Keep nothing: too much is wrong. What might be declared somewhere is not missed."""
        self.doubtful.append(Span(self.source, 0, len(self.source.text) + 1))
        return ()


def _plainness(kind: str) -> tuple[int, str]:
    """Which tokens to try first: punctuation that people forget, then values, then words."""
    order = ("COLON", "COMMA", "EQUALS", "STRING", "NUMBER", "ENDPOINT", "NAME")
    return (order.index(kind) if kind in order else len(order), kind)


def _nothing(kind: str, before: Token) -> Token:
    """A token that is not in the text, in front of one that is."""
    at = before.start_pos or 0
    return Token(kind, _stand_in(kind), at, before.line, before.column, before.line, before.column, at)


def _stand_in(kind: str) -> str:
    return STAND_INS.get(kind, "_" if kind in WORDS else kind.lower())


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _without(text: str, at: int) -> str:
    """The text with what stands at `at` made harmless, and every other character where it was."""
    line = text[at : _end_of_line(text, at)].rstrip("\r")
    behind = text[at + len(line) :]
    if text[at] == "'" and (close := line.find("'", 1)) > 0 and not set('"\\') & set(line[:close]):
        return f'{text[:at]}"{line[1:close]}"{line[close + 1 :]}{behind}'
    if line.startswith("//"):
        return f"{text[:at]}{' ' * len(line)}{behind}"
    if text[at] == "`":
        ticks = len(line) - len(line.lstrip("`"))
        return f"{text[:at]}{' ' * ticks}{line[ticks:]}{behind}"
    if text[at] in CURLED and (close := line.find(CURLED[text[at]], 1)) > 0 and not set('"\\') & set(line[:close]):
        return f'{text[:at]}"{line[1:close]}"{line[close + 1 :]}{behind}'
    closing = OPENING.get(text[at])
    if closing is None or (text[at] == "$" and not line.startswith("${")):
        return f"{text[:at]} {line[1:]}{behind}"
    if text[at] == '"' and "}" in line and _in_braces(text, at):
        line = line[: line.rindex("}")].rstrip()  # the brace is more likely meant to close the block that this line opens
        behind = text[at + len(line) :]
    if len(line) < 2 + (text[at] == "$"):
        return text[:at] + " " * len(line) + behind
    inside = line[1:-1].replace('"', "'").replace("\\", "/").replace("]", ")").replace("}", ")")
    return text[:at] + line[0] + inside + closing + behind


def _in_braces(text: str, at: int) -> bool:
    before = text[text.rfind("\n", 0, at) + 1 : at]
    return before.count("{") > before.count("}")
