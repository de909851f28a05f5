"""The forwarding core, compiled."""

from typing import Any

import zmq
from _typeshed import WriteableBuffer
from typing_extensions import disjoint_base

from topo.devcore.report import Statistics

@disjoint_base
class Proxy:
    """A device: passes messages between two sockets, each way, until it is told to end.

    `run` belongs to the thread that uses the sockets; all else may be called from any thread at any moment and never blocks.
    """

    def __init__(
        self,
        frontend: zmq.Socket[Any],
        backend: zmq.Socket[Any],
        capture: zmq.Socket[Any] | None = None,
        *,
        prefixes: tuple[bytes, bytes] | None = None,
        swap: bool = False,
        control: zmq.Socket[Any] | None = None,
        memory: WriteableBuffer | None = None,
    ) -> None:
        """Take the sockets, which stay the caller's. `frontend` may be `backend`.

        The capture socket gets a copy of every message: as it is, or, with `prefixes`, after a part that says whether it came
        from the frontend or from the backend. `swap` exchanges the first two parts, as between two ROUTERs. A control socket
        takes PAUSE, RESUME, TERMINATE and STATISTICS as zmq_proxy_steerable(3) says. The counters lie in `memory` if it is
        given, STATISTICS_SIZE bytes, and start at zero.

        An XPUB as capture socket gets copies only while somebody has subscribed, as far as the loop has read of it; a PUB gets
        every one. Of a PUSH, DEALER or PAIR that takes no more, up to its SNDHWM copies wait, and the rest is dropped and counted.
        """

    def run(self) -> str:
        """Pass messages on until told to end, and say why it ended.

        "terminated", "drained", "context terminated", or "command": there is something to `take`. It may be called again. Raises
        ProxyError if a socket fails.
        """

    def terminate(self) -> None:
        """End `run`, between two messages; if it is not running, as soon as it is called."""

    def pause(self, side: str | None = None) -> None:
        """Pass nothing on until `resume`; with a `side`, `frontend` or `backend`, nothing that comes from there."""

    def resume(self, side: str | None = None) -> None:
        """Go on after `pause`."""

    def drain(self, *, quiet: float | None = None, received: tuple[int, int] | None = None) -> None:
        """The sources have stopped: pass on what still comes, then end `run`.

        That is when nothing has come for `quiet` seconds, or when so many messages have been received by frontend and
        backend, since the beginning, and passed on. What it still held then is in the statistics.
        """

    def post(self, command: object) -> None:
        """End `run` between two messages, for something that the caller of `run` is to do in its thread."""

    def take(self) -> Any:
        """The first command posted and not yet taken, or None."""

    @property
    def capture(self) -> zmq.Socket[Any] | None:
        """The capture socket. It may be set between two runs; copies that the old one did not take are dropped."""
    @capture.setter
    def capture(self, socket: zmq.Socket[Any] | None) -> None: ...
    def statistics(self) -> Statistics:
        """What it has done so far."""
