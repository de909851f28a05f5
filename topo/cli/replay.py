"""`ztopo replay`: send again what was recorded."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from topo.cli import Exit, Refusal, say, topology
from topo.signals import until_signal
from topo.text import plural

if TYPE_CHECKING:
    from topo.recording import Record
    from topo.run.snapshot import Snapshot

TYPES = ("PUSH", "PUB", "DEALER", "PAIR")
"""Those that can send whatever they like."""
SUBSCRIBED = ("PUB",)
TAKES = {False: "who takes messages", True: "who has subscribed"}
LATE = 0.05
"""Seconds of being late that are worth a word."""


def _speed(context: click.Context, parameter: click.Parameter, value: str) -> float | None:
    """A factor; None is as fast as it goes."""
    if value == "max":
        return None
    try:
        speed = float(value)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed < float("inf"):
        raise click.BadParameter(f"{value!r} is no speed, as 1, 2.5 or max")
    return speed


@click.command(short_help="Send again what `ztopo tap --record` has recorded.")
@click.argument("file", type=click.Path())
@click.option("--into", required=True, metavar="SOCKET", help="A side of a device, as `broker.in`, or an endpoint.")
@click.option(
    "-t", "--topology", "name", metavar="NAME", help="The topology of the side; it may be left out where only one runs."
)
@click.option(
    "--type",
    type=click.Choice(TYPES),
    help="The type of socket that sends. Only for an endpoint; a side says itself what it takes.",
)
@click.option(
    "--from", "sources", multiple=True, metavar="SOCKET", help="Only what came in at this side, as `broker.in`. May be repeated."
)
@click.option(
    "--speed",
    default="1",
    show_default=True,
    callback=_speed,
    metavar="FACTOR",
    help="2 is twice as fast as it was, max as fast as it goes.",
)
@click.option("--loop", is_flag=True, help="Begin again at the end, until Ctrl-C.")
@click.option("--keep-ids", is_flag=True, help="Leave the ids in their place that a ROUTER had put before the messages.")
def command(
    file: str,
    into: str,
    name: str | None,
    type: str | None,
    sources: tuple[str, ...],
    speed: float | None,
    loop: bool,
    keep_ids: bool,
) -> Exit:
    """Send again what `ztopo tap --record` has recorded, at the times at which it came.

    SOCKET is a side of a device that runs, which has to bind an address, or an endpoint, as `tcp://127.0.0.1:5555`, together with
    `--type`. Messages that came in at a ROUTER are sent without the id that it had put before them, as the sender had sent them.
    Answers are thrown away. Ctrl-C ends it.
    """
    from topo.recording import NoRecording

    try:
        chosen = Chosen(file, into, sources)
        kind, endpoint = _target(into, name, type)
        say(_replayed(chosen, into, kind, endpoint, speed, loop, 0 if keep_ids or kind != "DEALER" else 1))
    except NoRecording as error:
        raise Refusal(str(error)) from error
    return Exit.DONE


def _replayed(chosen: Chosen, into: str, type: str, endpoint: str, speed: float | None, loop: bool, ids: int) -> str:
    """Send what was chosen, and return what became of it in words. `ids` is how many parts a ROUTER had put before a message."""
    import zmq

    from topo.run.replaying import Replay, due

    try:
        replay = Replay(type, endpoint, on_waiting=lambda: say(f"waiting for somebody at {endpoint} {TAKES[type in SUBSCRIBED]}"))
    except zmq.ZMQError as error:
        raise Refusal(f"cannot connect to {endpoint}: {error.strerror}") from error
    begun = time.monotonic()
    with until_signal(lambda: None) as wanted:
        try:
            say(f"sending to {into}")
            if type != "DEALER" and (routers := chosen.routers):
                say(f"warning: {', '.join(routers)} is a ROUTER: a {type} sends its ids along, as parts, and gets no answers")
            if replay.wait_until_taken(wanted):
                begun = time.monotonic()
                replay.send(due(chosen, speed, loop=loop), lambda record: ids * chosen.has_id(record), wanted)
            seconds = time.monotonic() - begun
        finally:
            replay.close()
    parts = [f"{plural(replay.sent, 'message')} sent in {seconds:.1f} s"]
    parts += [f"{chosen.left_out} left out: they came in at {', '.join(chosen.others)}"] if chosen.left_out else []
    parts += [f"{plural(replay.answers, 'answer')} thrown away"] if replay.answers else []
    parts += [f"up to {replay.latest:.1f} s late: they were not taken faster"] if speed and replay.latest > LATE else []
    parts += [f"the last {plural(chosen.torn, 'byte')} of the file are no whole message"] if chosen.torn else []
    return ", ".join(parts)


class Chosen:
    """What is to be sent of a recording. It can be gone through several times."""

    def __init__(self, file: str, into: str, sources: Sequence[str]) -> None:
        """NoRecording if it is none, Refusal if it is not clear what is meant."""
        from topo.recording import Recording

        try:
            self._recording = Recording(file)
        except OSError as error:
            raise Refusal(f"cannot read {file}: {error.strerror}") from error
        there = Counter(record.socket for record in self._recording)
        self.torn = self._recording.torn
        """How many bytes at its end are no whole record."""
        self._sources = frozenset(sources or ([into] if into in there else there))
        if not there:
            raise Refusal(f"{file} has no messages")
        shown = ", ".join(f"{socket} ({count})" for socket, count in there.items())
        if not self._sources <= there.keys():
            missing = ", ".join(sorted(self._sources - there.keys()))
            raise Refusal(f"{file} has nothing that came in at {missing}: there is {shown}")
        if not sources and len(self._sources) > 1:
            raise Refusal(f"{file} has messages that came in at several sides, name those to send with --from: {shown}")
        self.others = tuple(sorted(there.keys() - self._sources))
        """The sides whose messages are not sent."""
        self.left_out = sum(there[socket] for socket in self.others)
        """How many those are."""
        self.routers = tuple(sorted(s for s in self._sources if self._recording.header.sockets.get(s) == "ROUTER"))
        """The sides that put an id before each message."""

    def __iter__(self) -> Iterator[Record]:
        return (record for record in self._recording if record.socket in self._sources)

    def has_id(self, record: Record) -> bool:
        """Whether a ROUTER has put an id before it."""
        return record.socket in self.routers


def _target(into: str, name: str | None, type: str | None) -> tuple[str, str]:
    """The type of the socket that sends, and where it connects to."""
    if "://" in into:
        if type is None:
            raise click.UsageError(f"which type of socket is to send to {into}? Say --type, one of {', '.join(TYPES)}")
        return type, into
    if type is not None:
        raise click.UsageError("--type is for an endpoint: what a side takes is known")
    return _side(topology(name).snapshot(), into)


def _side(snapshot: Snapshot, into: str) -> tuple[str, str]:
    from topo.diagnostic import did_you_mean
    from topo.run.replaying import feeder
    from topo.zeromq.transports import for_connecting

    sockets = {s.id: s for device in snapshot.devices for s in device.sockets if not s.id.endswith(".monitor")}
    if into not in sockets:
        notes = "".join(f", {note}" for note in did_you_mean(into, sockets))
        raise Refusal(f"there is no side `{into}` in {snapshot.name}{notes}")
    side = sockets[into]
    kind = feeder(side.type)
    if kind is None:
        raise Refusal(f"{into} is a {side.type}, which receives nothing")
    addresses = [for_connecting(address) for address in side.bound if not address.startswith("inproc://")]
    if not addresses:
        raise Refusal(f"{into} has bound no address that can be reached from here")
    return kind, addresses[0]
