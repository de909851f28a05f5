"""What can be wrong with a text before any name is looked up: one function per code, its docstring the explanation."""

from __future__ import annotations

from topo.diagnostic import Diagnostic, Edit, Fix, Label, finding
from topo.source import Span

__all__ = [
    "LANGUAGE_VERSION",
    "bad_escape",
    "bad_expression",
    "bad_number",
    "not_a_text",
    "syntax_error",
    "version_missing",
    "version_unknown",
]

LANGUAGE_VERSION = 1


@finding("ZT001", "the text cannot be read as ztopo")
def syntax_error(
    span: Span, message: str, notes: tuple[str, ...] = (), related: tuple[Label, ...] = (), fix: Fix | None = None
) -> Diagnostic:
    """A statement is not built as the language has it.

    ```ztopo ZT001
    app jobs PUSH bind tcp://*:5555
    ```

    A statement ends with its line or with a `;`. A `{` stands on the line it belongs to. A line that ends with a comma
    goes on.

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect jobs
    ```
    """
    return Diagnostic(code="ZT001", message=message, labels=(Label(span), *related), notes=notes, fix=fix)


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
def bad_number(span: Span, message: str, right: str = "", notes: tuple[str, ...] = ()) -> Diagnostic:
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
    fix = Fix(f"write `{right}`", (Edit(span, right),)) if right else None
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
