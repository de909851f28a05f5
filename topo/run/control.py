"""Where a running topology can be asked: a socket in its runtime folder, and what is answered there.

A request is a line of JSON with a `verb`. The answers are lines too; the last one is `{"end": true}`, or `{"error": {"message":
..., "exit": ...}}` with what a command should end with. A stream goes on until either side closes, or the asking side says anything.

Each who asks has a thread here, so that nobody waits for somebody else, and the supervisor for none of them. What a stream has no
room for is left out, and `{"missed": ...}` says how much that was.

Whether the socket is still in its place is looked at every few seconds. If it is not it is made again, with the folder if need be.

What can be asked is the table VERBS. An answer is a generator; it is closed when whoever asked has gone, so what it has set up it
takes down in a `finally`.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol, Self

import msgspec

from topo.plan import Plan
from topo.run import mistakes, wire
from topo.run.again import NotAgain
from topo.run.changing import Changer, Moved
from topo.run.events import Command, Done, ReloadAsked, StopAsked, Told, Undrained
from topo.run.feed import Feed, Missed
from topo.run.folder import CONTROL, Home, control_path, restore
from topo.run.folder import Refused as Unusable
from topo.run.joined import Declared, Wanted
from topo.run.journal import Journal, Record
from topo.run.snapshot import FORMAT_VERSION, Present, Snapshot
from topo.run.taps import NoTap, Tapped, Taps
from topo.source import Source
from topo.steps import ChangePlan

__all__ = ["VERBS", "Call", "Control", "Refusal", "Verb"]

LONGEST_REQUEST = 1 << 26
"""In bytes: a change of ten thousand devices takes some tens of millions."""
REFUSED, NOT_RUNNING = 78, 3
"""What a command ends with if its change is refused, or there is nobody any more to change."""
OF_CHANGE = ("changing", "change step", "changed", "rolled back", "finding")
"""The events that whoever wants a change is told."""
MOST_CALLERS = 256
"""So many may be connected. One more takes the place of the one who has been silent for the longest time."""
PATIENCE = 60.0
"""Seconds that may pass until the next request."""
LAST_WORDS = 2.0
"""Seconds that those who look on have at the end to take what is left."""
LOOK = 3.0
"""Seconds from look to look at whether the socket is still in its place."""
SHORTAGE = 0.1
"""Seconds to wait where the system has no descriptor or thread for one more."""


Answers = Generator[object, None, None]


class Controlled(Protocol):
    """As much of the supervisor as is needed here."""

    def post(self, event: StopAsked | ReloadAsked) -> None:
        """Let this happen. From any thread."""
        ...

    @property
    def plan(self) -> Plan:
        """What runs at present."""
        ...

    def command(self, device: str, what: Command, timeout: float) -> Done:
        """Let a device carry out a command. OSError if it cannot, TimeoutError, RuntimeError at the end of the topology."""
        ...

    def snapshot(self) -> Snapshot:
        """What runs. From any thread; RuntimeError at the end of the topology."""
        ...

    def present(self) -> Present:
        """All that a change is planned from, likewise."""
        ...

    def restart(self, devices: Iterable[str]) -> tuple[Undrained, ...]:
        """Start devices again, and say what was lost. NotAgain if that cannot be; RuntimeError at the end of the topology."""
        ...

    @property
    def changer(self) -> Changer:
        """What changes what runs."""
        ...

    def joining(self, app: str, socket: str, feed: Feed[Wanted]) -> AbstractContextManager[Declared]:
        """Have a socket of an app count. KeyError if there is none of these names."""
        ...

    def subscribe(self, listener: Callable[[Told], None]) -> Callable[[], None]:
        """Tell the listener whatever is told, until what is returned is called."""
        ...


class Refusal(Exception):
    """What is asked for cannot be had; a command should end with `exit`."""

    def __init__(self, message: str, exit: int = 2) -> None:
        super().__init__(message)
        self.exit = exit


class HungUp(Exception):
    """Whoever has asked takes no answer any more."""


class Call:
    """Somebody who asks."""

    def __init__(self, supervisor: Controlled, journal: Journal, connection: socket.socket, control: Control) -> None:
        self.supervisor = supervisor
        self.journal = journal
        self._connection = connection
        self._control = control

    def follow(self, feed: Feed[Any]) -> Iterator[object]:
        """What a feed is told, and what it has missed, until the topology ends or whoever asked has gone."""
        with self._control.ending(feed):
            for thing in feed.follow(self._connection):
                yield {"missed": thing.count} if isinstance(thing, Missed) else thing

    @property
    def taps(self) -> Taps:
        """All taps of the topology."""
        return self._control.taps

    @property
    def rereads(self) -> bool:
        """Whether there is a file that somebody reads again."""
        return self._control.rereads


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of a verb that has none."""


class Stop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants it to end, and whether by force: what does not end at once is killed."""

    by: str = "ztopo down"
    force: bool = False
    drain: float | None = None
    """For how many seconds it may drain, if not for as long as usual."""


class Devices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names of devices."""

    devices: tuple[str, ...]


class Join(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An app, and what it calls its socket."""

    app: str
    socket: str = ""


class Apply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change, and the texts that its places are in, by their names."""

    change: ChangePlan
    sources: dict[str, str] = {}


class Reload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants the file to be read again."""

    by: str = "ztopo reload"


class Verb(NamedTuple):
    """Something that can be asked: what its arguments are, and who answers."""

    arguments: type[msgspec.Struct]
    answer: Callable[[Call, Any], Answers]
    """`Any` is an instance of `arguments`."""


def ping(call: Call, _: Nothing) -> Answers:
    """Say that somebody is there, which version is spoken, and which phase it is in."""
    yield {"pid": os.getpid(), "format_version": FORMAT_VERSION, "phase": call.journal.phase}


def status(call: Call, _: Nothing) -> Answers:
    """Say what runs."""
    yield call.supervisor.snapshot()


def present(call: Call, _: Nothing) -> Answers:
    """Say all that a change is planned from."""
    yield call.supervisor.present()


def stop(call: Call, wish: Stop) -> Answers:
    """Let it end. That this is heard is all that is answered; its end is seen in the events."""
    for _ in range(2 if wish.force else 1):  # to insist twice is what forces it
        call.supervisor.post(StopAsked(wish.by, insists=wish.force, timeout=wish.drain))
    yield {"asked": True}


def tap(call: Call, wanted: Devices) -> Answers:
    """Tap devices for as long as the connection is there. Says where to listen, again whenever that changes."""
    feed: Feed[Tapped] = Feed()
    try:
        with call.taps.tapped(wanted.devices, feed.put):
            yield from call.follow(feed)
    except NoTap as why:
        raise Refusal(str(why)) from why
    finally:
        feed.discard()


def join(call: Call, wish: Join) -> Answers:
    """Let a socket of an app join: say what it is, then what is wanted of it, until the app closes it or the topology ends."""
    feed: Feed[Wanted] = Feed()
    try:
        with call.supervisor.joining(wish.app, wish.socket, feed) as declared:
            yield declared
            yield from call.follow(feed)
    except KeyError as error:
        raise Refusal(_no_such_socket(call.supervisor.plan, wish)) from error
    finally:
        feed.discard()


def _no_such_socket(plan: Plan, wish: Join) -> str:
    there = [s.id for app in plan.apps if app.name == wish.app for s in app.sockets]
    has = f"has {', '.join(there)}" if there else "declares none"
    return (
        f"{wish.app} has no socket {wish.socket!r}; it {has}" if wish.socket else f"{wish.app} {has}: say which socket is meant"
    )


def restart(call: Call, wanted: Devices) -> Answers:
    """Start devices again, and say what was lost, or may be."""
    try:
        yield {"lost": call.supervisor.restart(wanted.devices)}
    except NotAgain as error:
        raise Refusal(str(error), 1) from error


def copies(call: Call, wanted: Devices) -> Answers:
    """Say how many copies devices have passed to their monitors."""
    yield {"passed": call.taps.passed(wanted.devices)}


def events(call: Call, _: Nothing) -> Answers:
    """Say what runs, then what happens to it: `{"snapshot": ...}`, and each record of the journal except output."""
    feed: Feed[Record] = Feed()
    unsubscribe = call.journal.subscribe(feed.put)
    try:
        yield {"format_version": FORMAT_VERSION, "snapshot": call.supervisor.snapshot()}
        yield from call.follow(feed)
    finally:
        unsubscribe()
        feed.discard()


def apply(call: Call, wish: Apply) -> Answers:
    """Carry out a change. Says each thing that happens to it, then `{"done": ..., "why": ...}`.

    If whoever asked has gone before it is over, everything goes back.
    """
    feed: Feed[Record] = Feed()
    unsubscribe = call.journal.subscribe(feed.put)
    change = call.supervisor.changer.begin(wish.change, {name: Source(text, name) for name, text in wish.sources.items()})
    change.over.then(feed.close)
    try:
        yield from (thing for thing in call.follow(feed) if not isinstance(thing, Record) or thing.event in OF_CHANGE)
        if change.over.is_set():
            rolled_back = change.result()
            yield {"done": rolled_back is None, "why": rolled_back.why if rolled_back else ""}
    except Moved as why:
        moved = mistakes.moved(str(why))
        raise Refusal("; ".join((moved.message, *moved.notes)), REFUSED) from why
    except RuntimeError as ended:
        raise Refusal(str(ended), NOT_RUNNING) from ended
    finally:
        change.withdraw()
        unsubscribe()
        feed.discard()


def reload(call: Call, wish: Reload) -> Answers:
    """Let the file be read again. That this is heard is all that is answered; what comes of it is seen in the events."""
    if not call.rereads:
        name = call.supervisor.plan.name
        raise Refusal(
            f"{name} is run by a program, process {os.getpid()}, and no file is read again: ztopo apply changes it, too"
        )
    call.supervisor.post(ReloadAsked(wish.by))
    yield {"asked": True}


VERBS = {
    "ping": Verb(Nothing, ping),
    "status": Verb(Nothing, status),
    "stop": Verb(Stop, stop),
    "present": Verb(Nothing, present),
    "tap": Verb(Devices, tap),
    "join": Verb(Join, join),
    "restart": Verb(Devices, restart),
    "copies": Verb(Devices, copies),
    "events": Verb(Nothing, events),
    "apply": Verb(Apply, apply),
    "reload": Verb(Reload, reload),
}


class Control:
    """The socket of a topology, and all who ask there. It answers within its block."""

    def __init__(
        self,
        home: Home,
        supervisor: Controlled,
        journal: Journal,
        look: float = LOOK,
        *,
        rereads: bool = True,
        on_look: Callable[[], None] = lambda: None,
    ) -> None:
        """Raises `folder.Refused` if the socket cannot be made. `rereads` is whether somebody hears the wish to read a file again.

        `on_look` is called each time that it is seen to be in its place.
        """
        self.rereads = rereads
        self._on_look = on_look
        self._home = home
        self._folder = home.folder
        self._look_every = look
        self._trouble = ""
        """Why the socket could not be made again, the last time that this was tried."""
        self._supervisor = supervisor
        self.taps = Taps(supervisor)
        self._journal = journal
        self._lock = threading.Lock()
        self._callers: dict[socket.socket, threading.Thread] = {}
        self._silent: dict[socket.socket, None] = {}
        """Those of whom the next request is awaited, the one who has been silent for the longest time first."""
        self._feeds: set[Feed[Any]] = set()
        self._closing = threading.Event()
        self._listener = _listen(self._folder)
        self._identity = _identity(self._folder)
        self._bell, self._string = socket.socketpair()
        """What wakes the thread that accepts, at the end."""
        self._thread = threading.Thread(target=self._accept, name="ztopo control", daemon=True)

    def __enter__(self) -> Self:
        """Raises `folder.Refused` if the system has no more threads."""
        try:
            self._thread.start()
        except RuntimeError as error:
            self._close()
            raise Unusable(mistakes.folder_unusable(str(self._folder), str(error))) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._string.send(b"!")
        self._thread.join()
        self._close()
        with self._lock:
            for feed in self._feeds:
                feed.close()
            for connection in self._silent:
                _hang_up(connection)
        self._join(time.monotonic() + LAST_WORDS)
        with self._lock:
            for connection in self._callers:
                _hang_up(connection)

    def _close(self) -> None:
        for end in (self._listener, self._bell, self._string):
            end.close()
        if self._is_in_place():
            (self._folder / CONTROL).unlink(missing_ok=True)

    def _is_in_place(self) -> bool:
        return self._identity is not None and _identity(self._folder) == self._identity

    def _join(self, end: float) -> None:
        """Wait until all who ask have what they asked for, or that moment has come."""
        with self._lock:
            threads = tuple(self._callers.values())
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))

    @contextmanager
    def ending(self, feed: Feed[Any]) -> Iterator[None]:
        """Within the block, the end of the topology is the end of the feed."""
        with self._lock:
            self._feeds.add(feed)
            if self._closing.is_set():
                feed.close()
        try:
            yield
        finally:
            with self._lock:
                self._feeds.discard(feed)

    # In the thread that accepts

    def _accept(self) -> None:
        while not self._closing.is_set():
            if not self._is_rung():
                if self._look():
                    self._on_look()
                continue
            if self._closing.is_set():
                return
            try:
                connection, _ = self._listener.accept()
                self._welcome(connection)
            except BlockingIOError:  # they have left already
                continue
            except (OSError, RuntimeError):  # the system has no descriptor or thread for one more
                self._closing.wait(SHORTAGE)

    def _is_rung(self) -> bool:
        """Wait until somebody comes, or it is time to look after the socket; say whether somebody has come."""
        waiting = select.poll()
        for heard in (self._listener, self._bell):
            waiting.register(heard, select.POLLIN)
        return bool(waiting.poll(self._look_every * 1000))

    def _look(self) -> bool:
        """Make the socket again if it is not in its place any more, and the folder if that has gone; both are said.

        Says whether they are there.
        """
        try:
            whole = restore(self._home)
            if self._is_in_place():
                return True
            (self._folder / CONTROL).unlink(missing_ok=True)
            listener = _listen(self._folder)
        except (OSError, Unusable) as error:
            why = error.diagnostic.message if isinstance(error, Unusable) else error.strerror or str(error)
            if why != self._trouble:
                self._trouble = why
                self._journal.note("warning", "unreachable", f"{self._folder} was removed, and cannot be made again: {why}")
            return False
        self._listener.close()
        self._listener, self._identity, self._trouble = listener, _identity(self._folder), ""
        what = self._folder if whole else self._folder / CONTROL
        self._journal.note("warning", "reachable again", f"{what} was removed, and is made again")
        return True

    def _welcome(self, connection: socket.socket) -> None:
        connection.setblocking(True)  # which some systems take over from the listener
        with ExitStack() as failed:
            failed.callback(self._forget, connection)
            if not _is_ours(connection) or not self._has_room():
                return
            thread = threading.Thread(target=self._serve, args=(connection,), name="ztopo control caller", daemon=True)
            with self._lock:
                self._callers[connection] = thread
                self._silent[connection] = None
            thread.start()
            failed.pop_all()

    def _has_room(self) -> bool:
        """Whether there is room for one more; somebody who is silent makes room."""
        with self._lock:
            if len(self._callers) < MOST_CALLERS:
                return True
            for connection in self._silent:
                _hang_up(connection)
                del self._silent[connection]
                return True
            return False

    def _forget(self, connection: socket.socket) -> None:
        with self._lock:
            self._callers.pop(connection, None)
            self._silent.pop(connection, None)
            connection.close()

    # In the thread of one who asks

    def _serve(self, connection: socket.socket) -> None:
        try:
            with suppress(OSError, HungUp), connection.makefile("rb") as lines:  # it has gone, or is too slow
                while (line := self._request(connection, lines)).endswith(b"\n"):
                    self._answer(connection, line)
        finally:
            self._forget(connection)

    def _request(self, connection: socket.socket, lines: BinaryIO) -> bytes:
        """The next line; without its end if the other side has gone in its midst, or it is too long."""
        connection.settimeout(PATIENCE)
        line = lines.readline(LONGEST_REQUEST)
        with self._lock:
            self._silent.pop(connection, None)
        if len(line) == LONGEST_REQUEST:
            _send(connection, _error(f"a request has at most {LONGEST_REQUEST} bytes", 2))
        return line

    def _answer(self, connection: socket.socket, line: bytes) -> None:
        connection.settimeout(None)  # who does not read keeps but this thread
        try:
            verb, arguments = _understood(line)
            with closing(verb.answer(Call(self._supervisor, self._journal, connection, self), arguments)) as answers:
                for answer in answers:
                    _send(connection, answer)
            last: object = {"end": True}
        except Refusal as refusal:
            last = _error(str(refusal), refusal.exit)
        except HungUp:
            raise
        except OSError as error:  # the system has refused something that is needed
            last = _error(error.strerror or repr(error), 2)
        except RuntimeError as ended:  # so the supervisor says that there is nobody to ask any more
            last = _error(str(ended), 3)
        except Exception as error:
            last = _error(f"a mistake in ztopo, please report it: {error!r}", 2)
        _send(connection, last)
        with self._lock:
            self._silent[connection] = None
            if self._closing.is_set():
                _hang_up(connection)


def _identity(folder: Path) -> tuple[int, int] | None:
    """Which socket lies in a folder, so that it is known again; None if there is none."""
    try:
        found = os.lstat(folder / CONTROL)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _listen(folder: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        with control_path(folder) as path:
            listener.bind(path)
        listener.listen(MOST_CALLERS)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise Unusable(mistakes.folder_unusable(str(folder), error.strerror or str(error))) from error
    return listener


def _is_ours(connection: socket.socket) -> bool:
    """Whether the one who asks is the same user, or root. Where the system does not tell, the folder keeps others out."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return user in (os.getuid(), 0)


def _understood(line: bytes) -> tuple[Verb, msgspec.Struct]:
    """What is asked for. Refusal if that is nothing."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Refusal(f"this is no JSON: {error}") from error
    if not isinstance(request, dict) or not isinstance(request.get("verb"), str):
        raise Refusal("a request is an object with a verb")
    name = request.pop("verb")
    if name not in VERBS:
        raise Refusal(f"there is no verb {name!r}, there are {', '.join(VERBS)}")
    try:
        return VERBS[name], msgspec.convert(request, VERBS[name].arguments)
    except msgspec.ValidationError as error:
        raise Refusal(f"{name}: {error}") from error


def _error(message: str, exit: int) -> dict[str, object]:
    return {"error": {"message": message, "exit": exit}}


def _send(connection: socket.socket, answer: object) -> None:
    """Raises HungUp if nobody takes it."""
    data = wire.quickly(answer)
    try:
        connection.sendall(data)
    except OSError as error:
        raise HungUp from error


def _hang_up(connection: socket.socket) -> None:
    """Let the thread that waits for this one go on. Its descriptor is closed there."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
