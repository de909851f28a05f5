"""A device in its thread.

Its sockets are made, used and closed in that thread. It first binds everything and says at which addresses; then it waits to
be told the addresses of the others, connects, and passes messages on until it is asked to end. Commands are carried out in the
same thread, between two messages. Whatever happens, its last word is either `Stopped` or `Failed`, said after its sockets are
closed.
"""

from __future__ import annotations

import errno
import signal
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING

import msgspec
import zmq

from topo.devcore import Proxy, ProxyError
from topo.devcore.closing import wait_for_io_threads
from topo.devcore.listener import Listener
from topo.plan import DevicePlan, Origin, SocketPlan
from topo.run.events import (
    TAP,
    Addresses,
    Attach,
    BindTo,
    Bound,
    Command,
    ConnectTo,
    CountEnded,
    Detach,
    DisconnectFrom,
    Done,
    Drain,
    Failed,
    FromDevice,
    NotDone,
    Pause,
    Ready,
    Resume,
    SetOption,
    Stopped,
    Turn,
    UnbindFrom,
    WatchPeers,
)
from topo.run.sockets import Bindings, Context, Socket, SocketError, connect, connect_one, make

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["Device"]

Post = Callable[[FromDevice], None]

MADE_AS = {"PUB": "XPUB"}
"""What a monitor is made as: an XPUB tells the device whether anybody listens. To the user it is a PUB."""


class Device:
    """One device, for one life. Its methods may be called from any thread, and do not block."""

    def __init__(
        self,
        plan: DevicePlan,
        context: Context,
        post: Post,
        *,
        lasting: bool,
        memory: WriteableBuffer | None = None,
        kept: Mapping[Origin, Listener] | None = None,
    ) -> None:
        """`lasting` says that the context goes on after the device, and others may want its addresses.

        It counts in `memory`. `kept` listen already for some of its binds.
        """
        self.plan = plan
        self._lasting = lasting
        self._context = context
        self._post = post
        self._memory = memory
        self._kept = dict(kept or {})
        self._addresses: SimpleQueue[Addresses | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._proxy: Proxy | None = None
        self._stopping = False
        self._bindings = Bindings()
        self._sockets: dict[str, Socket] = {}
        self._watches: dict[str, Ended] = {}
        self._thread = threading.Thread(target=self._run, name=f"ztopo {plan.name}", daemon=True)

    def start(self) -> None:
        """Begin to bind."""
        try:
            self._thread.start()
        except RuntimeError as error:  # the system has no more threads; Python has no other exception for that
            self._post(Failed(self.plan.name, "run", self.plan.frontend.id, errno=errno.EAGAIN, reason=str(error)))

    def connect(self, addresses: Addresses) -> None:
        """Go on: everything is bound, there."""
        self._addresses.put(addresses)

    def stop(self, drain: Drain | None = None) -> None:
        """Ask it to end: at once, or when it is drained."""
        with self._lock:
            if self._proxy is not None and drain is not None:
                self._proxy.drain(quiet=drain.quiet, received=drain.received)
                return
            self._stopping = True
            if self._proxy is not None:
                self._proxy.terminate()
        self._addresses.put(None)

    def do(self, number: int, command: Command) -> None:
        """Let it carry out a command in its thread. It answers with `Done` or `NotDone` and this number, whatever happens."""
        with self._lock:
            running = self._proxy is not None and not self._stopping
            if self._proxy is not None and running:
                self._proxy.post((number, command))
        if not running:
            self._post(NotDone(self.plan.name, number, errno.ESRCH, "it does not run"))

    def join(self, timeout: float | None = None) -> bool:
        """Wait for its end, and say whether it has come. One that could not begin has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def statistics(self) -> dict[str, object]:
        """What it has done so far."""
        with self._lock:
            return _numbers(self._proxy) if self._proxy is not None else {}

    # In the thread

    def _run(self) -> None:
        _leave_signals_to_others()
        try:
            last = self._live()
        except SocketError as error:
            last = Failed(
                self.plan.name, error.step, error.socket, error.index, error.endpoint, error.errno, error.reason, error.holder
            )
        except ProxyError as error:
            code = error.errno or 0
            last = Failed(self.plan.name, "run", self._id_of(error.side), errno=code, reason=str(zmq.strerror(code)))
        except OSError as error:  # its proxy needs descriptors too
            reason = error.strerror or str(error)
            last = Failed(self.plan.name, "run", self.plan.frontend.id, errno=error.errno or 0, reason=reason)
        except Exception:  # whatever it is, it is ours, and must be heard by those who wait for this device
            last = Failed(self.plan.name, "mistake", reason=traceback.format_exc())
        with self._lock:
            proxy, self._proxy = self._proxy, None
        for watch in self._watches.values():
            watch.close()
        self._bindings.close([*self._sockets.values()], self._context if self._lasting else None)
        if proxy is not None:
            self._refuse_the_rest(proxy)
        self._post(last)

    def _live(self) -> FromDevice:
        addresses: Addresses = {}
        for plan in self.plan.sockets:
            self._sockets[plan.id] = make(self._context, plan, self._made_as(plan))
        for plan in self.plan.sockets:
            addresses[plan.id] = self._bindings.bind(self._sockets[plan.id], plan, self._kept)
        self._kept.clear()  # libzmq has its own by now
        self._post(Bound(self.plan.name, addresses))
        others = self._addresses.get()
        if others is None:
            return Stopped(self.plan.name, "terminated")
        for plan in self.plan.sockets:
            connect(self._sockets[plan.id], plan, others)
        proxy = self._make_proxy()
        self._post(Ready(self.plan.name, threading.get_native_id()))
        while (reason := proxy.run()) == "command":
            self._obey(proxy, *proxy.take())
        return Stopped(self.plan.name, reason, _numbers(proxy))

    def _made_as(self, plan: SocketPlan) -> str:
        return MADE_AS.get(plan.type, plan.type) if plan is self.plan.capture else plan.type

    def _make_proxy(self) -> Proxy:
        plans = self.plan
        frontend = self._sockets[plans.frontend.id]
        backend = self._sockets[plans.backend.id] if plans.backend is not None else frontend
        capture = self._sockets[plans.capture.id] if plans.capture is not None else None
        proxy = Proxy(frontend, backend, capture, prefixes=plans.prefixes, swap=plans.swap, memory=self._memory)
        with self._lock:
            self._proxy = proxy
            if self._stopping:
                proxy.terminate()
        return proxy

    def _id_of(self, side: str) -> str:
        socket = {"frontend": self.plan.frontend, "backend": self.plan.backend, "capture": self.plan.capture}.get(side)
        return (socket or self.plan.frontend).id

    # Commands

    def _obey(self, proxy: Proxy, number: int, command: Command) -> None:
        name = self.plan.name
        try:
            self._post(self._do(proxy, number, command))
        except SocketError as error:
            self._post(NotDone(name, number, error.errno, error.reason))
        except KeyError as error:
            self._post(NotDone(name, number, errno.EINVAL, f"{name} has no socket {error}"))
        except (OSError, zmq.ZMQError) as error:
            self._post(NotDone(name, number, error.errno or 0, error.strerror or str(error)))

    def _source_of(self, sender: str) -> str | None:
        """The side from which a socket gets what it sends; None for all of them."""
        if not sender or self.plan.backend is None:
            return None
        return {self.plan.backend.id: "frontend", self.plan.frontend.id: "backend"}[sender]

    def _do(self, proxy: Proxy, number: int, command: Command) -> Done:
        """Carry it out, and return what there is to say of it."""
        bound: tuple[str, ...] = ()
        count = 0
        match command:
            case Pause(sender):
                proxy.pause(self._source_of(sender))
            case Resume(sender):
                proxy.resume(self._source_of(sender))
            case Turn():
                pass  # its loop goes round once this is answered
            case Drain(quiet, received):
                proxy.drain(quiet=quiet, received=received)
            case BindTo(socket, endpoint, before):
                bound = (self._bindings.bind_to(self._sockets[socket], socket, -1, endpoint, before=before),)
            case UnbindFrom(socket, address):
                self._bindings.unbind(self._context, self._sockets[socket], address)
            case ConnectTo(socket, address):
                connect_one(self._sockets[socket], address)
            case DisconnectFrom(socket, address):
                self._sockets[socket].disconnect(address)
            case SetOption(socket, option, value):
                self._sockets[socket].setsockopt(option, value)
            case WatchPeers(socket, on):
                self._watches.pop(socket, Ended()).close()
                if on:
                    self._watches[socket] = Ended(self._sockets[socket])
            case CountEnded(socket, sure):
                if sure:
                    wait_for_io_threads(self._context)
                count = self._watches[socket].count()
            case Attach(plan):
                bound = self._attach(proxy, plan)
            case Detach(id):
                self._detach(proxy, id)
        return Done(self.plan.name, number, bound, count)

    def _attach(self, proxy: Proxy, plan: SocketPlan) -> tuple[str, ...]:
        there = self.plan.capture
        if there is not None:
            if not there.id.endswith(TAP) or plan.id == there.id:
                raise OSError(errno.EALREADY, f"{self.plan.name} has a monitor")
            self._detach(proxy)
        socket = make(self._context, plan, MADE_AS.get(plan.type, plan.type))
        try:
            addresses = self._bindings.bind(socket, plan)
            connect(socket, plan, {})
            proxy.capture = socket
        except BaseException:
            self._bindings.close([socket], self._context)
            raise
        self._sockets[plan.id] = socket
        self.plan = msgspec.structs.replace(self.plan, capture=plan)
        return addresses

    def _detach(self, proxy: Proxy, id: str = "") -> None:
        plan = self.plan.capture
        if plan is None or (id and plan.id != id):
            raise OSError(errno.ENOENT, f"{self.plan.name} has no {'such ' if id else ''}monitor")
        proxy.capture = None
        self.plan = msgspec.structs.replace(self.plan, capture=None)
        self._bindings.close([self._sockets.pop(plan.id)], self._context)

    def _refuse_the_rest(self, proxy: Proxy) -> None:
        """Answer the commands that it did not come to."""
        while (left := proxy.take()) is not None:
            self._post(NotDone(self.plan.name, left[0], errno.ESRCH, "it has ended"))


class Ended:
    """Counts the connections to a socket that have ended."""

    def __init__(self, socket: Socket | None = None) -> None:
        self._socket = socket
        self._told = _monitor(socket) if socket is not None else None
        self._count = 0

    def count(self) -> int:
        """How many have."""
        assert self._socket is not None
        assert self._told is not None
        with suppress(zmq.Again):
            while True:
                self._told.recv_multipart(zmq.NOBLOCK)
                self._count += 1
        self._socket.getsockopt(zmq.EVENTS)  # libzmq takes note of what its own threads have told it
        return self._count

    def close(self) -> None:
        """Count no longer."""
        if self._socket is not None and self._told is not None:
            self._socket.disable_monitor()
            self._told.close(0)


def _monitor(socket: Socket) -> Socket:
    """What tells of connections that have ended. It takes as much as there is: libzmq's own threads would wait for room."""
    name = f"inproc://ztopo-ended-{id(socket)}"
    socket.monitor(name, zmq.EVENT_DISCONNECTED)
    told: Socket = socket.context.socket(zmq.PAIR)
    told.rcvhwm = 0
    told.connect(name)
    return told


def _numbers(proxy: Proxy) -> dict[str, object]:
    numbers = msgspec.to_builtins(proxy.statistics())
    assert isinstance(numbers, dict)
    return numbers


def _leave_signals_to_others() -> None:
    """Signals are for the main thread; none is to interrupt a device."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
