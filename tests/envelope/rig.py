"""A small topology for real: devices on the core, in threads of this process, and plain pyzmq at the ends.

What the model says of a message is compared with what sockets do to it. Everything meets over inproc, where what was sent is
there at once, and a device says when it has gone round (`Device.settle`): so that nothing is there is known, not waited for.
Over ipc a connection is waited for by its event, and a message by receiving it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import zmq

from tests.devcore.conftest import PATIENCE, Bench, Device, Socket
from topo import plan
from topo.compile import Compilation, compile
from topo.envelope import Journey, Leg, Part
from topo.graph import Graph
from topo.plan import DevicePlan, SocketPlan
from topo.routes import topics_of
from topo.run.sockets import Bindings, connect, make
from topo.source import Source
from topo.trace import trace

BY_HAND = frozenset({"writes", "answers", "names", "delimits by hand", "restores by hand", "keeps by hand", "undelimits by hand"})
REFUSALS = frozenset({zmq.EAGAIN, zmq.EFSM, zmq.ENOTSUP, zmq.EHOSTUNREACH})
TEXTS = {"body": b"the question", "answer": b"the answer"}

Message = list[bytes]


def told(text: str, folder: Path) -> Compilation:
    """What a text declares; mistakes and all, for the model speaks of wrong topologies too."""
    return compile(Source(text, "rig.ztopo", folder / "rig.ztopo"), fragment=True)


class Rig:
    """The topology of a graph, running. To be closed."""

    def __init__(self, graph: Graph, core: Any, patient: bool = False) -> None:
        """`patient` says that what is sent is not there at once, and that what is to come is waited for."""
        self.graph = graph
        self.patient = patient
        self.bench = Bench(core)
        self.devices: list[Device] = []
        self.ends: dict[str, Socket] = {}
        self.addresses: dict[str, tuple[str, ...]] = {}
        self.ids: dict[tuple[str, str], bytes] = {}
        try:
            self._make(plan.make(graph))
        except BaseException:
            self.close()
            raise

    def _make(self, planned: plan.Plan) -> None:
        plans = [s for device in planned.devices for s in device.sockets] + list(planned.sockets)
        sockets = {p.id: self._bound(p) for p in plans}
        for p in plans:
            self._connect(sockets[p.id], p)
        self.ends = {p.id: sockets[p.id] for p in planned.sockets}
        for socket in self.ends.values():
            if socket.type == zmq.XSUB:
                socket.send(b"\x01")
        self.devices = [self._device(device, sockets) for device in planned.devices]
        self.settle()

    def _bound(self, planned: SocketPlan) -> Socket:
        socket = make(self.bench.context, planned)
        self.bench.sockets.append(socket)
        socket.linger = 0
        self.addresses[planned.id] = Bindings().bind(socket, planned)
        return socket

    def _connect(self, socket: Socket, planned: SocketPlan) -> None:
        """Connect; where there is a handshake, wait until it is done."""
        over_ipc = [c for c in planned.connects if not c.endpoint.startswith("inproc:")]
        monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED) if over_ipc else None
        connect(socket, planned, self.addresses)
        for _ in over_ipc:
            assert monitor is not None
            assert monitor.poll(PATIENCE), f"{planned.id} is not connected"
            monitor.recv_multipart()
        if monitor is not None:
            socket.disable_monitor()
            monitor.close()

    def _device(self, planned: DevicePlan, sockets: dict[str, Socket]) -> Device:
        frontend = sockets[planned.frontend.id]
        backend = frontend if planned.backend is None else sockets[planned.backend.id]
        capture = None if planned.capture is None else sockets[planned.capture.id]
        return self.bench.proxy(frontend, backend, capture, prefixes=planned.prefixes, swap=planned.swap).start()

    def settle(self) -> None:
        """Let everything that was sent, subscriptions too, get as far as it goes: each device hands on to at most all others."""
        for _ in range(len(self.devices) + 1):
            for device in self.devices:
                device.settle()
        for socket in self.ends.values():
            socket.get(zmq.EVENTS)

    def close(self) -> None:
        """End everything."""
        self.bench.close()

    # Messages

    def send(self, id: str, message: Message) -> bool:
        """Send as a program does, and see it through the devices. False if the socket refuses."""
        try:
            self.ends[id].send_multipart(message, zmq.DONTWAIT)
        except zmq.ZMQError as error:
            if error.errno not in REFUSALS:
                raise
            return False
        self.settle()
        return True

    def received(self, id: str) -> list[Message]:
        """All that is there for a program, but for subscriptions, which reach an XPUB, and whatever stands behind one."""
        found: list[Message] = []
        while True:
            try:
                found.append(self.ends[id].recv_multipart(zmq.DONTWAIT))
            except zmq.ZMQError as error:
                if error.errno not in REFUSALS:
                    raise
                return [message for message in found if message[-1][:1] not in (b"\0", b"\1")]

    def wait_for_one_of(self, ids: list[str]) -> None:
        """Wait until one of them has a message, where that takes time."""
        poller = zmq.Poller()
        for id in ids:
            poller.register(self.ends[id], zmq.POLLIN)
        if self.patient:
            assert poller.poll(PATIENCE), f"nothing comes for {ids}"
            self.settle()

    def as_bytes(self, parts: tuple[Part, ...]) -> Message:
        """A message of the model for real. Ids that a ROUTER has made up are known once they were seen."""
        return [self._bytes(part) for part in parts]

    def _bytes(self, part: Part) -> bytes:
        if part.value is not None:
            return part.value
        return self.ids[part.of, part.at] if part.kind == "id" else TEXTS[part.kind]

    def agrees(self, message: Message, parts: tuple[Part, ...]) -> bool:
        """Whether a message is what the model says. Made-up ids are learned here: the same one for the same peer, and no other's."""
        return len(message) == len(parts) and all(self._is(data, part) for data, part in zip(message, parts, strict=True))

    def _is(self, data: bytes, part: Part) -> bool:
        if part.kind != "id" or part.value is not None:
            return data == self._bytes(part)
        known = self.ids.setdefault((part.of, part.at), data)
        others = [id for (of, at), id in self.ids.items() if at == part.at and of != part.of]
        return data == known and len(data) == 5 and data[:1] == b"\0" and data not in others


def written(leg: Leg) -> tuple[Part, ...]:
    """What the program hands to its socket, as far as it gets."""
    parts = leg.hops[0].parts
    for hop in leg.hops[1:]:
        if hop.socket.id != leg.hops[0].socket.id or hop.action not in BY_HAND:
            break
        parts = hop.parts
    return parts


def read(leg: Leg) -> tuple[Part, ...]:
    """What the socket hands to its program at the end."""
    return [hop for hop in leg.hops if hop.action not in BY_HAND][-1].parts


def wanted(graph: Graph, leg: Leg) -> bool:
    """Whether all who subscribe on the way have subscribed to this very message, as far as that depends on its body."""
    for hop, after in pairwise(leg.hops):
        topics = topics_of(graph, after.socket) if hop.action == "spreads" else None
        if topics and hop.parts[0].kind == "body" and not any(TEXTS["body"].startswith(topic) for topic in topics):
            return False
    return True


Model = Callable[[str, str], "Journey | None"]


def model_of(graph: Graph) -> Model:
    """The shortest way from one socket to another, as the model sees it; None if there is none."""
    known: dict[tuple[str, str], Journey | None] = {}

    def shortest(start: str, end: str) -> Journey | None:
        if (start, end) not in known:
            found = trace(graph, [graph.sockets[start]], [graph.sockets[end]], 1).journeys
            known[start, end] = found[0] if found else None
        return known[start, end]

    return shortest


def compare(graph: Graph, core: Any, start: str, end: str, patient: bool = False) -> Journey | None:
    """Send from one end to another for real, let it be answered, and hold the model to what happens."""
    shortest = model_of(graph)
    journey = shortest(start, end)
    rig = Rig(graph, core, patient)
    try:
        _compare(rig, shortest, start, end)
    finally:
        rig.close()
    return journey


def _compare(rig: Rig, shortest: Model, start: str, end: str) -> None:
    journey = shortest(start, end)
    if rig.graph.sockets[start].program == "REP":
        return  # its program would not speak
    sent = (Part("body"),) if journey is None else written(journey.there)
    rig.send(start, [TEXTS["body"]] if _unspoken(sent) else rig.as_bytes(sent))
    group = _replicas(rig, end, but=start)
    arrives = journey is not None and _gets_there(journey.there, end) and wanted(rig.graph, journey.there)
    if arrives:
        rig.wait_for_one_of(group)
    got = {id: rig.received(id) for id in rig.ends if id != start}
    if journey is None or not arrives:
        assert not got[end], f"{end} has received {got[end]}; the model: {journey and journey.why}"
        return
    takers = [id for id in group if got[id]]
    chosen = any(hop.among != 1 for hop in journey.there.hops)
    assert takers == group if _for_all(journey.there) else len(takers) == 1, f"{takers} of {group} have received it"
    assert chosen or end in takers
    for id, messages in got.items():
        other = shortest(start, id)
        if messages and other is not None and written(other.there) == sent:
            assert _gets_there(other.there, id), f"{id} has received {messages}; the model: {other.why}"
            assert wanted(rig.graph, other.there)
            assert len(messages) == 1
            assert rig.agrees(messages[0], read(other.there)), f"{id} has received {messages[0]}, not {read(other.there)}"
    _compare_answers(rig, shortest, start, takers[0] if end not in takers else end)


def _compare_answers(rig: Rig, shortest: Model, start: str, taker: str) -> None:
    journey = shortest(start, taker)
    assert journey is not None
    if journey.back is None:
        return
    assert rig.send(taker, rig.as_bytes(written(journey.back)))
    group = _replicas(rig, start)
    if journey.back.arrives:
        rig.wait_for_one_of(group)
    got = {id: messages for id in group if (messages := rig.received(id))}
    if not journey.back.arrives:
        assert not got, f"{got} has come back; the model: {journey.why}"
        return
    assert len(got) == 1
    (asker, messages), *_ = got.items()
    assert asker == start or journey.verdict == "by chance"
    assert len(messages) == 1
    assert rig.agrees(messages[0], read(journey.back)), f"{asker} has received {messages[0]}, not {read(journey.back)}"


def _replicas(rig: Rig, id: str, but: str = "") -> list[str]:
    declared = rig.graph.sockets[id].declared
    return [other for other in rig.ends if rig.graph.sockets[other].declared == declared and other != but]


def _for_all(leg: Leg) -> bool:
    """Whether the last socket that had a choice sent the message to all."""
    choices = [hop for hop in leg.hops if hop.action in ("addresses", "spreads", "sends up", "tears") or hop.among != 1]
    return bool(choices) and choices[-1].action in ("spreads", "sends up", "tears")


def _gets_there(leg: Leg, end: str) -> bool:
    """Whether the socket at the end receives the message; its program may still have other wishes."""
    return leg.arrives or (leg.hops[-1].socket.id == end and bool(leg.hops[-1].socket.program))


def _unspoken(parts: tuple[Part, ...]) -> bool:
    """Whether a program would have to know an id that nobody has told it."""
    return any(part.kind == "id" and part.value is None for part in parts)
