"""What a topology is like, for people: a paragraph for each question, with the places."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from topo.analysis import Analysis, Feed, Load, Stall
from topo.model import REPLICA
from topo.render import Style, plural
from topo.source import Span
from topo.text import clean, width, wrap
from topo.zeromq.sockets import with_article

__all__ = ["render"]

WIDEST = 80
MOST = 12
"""So many of a kind are shown."""
DEEPEST = 20
"""So far is indented at most."""
UNITS = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"), (1, "B"))


def render(analysis: Analysis, style: Style) -> str:
    """The whole text."""
    chapters = (
        ("If a device dies", _cuts(analysis)),
        ("Where no message gets to", _unreached(analysis)),
        ("Rings", _rings(analysis)),
        ("If one does not read", _pressure(analysis)),
        (f"The most that may lie about, at {_size(analysis.message_size)} a message", _loads(analysis)),
        ("In which order to start", _start(analysis)),
    )
    lines = [style.paint(clean(f"{analysis.name}, {analysis.span.source.name}"), "bold")]
    for title, said in chapters:
        lines += ["", style.paint(title, "bold", "magenta"), ""]
        lines += [line for text in said for line in _wrapped(text, min(style.width, WIDEST))]
    text = "\n".join(lines) + "\n"
    return text if style.unicode else text.encode("ascii", "replace").decode()


def _wrapped(text: str, cells: int) -> Iterator[str]:
    """A line that begins with as many blanks as it is indented, in as many as it takes."""
    indent = len(text) - len(text.lstrip(" "))
    first, *more = wrap(clean(text.lstrip(" ")), cells - indent - 4)
    yield " " * (indent + 2) + first
    yield from (" " * (indent + 4) + line for line in more)


def _at(span: Span, analysis: Analysis) -> str:
    return f"line {span.position.line}" if span.source is analysis.span.source else span.where


def _several(name: str, count: int) -> str:
    return f"`{name}`" if count == 1 else f"`{name}` ({count})"


def _list(items: Sequence[str]) -> str:
    left_out = len(items) - MOST
    return ", ".join(items[:MOST]) + (f", and {left_out} more" if left_out > 0 else "")


def _cuts(analysis: Analysis) -> Iterator[str]:
    for cut in analysis.cuts:
        parts = [_several(p.name, p.next) + (f" with {p.all - p.next} behind" if p.all > p.next else "") for p in cut.apart]
        yield f"without `{cut.device.name}`, {_at(cut.device.span, analysis)}, there is no contact between {_list(parts)}"
    if not analysis.cuts:
        yield "nothing falls apart"


def _unreached(analysis: Analysis) -> Iterator[str]:
    told: set[str] = set()
    for socket in analysis.unreached:
        if socket.declared not in told:
            told.add(socket.declared)
            yield f"`{socket.declared}`, {with_article(socket.type)}, {_at(socket.span, analysis)}"
    if not told:
        yield "messages get everywhere"


def _rings(analysis: Analysis) -> Iterator[str]:
    for ring in analysis.rings:
        names = [f"`{device.name}`" for device in ring.devices]
        yield f"messages can go round: {_list(names)}, {_at(ring.devices[0].span, analysis)}"
    if not analysis.rings:
        yield "there are none"


def _pressure(analysis: Analysis) -> Iterator[str]:
    told: set[str] = set()
    for reader, feeds in analysis.readers:
        yield f"`{reader.declared}`, {_at(reader.span, analysis)}"
        yield from _held(feeds, analysis, told)
    if not analysis.readers:
        yield "nobody reads"


def _held(feeds: tuple[Feed, ...], analysis: Analysis, told: set[str]) -> Iterator[str]:
    """Who sends, what becomes of it, and who feeds that: from the reader back, each device once."""
    left = [(feed, 2) for feed in reversed(feeds)]
    while left:
        feed, deep = left.pop()
        stall = analysis.stalls[feed.sender.id]
        again = stall.does == "takes no more" and stall.socket.id in told
        where = f"{with_article(feed.sender.type)}, {_at(feed.sender.span, analysis)}"
        yield " " * deep + f"{_several(feed.sender.declared, feed.count)}, {where}: {_what(feed, stall, again)}"
        if stall.does == "takes no more" and not again and feed.holds is not None:
            told.add(stall.socket.id)
            left.extend((further, min(deep + 2, DEEPEST)) for further in reversed(stall.feeds))


def _what(feed: Feed, stall: Stall, again: bool) -> str:
    if feed.holds is None:
        return "keeps any number of messages"
    after = f"after {plural(feed.holds, 'message')}" + (", once none of its peers reads," if stall.shared else "")
    match stall.does:
        case "drops":
            return f"{after} it drops what is for that one"
        case "waits":
            return f"{after} it waits, and its program too"
    if again:
        return f"{after} it takes no more, as above"
    return f"{after} it takes no more from" if stall.feeds else f"{after} it takes no more"


def _loads(analysis: Analysis) -> Iterator[str]:
    """A table, replicas with the same numbers in one row, the greatest first."""
    alike: dict[tuple[str, int | None, int | None, bool], list[Load]] = defaultdict(list)
    for load in analysis.loads:
        alike[REPLICA.sub("", load.component.name), load.to_send, load.to_read, load.each].append(load)
    groups = sorted(alike.values(), key=lambda loads: (loads[0].messages is not None, -(loads[0].messages or 0)))
    names = [_several(REPLICA.sub("", loads[0].component.name), len(loads)) for loads in groups[:MOST]]
    widest = max(map(width, names), default=0)
    yield f"{' ' * widest}   to send   to read    at most"
    for loads, name in zip(groups, names, strict=False):
        load = loads[0]
        bytes = "no bound" if load.messages is None else _size(load.messages * analysis.message_size)
        note = " each" if len(loads) > 1 else " for each peer" if load.each else ""
        row = f"{name}{' ' * (widest - width(name))}  {_number(load.to_send):>8}  {_number(load.to_read):>8}  {bytes:>9}"
        yield f"{row}{note}, {_at(load.component.span, analysis)}"
    if len(groups) > MOST:
        yield f"and {plural(len(groups) - MOST, 'row')} of no more than these"
    total = [load.messages for load in analysis.loads]
    yield "in all: " + (_size(sum(map(int, filter(None, total))) * analysis.message_size) if None not in total else "no bound")


def _number(count: int | None) -> str:
    return "no bound" if count is None else f"{count:,}"


def _size(number: int) -> str:
    unit, name = next((unit, name) for unit, name in UNITS if number >= unit or unit == 1)
    return f"{number / unit:.1f}".removesuffix(".0") + f" {name}"


def _start(analysis: Analysis) -> Iterator[str]:
    for number, names in enumerate(analysis.start, 1):
        yield f"{number}. {_list([_several(name, count) for name, count in names])}"
