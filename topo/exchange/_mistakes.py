"""What is said when something goes from one form to another: one function per code, its docstring the explanation."""

from __future__ import annotations

from collections.abc import Iterable

from topo.diagnostic import Diagnostic, Label, Severity, did_you_mean, finding
from topo.source import Span

__all__ = ["left_behind", "no_service", "not_zdcf", "not_zdcf_version", "nothing_for_it"]


@finding("ZT050", "a file that is not ZDCF")
def not_zdcf(span: Span, message: str, notes: tuple[str, ...] = ()) -> Diagnostic:
    """`ztopo import zdcf` reads what the ZeroMQ RFC 17/ZDCF describes, as JSON or as 4/ZPL.

    What has another form is refused, and nothing is written: what was meant cannot be known.
    """
    return Diagnostic(code="ZT050", message=message, labels=(Label(span),), notes=notes)


def not_zdcf_version(span: Span, message: str) -> Diagnostic:
    """ZT050, for a version that is missing, or greater than the one that is known here."""
    return not_zdcf(span, message, ("known is version 1, and whatever follows its point",))


@finding("ZT051", "something of a ZDCF file that ztopo has nothing for", "warning", "info")
def nothing_for_it(span: Span, message: str, why: str = "", known: Iterable[str] = (), *, lost: bool = True) -> Diagnostic:
    """A ZDCF file is from the time of libzmq 2: some things are called otherwise today, and some are no more.

    `ztopo import zdcf` writes what there is, and says of the rest where it stands. An info is about something that became
    something else and means the same.
    """
    name = span.text.strip("\"'")
    notes = (*((why,) if why else ()), *did_you_mean(name, known))
    severity: Severity = "warning" if lost else "info"
    return Diagnostic(code="ZT051", message=message, severity=severity, labels=(Label(span),), notes=notes)


@finding("ZT052", "something of a topology that another form has nothing for", "warning", "info")
def left_behind(span: Span, message: str, why: str = "", *, lost: bool = True) -> Diagnostic:
    """ZDCF describes sockets and three kinds of devices, as they were with libzmq 2.

    `ztopo export` writes what the other form can say, and says of the rest where it was declared. An info is about something
    that became something else and means the same.
    """
    notes = (why,) if why else ()
    severity: Severity = "warning" if lost else "info"
    return Diagnostic(code="ZT052", message=message, severity=severity, labels=(Label(span),), notes=notes)


@finding("ZT053", "a topology that a service manager cannot run")
def no_service(span: Span, message: str) -> Diagnostic:
    """`ztopo export systemd` writes a unit that starts `ztopo up` with the file of the topology.

    So there has to be such a file, and no app that runs inside a program: there the program is what is to be started.
    """
    return Diagnostic(code="ZT053", message=message, labels=(Label(span),))
