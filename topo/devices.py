"""The classes and functions of `zmq.devices`, over ztopo's core. A program changes the import and nothing else.

    from topo.devices import ProcessMonitoredQueue

    queue = ProcessMonitoredQueue(zmq.ROUTER, zmq.DEALER)
    queue.bind_in("tcp://127.0.0.1:*")
    queue.bind_out("tcp://127.0.0.1:5560")
    queue.bind_mon("tcp://127.0.0.1:5561")
    queue.start()
    print(queue.bound_in, queue.statistics())
    queue.stop()

How it works. A device is told what to bind, connect and set; its sockets are made, used and closed where it runs: in a thread, in
a process, or in the thread that calls `start`. `start` returns when everything is bound and connected, and raises what went wrong;
what ends a device later is raised by `join` and `stop`. A process is forked by the application's starter (`topo.devcore.starter`).
The device itself crosses, pickled, and with it descriptors: of a channel (news one way, wishes the other), of the memory in which
its core counts, and of the listening sockets of reserved ports.

What differs from `zmq.devices`, beside what there is more: LINGER is a second unless it is set, so nothing hangs at the end. A
ROUTER that sends gets ROUTER_MANDATORY unless it is set, so what cannot be sent is counted. A monitor that is a PUB is made as an
XPUB, which costs nothing while nobody listens; where a subclass has a `run_device` of its own, it stays a PUB.
"""

from __future__ import annotations

import itertools
import mmap
import os
import pickle
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, Pipe
from signal import strsignal
from typing import TYPE_CHECKING, Any

import zmq

from topo.devcore import (
    STATISTICS_SIZE,
    CaptureCounts,
    ProxyError,
    SideCounts,
    Statistics,
    Traffic,
    read_statistics,
)
from topo.devcore import Proxy as Core
from topo.devcore.closing import Closing
from topo.devcore.life import Life, Link, News, as_error, shared_memory, teller
from topo.devcore.listener import Listener, listen

if TYPE_CHECKING:
    from topo.devcore.starter import Child, Report, Starter

__all__ = [
    "Device",
    "DeviceError",
    "MonitoredQueue",
    "ProcessDevice",
    "ProcessMonitoredQueue",
    "ProcessProxy",
    "ProcessProxySteerable",
    "Proxy",
    "ProxySteerable",
    "ThreadDevice",
    "ThreadMonitoredQueue",
    "ThreadProxy",
    "ThreadProxySteerable",
    "monitored_queue",
    "proxy",
    "proxy_steerable",
]

LINGER = 1000
"""Milliseconds that a socket may take at the end to send what it still holds, unless the option is set."""
PATIENCE = 5.0
"""Seconds that `stop` waits for the end, unless it is told."""
LAST_PATIENCE = 1.0
"""Seconds that a process has to end after SIGTERM, and a context beside the time that its sockets linger."""
NOT_HERE = ("_context", "_kept", "_life", "_link", "_listening", "_reserved", "_sockets", "launcher")
"""What of a device stays behind when it crosses to another process."""
NOTHING_YET = Statistics("stopped", 0, 0, (), SideCounts(Traffic(), Traffic()), SideCounts(Traffic(), Traffic()), CaptureCounts())
NUMBERS = itertools.count(1)
WHERE = threading.local()
"""`device` is the one that runs in this thread."""

Socket = zmq.Socket[Any]
Context = zmq.Context[Any]


class DeviceError(zmq.ZMQError):
    """A socket of a device refused. `errno` is libzmq's, `side` says which socket (in, out, mon, ctrl), `call` what was refused."""

    def __init__(self, errno: int, side: str, call: str) -> None:
        super().__init__(errno, f"{call}: {zmq.strerror(errno)}")
        self.side = side
        self.call = call

    def __reduce__(self) -> tuple[type[DeviceError], tuple[int, str, str]]:
        return DeviceError, (self.errno or 0, self.side, self.call)


# The functions


def monitored_queue(
    in_socket: Socket, out_socket: Socket, mon_socket: Socket, in_prefix: bytes | str = b"in", out_prefix: bytes | str = b"out"
) -> int:
    """Pass messages between two sockets, and each to `mon_socket` as well, after a part that says where it came from.

    Between two ROUTERs the first two parts are exchanged. It ends by an exception: ContextTerminated when the context ends,
    ProxyError when a socket fails, and in the main thread KeyboardInterrupt.

    A program that ends the context afterwards sets LINGER before the sockets bind: peers that go just then libzmq 4.3.5 lets go by
    what LINGER was at the bind, and with the default the end of the context may wait for them for ever.
    """
    prefixes = (_prefix(in_prefix), _prefix(out_prefix))
    swap = _type(in_socket) == _type(out_socket) == zmq.ROUTER
    return _pass_on(in_socket, out_socket, mon_socket, prefixes=prefixes, swap=swap)


def proxy(frontend: Socket, backend: Socket, capture: Socket | None = None) -> int:
    """Pass messages between two sockets, and each to `capture` as well. It ends like `monitored_queue`."""
    return _pass_on(frontend, backend, capture)


def proxy_steerable(frontend: Socket, backend: Socket, capture: Socket | None = None, control: Socket | None = None) -> int:
    """Pass messages on like `proxy`, and obey `control`: PAUSE, RESUME, STATISTICS, and TERMINATE, which ends it with 0."""
    return _pass_on(frontend, backend, capture, control)


def _pass_on(
    frontend: Socket,
    backend: Socket,
    capture: Socket | None,
    control: Socket | None = None,
    *,
    prefixes: tuple[bytes, bytes] | None = None,
    swap: bool = False,
) -> int:
    for socket in (frontend, backend, *(one for one in (capture, control) if one is not None)):
        _type(socket)
    device: Device | None = getattr(WHERE, "device", None)
    memory = None if device is None else device._life.memory
    core = Core(frontend, backend, capture, prefixes=prefixes, swap=swap, control=control, memory=memory)
    if device is not None:
        device._adopt(core, frontend, backend)
    if core.run() == "context terminated":
        raise zmq.ContextTerminated
    return 0


def _type(socket: Socket) -> int:
    if not isinstance(socket, zmq.Socket):
        raise TypeError(f"a socket is needed, not {socket!r}")
    kind: Any = socket.type
    return int(kind)


def _prefix(prefix: bytes | str) -> bytes:
    if isinstance(prefix, str):
        return prefix.encode()
    if not isinstance(prefix, bytes):
        raise TypeError(f"a prefix is bytes or text, not {prefix!r}")
    return prefix


@contextmanager
def _about(side: str, call: str) -> Iterator[None]:
    """Let whatever goes wrong here say what it is about."""
    try:
        yield
    except zmq.ContextTerminated:
        raise
    except zmq.ZMQError as error:
        raise DeviceError(error.errno or 0, side, call) from error
    except Exception as error:
        error.add_note(f"in {call} of a device")
        raise


# The devices


class Device:
    """A device that runs in the thread that calls `start`, which returns when it has ended.

    It takes socket types, not sockets. What its sockets are to bind, to connect and to set is said before `start` with the methods
    named after them. With a negative `out_type` there is one socket, `in`, on both sides. `device_type` says nothing.

    `io_threads` is passed to `context_factory`: so many threads does libzmq use.
    """

    context_factory: Any = zmq.Context.instance
    """Makes the context: a callable, as an attribute of class or instance."""
    daemon: bool
    """Whether a device in the background is ended, or waited for, when the application ends."""
    launcher: Any = None
    """The thread or process of a device in the background."""
    _context: Context

    def __init__(
        self,
        device_type: int = zmq.QUEUE,
        in_type: int | None = None,
        out_type: int | None = None,
        *,
        io_threads: int | None = None,
    ) -> None:
        if in_type is None:
            raise TypeError("in_type must be specified")
        if out_type is None:
            raise TypeError("out_type must be specified")
        self.device_type = device_type
        self.in_type = in_type
        self.out_type = out_type
        self.io_threads = io_threads
        self.daemon = True
        self._in_binds: list[str | bytes] = []
        self._in_connects: list[str | bytes] = []
        self._in_sockopts: list[tuple[int, Any]] = []
        self._out_binds: list[str | bytes] = []
        self._out_connects: list[str | bytes] = []
        self._out_sockopts: list[tuple[int, Any]] = []
        self._random_addrs: list[str] = []
        self._sockets: list[Socket] = []
        self._reserved: dict[str, Listener] = {}
        self._kept: list[Socket] = []
        """Who listens at a port that is reserved."""
        self._listening: list[tuple[Socket, bytes]] = []
        """Who listens, and as what, at all that libzmq's own threads say the end of."""
        self._life = Life()

    # What it is to do

    def bind_in(self, addr: str | bytes) -> None:
        """Let the in socket bind this address. What goes wrong with it, as with all that is said here, `start` raises."""
        self._in_binds.append(addr)

    def bind_in_to_random_port(
        self, addr: str | bytes, min_port: int = 49152, max_port: int = 65536, max_tries: int = 100
    ) -> int:
        """Let the in socket bind a free port at this address, such as `tcp://127.0.0.1`, and return the port.

        Over tcp the port is this device's from now on: peers may connect already, and after a stop as well, and are served when
        the device runs. If it is to listen to IPv6 too (`tcp://*` with the option IPV6), the option is set before. Of ports from
        `min_port` to `max_port`, which is not one of them, at most `max_tries` are tried, in any order; if they are not limited,
        the system chooses. Raises ZMQBindError if none of them is free, and ZMQError if the address is not one of this host.

        Elsewhere (over ipc, or where the host is the name of an interface) the port is bound and given up again, and may be taken
        by others until the device starts.
        """
        return self._bind_to_random_port("in", addr, min_port, max_port, max_tries)

    def connect_in(self, addr: str | bytes) -> None:
        """Let the in socket connect to this address."""
        self._in_connects.append(addr)

    def setsockopt_in(self, opt: int, value: Any) -> None:
        """Set an option of the in socket, in libzmq's unit, before it binds; text is fine where libzmq takes bytes."""
        self._in_sockopts.append((opt, value))

    def bind_out(self, addr: str | bytes) -> None:
        """Let the out socket bind this address."""
        self._out_binds.append(addr)

    def bind_out_to_random_port(
        self, addr: str | bytes, min_port: int = 49152, max_port: int = 65536, max_tries: int = 100
    ) -> int:
        """Let the out socket bind a free port at this address, as `bind_in_to_random_port` does."""
        return self._bind_to_random_port("out", addr, min_port, max_port, max_tries)

    def connect_out(self, addr: str | bytes) -> None:
        """Let the out socket connect to this address."""
        self._out_connects.append(addr)

    def setsockopt_out(self, opt: int, value: Any) -> None:
        """Set an option of the out socket; text is fine where libzmq takes bytes."""
        self._out_sockopts.append((opt, value))

    # What becomes of it

    @property
    def bound_in(self) -> tuple[str, ...]:
        """The real addresses of the in socket, in the order of its binds, as far as it has bound: empty before `start`."""
        return self._bound("in")

    @property
    def bound_out(self) -> tuple[str, ...]:
        """The real addresses of the out socket, in the order of its binds, as far as it has bound."""
        return self._bound("out")

    @property
    def done(self) -> bool:
        """Whether it has run and ended. A start that failed is an end."""
        return self._life.stage == "ended"

    @done.setter
    def done(self, done: bool) -> None:
        if done:
            self._life.come_to("ended")

    @property
    def error(self) -> BaseException | None:
        """What ended it, if that was an error: the same that `start`, `join` or `stop` raises, whichever is called first, once."""
        return self._life.error

    def statistics(self) -> Statistics:
        """What it has done since its last start, by its own counters, at one moment between two bursts.

        They outlast it, and its process, even if that was killed. Any thread may ask at any rate: it neither waits for the loop
        nor slows it. All is zero, and the state "stopped", before the first start and where a `run_device` of one's own calls
        none of this module's functions.
        """
        try:
            return read_statistics(self._life.memory)
        except ValueError:  # its core has not begun to count
            return NOTHING_YET

    # Steering

    def pause(self) -> None:
        """Pass nothing on until `resume`. Before `start` it means that the device is paused when it begins.

        It does not wait until the device has heard of it (then the state in its `statistics` is "paused"): a burst that is under
        way is finished. What arrives meanwhile waits in libzmq's queues, and no time is spent on it; monitor and control are
        attended to. After the end it has no effect.

        This, `resume`, `drain` and `stop` may be called in any thread. A process of its own is not steered by a fork of the
        application that has started it: there they raise RuntimeError.
        """
        self._wish("pause")

    def resume(self) -> None:
        """Go on after `pause`, with what has waited. It does not wait for that; else it is like `pause`."""
        self._wish("resume")

    def drain(self, *, quiet: float | None = None, received: tuple[int, int] | None = None) -> None:
        """Its sources have stopped: let it pass on what still comes, and then end.

        That is when nothing has come for `quiet` seconds, or when its in and out sockets have received so many messages since the
        start, whichever is first. It does not wait for that, as `join` does. Raises ValueError if neither is said.
        """
        if quiet is None and received is None:
            raise ValueError("draining ends after a quiet time or when given counts have come in: say which")
        self._wish("drain", quiet=quiet, received=received)

    def stop(self, timeout: float = PATIENCE) -> None:
        """Let it end between two messages, and wait for that; raise what ended it if that was something else.

        It waits for at most `timeout` seconds, and then raises TimeoutError: a `run_device` that calls none of this module's
        functions cannot be ended so. When it returns, its sockets are closed; what they still hold libzmq goes on sending as long
        as LINGER says. In the thread that the device runs in nothing is waited for. Before `start` and after the end it has no
        effect and raises nothing.
        """
        if self._life.stage in ("new", "ended"):
            return
        self._wish("terminate")
        if self._life.thread != threading.get_ident():
            self.join(timeout)
            if not self.done:
                raise TimeoutError(f"{type(self).__name__} has not ended within {timeout} s: end its context")

    def start(self, wait: bool | float | None = None) -> None:
        """Run it here, and return when it has ended; `wait` is of no use here. Raises what ends it, KeyboardInterrupt among them.

        An end of its context, or of its sockets, is no error. Raises RuntimeError if it runs already.
        """
        self._renew()
        self.run()

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end in another thread, for at most `timeout` seconds; without, as long as it takes.

        `done` says whether it has come. It raises nothing: what ends a device is raised where it runs.
        """
        self._life.has_come_to(("ended",), timeout)

    # Where it runs

    def run(self) -> None:
        """Run it, close its sockets, and let the end of the context be its end."""
        with self._working():
            try:
                self.run_device()
            except ProxyError as error:
                if error.errno != zmq.ENOTSOCK:
                    raise self._lament(error) from error
            except zmq.ZMQError as error:
                if error.errno not in (zmq.ETERM, zmq.ENOTSOCK):
                    raise

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Be the device that runs in this thread, and note its end."""
        before = getattr(WHERE, "device", None)
        if before is self:
            yield
            return
        life = self._life
        WHERE.device = self
        life.thread = threading.get_ident()
        life.come_to("begun")
        try:
            yield
        except Exception as error:
            life.fail(error)
            raise
        finally:
            WHERE.device = before
            life.core = None  # its counters stay, its descriptors do not
            self._close_sockets()
            self.done = True

    def run_device(self) -> None:
        """Make the sockets and pass messages on. It is called by `run`, and may be something else in a subclass."""
        ins, outs = self._setup_sockets()
        proxy(ins, outs)

    def _setup_sockets(self) -> tuple[Any, ...]:
        self._context = self.context_factory() if self.io_threads is None else self.context_factory(self.io_threads)
        ins = self._make("in", self.in_type)
        outs = ins if self.out_type < 0 else self._make("out", self.out_type)
        for side, socket in (("in", ins), ("out", outs)):
            self._set_options(side, socket)
        for side, socket in (("in", ins), ("out", outs)):
            self._bind_all(side, socket)
        for side, socket in (("in", ins), ("out", outs)):
            self._connect_all(side, socket)
        return ins, outs

    def _make(self, side: str, type: int) -> Socket:
        with _about(side, f"{side}_type {type!r}"):
            socket: Socket = self._context.socket(type)
        self._sockets.append(socket)
        if zmq.LINGER not in self._context.sockopts:
            socket.linger = LINGER  # before it binds: libzmq lets peers go by what LINGER was then
        return socket

    def _set_options(self, side: str, socket: Socket) -> None:
        for opt, value in self._of(side, "sockopts"):
            with _about(side, f"setsockopt_{side}({_option_name(opt)})"):  # without the value, which may be a password
                if opt == zmq.HWM:
                    socket.set_hwm(value)
                elif isinstance(value, str):
                    socket.setsockopt_string(opt, value)
                else:
                    socket.setsockopt(opt, value)

    def _bind_all(self, side: str, socket: Socket) -> None:
        for addr in self._of(side, "binds"):
            address = os.fsdecode(addr)
            with _about(side, f"bind_{side}({address!r})"):
                if address in self._reserved:
                    self._reserved[address].bind(socket, address)
                    self._kept.append(socket)
                else:
                    socket.bind(address)
                if address.startswith(("tcp:", "ipc:")):
                    self._listening.append((socket, _last_endpoint(socket)))
                self._life.add_bound(side, _real(socket))

    def _connect_all(self, side: str, socket: Socket) -> None:
        for addr in self._of(side, "connects"):
            with _about(side, f"connect_{side}({os.fsdecode(addr)!r})"):
                socket.connect(os.fsdecode(addr))

    def _adopt(self, core: Core, *senders: Socket) -> None:
        """Messages are passed on from now on, by this core."""
        options = itertools.chain(self._of("in", "sockopts"), self._of("out", "sockopts"))
        if zmq.ROUTER_MANDATORY not in [opt for opt, _ in options]:
            for socket in senders:
                if socket.type == zmq.ROUTER and any(socket is own for own in self._sockets):
                    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._life.adopt(core)
        self._life.come_to("ready")

    def _lament(self, error: ProxyError) -> DeviceError:
        """Say what went wrong with a socket that works, and where."""
        side = {"frontend": "in", "backend": "out", "capture": "mon", "control": "ctrl"}.get(error.side, error.side)
        places = [*self._bound(side), *map(os.fsdecode, self._of(side, "connects"))]
        return DeviceError(error.errno or 0, side, f"{side} socket ({', '.join(places) or 'neither bound nor connected'})")

    def _close_sockets(self) -> None:
        """Close them, and wait until nobody listens at ports that are kept: who connects from then on waits for the next start."""
        kept, self._kept = self._kept, []
        listening, self._listening = self._listening, []
        open_ones = [socket for socket in self._sockets if not socket.closed]
        closings = [
            Closing(self._context, socket, [e for owner, e in listening if owner is socket])
            for socket in open_ones
            if any(socket is owner for owner in kept)
        ]
        for socket in open_ones:
            socket.close()
        for closing in closings:
            closing.wait()

    # Inside

    def _of(self, side: str, what: str) -> list[Any]:
        found: list[Any] = getattr(self, f"_{side}_{what}")
        return found

    def _bound(self, side: str) -> tuple[str, ...]:
        return tuple(self._life.bound.get(side, ()))

    def _is_ours(self) -> bool:
        """Whether it runs a `run_device` of this module."""
        return self.run_device.__module__ == __name__

    def _wish(self, name: str, **arguments: Any) -> None:
        self._life.wish(name, arguments)

    def _renew(self) -> None:
        """Begin another life, in which the wishes hold that came before it."""
        if self._life.stage not in ("new", "ended"):
            raise RuntimeError(f"{type(self).__name__} runs already")
        before, self._life = self._life, self._new_life()
        if before.stage == "new":
            self._life.wishes = before.wishes
        self._life.come_to("starting")
        self._sockets = []

    def _new_life(self) -> Life:
        return Life()

    def _bind_to_random_port(self, side: str, addr: str | bytes, min_port: int, max_port: int, max_tries: int) -> int:
        addr = os.fsdecode(addr)
        ipv6 = any(opt == zmq.IPV6 and value for opt, value in self._of(side, "sockopts"))
        port = self._reserve_random_port(addr, min_port, max_port, max_tries, ipv6=ipv6)
        self._of(side, "binds").append(f"{addr}:{port}")
        return port

    def _reserve_random_port(
        self, addr: str, min_port: int = 49152, max_port: int = 65536, max_tries: int = 100, *, ipv6: bool = False
    ) -> int:
        ports = range(1) if (min_port, max_port) == (49152, 65536) else range(min_port, max_port)
        transport, _, host = addr.partition("://")
        found = listen(host, ports, max_tries, ipv6) if transport == "tcp" else None
        if found is None:
            return self._find_random_port(addr, ports, max_tries)
        listener, port = found
        self._reserved[f"{addr}:{port}"] = listener
        self._random_addrs.append(f"{addr}:{port}")
        return port

    def _find_random_port(self, addr: str, ports: range, max_tries: int) -> int:
        """A port that is free now, at an address that only libzmq understands: the name of an interface, or another transport."""
        context: Context = zmq.Context()
        with context, context.socket(zmq.PUSH) as trial:
            for _ in range(max_tries):
                port = trial.bind_to_random_port(addr) if ports == range(1) else _try_range(trial, addr, ports, max_tries)
                if f"{addr}:{port}" not in self._random_addrs:
                    self._random_addrs.append(f"{addr}:{port}")
                    return port
        raise zmq.ZMQBindError("Could not reserve random port.")


def _try_range(trial: Socket, addr: str, ports: range, max_tries: int) -> int:
    return trial.bind_to_random_port(addr, ports.start, ports.stop, max_tries)


def _option_name(opt: int) -> str:
    try:
        return zmq.SocketOption(opt).name
    except ValueError:
        return str(opt)


def _last_endpoint(socket: Socket) -> bytes:
    endpoint: Any = socket.last_endpoint
    return bytes(endpoint).rstrip(b"\0")


def _real(socket: Socket) -> str:
    """The address that was bound; plain where libzmq maps IPv4 into IPv6, so that every socket can connect to it."""
    text = os.fsdecode(_last_endpoint(socket))
    head, mapped, rest = text.partition("[::ffff:")
    return head + rest.replace("]", "", 1) if mapped else text


class BackgroundDevice(Device):
    """What devices in threads and in processes have in common."""

    _launch_class: Any = None

    def start(self, wait: bool | float | None = None) -> None:
        """Start it, and return when everything is bound and connected; raise what went wrong.

        A device whose `run_device` is its own is waited for only until that begins: what goes wrong in it is raised by `join`,
        unless `wait` is true, which means: until a function of this module is called, or the end. With a number TimeoutError is
        raised after so many seconds, and the device goes on. With False nothing is waited for.

        Raises DeviceError if a socket refused to be made, set, bound or connected, RuntimeError if it runs already, and of a
        process of its own PicklingError if something of it cannot cross.
        """
        begun = () if self._is_ours() or wait is not None else ("begun",)
        self._renew()
        self._life.awaited = wait is not False and not begun
        self._launch()
        if wait is not False:
            self._wait_started((*begun, "ready", "ended"), wait)

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, for at most `timeout` seconds, and raise what ended it, unless that has been raised before.

        `done` says whether it has come. Raises DeviceError if a socket refused, ChildProcessError if its process ended without a
        word or by a signal that nobody here has sent, or what a `run_device` of one's own has raised; and RuntimeError if it was
        never started.
        """
        if self.launcher is None:
            raise RuntimeError(f"{type(self).__name__} has not been started")
        self.launcher.join(timeout=timeout)
        if not self.launcher.is_alive():
            self._life.raise_error()

    def _launch(self) -> None:
        raise NotImplementedError

    def _wait_started(self, stages: tuple[str, ...], wait: bool | float | None) -> None:
        timeout = None if wait is None or wait is True else wait
        life = self._life
        if not self._has_come_to(stages, timeout):
            raise TimeoutError(f"{type(self).__name__} is not ready after {timeout} s")
        life.awaited = False
        if life.error is not None:
            self.launcher.join()
            life.raise_error()

    def _has_come_to(self, stages: tuple[str, ...], timeout: float | None) -> bool:
        return self._life.has_come_to(stages, timeout)

    def _work(self) -> bool:
        """Run it as the whole work of a thread or process, and say whether an error goes to whoever waits in `start`."""
        try:
            with self._working():
                self.run()
        except Exception:
            if not self._life.handed:
                raise
            return True
        return False


class ThreadDevice(BackgroundDevice):
    """A device that runs in a thread of its own."""

    _launch_class = threading.Thread

    def _launch(self) -> None:
        self.launcher = self._launch_class(target=self._work)
        self.launcher.daemon = self.daemon
        self.launcher.name = f"{type(self).__name__}-{next(NUMBERS)}"
        self.launcher.start()


class ProcessDevice(BackgroundDevice):
    """A device that runs in a process of its own, out of reach of Ctrl-C, and ends with the application.

    What it is made of must be found by name in another process: a `context_factory` is a function of some module, and so is a
    subclass; `io_threads` is there so that no lambda is needed. `launcher` has the face of a `multiprocessing.Process`.
    """

    context_factory: Any = zmq.Context

    _link: Link | None = None

    def stop(self, timeout: float = PATIENCE) -> None:
        """Let it end between two messages, and wait for that; raise what ended it if that was something else.

        It waits for at most `timeout` seconds for the end of the process, which takes as long as LINGER says to send what its
        sockets still hold; then the process gets SIGTERM, and a second later SIGKILL, as does one whose `run_device` calls none
        of this module's functions. Before `start` and after the end it has no effect and raises nothing.
        """
        if self._life.stage in ("new", "ended"):
            return
        self._wish("terminate")
        self.join(timeout)
        for end, patience in ((self.launcher.terminate, LAST_PATIENCE), (self.launcher.kill, None)):
            if self.launcher.is_alive():
                end()
                self.join(patience)

    def _starter(self) -> Starter:
        from topo.devcore.starter import default_starter

        return default_starter(__name__)

    def _launch(self) -> None:
        starter = self._starter()
        life, (ours, theirs) = self._life, Pipe()
        link = self._link = Link(ours)
        ports = [listener.handle for listener in self._reserved.values()]
        with theirs, shared_memory() as memory:
            life.memory = mmap.mmap(memory, STATISTICS_SIZE, access=mmap.ACCESS_READ)
            try:
                self.launcher = starter.start(
                    _serve,
                    (self, life.awaited),
                    name=f"{type(self).__name__}-{next(NUMBERS)}",
                    daemon=self.daemon,
                    fds=(theirs.fileno(), memory, *ports),
                    on_report=self._hear,
                )
            except BaseException as error:
                self._link = None
                self.done = True
                self._explain(error)
                raise
        for name, arguments in life.wishes:
            link.send(name, arguments)

    def _explain(self, error: BaseException) -> None:
        """If it was something of this device that could not be pickled, say what, and what to do."""
        for name, value in self.__getstate__().items():
            try:
                pickle.dumps(value)
            except (pickle.PicklingError, AttributeError, TypeError) as refused:
                advice = "make the device with io_threads=N, or use" if name == "context_factory" else "use"
                raise pickle.PicklingError(
                    f"{name} of {type(self).__name__} cannot go to another process: {refused}; {advice} something "
                    "that a module holds under its name"
                ) from error

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in self.__dict__.items() if name not in NOT_HERE}
        state["context_factory"] = self.context_factory  # it may have been set on the class, in this process only
        state["_ports"] = list(self._reserved)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._sockets = []
        self._kept = []
        self._listening = []

    # In the application

    def _bound(self, side: str) -> tuple[str, ...]:
        self._take_news()
        return super()._bound(side)

    def _wish(self, name: str, **arguments: Any) -> None:
        link = self._link
        if link is None:
            super()._wish(name, **arguments)
        else:
            link.send(name, arguments)

    def _has_come_to(self, stages: tuple[str, ...], timeout: float | None) -> bool:
        end = None if timeout is None else time.monotonic() + timeout
        link = self._link
        while self._life.stage not in stages:
            left = None if end is None else max(0.0, end - time.monotonic())
            if link is None or link.over:
                return self._life.has_come_to(stages, left)
            if not link.wait(left):
                return False
            self._take_news()
        return True

    def _take_news(self) -> None:
        link = self._link
        if link is not None:
            link.take(self._note)

    def _note(self, news: News) -> None:
        match news.what:
            case "bound":
                self._life.add_bound(news.side, news.text)
            case "failed":
                self._life.fail(as_error(news))
            case "begun" | "ready":
                self._life.come_to(news.what)

    def _hear(self, child: Child, report: Report) -> None:
        """Note its end, when the starter reports it."""
        from topo.devcore.starter import Exited

        if isinstance(report, Exited):
            assert self._link is not None
            self._link.finish()
            self._take_news()
            self._link = None
            if reason := self._unexpected(child, report.status):
                self._life.fail(ChildProcessError(reason))
            self.done = True

    def _unexpected(self, child: Child, status: int) -> str:
        """How its process has ended, if nobody wanted that."""
        if status < 0 and -status not in child.asked:
            return f"{child.name} was ended by a signal: {strsignal(-status)}"
        if status > 0 and self._life.error is None:  # an exception would have been told
            when = " before it was ready" if self._life.stage == "starting" else ""
            return f"{child.name} ended with status {status}{when}; its standard error tells more"
        return ""

    # In its process

    def _serve(self, link: Connection, memory: mmap.mmap, awaited: bool, ports: tuple[int, ...]) -> None:
        addresses: list[str] = self.__dict__.pop("_ports")
        self._reserved = dict(zip(addresses, map(Listener, ports), strict=True))
        self._life = Life(memory)
        self._life.awaited = awaited
        self._life.tell = teller(link)
        threading.Thread(target=self._obey, args=(link,), name="wishes", daemon=True).start()
        failed = self._work()
        self._end_context()
        if failed:
            raise SystemExit(1)

    def _obey(self, link: Connection) -> None:
        """Do what the application wishes, until it is gone or does not care any more."""
        with suppress(EOFError, ConnectionResetError):
            while True:
                name, arguments = link.recv()
                self._life.wish(name, arguments)

    def _end_context(self) -> None:
        """Wait until what was sent is out, as long as the sockets linger; then this process ends in any case."""
        context: Context | None = getattr(self, "_context", None)
        if context is not None:
            end = threading.Thread(target=context.term, daemon=True)
            end.start()
            end.join(self._longest_linger())

    def _longest_linger(self) -> float | None:
        options = [option for side in ("in", "out", "mon", "ctrl") for option in getattr(self, f"_{side}_sockopts", ())]
        taken = [value for opt, value in options if opt == zmq.LINGER and isinstance(value, int)]  # others the socket has refused
        lingers: list[int] = [LINGER, *taken]
        return None if min(lingers) < 0 else max(lingers) / 1000 + LAST_PATIENCE


def _serve(device: ProcessDevice, awaited: bool, link: int, memory: int, *ports: int) -> None:
    """Be the process of a device."""
    counters = mmap.mmap(memory, STATISTICS_SIZE)
    os.close(memory)
    device._serve(Connection(link), counters, awaited, ports)


# Devices with a monitor


class ProxyBase(Device):
    """What devices with a third socket, the monitor, have more."""

    def __init__(self, in_type: int, out_type: int, mon_type: int = zmq.PUB, *, io_threads: int | None = None) -> None:
        Device.__init__(self, in_type=in_type, out_type=out_type, io_threads=io_threads)
        self.mon_type = mon_type
        self._mon_binds: list[str | bytes] = []
        self._mon_connects: list[str | bytes] = []
        self._mon_sockopts: list[tuple[int, Any]] = []

    def bind_mon(self, addr: str | bytes) -> None:
        """Let the monitor socket bind this address."""
        self._mon_binds.append(addr)

    def bind_mon_to_random_port(
        self, addr: str | bytes, min_port: int = 49152, max_port: int = 65536, max_tries: int = 100
    ) -> int:
        """Let the monitor socket bind a free port at this address, as `bind_in_to_random_port` does."""
        return self._bind_to_random_port("mon", addr, min_port, max_port, max_tries)

    def connect_mon(self, addr: str | bytes) -> None:
        """Let the monitor socket connect to this address."""
        self._mon_connects.append(addr)

    def setsockopt_mon(self, opt: int, value: Any) -> None:
        """Set an option of the monitor socket; text is fine where libzmq takes bytes."""
        self._mon_sockopts.append((opt, value))

    @property
    def bound_mon(self) -> tuple[str, ...]:
        """The real addresses of the monitor socket, in the order of its binds, as far as it has bound."""
        return self._bound("mon")

    def run_device(self) -> None:
        """Make the sockets and pass messages on."""
        ins, outs, mons = self._setup_sockets()
        proxy(ins, outs, mons)

    def _setup_sockets(self) -> tuple[Any, ...]:
        ins, outs = Device._setup_sockets(self)
        listened = self.mon_type == zmq.PUB and self._is_ours()
        return ins, outs, self._add("mon", zmq.XPUB if listened else self.mon_type)

    def _add(self, side: str, type: int) -> Socket:
        socket = self._make(side, type)
        self._set_options(side, socket)
        self._bind_all(side, socket)
        self._connect_all(side, socket)
        return socket


class Proxy(ProxyBase, Device):
    """A device with a third socket that gets every message as well. See `Device`."""


class ThreadProxy(ProxyBase, ThreadDevice):
    """A proxy in a thread of its own. See `Proxy`."""


class ProcessProxy(ProxyBase, ProcessDevice):
    """A proxy in a process of its own. See `Proxy` and `ProcessDevice`."""


class ProxySteerableBase(ProxyBase):
    """What proxies with a control socket have more."""

    def __init__(
        self,
        in_type: int,
        out_type: int,
        mon_type: int = zmq.PUB,
        ctrl_type: int | None = None,
        *,
        io_threads: int | None = None,
    ) -> None:
        super().__init__(in_type=in_type, out_type=out_type, mon_type=mon_type, io_threads=io_threads)
        self.ctrl_type = ctrl_type
        self._ctrl_binds: list[str | bytes] = []
        self._ctrl_connects: list[str | bytes] = []
        self._ctrl_sockopts: list[tuple[int, Any]] = []

    def bind_ctrl(self, addr: str | bytes) -> None:
        """Let the control socket bind this address."""
        self._ctrl_binds.append(addr)

    def bind_ctrl_to_random_port(
        self, addr: str | bytes, min_port: int = 49152, max_port: int = 65536, max_tries: int = 100
    ) -> int:
        """Let the control socket bind a free port at this address, as `bind_in_to_random_port` does."""
        return self._bind_to_random_port("ctrl", addr, min_port, max_port, max_tries)

    def connect_ctrl(self, addr: str | bytes) -> None:
        """Let the control socket connect to this address."""
        self._ctrl_connects.append(addr)

    def setsockopt_ctrl(self, opt: int, value: Any) -> None:
        """Set an option of the control socket; text is fine where libzmq takes bytes."""
        self._ctrl_sockopts.append((opt, value))

    @property
    def bound_ctrl(self) -> tuple[str, ...]:
        """The real addresses of the control socket, in the order of its binds, as far as it has bound."""
        return self._bound("ctrl")

    def run_device(self) -> None:
        """Make the sockets and pass messages on."""
        ins, outs, mons, ctrls = self._setup_sockets()
        proxy_steerable(ins, outs, mons, ctrls)

    def _setup_sockets(self) -> tuple[Any, ...]:
        ins, outs, mons = super()._setup_sockets()
        return ins, outs, mons, None if self.ctrl_type is None else self._add("ctrl", self.ctrl_type)


class ProxySteerable(ProxySteerableBase, Proxy):
    """A proxy that obeys a control socket: PAUSE, RESUME, STATISTICS, TERMINATE. Without a `ctrl_type` it is a `Proxy`."""


class ThreadProxySteerable(ProxySteerableBase, ThreadProxy):
    """A steerable proxy in a thread of its own. See `ProxySteerable`."""


class ProcessProxySteerable(ProxySteerableBase, ProcessProxy):
    """A steerable proxy in a process of its own. See `ProxySteerable` and `ProcessDevice`."""


class MonitoredQueueBase(ProxyBase):
    """What monitored queues have more: what comes to the monitor says first which side it came from."""

    _in_prefix: bytes | str = b""
    _out_prefix: bytes | str = b""

    def __init__(
        self,
        in_type: int,
        out_type: int,
        mon_type: int = zmq.PUB,
        in_prefix: bytes | str = b"in",
        out_prefix: bytes | str = b"out",
        *,
        io_threads: int | None = None,
    ) -> None:
        ProxyBase.__init__(self, in_type=in_type, out_type=out_type, mon_type=mon_type, io_threads=io_threads)
        self._in_prefix = in_prefix
        self._out_prefix = out_prefix

    def run_device(self) -> None:
        """Make the sockets and pass messages on."""
        ins, outs, mons = self._setup_sockets()
        monitored_queue(ins, outs, mons, self._in_prefix, self._out_prefix)


class MonitoredQueue(MonitoredQueueBase, Proxy):
    """A proxy whose monitor gets a prefix before each message, and which may have a ROUTER on both sides. See `Proxy`."""


class ThreadMonitoredQueue(MonitoredQueueBase, ThreadProxy):
    """A monitored queue in a thread of its own. See `MonitoredQueue`."""


class ProcessMonitoredQueue(MonitoredQueueBase, ProcessProxy):
    """A monitored queue in a process of its own. See `MonitoredQueue` and `ProcessDevice`."""
