"""What can be wrong with a text before any name is looked up: one function per code, its docstring the explanation."""

from __future__ import annotations

from collections.abc import Iterable

from topo.diagnostic import Diagnostic, Edit, Fix, Label, did_you_mean, finding, nearest
from topo.source import Span

__all__ = [
    "LANGUAGE_VERSION",
    "bad_call",
    "bad_escape",
    "bad_expression",
    "bad_number",
    "form_missing",
    "form_unknown",
    "hyphen_in_param",
    "key_twice",
    "named_twice",
    "no_home",
    "not_a_text",
    "not_a_value",
    "not_json",
    "replica_missing",
    "secret_left_out",
    "syntax_error",
    "too_deep",
    "unknown_call",
    "variable_not_quoted",
    "version_missing",
    "version_unknown",
    "wrong_shape",
]

LANGUAGE_VERSION = 1
FORM_VERSION = 1
"""Of a topology as JSON: its `format_version`."""


@finding("ZT001", "the text cannot be read as ztopo")
def syntax_error(span: Span, message: str) -> Diagnostic:
    """A statement is not built as the language has it, and it is no mistake that has a code of its own.

    ```ztopo ZT001
    app jobs[2][3]: PUSH bind tcp://*:*
    ```

    What would fit there is said; `grammar/ztopo.md` describes each statement, with examples.

    ```ztopo
    app jobs[2]: PUSH bind tcp://*:*
    ```
    """
    return Diagnostic(code="ZT001", message=message, labels=(Label(span),))


@finding("ZT002", "the language version is missing or not known")
def version_unknown(span: Span, written: str) -> Diagnostic:
    """The first statement of a file says which version of the language it is written in.

    This ztopo reads version 1. A file of a later version is refused, because it may say things that would be overlooked.

    ```ztopo ZT002
    ztopo 2
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect jobs
    ```

    ```ztopo
    ztopo 1
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect jobs
    ```

    In JSON it is `format_version`, which is 1 as well.
    """
    return Diagnostic(
        code="ZT002",
        message=f"version {written} of the language is not known here",
        labels=(Label(span, f"this ztopo reads version {LANGUAGE_VERSION}"),),
        notes=("a newer ztopo may read it",) if written.isdecimal() else (),
    )


def version_missing(span: Span) -> Diagnostic:
    """ZT002, for a file that does not begin with its version."""
    fix = Fix(
        "say which version it is", (Edit(Span(span.source, span.start, span.start), f"ztopo {LANGUAGE_VERSION}\n"),), safe=True
    )
    return Diagnostic(
        code="ZT002",
        message="the file does not say which version of the language it is written in",
        labels=(Label(span, f"the first statement must be `ztopo {LANGUAGE_VERSION}`"),),
        fix=fix,
    )


@finding("ZT003", "the file is not a ztopo text")
def not_a_text(name: str, why: str, span: Span | None = None) -> Diagnostic:
    """A ztopo file is text in UTF-8, without NUL characters, of at most 32 MiB.

    Something larger or binary is refused before it is looked at: it is another file, given by mistake.
    """
    return Diagnostic(code="ZT003", message=f"{name} {why}", labels=(Label(span),) if span else ())


@finding("ZT004", "what stands in brackets or in ${...} has no value")
def bad_expression(span: Span, why: str) -> Diagnostic:
    """Between brackets and in `${...}` stands whole-number arithmetic: `+ - * / %`, brackets, numbers, params and `index`.

    ```ztopo ZT004
    app feed[3]: PUB bind tcp://*:${6000 + index / 0}
    app seen: SUB connect feed { subscribe "" }
    ```

    ```ztopo
    app feed[3]: PUB bind tcp://*:${6000 + index}
    app seen: SUB connect feed { subscribe "" }
    ```
    """
    shown = span.text if len(span.text) <= 40 else f"{span.text[:37]}..."
    return Diagnostic(code="ZT004", message=f"`{shown}` has no value: {why}", labels=(Label(span),))


@finding("ZT005", "a number that is not written as the language has it")
def bad_number(span: Span, message: str, right: str = "", notes: tuple[str, ...] = (), *, sure: bool = False) -> Diagnostic:
    """Numbers are whole: `1000`, `10_000`. Durations end with `ms`, `s`, `m` or `h`, sizes with `B`, `KiB`, `MiB` or `GiB`.

    ```ztopo ZT005
    app jobs: PUSH bind tcp://*:5555 { linger 1.5s }
    app work: PULL connect jobs
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555 { linger 1500ms }
    app work: PULL connect jobs
    ```
    """
    fix = Fix(f"write `{right}`", (Edit(span, right),), safe=sure) if right else None
    notes = notes if notes or right else ("whole numbers, with ms, s, m or h for a duration and B, KiB, MiB or GiB for a size",)
    return Diagnostic(code="ZT005", message=message, labels=(Label(span),), notes=notes, fix=fix)


@finding("ZT006", "an escape in a text that means nothing")
def bad_escape(span: Span, escape: str) -> Diagnostic:
    r"""In a text `\\` is a backslash, `\"` a quote, `\n` a line's end, `\t` a tab and `\xNN` a byte; `$${` is a literal `${`.

    ```ztopo ZT006
    app jobs: PUB bind tcp://*:5555
    app seen: SUB connect jobs { subscribe "\q" }
    ```

    ```ztopo
    app jobs: PUB bind tcp://*:5555
    app seen: SUB connect jobs { subscribe "\x01" }
    ```
    """
    return Diagnostic(
        code="ZT006",
        message=f"`{escape}` means nothing in a text",
        labels=(Label(span),),
        notes=('known are \\\\, \\", \\n, \\t and \\xNN',),
    )


def form_unknown(span: Span, written: str) -> Diagnostic:
    """ZT002, for JSON of a later version."""
    return Diagnostic(
        code="ZT002",
        message=f"version {written} of a topology as JSON is not known here",
        labels=(Label(span, f"this ztopo reads version {FORM_VERSION}"),),
        notes=("a newer ztopo may read it",) if written.isdecimal() else (),
    )


def form_missing(span: Span) -> Diagnostic:
    """ZT002, for JSON that does not say its version."""
    return Diagnostic(
        code="ZT002",
        message="the document does not say which version it is written in",
        labels=(Label(span, f'there must be `"format_version": {FORM_VERSION}`'),),
    )


@finding("ZT020", "a text that is not JSON")
def not_json(span: Span, message: str, notes: tuple[str, ...] = ()) -> Diagnostic:
    """What begins with `{`, and a file that is named `.json`, is read as JSON, as RFC 8259 has it.

    ```ztopo ZT020
    {"format_version": 1, "apps": [{"name": "logger"},]}
    ```

    ```ztopo
    {"format_version": 1, "apps": [{"name": "logger"}]}
    ```
    """
    return Diagnostic(code="ZT020", message=message, labels=(Label(span),), notes=notes)


def key_twice(span: Span, key: str, first: Span) -> Diagnostic:
    """ZT020, for an object that has a key twice."""
    labels = (Label(span, "here again"), Label(first, "first here"))
    return Diagnostic(code="ZT020", message=f"the key `{key}` stands twice in one object", labels=labels)


@finding("ZT021", "JSON that does not have the form of a topology")
def wrong_shape(span: Span, message: str, name: str = "", known: Iterable[str] = ()) -> Diagnostic:
    """A topology as JSON has certain keys, each with values of a certain type; a key that is not known is a mistake.

    ```ztopo ZT021
    {"format_version": 1, "apps": [{"nmae": "logger"}]}
    ```

    ```ztopo
    {"format_version": 1, "apps": [{"name": "logger"}]}
    ```

    `ztopo show --schema` writes the form as a JSON Schema, which says what each key is.
    """
    known = tuple(known)
    notes = (did_you_mean(name, known) if name else ()) or ((f"known are {_listed(known)}",) if name and len(known) > 5 else ())
    return Diagnostic(code="ZT021", message=message, labels=(Label(span),), notes=notes)


def secret_left_out(span: Span, option: str) -> Diagnostic:
    """ZT021, for a secret that was not written, since it has no source that can be told."""
    return Diagnostic(
        code="ZT021",
        message=f"`{option}` has no values here: it is a secret, which JSON does not hold",
        labels=(Label(span),),
        notes=('its value is where it comes from: {"kind": "file", "value": PATH} or {"kind": "env", "value": NAME}',),
    )


def no_home(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """ZT101, for a device in JSON that is part of something that there is not."""
    notes = did_you_mean(name, known)
    return Diagnostic(code="ZT101", message=f"there is no process or app `{name}`", labels=(Label(span),), notes=notes)


def named_twice(span: Span, first: Span) -> Diagnostic:
    """ZT102, for two things in JSON of one name."""
    labels = (Label(span, "here again"), Label(first, "first here"))
    return Diagnostic(code="ZT102", message=f"the name `{span.text}` is declared twice", labels=labels)


def replica_missing(span: Span, number: int) -> Diagnostic:
    """ZT109, for replicas in JSON of which one is not there."""
    base = span.text.rpartition("[")[0]
    message = f"there is no `{base}[{number}]`: of several all are there, from 0 on"
    return Diagnostic(code="ZT109", message=message, labels=(Label(span),))


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names[:-1]) + f" and `{names[-1]}`"


@finding("ZT036", "blocks that stand too deep in each other")
def too_deep(span: Span, most: int) -> Diagnostic:
    """Blocks and brackets stand in each other 16 deep at most. What the language has use for is four.

    ```ztopo ZT036
    app a { socket b: SUB connect tcp://10.0.0.1:1 { x { { { { { { { { { { { { { { { 1
    ```

    ```ztopo
    app a { socket b: SUB connect tcp://10.0.0.1:1 { subscribe "" } }
    ```
    """
    return Diagnostic(
        code="ZT036", message=f"blocks and brackets stand in each other more than {most} deep", labels=(Label(span),)
    )


@finding("ZT037", "a word where a value stands")
def not_a_value(span: Span, fix: Fix, params: Iterable[str]) -> Diagnostic:
    """A value is a number, `true` or `false`, a text in quotes, or a param: `${name}`.

    ```ztopo ZT037
    param wait = 5s
    app jobs: PUSH bind tcp://*:5555 { linger wait; immediate yes; zap_domain jobs }
    app work: PULL connect jobs
    ```

    ```ztopo
    param wait = 5s
    app jobs: PUSH bind tcp://*:5555 { linger ${wait}; immediate true; zap_domain "jobs" }
    app work: PULL connect jobs
    ```
    """
    word = span.text
    message = f"`{word}` is not a value"
    if word in params:
        fix = Fix(f"write `${{{word}}}`", (Edit(span, f"${{{word}}}"),))
        return Diagnostic(
            code="ZT037", message=message, labels=(Label(span),), notes=("a param is inserted as ${name}",), fix=fix
        )
    (edit,) = fix.edits
    nearly = edit.text in ("true", "false")
    notes = (f"did you mean `{edit.text}`?" if nearly else "texts stand in double quotes; params as ${name}",)
    return Diagnostic(code="ZT037", message=message, labels=(Label(span),), notes=notes, fix=fix)


@finding("ZT038", "a call of something that there is not")
def bad_call(span: Span, message: str, fix: Fix | None = None) -> Diagnostic:
    """The one thing that can be called is `env`: `env("NAME")` is an environment variable, `env("NAME", 5)` has a default.

    ```ztopo ZT038
    param home: text = getenv("HOME", "/")
    param port = env(PORT, 5555)
    ```

    ```ztopo
    param home: text = env("HOME", "/")
    param port = env("PORT", 5555)
    ```
    """
    notes = ('known is env("NAME") and env("NAME", default)',)
    return Diagnostic(code="ZT038", message=message, labels=(Label(span),), notes=notes, fix=fix)


def unknown_call(name: Span) -> Diagnostic:
    """ZT038, for a call of something else."""
    near = nearest(name.text, ("env", "getenv", "environ", "environment"))
    fix = Fix("write `env`", (Edit(name, "env"),)) if near else None
    return bad_call(name, f"there is no `{name.text}(...)`", fix)


def variable_not_quoted(span: Span) -> Diagnostic:
    """ZT038, for the name of an environment variable that is no text."""
    fix = Fix("put it in quotes", (Edit(span, f'"{span.text}"'),), safe=True) if span.text.isidentifier() else None
    return bad_call(span, "the name of a variable stands in quotes", fix)


@finding("ZT039", "a param whose name has a hyphen")
def hyphen_in_param(span: Span) -> Diagnostic:
    """The name of a param has no `-`, because inside `${...}` that is a minus. Other names may have one.

    ```ztopo ZT039
    param base-port = 5555
    ```

    ```ztopo
    param base_port = 5555
    ```
    """
    right = span.text.replace("-", "_")
    return Diagnostic(
        code="ZT039",
        message="the name of a param has no `-`",
        labels=(Label(span),),
        notes=("inside `${...}` a `-` is a minus",),
        fix=Fix(f"write `{right}`, wherever it is used", (Edit(span, right),)),
    )
