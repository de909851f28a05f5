"""`ztopo tap`: what flows through devices, message by message."""

from __future__ import annotations

import re
import select
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

import click

from topo.cli import Exit, Refusal, color_option, formats, out, say, style_for, topology
from topo.signals import until_signal
from topo.text import plural

if TYPE_CHECKING:
    from topo.run.snapshot import Snapshot
    from topo.run.tapping import Seen, Tapping

HOWS = ("auto", "text", "hex", "json", "msgpack")
"""Those of `topo.payload`, which is not imported for the help alone."""
SIZE = r"\d{1,12}(?:B|[KMG]iB)?"
UNITS = {"": 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
SIDES = ("in", "out", "monitor")
ONLY_SEND = ("PUSH", "PUB")
"""Types of sides at which nothing comes in. At an XPUB subscriptions do."""
MOST_NAMED = 5
MOST_BYTES = 64
"""So many bytes of a part are shown, unless another number is asked for."""
STEP = 0.5
"""Seconds after which something is looked at again, though no message comes."""


def _sizes(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, float] | None:
    """A size in bytes, or a range of them: `100`, `1KiB..`, `..64KiB`, `10..20`; as the least and the most."""
    if value is None:
        return None
    found = re.fullmatch(rf"({SIZE})?(\.\.)?({SIZE})?", value)
    if found is None or not (found[1] or found[3]):
        raise click.BadParameter(f"{value!r} is no size, as 100, 1KiB.. or ..64KiB")
    least = _bytes(found[1]) if found[1] else 0
    most = _bytes(found[3]) if found[3] else float("inf") if found[2] else least
    return least, most


def _bytes(size: str) -> int:
    digits = size.rstrip("KMGiB")
    return int(digits) * UNITS[size.removeprefix(digits)]


def _duration(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """A time with its unit, as the language has it: `250ms`, `5s`, `2min`; in seconds."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|min|h|d)", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no duration, as 250ms, 5s or 2min")
    return float(found[1]) * SECONDS[found[2]]


def _pattern(context: click.Context, parameter: click.Parameter, value: str | None) -> re.Pattern[bytes] | None:
    """A regular expression for bytes."""
    try:
        return None if value is None else re.compile(_raw(value))
    except re.error as error:
        raise click.BadParameter(f"{value!r} is no regular expression: {error}") from None


@click.command(short_help="Show what flows through devices, message by message.")
@click.argument("sockets", nargs=-1, metavar="[SOCKET]...")
@click.option("-t", "--topology", "name", metavar="NAME", help="The topology; it may be left out where only one runs.")
@click.option("--as", "how", type=click.Choice(HOWS), default="auto", show_default=True, help="How parts are read.")
@click.option(
    "--bytes",
    "most",
    type=click.IntRange(1),
    metavar="N",
    help=f"Show at most N bytes of each part, not {MOST_BYTES}; jsonl has all.",
)
@click.option("--prefix", metavar="TEXT", help="Only copies that the monitor puts this prefix before, as `in`.")
@click.option("--topic", metavar="TEXT", help="Only messages whose first part begins with this.")
@click.option(
    "--size", "sizes", callback=_sizes, metavar="[MIN]..[MAX]", help="Only messages of so many bytes, as 100 or 1KiB..."
)
@click.option("--grep", callback=_pattern, metavar="REGEX", help="Only messages with a part in which this is found.")
@click.option(
    "--rate", type=click.IntRange(1), metavar="N", help="Show at most N messages per second, and say how many are not shown."
)
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N messages.")
@click.option("--for", "duration", callback=_duration, metavar="DURATION", help="End after this time, as 10s.")
@click.option("--format", type=click.Choice(formats("tap")), default="text", show_default=True, help="How messages are written.")
@click.option("--record", metavar="FILE", help="Write them to a new file, with their times, instead of showing them.")
@color_option
def command(
    sockets: tuple[str, ...],
    name: str | None,
    how: str,
    most: int | None,
    prefix: str | None,
    topic: str | None,
    sizes: tuple[int, float] | None,
    grep: re.Pattern[bytes] | None,
    rate: int | None,
    count: int | None,
    duration: float | None,
    format: str,
    record: str | None,
    color: str,
) -> Exit:
    """Show what flows through devices, message by message, until Ctrl-C.

    SOCKET is a device, as `broker`; a side of it, as `broker.in`, for the messages that come in there; or its monitor. Without any,
    all devices are meant. A device without a monitor has one for as long as somebody taps it. A monitor that shares its copies
    among its readers, or has a single one, is refused.

    Watching never holds up a device: what is not read fast enough here is left out, and at the end it is said how much that was.
    What `--record` has written, `ztopo replay` sends again.
    """
    from topo.run.tapping import Tapping

    of_shown = {"--rate": rate, "--bytes": most, "--as": how != "auto", "--format": format != "text"}
    if record is not None and any(of_shown.values()):
        raise click.UsageError(f"{_first(of_shown)} is about what is shown, and with --record nothing is")
    running = topology(name)
    snapshot = running.snapshot()
    wanted = _wanted(snapshot, sockets)
    with ExitStack() as stack:
        tapping = stack.enter_context(Tapping(running, list(wanted)))
        sink: Sink = Shown(format, how, most, rate, color)
        if record is not None:
            sink = stack.enter_context(Recorded(record, snapshot, wanted))
        try:
            why = _pass_on(tapping, Filters(wanted, prefix, topic, sizes, grep), sink, count, duration)
        finally:
            sink.flush()
        missed = _missed(tapping)
    say("".join((f"{why}: " if why else "", sink.report(), missed)))
    return Exit.DONE


def _first(options: Mapping[str, object]) -> str:
    """The first option that is given."""
    return next(option for option, given in options.items() if given)


def _listening(tapping: Tapping) -> str:
    """To whom it listens, in words."""
    names = [line.device for line in tapping.lines.values() if line.runs]
    waiting = [line.device for line in tapping.lines.values() if not line.runs]
    shown = [", ".join(some) if len(some) <= MOST_NAMED else plural(len(some), "device") for some in (names, waiting)]
    parts = [f"listening to {shown[0]}"] if names else []
    return "; ".join([*parts, f"waiting for {shown[1]}"] if waiting else parts)


def _pass_on(tapping: Tapping, filters: Filters, sink: Sink, count: int | None, duration: float | None) -> str:
    """Pass on what comes until that is enough; say why no more comes, if nobody had wanted that."""
    from topo.run.client import NotRunning

    left = count or sys.maxsize
    end = time.monotonic() + (duration if duration is not None else float("inf"))
    with until_signal(tapping.wake) as wanted:
        say(_listening(tapping))
        try:
            while left and wanted() and (now := time.monotonic()) < end:
                found = list(filter(filters.let_through, tapping.read(min(STEP, end - now))))[:left]
                left -= len(found)
                if not sink.take(found):
                    break
        except NotRunning as error:
            return str(error)
    return ""


def _missed(tapping: Tapping) -> str:
    """How many messages did not come here, in words."""
    from topo.run.client import Trouble

    try:
        quiet = tapping.settle()
    except Trouble:  # it has ended: its last counts are gone with it
        return ", how many were missed is not known"
    if not tapping.missed:
        return ""
    return f", {'' if quiet else 'at least '}{tapping.missed} missed: they were not read here in time"


# Which


def _wanted(snapshot: Snapshot, names: Sequence[str]) -> dict[str, frozenset[str]]:
    """The devices that are meant, and the sides of each."""
    if not names:
        return _all(snapshot)
    wanted: dict[str, frozenset[str]] = {}
    for name in names:
        found = _named(snapshot, name)
        if not found:
            raise Refusal(_why_not(snapshot, name))
        if silent := _silent(snapshot, found):
            raise Refusal(silent)
        for device, sides in found.items():
            wanted[device] = wanted.get(device, frozenset()) | sides
    return wanted


def _all(snapshot: Snapshot) -> dict[str, frozenset[str]]:
    """All devices that can be tapped."""
    from topo.run.taps import OPEN

    wanted = {}
    for device in snapshot.devices:
        closed = [s for s in device.sockets if s.id.endswith(".monitor") and s.type not in OPEN]
        if closed:
            say(f"{device.name} is left out: {closed[0].id} is a {closed[0].type}, and a tap would take copies away from others")
        else:
            wanted[device.name] = frozenset(SIDES)
    if not wanted:
        raise Refusal(f"{snapshot.name} has no device to tap")
    return wanted


def _why_not(snapshot: Snapshot, name: str) -> str:
    """Why there is nothing to tap by this name."""
    from topo.diagnostic import did_you_mean
    from topo.watch import named

    if any(named(name, app.name) for app in snapshot.apps):
        return f"{name} is an app: only devices are tapped, such as the one that it is connected to"
    known = [d.name for d in snapshot.devices] + [s.id for d in snapshot.devices for s in d.sockets]
    devices = [d.name for d in snapshot.devices]
    there = f"there are {', '.join(devices[:MOST_NAMED])}" + (", …" if len(devices) > MOST_NAMED else "")
    return ", ".join((f"there is no device or side `{name}`", *(did_you_mean(name, known) or ((there,) if devices else ()))))


def _silent(snapshot: Snapshot, found: dict[str, frozenset[str]]) -> str:
    """Why nothing is to be seen of all that was found; empty if something may be."""
    found_sides = {f"{device}.{side}" for device, sides in found.items() for side in sides}
    sockets = {s.id: s.type for d in snapshot.devices for s in d.sockets}
    if any(sockets.get(side) not in ONLY_SEND for side in found_sides):
        return ""
    side = min(found_sides)
    return f"{side} is a {sockets[side]}: nothing comes in there, and what it sends has come in at the other side"


def _named(snapshot: Snapshot, name: str) -> dict[str, frozenset[str]]:
    """What a name stands for: devices, or the same side of each."""
    from topo.watch import named

    found = {d.name: frozenset(SIDES) for d in snapshot.devices if named(name, d.name)}
    if found:
        return found
    owner, _, side = name.rpartition(".")
    sides = frozenset(SIDES if side == "monitor" else (side,))
    return {
        d.name: sides
        for d in snapshot.devices
        if named(owner, d.name) and f"{d.name}.{side}" in {s.id for s in d.sockets} | {f"{d.name}.monitor"}
    }


class Filters(NamedTuple):
    """Which messages are wanted."""

    sides: dict[str, frozenset[str]]
    prefix: str | None
    topic: str | None
    sizes: tuple[int, float] | None
    grep: re.Pattern[bytes] | None

    def let_through(self, seen: Seen) -> bool:
        """Whether this one is."""
        if seen.side and seen.side not in self.sides[seen.device]:
            return False
        if self.prefix is not None and seen.prefix != _raw(self.prefix):
            return False
        if self.topic is not None and not (seen.parts and seen.parts[0].startswith(_raw(self.topic))):
            return False
        if self.sizes is not None and not self.sizes[0] <= sum(map(len, seen.parts)) <= self.sizes[1]:
            return False
        return self.grep is None or any(map(self.grep.search, seen.parts))


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# What becomes of them


class Sink(Protocol):
    """What messages go to."""

    def take(self, found: Sequence[Seen]) -> bool:
        """Take messages, or note that none came; say whether more are wanted."""
        ...

    def flush(self) -> None:
        """No more come."""
        ...

    def report(self) -> str:
        """What became of them, in words."""
        ...


class Shown:
    """Standard output."""

    def __init__(self, format: str, how: str, most: int | None, rate: int | None, color: str) -> None:
        """On a terminal a line takes one line, unless it is said how many bytes of each part are to be seen, at `most`."""
        self._render = import_module(f"topo.render.tap_{format}").render
        self._how = how
        self._style = style_for(sys.stdout, color)
        self._most = most or MOST_BYTES
        self._fits = most is None and sys.stdout.isatty()
        self._rate = rate
        self._second = 0.0
        """When the second began in which so many may be shown."""
        self._in_second = self._left_out = self._not_said = self._count = 0
        self._epoch = time.time() - time.monotonic()

    def take(self, found: Sequence[Seen]) -> bool:
        """Show as many as may be."""
        lines = [self._line(seen) for seen in found if self._may_be_shown()]
        if self._not_said and time.monotonic() - self._second >= 1.0:
            self._say_left_out()
        return out("".join(lines)) if lines else not _nobody_reads()

    def _line(self, seen: Seen) -> str:
        self._count += 1
        when = self._epoch + seen.at / 1e9
        cells = self._style.width if self._fits else None
        line: str = self._render(when, seen.device, seen.side, seen.parts, self._how, self._style, self._most, cells)
        return line + "\n"

    def _may_be_shown(self) -> bool:
        if self._rate is None:
            return True
        now = time.monotonic()
        if now - self._second >= 1.0:
            self._say_left_out()
            self._second, self._in_second = now, 0
        self._in_second += 1
        if self._in_second <= self._rate:
            return True
        self._not_said += 1
        return False

    def _say_left_out(self) -> None:
        if self._not_said:
            say(f"[{plural(self._not_said, 'message')} not shown]")
            self._left_out += self._not_said
            self._not_said = 0

    def flush(self) -> None:
        """Say what has not been said."""
        self._say_left_out()

    def report(self) -> str:
        """How many were shown, and how many not."""
        left_out = f", {self._left_out} not shown: more than {self._rate} in a second" if self._left_out else ""
        return f"{plural(self._count, 'message')} shown{left_out}"


def _nobody_reads() -> bool:
    """Whether the other end of standard output is closed, though nothing was written yet."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


class Recorded:
    """A new file."""

    def __init__(self, path: str, snapshot: Snapshot, wanted: dict[str, frozenset[str]]) -> None:
        from topo.recording import Header, Recorder

        sockets = {s.id: s.type for d in snapshot.devices if d.name in wanted for s in d.sockets if not s.id.endswith(".monitor")}
        self._path = path
        self._begun = time.monotonic_ns()
        self._due = 0.0
        """When everything is to be on the disk again."""
        try:
            self._recorder = Recorder(path, Header(snapshot.name, snapshot.file, time.time_ns(), sockets))
        except FileExistsError:
            raise Refusal(f"{path} is there already, and is not written over") from None
        except OSError as error:
            raise Refusal(f"cannot write {path}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._recorder.close()

    def take(self, found: Sequence[Seen]) -> bool:
        """Write them, to the disk at least every so often."""
        from topo.recording import Record

        with self._writing():
            for seen in found:
                self._recorder.add(Record(seen.at - self._begun, seen.device, seen.side, tuple(seen.parts)))
            if time.monotonic() >= self._due:
                self._recorder.flush()
                self._due = time.monotonic() + STEP
        return True

    def flush(self) -> None:
        """Write the rest."""
        with self._writing():
            self._recorder.flush()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            count = plural(self._recorder.records, "message")
            raise Refusal(f"cannot write {self._path}: {error.strerror}; it ends here, with {count}") from error

    def report(self) -> str:
        """How many there are."""
        return f"{plural(self._recorder.records, 'message')} recorded in {self._path}"
