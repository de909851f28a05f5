"""A device in its thread.

Its sockets are made, used and closed in that thread. It first binds everything and says at which addresses; then it waits to
be told the addresses of the others, connects, and passes messages on until it is asked to end. Whatever happens, its last word
is either `Stopped` or `Failed`, said after its sockets are closed.
"""

from __future__ import annotations

import errno
import signal
import threading
import traceback
from collections.abc import Callable
from queue import SimpleQueue

import msgspec
import zmq

from topo.devcore import Proxy, ProxyError
from topo.plan import DevicePlan, SocketPlan
from topo.run.events import Addresses, Bound, Failed, FromDevice, Ready, Stopped
from topo.run.sockets import Bindings, Context, Socket, SocketError, connect, make

__all__ = ["Device"]

Post = Callable[[FromDevice], None]

MADE_AS = {"PUB": "XPUB"}
"""What a monitor is made as: an XPUB tells the device whether anybody listens. To the user it is a PUB."""


class Device:
    """One device. Its methods may be called from any thread."""

    def __init__(self, plan: DevicePlan, context: Context, post: Post, *, lasting: bool) -> None:
        """`lasting` says that the context goes on after the device, and others may want its addresses."""
        self.plan = plan
        self._lasting = lasting
        self._context = context
        self._post = post
        self._addresses: SimpleQueue[Addresses | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._proxy: Proxy | None = None
        self._stopping = False
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

    def stop(self) -> None:
        """Ask it to end."""
        with self._lock:
            self._stopping = True
            if self._proxy is not None:
                self._proxy.terminate()
        self._addresses.put(None)

    def join(self, timeout: float | None = None) -> bool:
        """Wait for its end, and say whether it has come."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def statistics(self) -> dict[str, object]:
        """What it has done so far."""
        with self._lock:
            return _numbers(self._proxy) if self._proxy is not None else {}

    # In the thread

    def _run(self) -> None:
        _leave_signals_to_others()
        bindings = Bindings()
        sockets: list[Socket] = []
        try:
            last = self._live(bindings, sockets)
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
            self._proxy = None
        bindings.close(sockets, self._context if self._lasting else None)
        self._post(last)

    def _live(self, bindings: Bindings, sockets: list[Socket]) -> FromDevice:
        addresses: Addresses = {}
        for plan in self.plan.sockets:
            sockets.append(make(self._context, plan, self._made_as(plan)))
        for plan, socket in zip(self.plan.sockets, sockets, strict=True):
            addresses[plan.id] = bindings.bind(socket, plan)
        self._post(Bound(self.plan.name, addresses))
        others = self._addresses.get()
        if others is None:
            return Stopped(self.plan.name, "terminated")
        for plan, socket in zip(self.plan.sockets, sockets, strict=True):
            connect(socket, plan, others)
        proxy = self._proxy_of(sockets)
        self._post(Ready(self.plan.name))
        reason = proxy.run()
        return Stopped(self.plan.name, reason, _numbers(proxy))

    def _made_as(self, plan: SocketPlan) -> str:
        return MADE_AS.get(plan.type, plan.type) if plan is self.plan.capture else plan.type

    def _proxy_of(self, sockets: list[Socket]) -> Proxy:
        frontend, *rest = sockets
        backend = rest.pop(0) if self.plan.backend is not None else frontend
        capture = rest.pop() if rest else None
        proxy = Proxy(frontend, backend, capture, prefixes=self.plan.prefixes, swap=self.plan.swap)
        with self._lock:
            self._proxy = proxy
            if self._stopping:
                proxy.terminate()
        return proxy

    def _id_of(self, side: str) -> str:
        socket = {"frontend": self.plan.frontend, "backend": self.plan.backend, "capture": self.plan.capture}.get(side)
        return (socket or self.plan.frontend).id


def _numbers(proxy: Proxy) -> dict[str, object]:
    numbers = msgspec.to_builtins(proxy.statistics())
    assert isinstance(numbers, dict)
    return numbers


def _leave_signals_to_others() -> None:
    """Signals are for the main thread; none is to interrupt a device."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
