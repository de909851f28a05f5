"""What is written wrong most often: one function per code, and it is learned from its examples when each is meant.

A function is asked about a token that does not fit wherever the parser got stuck in the same way in one of the wrong examples of its
docstring (`topo/syntax/naming.py`). It looks closer, and returns what there is to say, or None if it is something else. Of those that are asked
the first in this file goes first. So a new one is a function with examples; nothing else knows of it.

A fix that is safe is the only thing that can be meant.
"""

from __future__ import annotations

import re
import unicodedata

from lark import Token

from topo.diagnostic import Diagnostic, Edit, Fix, Label, finding, nearest
from topo.source import Span
from topo.syntax.braces import indent
from topo.syntax.trouble import ENDS, Trouble, is_word

STATEMENTS = ("param", "device", "process", "app", "use", "host", "security", "options", "topology")
ITEMS = ("in", "out", "monitor", "control", "socket", "run", "restart", "on", "context", "with", "device", "app", "param")
CLAUSES = ("bind", "connect")
BELONGS = {
    **dict.fromkeys(("in", "out", "monitor", "control"), "in the braces of a device"),
    **dict.fromkeys(("socket", "run"), "in the braces of an app"),
    **dict.fromkeys(("restart", "on"), "in the braces of a device or an app"),
    **dict.fromkeys(("bind", "connect", "secured"), "behind the type of a socket"),
    **dict.fromkeys(STATEMENTS, "in no braces"),
    "with": "among the options of a socket",
    "context": "in the braces of a process or an app",
}
"""Where a word stands."""

TYPE = re.compile(r"[A-Z]{3,}")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*")
"""What a socket type, and a name, look like."""


def _say(code: str, span: Span, message: str, *notes: str, fix: Fix | None = None, also: tuple[Label, ...] = ()) -> Diagnostic:
    return Diagnostic(code=code, message=message, labels=(Label(span), *also), notes=notes, fix=fix)


def _instead(span: Span, text: str, title: str = "", *, safe: bool = False) -> Fix:
    return Fix(title or f"write `{text}`", (Edit(span, text),), safe=safe)


def _before(span: Span, text: str, title: str, *, safe: bool = True) -> Fix:
    return Fix(title, (Edit(Span(span.source, span.start, span.start), text),), safe=safe)


def _near(word: str, known: tuple[str, ...] | list[str]) -> str:
    """What a word is meant for: what it is short for, or what is written nearly so."""
    longer = [k for k in known if len(word) > 2 and k.startswith(word.lower())]
    if len(longer) == 1:
        return longer[0]
    return next((k for k in nearest(word, known) if len(word) > 2 or k[0] == word[0].lower()), "")


# -- words ------------------------------------------------------------------------------------------------------------------------


@finding("ZT032", "an arrow")
def arrow(trouble: Trouble) -> Diagnostic | None:
    """A link is declared by the socket that connects; there are no arrows.

    ```ztopo ZT032
    app jobs: PUSH bind tcp://*:5555
    app work: PULL -> jobs
    app more: PULL connect -> jobs
    jobs -> work
    jobs => work
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect jobs
    ```
    """
    tokens = (trouble.token, *trouble.behind[:2])
    at = next((t for t in tokens if t.type == "ARROW"), None)
    if at is None:
        return None
    start = (at.start_pos or 0) - (trouble.source.text[(at.start_pos or 0) - 1 : at.start_pos] == "=")
    span = Span(trouble.source, start, at.end_pos or 0)
    return _say(
        "ZT032",
        span,
        f"`{span.text}` means nothing here",
        "a link is made by the socket that connects: `app work: PULL connect jobs`",
    )


@finding("ZT007", "a declaration that there is not")
def unknown_declaration(trouble: Trouble) -> Diagnostic | None:
    """Outside of braces a statement begins with the word that says what it declares: param, device, process, app, use, options.

    ```ztopo ZT007
    queue broker { in bind tcp://*:5555; out bind tcp://*:5556 }
    devcie stream: streamer { in bind tcp://*:5557; out bind tcp://*:5558 }
    connect stream.in
    5555
    "prices"
    * any
    tcp://*:5559
    ```

    ```ztopo
    device broker: queue { in bind tcp://*:5555; out bind tcp://*:5556 }
    device stream: streamer { in bind tcp://*:5557; out bind tcp://*:5558 }
    app jobs: PUSH connect stream.in
    ```
    """
    if trouble.before or trouble.opened or not {"DEVICE", "TOPOLOGY"} <= trouble.accepted:
        return None
    word = str(trouble.token)
    if not trouble.is_word:
        return _say(
            "ZT007", trouble.word(), f"no declaration begins with `{trouble.word().text}`", f"there are {_listed(STATEMENTS)}"
        )
    if word in BELONGS and word not in STATEMENTS:
        return _say("ZT007", trouble.span, f"`{word}` is no declaration", f"it stands {BELONGS[word]}")
    return _unknown_word("ZT007", trouble.span, "declaration", STATEMENTS)


def _unknown_word(code: str, span: Span, what: str, known: tuple[str, ...]) -> Diagnostic:
    word = span.text
    near = _near(word, known)
    notes = (f"did you mean `{near}`?",) if near else (f"there are {_listed(known)}",)
    fix = _instead(span, near, safe=word.lower() == near) if near else None
    return _say(code, span, f"there is no {what} `{word}`", *notes, fix=fix)


@finding("ZT008", "a statement that a block does not have")
def unknown_statement(trouble: Trouble) -> Diagnostic | None:
    """In braces stand sides, sockets, `run` and `context`, or options, each by its name; some words stand outside of them only.

    ```ztopo ZT008
    device stream: streamer {
        in  bind tcp://*:5555
        outt bind tcp://*:5556
        output PUSH bind tcp://*:5556
        topology prices
        bind tcp://*:5557
        5555
        "text"
    }
    ```

    ```ztopo
    topology prices
    device stream: streamer {
        in  bind tcp://*:5555
        out bind tcp://*:5556
    }
    ```
    """
    if not trouble.opened:
        return None
    head = trouble.head
    if not trouble.before:
        if not is_word(head) or "NAME" not in trouble.accepted:
            return None if is_word(head) else _say("ZT008", trouble.word(), f"no statement begins with `{trouble.word().text}`")
        where = BELONGS.get(str(head), "")
        return _say("ZT008", trouble.span, f"`{head}` does not stand in a block", *((f"it stands {where}",) if where else ()))
    follows = trouble.before[1] if len(trouble.before) > 1 else trouble.token
    if head.type == "NAME" and (follows.type in ("BIND", "CONNECT") or (follows.type == "NAME" and TYPE.fullmatch(follows))):
        return _unknown_word("ZT008", trouble.place(head), "statement", ITEMS)
    return None


@finding("ZT009", "a word of the language that is written wrong")
def misspelled(trouble: Trouble) -> Diagnostic | None:
    """Where only words of the language can stand, something stands that is nearly one.

    ```ztopo ZT009
    device stream: streamer swpa { in bind tcp://*:5555; out bind tcp://*:5556 }
    app jobs: PUSH bnd tcp://*:5557
    app more: bnd tcp://*:5558
    app work: PULL conect jobs { run insde }
    use "pool.ztopo" az pool
    app last: PULL connect jobs conect more
    app safe: PULL connect jobs secured bye keys
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5557
    app work: PULL connect jobs { run inside }
    ```
    """
    if (
        trouble.is_word
        and trouble.words
        and "NAME" not in trouble.accepted
        and (near := _near(str(trouble.token), trouble.words))
    ):
        return _misspelled(trouble.span, near)
    if trouble.is_word and len(trouble.accepted) == 1 and trouble.words:
        return _misspelled(trouble.span, trouble.words[0])
    last = trouble.last
    if last is not None and last.type == "NAME" and len(trouble.before) > 1 and (near := _near(str(last), CLAUSES)):
        return _misspelled(trouble.place(last), near)
    return None


def _misspelled(span: Span, near: str) -> Diagnostic:
    fix = _instead(span, near, safe=span.text.lower() == near)
    return _say("ZT009", span, f"`{span.text}` means nothing here", f"did you mean `{near}`?", fix=fix)


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words[:-1]) + " and " + words[-1]


# -- signs ------------------------------------------------------------------------------------------------------------------------


@finding("ZT010", "no colon between a name and what it is")
def colon_missing(trouble: Trouble) -> Diagnostic | None:
    """A `:` stands between the name of a device, an app, a socket or a param, and what it is.

    ```ztopo ZT010
    app jobs PUSH bind tcp://*:5555
    app sink bind tcp://*:5556
    app work { socket jobs PULL connect jobs; socket more[2] PULL connect jobs }
    app last[2] PULL connect jobs
    device stream streamer { in bind tcp://*:5557; out bind tcp://*:5558 }
    device more[2] streamer { in bind tcp://*:*; out bind tcp://*:* }
    security keys curve { }
    param port int = 5
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    app work { socket jobs: PULL connect jobs }
    device stream: streamer { in bind tcp://*:5557; out bind tcp://*:5558 }
    param port: int = 5
    ```
    """
    if "COLON" not in trouble.accepted or not trouble.is_word or trouble.last is None:
        return None
    message = f"no `:` stands between `{trouble.last}` and `{trouble.token}`"
    sure = trouble.next in ("BIND", "CONNECT", "LBRACE", "EQUALS", "SWAP", "AS", *ENDS)
    return _say("ZT010", trouble.span, message, fix=_before(trouble.gap(), ":", "put a `:` there", safe=sure))


@finding("ZT011", "a sign that does not stand there")
def sign_too_much(trouble: Trouble) -> Diagnostic | None:
    """Options and sides have no sign between their name and what follows it; a `=` stands only in a param, before its default.

    ```ztopo ZT011
    topology: prices
    param port: port: 5555
    app jobs = PUSH bind tcp://*:5556
    app work: PULL connect jobs { linger = 0; rcvhwm: 5; run: "python work.py" }
    app more: PULL connect: jobs
    device stream: streamer {
        in = PULL bind tcp://*:5557
        out: PUSH bind = tcp://*:5558
    }
    ```

    ```ztopo
    topology prices
    param port: port = 5555
    app jobs: PUSH bind tcp://*:5556
    app work: PULL connect jobs { linger 0; rcvhwm 5; run "python work.py" }
    ```
    """
    sign = trouble.token
    if sign.type not in ("EQUALS", "COLON") or trouble.next in ENDS:
        return None
    other = {"EQUALS": "COLON", "COLON": "EQUALS"}[sign.type]
    if other in trouble.accepted:
        right, written = ("=", " =") if other == "EQUALS" else (":", ":")
        fix = _instead(_with_blank(trouble.span, trouble.gap()), written, f"write `{right}`", safe=True)
        return _say("ZT011", trouble.span, f"a `{sign}` where a `{right}` belongs", fix=fix)
    if trouble.last is not None and not trouble.place(trouble.last).text[-1:].isalnum() and trouble.last.type != "NAME":
        return None
    edit = Edit(_with_blank(trouble.span, trouble.gap()), " " if not _spaced(trouble.span) else "")
    return _say("ZT011", trouble.span, f"no `{sign}` stands here", fix=Fix(f"leave out the `{sign}`", (edit,), safe=True))


def _with_blank(span: Span, gap: Span) -> Span:
    """A place together with the blanks in front of it."""
    return Span(span.source, min(gap.start, span.start), span.end)


def _spaced(span: Span) -> bool:
    return span.source.text[span.end : span.end + 1].isspace()


# -- braces -----------------------------------------------------------------------------------------------------------------------


@finding("ZT012", "a brace on a line of its own")
def brace_below(trouble: Trouble) -> Diagnostic | None:
    """A `{` stands on the line that it belongs to, for a statement ends with its line.

    ```ztopo ZT012
    device stream: streamer
    {
        in  bind tcp://*:5555
        out bind tcp://*:5556
    }
    ```

    ```ztopo
    device stream: streamer {
        in  bind tcp://*:5555
        out bind tcp://*:5556
    }
    ```
    """
    if trouble.token.type != "BRACE_BELOW":
        return None
    fix = None
    if trouble.last is not None:
        put = Edit(trouble.gap(), " {")
        fix = Fix("put it on the line above", (put, Edit(_own_line(trouble.span), "")), safe=True)
    return _say("ZT012", trouble.span, "a `{` stands on the line that it belongs to", fix=fix)


def _own_line(span: Span) -> Span:
    """A place with all of its line, if there is nothing else on it."""
    text = span.source.text
    start, end = text.rfind("\n", 0, span.start) + 1, text.find("\n", span.end) + 1 or len(text)
    alone = not text[start : span.start].strip() and not text[span.end : end].strip()
    return Span(span.source, start, end) if alone else span


@finding("ZT013", "a block that is not closed")
def block_not_closed(trouble: Trouble) -> Diagnostic | None:
    """Each `{` has its `}`. Where the missing one belongs can only be guessed, from how the lines begin.

    ```ztopo ZT013
    device stream: streamer {
        in  bind tcp://*:5555
        out bind tcp://*:5556 { linger 0

    app jobs: PUSH connect stream.in
    ```

    ```ztopo
    device stream: streamer {
        in  bind tcp://*:5555
        out bind tcp://*:5556 { linger 0 }
    }
    app jobs: PUSH connect stream.in
    ```
    """
    if trouble.token.type != "$END" or not trouble.opened:
        return None
    brace, text = trouble.place(trouble.opened[-1]), trouble.source.text
    end = len(text[: trouble.span.start].rstrip())
    where = "it seems to end here" if text[end:].strip() else "the text ends here"
    also = (Label(Span(trouble.source, end - 1, end), where),) if end > brace.end else ()
    line = trouble.source.line(brace.position.line)
    indent = line[: len(line) - len(line.lstrip())]
    close = " }" if "\n" not in text[brace.start : end] else f"\n{indent}}}"
    fix = _instead(Span(trouble.source, end, end), close, "close it there")
    return _say("ZT013", brace, "a block is never closed", also=also, fix=fix)


@finding("ZT014", "a closing brace too many")
def brace_too_many(trouble: Trouble) -> Diagnostic | None:
    """There are more `}` than `{`. Which one is too many can only be guessed, from how the lines begin.

    ```ztopo ZT014
    app jobs: PUSH bind tcp://*:5555 }
    app work: PULL connect jobs
    }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect jobs
    ```
    """
    if trouble.token.type != "RBRACE" or trouble.opened:
        return None
    return _say("ZT014", trouble.span, "a `}` too many", fix=_instead(_own_line(trouble.span), "", "leave it out"))


@finding("ZT015", "a declaration without its block")
def block_missing(trouble: Trouble) -> Diagnostic | None:
    """A device, a process, a set of options and a context have a block, in braces.

    ```ztopo ZT015
    device broker: queue
    device stream: streamer
        in  bind tcp://*:5555
        out bind tcp://*:5556
    }
    device direct: streamer in bind tcp://*:5557
    options quick linger 0
    process gateway
    ```

    ```ztopo
    device stream: streamer {
        in  bind tcp://*:5555
        out bind tcp://*:5556
    }
    options quick { linger 0 }
    ```
    """
    if "LBRACE" not in trouble.accepted or trouble.accepted & {"NEWLINE", "STRING"}:
        return None
    if trouble.token.type not in ENDS and not trouble.is_word:
        return None
    name = next((str(t) for t in trouble.before[1:2]), "")
    what = "the set of options" if trouble.head.type == "OPTIONS" else f"the {trouble.head}"
    what = f"{what} `{name}`" if name and trouble.head.type != "CONTEXT" else what
    span = trouble.gap() if trouble.token.type in ENDS else trouble.span
    return _say("ZT015", span, f"{what} has no block", "it stands in braces: `{ ... }`")


# -- what does not end ------------------------------------------------------------------------------------------------------------


@finding("ZT016", "a text that does not end on its line")
def text_not_ended(trouble: Trouble) -> Diagnostic | None:
    r"""A text stands in double quotes, on one line; `\n` in it is the end of a line.

    ```ztopo ZT016
    app jobs: PUB bind tcp://*:5555
    app seen: SUB connect jobs { subscribe "a }
    ```

    ```ztopo
    app jobs: PUB bind tcp://*:5555
    app seen: SUB connect jobs { subscribe "a" }
    ```
    """
    if trouble.token.type != "TEXT_NOT_ENDED":
        return None
    end = trouble.span.end
    fix = _instead(Span(trouble.source, end, end), '"', "end it there")
    return _say("ZT016", trouble.span, "a text that does not end on its line", fix=fix)


@finding("ZT017", "a bracket that is not closed on its line")
def bracket_not_ended(trouble: Trouble) -> Diagnostic | None:
    """`[...]`, `${...}` and `(...)` end on the line that they begin on.

    ```ztopo ZT017
    param base = env("BASE", 5555
    app feed[3: PUB bind tcp://*:${base
    ```

    ```ztopo
    param base = env("BASE", 5555)
    app feed[3]: PUB bind tcp://*:${base + index}
    ```
    """
    kind = trouble.token.type
    if kind in ("BRACKET_NOT_ENDED", "INTERPOLATION_NOT_ENDED"):
        sign, close = ("[", "]") if kind == "BRACKET_NOT_ENDED" else ("${", "}")
        span = Span(trouble.source, trouble.span.start, trouble.span.start + len(sign))
        end = Span(trouble.source, trouble.span.end, trouble.span.end)
        return _say(
            "ZT017", span, f"a `{sign}` that is not closed on its line", fix=_instead(end, close, f"close it with `{close}`")
        )
    opened = next((t for t in reversed(trouble.before) if t.type == "LPAR"), None)
    if opened is None or "RPAR" not in trouble.accepted or trouble.next == "RPAR":
        return None
    return _say(
        "ZT017",
        trouble.place(opened),
        "a `(` that is not closed on its line",
        fix=_instead(trouble.gap(), ")", "close it with `)`"),
    )


@finding("ZT018", "a text in other quotes")
def other_quotes(trouble: Trouble) -> Diagnostic | None:
    """Texts stand in straight double quotes.

    ```ztopo ZT018
    app jobs: PUB bind tcp://*:5555
    app seen: SUB connect jobs { subscribe 'a' }
    app more: SUB connect jobs { subscribe “a” }
    ```

    ```ztopo
    app jobs: PUB bind tcp://*:5555
    app seen: SUB connect jobs { subscribe "a" }
    ```
    """
    text = str(trouble.token)
    if trouble.token.type != "OTHER_QUOTES":
        return None
    whole = len(text) > 1 and not set(text[1:-1]) & set('"\\')
    start, end = trouble.span.start, trouble.span.end
    ends = (Span(trouble.source, start, start + 1), Span(trouble.source, end - 1, end))
    fix = Fix("write straight double quotes", tuple(Edit(each, '"') for each in ends), safe="$" not in text) if whole else None
    return _say("ZT018", trouble.span, f"`{text[0]}` means nothing here", 'texts stand in straight double quotes: `"`', fix=fix)


# -- commas and semicolons --------------------------------------------------------------------------------------------------------


def _comma_before(trouble: Trouble) -> tuple[Token, Token] | None:
    """The comma and the word in front of a token, if they are there."""
    if len(trouble.before) < 3 or trouble.before[-2].type != "COMMA" or not is_word(trouble.before[-1]):
        return None
    return trouble.before[-2], trouble.before[-1]


@finding("ZT019", "a comma between two options")
def comma_between_options(trouble: Trouble) -> Diagnostic | None:
    """Statements are separated by `;` or by the end of the line. A `,` stands between the values of one option.

    ```ztopo ZT019
    app jobs: PUB bind tcp://*:5555 { linger 0, sndhwm 5 }
    app more: PUB bind tcp://*:5556 { linger 0, zap_domain "a" }
    app last: PUB bind tcp://*:5557 { linger 0, xpub_nodrop true }
    app each: SUB connect jobs {
        subscribe "a",
        linger 0
    }
    ```

    ```ztopo
    app jobs: PUB bind tcp://*:5555 { linger 0; sndhwm 5 }
    app each: SUB connect jobs {
        subscribe "a"
        linger 0
    }
    ```
    """
    found = _comma_before(trouble)
    if found is None or trouble.head.type != "NAME" or not trouble.opened:
        return None
    comma, name = found
    over_lines = "\n" in comma
    fix = _instead(trouble.place(comma), "" if over_lines else ";", "leave it out" if over_lines else "", safe=True)
    message = f"`{name}` is another option, and a `,` stands between the values of one"
    return _say("ZT019", trouble.place(comma), message, fix=fix)


def _begins(trouble: Trouble, word: Token) -> bool:
    """Whether a word that a line begins with begins a statement: it is one that does, or stands as far left as the one before."""
    left = indent(trouble.source, word) <= indent(trouble.source, trouble.head)
    return left or str(word) in (*STATEMENTS, *ITEMS)


@finding("ZT040", "a comma with nothing behind it")
def comma_too_many(trouble: Trouble) -> Diagnostic | None:
    """A line that ends with a comma goes on in the next; so behind a comma comes one more of what stands in front of it.

    ```ztopo ZT040
    app jobs: PUB bind tcp://*:5555,
    app more: PUB bind tcp://*:5556, ; app last: PUB bind tcp://*:5557
    app seen: SUB connect jobs, more,, last { subscribe "a", }
    app bare: PUB bind tcp://*:5558, { linger 0 }
    app each: SUB connect jobs, { subscribe "" }
    param where = 5,
    app tail {
        socket jobs: PUB bind tcp://*:5559,
        run "python tail.py"
    }
    param last = 6,
    ```

    ```ztopo
    app jobs: PUB bind tcp://*:5555
    app seen: SUB connect jobs { subscribe "a", "b" }
    ```
    """
    found = _comma_before(trouble)
    if found is not None and "\n" in found[0] and _begins(trouble, found[1]):
        comma, word = found
        message = f"a line that ends with a `,` goes on, and `{word}` begins another statement"
        return _say("ZT040", trouble.place(comma), message, fix=_instead(trouble.place(comma), "", "leave it out", safe=True))
    comma = trouble.token if trouble.token.type == "COMMA" else trouble.last or trouble.token
    if comma.type != "COMMA" or not (trouble.last is not None and trouble.last.type == "COMMA"):
        return None
    if trouble.token.type not in (*ENDS, "COMMA", "LBRACE"):
        return None
    fix = _instead(trouble.place(comma), "", "leave it out", safe=True)
    return _say("ZT040", trouble.place(comma), "a `,` with nothing behind it", fix=fix)


@finding("ZT041", "a param that is inserted in another way")
def param_inserted(trouble: Trouble) -> Diagnostic | None:
    """`${name}` inserts a param, everywhere: in endpoints, in texts, and as a value.

    ```ztopo ZT041
    param port = 5555
    app jobs: PUB bind tcp://*:{port}
    app more: PUB bind $port
    app last: PUB bind {port}
    app seen: SUB connect jobs { rcvhwm $port }
    app tail: SUB connect jobs { rcvhwm {port} }
    ```

    ```ztopo
    param port = 5555
    app jobs: PUB bind tcp://*:${port}
    ```
    """
    if trouble.token.type == "DOLLAR":
        name = str(trouble.token)[1:]
        fix = _instead(trouble.span, f"${{{name}}}", safe=True) if NAME.fullmatch(name) else None
        return _say("ZT041", trouble.span, f"`{trouble.token}` means nothing here", "a param is inserted as ${name}", fix=fix)
    braces = _braces_around(trouble)
    if braces is None:
        return None
    return _say(
        "ZT041",
        braces,
        f"`{braces.text}` means nothing here",
        "a param is inserted as ${name}",
        fix=_instead(braces, f"${braces.text}", safe=True),
    )


def _braces_around(trouble: Trouble) -> Span | None:
    """`{name}` where a param may be meant: instead of a value or an endpoint, or right behind an endpoint."""
    text = trouble.source.text
    if trouble.token.type == "LBRACE" and trouble.accepted & {"ENDPOINT", "NUMBER"}:
        start = trouble.span.start
    elif trouble.token.type == "RBRACE" and len(trouble.before) == 1 and trouble.opened:
        start = trouble.opened[-1].start_pos or 0
        if text[start - 1 : start].isspace():
            return None
    else:
        return None
    match = re.compile(r"\{\w+\}").match(text, start)
    return Span(trouble.source, start, match.end()) if match else None


@finding("ZT022", "the type of a socket behind its endpoints")
def type_behind(trouble: Trouble) -> Diagnostic | None:
    """The type of a socket stands in front of `bind` and `connect`.

    ```ztopo ZT022
    app jobs: bind tcp://*:5555 PUSH
    app work: connect jobs PULL
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect jobs
    ```
    """
    clause = next((t for t in trouble.before if t.type in ("BIND", "CONNECT")), None)
    if (
        clause is None
        or trouble.token.type != "NAME"
        or not TYPE.fullmatch(trouble.token)
        or trouble.next not in (*ENDS, "LBRACE")
    ):
        return None
    edits = (Edit(trouble.place(clause), f"{trouble.token} {clause}"), Edit(_with_blank(trouble.span, trouble.gap()), ""))
    return _say(
        "ZT022", trouble.span, f"the type of a socket stands in front of `{clause}`", fix=Fix("put it there", edits, safe=True)
    )


@finding("ZT023", "options outside of braces")
def options_outside(trouble: Trouble) -> Diagnostic | None:
    """The options of a socket stand in braces behind it.

    ```ztopo ZT023
    app jobs: PUB bind tcp://*:5555 linger 0
    app more: PUB bind tcp://*:5556 xpub_nodrop true
    app seen: SUB connect jobs subscribe "a"
    app last: SUB connect jobs rcvhwm 5 { linger 0 }
    app each: SUB connect tcp://127.0.0.1:5555 run "python each.py"
    ```

    ```ztopo
    app jobs: PUB bind tcp://*:5555 { linger 0 }
    app seen: SUB connect jobs { subscribe "a" }
    ```
    """
    if trouble.token.type not in ("NAME", "RUN") or trouble.next not in ("NUMBER", "STRING", "NAME"):
        return None
    if not any(t.type in ("BIND", "CONNECT") for t in trouble.before):
        return None
    value, then = trouble.behind[:2]
    if (value.type == "NAME" and str(value) not in ("true", "false")) or then.type not in (*ENDS, "LBRACE"):
        return None
    span = Span(trouble.source, trouble.span.start, value.end_pos or 0)
    fix = _instead(span, f"{{ {span.text} }}", "put it in braces") if then.type in ENDS else None
    return _say("ZT023", span, "what belongs to a socket stands in braces", fix=fix)


@finding("ZT024", "two statements without a sign between them")
def semicolon_missing(trouble: Trouble) -> Diagnostic | None:
    """A statement ends with its line; two on one line have a `;` between them.

    ```ztopo ZT024
    app jobs: PUB bind tcp://*:5555 { linger 0 sndhwm 5 xpub_nodrop true }
    app seen: SUB connect jobs app more: SUB connect jobs
    device stream: streamer { in bind tcp://*:5556 out bind tcp://*:5557 } app last: PUSH connect stream.in
    app feed { socket a: PUB bind tcp://*:5558 socket b: PUB bind tcp://*:5559 }
    app each: SUB connect jobs { subscribe "a" linger 0 run "python each.py" }
    ```

    ```ztopo
    app jobs: PUB bind tcp://*:5555 { linger 0; sndhwm 5 }
    app work: PUSH bind tcp://*:5556; app done: PULL connect work
    ```
    """
    if not trouble.is_word or "SEMICOLON" not in trouble.accepted or trouble.last is None:
        return None
    known = ITEMS if trouble.opened else STATEMENTS
    option = (
        trouble.opened and trouble.token.type == "NAME" and trouble.head.type == "NAME" and trouble.next not in (*ENDS, "COMMA")
    )
    if str(trouble.token) not in known and not option:
        return None
    message = f"another statement begins with `{trouble.token}`, and no `;` stands in front"
    return _say("ZT024", trouble.span, message, fix=_before(trouble.gap(), ";", "put a `;` there"))


@finding("ZT025", "two of a list without a comma between them")
def comma_missing(trouble: Trouble) -> Diagnostic | None:
    """Several endpoints, references or values are separated by commas.

    ```ztopo ZT025
    app jobs: PUB bind tcp://*:5555 ipc://jobs
    app more: PUB bind tcp://*:5556 "ipc://more"
    app seen: SUB connect jobs more { subscribe "a" "b" }
    app last: SUB connect jobs ${more} { subscribe "a" ${more} }
    app each: SUB connect jobs tcp://127.0.0.1:5555 { rcvhwm 5 6 }
    app tail: SUB connect tcp://127.0.0.1:5555 jobs { subscribe file "a" file "b" }
    param topics = "a" "b"
    ```

    ```ztopo
    app jobs: PUB bind tcp://*:5555, ipc://jobs
    app seen: SUB connect jobs { subscribe "a", "b" }
    ```
    """
    if "COMMA" not in trouble.accepted or trouble.last is None or trouble.gap().start == trouble.span.start:
        return None
    if not (trouble.is_word or trouble.token.type in ("ENDPOINT", "STRING", "NUMBER", "INTERPOLATION")):
        return None
    first, second = (_shown(token) for token in (trouble.last, trouble.token))
    message = f"no `,` stands between {first} and {second}"
    sure = not (trouble.is_word or is_word(trouble.last))
    return _say("ZT025", trouble.span, message, fix=_before(trouble.gap(), ",", "put a `,` there", safe=sure))


def _shown(token: Token) -> str:
    """A token in a message. What a text says may be a secret."""
    return "a text" if token.type == "STRING" else f"`{token}`"


# -- what stands in place of something --------------------------------------------------------------------------------------------


@finding("ZT026", "a command or a path without quotes")
def command_not_quoted(trouble: Trouble) -> Diagnostic | None:
    """The command that an app runs, and the path of a module, are texts, in quotes. Without them stand `run thread`, `run process`
    and `run inside`.

    ```ztopo ZT026
    app jobs: PUB bind tcp://*:5555 { run python jobs.py }
    app more: PUB bind tcp://*:5556 { run ./more }
    app last: PUB bind tcp://*:5557 { run /usr/bin/last }
    app tail: PUB bind tcp://*:5558 { run ${command} }
    use pool.ztopo as pool
    ```

    ```ztopo
    app jobs: PUB bind tcp://*:5555 { run "python jobs.py" }
    ```
    """
    if trouble.last is None or len(trouble.before) != 1 or trouble.token.type in ENDS:
        return None
    if trouble.last.type == "USE" and trouble.is_word:
        path = trouble.word()
        return _say("ZT026", path, "the path of a module stands in quotes", fix=_instead(path, f'"{path.text}"', safe=True))
    if trouble.last.type != "RUN":
        return None
    rest = re.split(r"[;}\n]|\s#", trouble.source.text[trouble.span.start :], maxsplit=1)[0].rstrip()
    span = Span(trouble.source, trouble.span.start, trouble.span.start + len(rest))
    plain = rest and not set(rest) & set('"\\$`{')
    fix = _instead(span, f'"{rest}"', "put it in quotes", safe=True) if plain else None
    return _say("ZT026", span if rest else trouble.span, "a command stands in quotes", fix=fix)


@finding("ZT042", "a restart that is written in another way")
def restart_otherwise(trouble: Trouble) -> Diagnostic | None:
    """Behind `restart` stand the policy, and in this order what is left out otherwise: how many restarts there are at most and within
    which time, what they wait for, and who starts again as well.

    ```ztopo ZT042
    app a: PULL bind tcp://*:5555 { run "python a.py"; restart on failure }
    app b: PULL bind tcp://*:5556 { run "python b.py"; restart "always" }
    app c: PULL bind tcp://*:5557 { run "python c.py"; restart always max 5 }
    app d: PULL bind tcp://*:5558 { run "python d.py"; restart always max 5 per 60s }
    app e: PULL bind tcp://*:5559 { run "python e.py"; restart always backoff 100ms-5s }
    app f: PULL bind tcp://*:5560 { run "python f.py"; restart always backoff 100ms to 5s }
    app g: PULL bind tcp://*:5561 { run "python g.py"; restart always backoff 100ms...5s }
    app h: PULL bind tcp://*:5562 { run "python h.py"; restart always backoff 100ms..5s max 5 in 60s }
    app i: PULL bind tcp://*:5563 { run "python i.py"; restart always with rest max 5 in 60s }
    app j: PULL bind tcp://*:5564 { run "python j.py"; restart always, max 5 in 60s }
    app k: PULL bind tcp://*:5565 { run "python k.py"; restart always { max 5 } }
    app l: PULL bind tcp://*:5566 { run "python l.py"; restart always rest }
    app m: PULL bind tcp://*:5567 { run "python m.py"; restart always 5 }
    ```

    ```ztopo
    app work: PULL bind tcp://*:5555 { run "./work"; restart on-failure max 5 in 60s backoff 100ms..5s with rest }
    ```
    """
    token, last = trouble.token, trouble.last
    if trouble.head.type != "RESTART" or last is None or token.type == "EQUALS" or token.type == "COLON":
        return None
    notes = ("as in `restart on-failure max 5 in 60s backoff 100ms..5s with rest`",)
    if token.type == "STRING" and last.type == "RESTART":
        bare = str(token)[1:-1]
        fix = _instead(trouble.span, bare, safe=True) if NAME.fullmatch(bare) else None
        return _say("ZT042", trouble.span, "a policy has no quotes", fix=fix)
    if last.type == "ON" and str(token) == "failure":
        both = trouble.place(last).to(trouble.span)
        return _say("ZT042", both, "`on failure` is one word", fix=_instead(both, "on-failure", safe=True))
    if trouble.accepted == {"IN"}:
        fix = _instead(trouble.span, "in") if trouble.is_word and trouble.next == "NUMBER" else None
        return _say("ZT042", trouble.span if fix else trouble.gap(), "no time stands behind `max`", *notes, fix=fix)
    if any(t.type == "BACKOFF" for t in trouble.before) and "DOT" in (token.type, *trouble.accepted):
        return _range(trouble, notes)
    return _say("ZT042", trouble.span, f"{_shown(token)} does not stand there", *notes) if token.type not in ENDS else None


def _range(trouble: Trouble, notes: tuple[str, ...]) -> Diagnostic | None:
    """Two waits with something else than two dots between them."""
    rest = re.match(r"(?:\.+|-|to\b)?[ \t.]*(\d\w*)?", trouble.source.text[trouble.span.start :])
    if rest is None or not rest[1]:
        return None
    gap = trouble.gap()
    while gap.start and trouble.source.text[gap.start - 1] == ".":
        gap = Span(gap.source, gap.start - 1, gap.end)
    span = Span(gap.source, gap.start, trouble.span.start + rest.end())
    return _say("ZT042", span, "between two waits stand two dots", *notes, fix=_instead(span, f"..{rest[1]}"))


@finding("ZT027", "an endpoint without a transport")
def no_transport(trouble: Trouble) -> Diagnostic | None:
    """An endpoint has a transport and `://`, as `tcp://127.0.0.1:5555`, `ipc://jobs` and `inproc://jobs`.

    ```ztopo ZT027
    app jobs: PUSH bind 5555
    app more: PUSH bind *:5556
    app last: PULL connect 127.0.0.1:5555
    app work: PULL connect localhost:5555
    app half: PULL connect tcp:/127.0.0.1:5555
    app bare: PULL connect /tmp/jobs
    app some: PULL connect tcp//127.0.0.1:5555
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect tcp://localhost:5555
    ```
    """
    if not any(t.type in ("BIND", "CONNECT") for t in trouble.before):
        return None
    colon = trouble.token.type == "COLON" and not _spaced(trouble.span)
    slashes = trouble.token.type == "OTHER_COMMENT" and trouble.gap().start == trouble.span.start
    first = trouble.last if (colon or slashes) and trouble.last is not None and is_word(trouble.last) else trouble.token
    instead_of_one = trouble.last is not None and trouble.last.type in ("BIND", "CONNECT", "COMMA")
    if first is trouble.token and not (instead_of_one and trouble.token.type in ("NUMBER", "STAR", "SYMBOLS")):
        return None
    span = _from(trouble, first)
    match = re.fullmatch(r"(tcp|ipc|inproc|udp|ws|wss|tipc|vmci|pgm|epgm)?:?/{0,2}(\S*)", span.text)
    if match is None:
        return None
    transport = match[1] or ("ipc" if span.text.startswith("/") else "tcp")
    address = match[2] if match[1] else span.text
    if not re.search(r"[A-Za-z*\]0-9]", address):
        return None
    right = f"{transport}://*:{address}" if address.isdecimal() else f"{transport}://{address}"
    return _say(
        "ZT027", span, f"`{span.text}` has no transport", "an endpoint looks like tcp://127.0.0.1:5555", fix=_instead(span, right)
    )


def _from(trouble: Trouble, first: Token) -> Span:
    """From a token on, to the end of the word."""
    return Span(trouble.source, trouble.place(first).start, trouble.word().end)


@finding("ZT028", "an endpoint that is neither bound nor connected to")
def neither_bind_nor_connect(trouble: Trouble) -> Diagnostic | None:
    """In front of an endpoint stands what the socket does with it: `bind` or `connect`.

    ```ztopo ZT028
    app jobs: PUSH tcp://*:5555
    app more: PUSH "ipc://more"
    app last: PUSH ${where}
    app seen: PULL jobs.out
    app work: tcp://*:5556
    device stream: streamer { in tcp://*:5557; out PUSH jobs { linger 0 } }
    device other: streamer { in stream.out; out PUSH bind tcp://*:5558 }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect jobs
    ```
    """
    token = trouble.token
    if "BIND" not in trouble.accepted or trouble.accepted & {"COMMA", "DOT"}:
        return None
    if token.type == "DOT" and trouble.last is not None and trouble.behind and not TYPE.fullmatch(trouble.behind[0]):
        token = trouble.last
    elif token.type not in ("ENDPOINT", "STRING", "INTERPOLATION", "NAME") or token.type in trouble.accepted:
        return None
    word = _from(trouble, token) if token.type == "NAME" else trouble.span
    notes = ("one of the two sockets of a link binds, the other connects",)
    return _say("ZT028", word, f"neither `bind` nor `connect` stands in front of `{word.text}`", *notes)


@finding("ZT029", "a socket type with something in front")
def type_qualified(trouble: Trouble) -> Diagnostic | None:
    """Socket types are words by themselves: `ROUTER`, not `zmq.ROUTER`.

    ```ztopo ZT029
    app jobs: zmq.PUSH bind tcp://*:5555
    app work { socket jobs: zmq.PULL connect jobs }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    app work { socket jobs: PULL connect jobs }
    ```
    """
    if trouble.token.type != "DOT" or trouble.last is None or trouble.last.type != "NAME" or trouble.next != "NAME":
        return None
    if any(t.type in ("BIND", "CONNECT") for t in trouble.before):
        return None
    span = Span(trouble.source, trouble.place(trouble.last).start, trouble.span.end)
    fix = _instead(span, "", "leave it out", safe=span.text.lower() == "zmq." and TYPE.fullmatch(trouble.behind[0]) is not None)
    return _say("ZT029", span, f"socket types have no `{span.text}` in front", fix=fix)


@finding("ZT030", "something that is no name where a name stands")
def not_a_name(trouble: Trouble) -> Diagnostic | None:
    """Names consist of letters from a to z, digits, `_`, and `-` between two of these, and begin with a letter or `_`.

    ```ztopo ZT030
    topology "prices"
    app 4th: PUSH bind tcp://*:5555
    app "jobs": PUSH bind tcp://*:5556
    app ${jobs}: PUSH bind tcp://*:5557
    app jobs.more: PUSH bind tcp://*:5558
    app größe: PUSH bind tcp://*:5559
    device 1st: streamer { in bind tcp://*:5560; out bind tcp://*:5561 }
    app sink { socket 2nd: PULL connect tcp://127.0.0.1:5555 }
    param 3rd = 5
    use "pool.ztopo" as 5th
    device stream: 6th { in bind tcp://*:5562; out bind tcp://*:5563 }
    ```

    ```ztopo
    topology prices
    app fourth: PUSH bind tcp://*:5555
    ```
    """
    last, token = trouble.last, trouble.token
    if token.type == "DOT":
        if last is None or len(trouble.before) != 2 or trouble.next != "NAME":
            return None
        span = _from(trouble, last)
        return _say(
            "ZT030",
            Span(span.source, span.start, trouble.behind[0].end_pos or 0),
            f"`{last}.{trouble.behind[0]}` is not a name",
            "a name has no `.`",
        )
    if token.type == "LETTERS":
        adjacent = last is not None and last.end_pos == token.start_pos and is_word(last)
        span = _from(trouble, last if adjacent and last is not None else token)
        span = Span(span.source, span.start, trouble.span.end)
        return _say("ZT030", span, f"`{span.text}` is not a name", "names have the letters from a to z, without accents")
    if "NAME" not in trouble.accepted or trouble.accepted & {"STRING", "ENDPOINT", "SEMICOLON"}:
        return None
    if token.type not in ("NUMBER", "STRING", "INTERPOLATION"):
        return None
    text = str(token)
    if token.type == "STRING" and NAME.fullmatch(text[1:-1]):
        return _say("ZT030", trouble.span, "a name has no quotes", fix=_instead(trouble.span, text[1:-1], safe=True))
    note = "a name begins with a letter or `_`" if token.type == "NUMBER" else "names are written out"
    return _say("ZT030", trouble.span, f"`{text}` is not a name", note)


EXPECTED = {
    "NUMBER": "a value",
    "ENDPOINT": "an endpoint or a name",
    "STRING": "a text",
    "COLON": "a `:` and what it is",
    "NAME": "a name",
}
"""What is missing, by what would fit; the first that would is said."""


@finding("ZT031", "a statement that ends too early")
def ends_too_early(trouble: Trouble) -> Diagnostic | None:
    """Something is missing: what an option is set to, what is bound, or what is declared.

    ```ztopo ZT031
    topology
    app jobs: PUB bind
    app seen: SUB connect { subscribe "" }
    app last: SUB connect
    app more: SUB connect jobs { linger; subscribe }
    app tail: SUB connect jobs { run }
    app : PUB bind tcp://*:5555
    device stream:
    device half
    param port =
    param = 5
    param
    use "pool.ztopo"
    use
    ztopo
    ```

    ```ztopo
    app jobs: PUB bind tcp://*:5555
    app seen: SUB connect jobs { subscribe "" }
    ```
    """
    if trouble.last is None or "NEWLINE" in trouble.accepted:
        return None
    sign = trouble.token.type in ("COLON", "EQUALS", "LBRACE")
    if trouble.token.type not in ENDS and not sign:
        return None
    if sign and not (is_word(trouble.last) and "NAME" in trouble.accepted):
        return None
    missing = _missing(trouble)
    if not missing:
        return None
    span = trouble.place(trouble.last)
    return _say("ZT031", span, f"{missing} is missing behind `{span.text}`")


def _missing(trouble: Trouble) -> str:
    if trouble.last is not None and trouble.last.type == "RUN":
        return "a command in quotes"
    if trouble.last is not None and trouble.last.type == "ZTOPO":
        return "the version of the language"
    if trouble.last is not None and trouble.last.type == "RESTART":
        return "never, on-failure or always"
    if trouble.accepted == {"AS"}:
        return "`as NAME`"
    return next((what for kind, what in EXPECTED.items() if kind in trouble.accepted), "")


# -- habits from elsewhere --------------------------------------------------------------------------------------------------------


@finding("ZT033", "brackets as for a call")
def brackets(trouble: Trouble) -> Diagnostic | None:
    """Nothing is called: what `bind` and `connect` are followed by stands without brackets.

    ```ztopo ZT033
    app jobs: PUSH bind("tcp://*:5555")
    app work: PULL connect(jobs)
    app more: PULL(connect jobs)
    app last { socket jobs(PULL) }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect jobs
    ```
    """
    if trouble.token.type not in ("LPAR", "RPAR"):
        return None
    return _say("ZT033", trouble.span, f"no `{trouble.token}` stands here", "brackets stand in `env(...)` and in arithmetic only")


@finding("ZT034", "a comment of another language")
def other_comment(trouble: Trouble) -> Diagnostic | None:
    """Comments begin with `#`, and end with their line.

    ```ztopo ZT034
    // the jobs
    app jobs: PUSH bind tcp://*:5555  /* all of them */
    -- and who does them
    app work: PULL connect jobs  // one of many
    /* these
       are all */
    ```

    ```ztopo
    # the jobs
    app jobs: PUSH bind tcp://*:5555  # all of them
    app work: PULL connect jobs
    ```
    """
    if trouble.token.type != "OTHER_COMMENT":
        return None
    text = str(trouble.token)
    sign = next(s for s in ("//", "/*", "<!--", "--") if text.startswith(s))
    span = Span(trouble.source, trouble.span.start, trouble.span.start + len(sign))
    apart = not trouble.source.text[: span.start].rstrip(" \t") or trouble.source.text[span.start - 1].isspace()
    fix = _instead(span, "#", safe=True) if sign in ("//", "--") and apart else None
    return _say("ZT034", span, f"`{sign}` means nothing here", "comments begin with `#`", fix=fix)


@finding("ZT035", "a character that means nothing")
def stray_character(trouble: Trouble) -> Diagnostic | None:
    """Outside of texts and comments there are letters, digits, and the signs of the language.

    ```ztopo ZT035
    app jobs: PUSH ? bind tcp://*:5555
    app work： PULL connect jobs
    app more: PULL\xa0connect jobs
    - app last
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect jobs
    ```
    """
    if trouble.token.type not in ("SYMBOLS", "BLANKS"):
        return None
    text = str(trouble.token)
    span = trouble.span
    if trouble.token.type == "BLANKS":
        return _say(
            "ZT035",
            span,
            f"the character {_number(text)} means nothing here",
            "it looks like a blank, or like nothing",
            fix=_instead(span, " ", "write a blank", safe=True),
        )
    if text[0] == "`":
        return _say(
            "ZT035",
            Span(trouble.source, span.start, span.start + len(text) - len(text.lstrip("`"))),
            "a backtick means nothing here",
        )
    plain = unicodedata.normalize("NFKC", text)
    if plain != text and plain.isascii():
        return _say("ZT035", span, f"`{text}` is not `{plain}`", fix=_instead(span, plain, safe=True))
    shown = f"`{text}`" if text.isprintable() else f"the character {_number(text)}"
    return _say("ZT035", span, f"{shown} means nothing here")


def _number(text: str) -> str:
    return f"U+{ord(text[0]):04X}"
