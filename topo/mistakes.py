"""What can be wrong with names, params and what they stand for: one function per code, its docstring the explanation."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec.structs import replace

from topo.diagnostic import Diagnostic, Edit, Fix, Label, did_you_mean, finding, nearest
from topo.source import Span

__all__ = [
    "bad_allow",
    "bad_param_value",
    "bad_replica",
    "bad_restart",
    "cannot_stand_here",
    "not_carried_out",
    "several_sockets",
    "side_missing",
    "taken_twice",
    "type_missing",
    "unknown_context_option",
    "unknown_kind",
    "unknown_name",
    "unknown_param",
    "unknown_policy",
    "unknown_type",
    "useless_allow",
]


@finding("ZT101", "a name that nothing has")
def unknown_name(span: Span, name: str, what: str, known: Iterable[str], related: tuple[Label, ...] = ()) -> Diagnostic:
    """A reference names a device, an app or a socket that the file does not declare.

    ```ztopo ZT101
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect job
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect jobs
    ```

    What lies outside the topology is written as an endpoint: `connect tcp://10.0.0.1:5555`.
    """
    known = tuple(known)
    notes = did_you_mean(name, known) or ((f"there is {_listed(known)}",) if known else ())
    fix = _meant(span, name, nearest(name, known))
    return Diagnostic(code="ZT101", message=f"there is no {what} `{name}`", labels=(Label(span), *related), notes=notes, fix=fix)


@finding("ZT102", "one name for two things")
def taken_twice(span: Span, name: str, what: str, first: Span) -> Diagnostic:
    """Devices and apps share one space of names, because a reference must say which it means. A device has each side once.

    ```ztopo ZT102
    app jobs: PUSH bind tcp://*:5555
    app jobs: PULL connect tcp://127.0.0.1:5555
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect jobs
    ```
    """
    labels = (Label(span, "here again"), Label(first, "first here"))
    return Diagnostic(code="ZT102", message=f"{what} `{name}` is declared twice", labels=labels)


@finding("ZT103", "a param that is not declared, or has no value")
def unknown_param(
    span: Span | None, name: str, known: Iterable[str], message: str = "", declared: Span | None = None
) -> Diagnostic:
    """`${name}` inserts a param; `index` is the number of a replica. A param without a default needs `--set name=value`.

    ```ztopo ZT103
    app jobs: PUSH bind tcp://*:${prt}
    app work: PULL connect jobs
    ```

    ```ztopo
    param port: port = 5555
    app jobs: PUSH bind tcp://*:${port}
    app work: PULL connect jobs
    ```
    """
    known = tuple(known)
    notes = did_you_mean(name, known) or ((f"there is {_listed(known)}",) if known and not message else ())
    labels = tuple(Label(s, t) for s, t in ((span, ""), (declared, "declared here")) if s is not None)
    fix = _meant(span, name, nearest(name, known))
    return Diagnostic(code="ZT103", message=message or f"there is no param `{name}`", labels=labels, notes=notes, fix=fix)


@finding("ZT104", "a param with a value of the wrong type")
def bad_param_value(span: Span | None, message: str, declared: Span | None = None, notes: tuple[str, ...] = ()) -> Diagnostic:
    """A param has a type, written or taken from its default: int, port (1 to 65535), text, duration, size, bool, endpoint.

    ```ztopo ZT104
    param port: port = 70_000
    app jobs: PUSH bind tcp://*:${port}
    app work: PULL connect jobs
    ```

    ```ztopo
    param port: port = 7_000
    app jobs: PUSH bind tcp://*:${port}
    app work: PULL connect jobs
    ```
    """
    labels = tuple(Label(s, t) for s, t in ((span, ""), (declared, "declared here")) if s is not None)
    return Diagnostic(code="ZT104", message=message, labels=labels, notes=notes)


@finding("ZT105", "a device of a kind that there is not")
def unknown_kind(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """A device is a queue, a forwarder, a streamer, or a proxy.

    The first three know the socket types that they usually have: ROUTER and DEALER, XSUB and XPUB, PULL and PUSH. A proxy
    knows none.

    ```ztopo ZT105
    device stream: streamr {
        in  PULL bind tcp://*:5555
        out PUSH bind tcp://*:5556
    }
    ```

    ```ztopo
    device stream: streamer {
        in  PULL bind tcp://*:5555
        out PUSH bind tcp://*:5556
    }
    ```
    """
    known = tuple(known)
    notes = did_you_mean(name, known) or (f"there is {_listed(known)}",)
    fix = _meant(span, name, nearest(name, known), words=True)
    return Diagnostic(code="ZT105", message=f"there is no device kind `{name}`", labels=(Label(span),), notes=notes, fix=fix)


@finding("ZT106", "a socket of a type that there is not")
def unknown_type(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """Socket types have ZeroMQ's names, in capitals.

    ```ztopo ZT106
    app jobs: PUHS bind tcp://*:5555
    app work: PULL connect jobs
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect jobs
    ```
    """
    known = tuple(known)
    old = {"XREQ": "DEALER", "XREP": "ROUTER"}.get(name)
    bare = name.upper().removeprefix("ZMQ_")
    near = (bare,) if bare in known else nearest(name, known)
    if old is not None:
        near, notes = (old,), (f"{name} is the old name of {old}",)
    else:
        notes = ("did you mean " + " or ".join(f"`{n}`" for n in near) + "?",) if near else (f"there is {_listed(known)}",)
    sure = near and near[0] in (old, bare)
    fix = Fix(f"write `{near[0]}`", (Edit(span, near[0]),), safe=bool(sure)) if near else None
    return Diagnostic(code="ZT106", message=f"there is no socket type `{name}`", labels=(Label(span),), notes=notes, fix=fix)


@finding("ZT107", "a reference that could mean several sockets, or one that is not there")
def several_sockets(span: Span, name: str, message: str, known: Iterable[str], declared: Span) -> Diagnostic:
    """A device, and an app with several sockets, is referred to by the name of a socket: `broker.in`, `sink.work`.

    ```ztopo ZT107
    device stream: streamer {
        in  bind tcp://*:5555
        out bind tcp://*:5556
    }
    app jobs: PUSH connect stream
    ```

    ```ztopo
    device stream: streamer {
        in  bind tcp://*:5555
        out bind tcp://*:5556
    }
    app jobs: PUSH connect stream.in
    app work: PULL connect stream.out
    ```
    """
    known = tuple(known)
    notes = did_you_mean(name, known) or ((f"there is {_listed(known)}",) if known else ())
    labels = (Label(span), Label(declared, "declared here"))
    return Diagnostic(code="ZT107", message=message, labels=labels, notes=notes, fix=_meant(span, name, nearest(name, known)))


@finding("ZT109", "a replica that there is not")
def bad_replica(span: Span, message: str, declared: Span | None = None, notes: tuple[str, ...] = ()) -> Diagnostic:
    """`feed[3]` declares three, `feed[0]` to `feed[2]`; `feed[*]` any number, started by somebody else.

    ```ztopo ZT109
    app feed[3]: PUB bind tcp://*:${6000 + index}
    app seen: SUB connect feed[3] { subscribe "" }
    ```

    ```ztopo
    app feed[3]: PUB bind tcp://*:${6000 + index}
    app seen: SUB connect feed[2] { subscribe "" }
    ```
    """
    labels = (Label(span), *((Label(declared, "declared here"),) if declared else ()))
    return Diagnostic(code="ZT109", message=message, labels=labels, notes=notes)


@finding("ZT110", "understood, but not carried out yet")
def not_carried_out(span: Span, what: str) -> Diagnostic:
    """The language has it, and this version of ztopo cannot do it yet.

    It is said, and `ztopo up` refuses the file, because a topology that leaves out what its file says is another topology.

    ```ztopo ZT110
    device stream: streamer {
        control PAIR bind inproc://orders
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
    return Diagnostic(code="ZT110", message=f"{what} is understood, but not carried out yet", labels=(Label(span),))


@finding("ZT111", "a side that is missing, or a socket without a type")
def side_missing(span: Span, message: str, notes: tuple[str, ...] = ()) -> Diagnostic:
    """A device has an `in` and an `out`; a monitor if it likes. A proxy and an app say of which type their sockets are.

    ```ztopo ZT111
    device any: proxy {
        in  PULL bind tcp://*:5555
    }
    ```

    ```ztopo
    device any: proxy {
        in  PULL bind tcp://*:5555
        out PUSH bind tcp://*:5556
    }
    ```
    """
    return Diagnostic(code="ZT111", message=message, labels=(Label(span),), notes=notes)


def unknown_context_option(span: Span, name: Span | None, known: Iterable[str]) -> Diagnostic:
    """ZT112, for what is no option of a context."""
    known = tuple(known)
    near = nearest(name.text, known) if name is not None else ()
    notes = did_you_mean(name.text, known) if name is not None and near else (f"known are {_listed(known)}",)
    said = cannot_stand_here(span, f"`{span.text}` is no option of a context", notes)
    return replace(said, fix=_meant(name, name.text, near, words=True)) if name is not None else said


def type_missing(span: Span, name: str, why: str) -> Diagnostic:
    """ZT111, for a socket without a type."""
    return side_missing(span, f"`{name}` has no socket type", (why,))


@finding("ZT112", "a statement that cannot stand where it does")
def cannot_stand_here(span: Span, message: str, notes: tuple[str, ...] = ()) -> Diagnostic:
    """Sides and `run thread | process` belong to devices, sockets and `run "command"` to apps, options to sockets.

    ```ztopo ZT112
    app jobs: PUSH bind tcp://*:5555 { run thread }
    app work: PULL connect jobs
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555 { run "python jobs.py" }
    app work: PULL connect jobs
    ```
    """
    return Diagnostic(code="ZT112", message=message, labels=(Label(span),), notes=notes)


@finding("ZT114", "a module that cannot be read")
def unreadable_module(span: Span, why: str, written: str = "", known: Iterable[str] = ()) -> Diagnostic:
    """`use "pool.ztopo" as pool` makes the devices and apps of another file part of this one, as `pool.jobs`.

    The path is relative to the file that the `use` stands in.

    ```ztopo ZT114
    use "there-is-no-such-file.ztopo" as pool
    ```
    """
    known = tuple(known)
    fix = _meant(span, written, nearest(written, known)) if written else None
    return Diagnostic(
        code="ZT114", message=f"the module {why}", labels=(Label(span),), notes=did_you_mean(written, known), fix=fix
    )


@finding("ZT115", "a module that uses itself")
def module_cycle(span: Span, path: str, through: tuple[Span, ...]) -> Diagnostic:
    """A file cannot use itself, neither directly nor through other files: its expansion would never end."""
    labels = (Label(span), *(Label(s, "used here") for s in through))
    return Diagnostic(code="ZT115", message=f"{path} uses itself", labels=labels)


@finding("ZT116", "a value that cannot be read from its file")
def unreadable_value(span: Span, path: str, why: str) -> Diagnostic:
    """`file "path"` as a value is what stands in that file, at most 64 KiB, without the end of its last line.

    The path is relative to the file that it is written in. Keys belong into files of their own: what is read from one is
    never shown.

    ```ztopo ZT116
    app jobs: PUB bind tcp://*:5555 { zap_domain file "there-is-no-such-file" }
    ```
    """
    return Diagnostic(code="ZT116", message=f"the value of a file that {why}", labels=(Label(span, path),))


@finding("ZT117", "an allow that cannot be obeyed", "warning")
def bad_allow(span: Span, why: str) -> Diagnostic:
    """A comment `# ztopo: allow CODE "reason"` silences one finding, which the reader of the file is told the reason for.

    It stands behind a statement, or in the line above it. It names a code that there is, and says why.

    ```ztopo ZT117
    app jobs: PUSH bind tcp://*:5555  # ztopo: allow ZT302
    ```

    ```ztopo
    app work: PULL connect tcp://127.0.0.1:5555  # ztopo: allow ZT302 "the scanner, which is started by hand"
    ```

    What cannot be read, or is not what its option takes, cannot be allowed: nothing could be made of it.
    """
    return Diagnostic(
        code="ZT117",
        message="this comment allows nothing",
        severity="warning",
        labels=(Label(span, why),),
        notes=("`ztopo explain` lists the codes",),
    )


@finding("ZT118", "an allow that silences nothing", "warning")
def useless_allow(span: Span, code: str, has_statement: bool) -> Diagnostic:
    """A comment `# ztopo: allow CODE "reason"` silences one finding of that code whose place is in its statement.

    The one that it stands behind is its statement, or the one in the line below. Where there is no such finding any more, the
    comment says what is not so, and would hide the next one that comes.

    ```ztopo ZT118
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect jobs  # ztopo: allow ZT302 "the scanner, which is started by hand"
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    app work: PULL connect jobs
    ```
    """
    return Diagnostic(
        code="ZT118",
        message=f"nothing is found here that `allow {code}` could silence",
        severity="warning",
        labels=(Label(span, "" if has_statement else "no statement stands here"),),
        fix=Fix("take it out", (Edit(_with_blanks(span), ""),), safe=True),
    )


OTHERWISE = {
    "no": "never", "none": "never", "off": "never", "false": "never", "temporary": "never",
    "on": "on-failure", "failure": "on-failure", "on_error": "on-failure", "on-error": "on-failure", "on-abnormal": "on-failure",
    "on-abort": "on-failure", "transient": "on-failure",
    "yes": "always", "true": "always", "permanent": "always", "unless-stopped": "always", "any": "always",
}  # fmt: skip
"""What others call the policies: systemd, Docker, Erlang."""


@finding("ZT119", "a restart policy that there is not")
def unknown_policy(span: Span, what: str, known: tuple[str, ...]) -> Diagnostic:
    """Something that ends is started again never, on failure, or always; left out, an app never is, and a device on failure.

    `with rest` has those end and start with it that the file declares after it, `with all` all of the file.

    ```ztopo ZT119
    device stream: streamer {
        restart on_failure
        in  bind tcp://*:5555
        out bind tcp://*:5556
    }
    ```

    ```ztopo ZT119
    app work: PULL bind tcp://*:5555 { run "./work"; restart always with others }
    ```

    ```ztopo
    device stream: streamer {
        restart on-failure
        in  bind tcp://*:5555
        out bind tcp://*:5556
    }
    app work: PULL connect stream.out { run "./work"; restart always with rest }
    ```
    """
    name = span.text
    near = (OTHERWISE[name.lower()],) if OTHERWISE.get(name.lower()) in known else nearest(name, known)
    notes = ("did you mean " + " or ".join(f"`{n}`" for n in near) + "?",) if near else (f"there is {_listed(known)}",)
    return Diagnostic(
        code="ZT119",
        message=f"there is no {what} `{name}`",
        labels=(Label(span),),
        notes=notes,
        fix=_meant(span, name, near, words=True),
    )


@finding("ZT120", "a limit for restarts that cannot be")
def bad_restart(span: Span, message: str, notes: tuple[str, ...] = (), fix: Fix | None = None) -> Diagnostic:
    """`max 5 in 60s`: at most five restarts within any minute, else it has failed for good.

    `backoff 100ms..5s`: the first restart of a row is immediate, the second waits 100 ms, each further one twice as long as the
    one before, at most 5 s. `backoff 1s`: each but the first waits a second. A row ends when what was started has run for the
    time behind `in` without a failure.

    ```ztopo ZT120
    device stream: streamer {
        restart on-failure max 0 in 60s
        in  bind tcp://*:5555
        out bind tcp://*:5556
    }
    ```

    ```ztopo ZT120
    app work: PULL bind tcp://*:5555 { run "./work"; restart always max 5 in 60 }
    ```

    ```ztopo ZT120
    app work: PULL bind tcp://*:5555 { run "./work"; restart always backoff 5s..100ms }
    ```

    ```ztopo
    app work: PULL bind tcp://*:5555 { run "./work"; restart always max 5 in 60s backoff 100ms..5s }
    ```
    """
    return Diagnostic(code="ZT120", message=message, labels=(Label(span),), notes=notes, fix=fix)


def _with_blanks(span: Span) -> Span:
    """A comment, and the blanks in front of it; where nothing else stands in its line, the whole line."""
    source, line = span.source, span.position.line
    begin = source.starts[line - 1]
    before = source.text[begin : span.start].rstrip(" \t")
    if before or line == len(source.starts):
        return Span(source, begin + len(before), span.end)
    return Span(source, begin, source.starts[line])


def _meant(span: Span | None, name: str, near: tuple[str, ...], *, words: bool = False) -> Fix | None:
    """The one name that is nearly it, instead. If that is a word of ZeroMQ's or ours and only its case is wrong, nothing else can be meant."""
    found = [*re.finditer(rf"(?<![\w-]){re.escape(name)}(?![\w-])", span.text)] if span is not None and near else []
    if span is None or len(found) != 1 or len(near) > 1:
        return None
    place = Span(span.source, span.start + found[0].start(), span.start + found[0].end())
    return Fix(f"write `{near[0]}`", (Edit(place, near[0]),), safe=words and near[0].lower() == name.lower())


def _listed(names: tuple[str, ...]) -> str:
    shown = [f"`{n}`" for n in names[:8]]
    if len(names) > 8:
        return ", ".join(shown) + f" and {len(names) - 8} more"
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1]
