"""What is known of a running topology from what its supervisor tells: whoever asks gets that as a snapshot."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from topo.plan import DevicePlan
from topo.run.events import Exited, Ready, Started, StopAsked, Told
from topo.run.snapshot import AppSnapshot, DeviceSnapshot, Snapshot, SocketSnapshot
from topo.run.supervisor import Supervisor

__all__ = ["Watched"]


class Watched:
    """A supervisor, and what it has told. `tell` is to be called in its thread, everything else in any."""

    def __init__(self, supervisor: Supervisor, file: str) -> None:
        self._supervisor = supervisor
        self._file = file
        self._started = time.time()
        self._host_of = {d.name: host.name for host in supervisor.plan.hosts for d in host.devices}
        self._pids: dict[str, int] = {}
        self._since: dict[str, float] = {}
        self._ends: dict[str, int] = {}
        self._serial = 0
        self._listeners: list[Callable[[Told], None]] = []

    def tell(self, event: Told) -> None:
        """Take note of what is told, and pass it on."""
        self._serial += 1
        match event:
            case Started(name, pid):
                self._pids[name] = pid
                self._since[name] = time.time()
            case Ready(name):
                self._since[name] = time.time()
            case Exited(name, status):
                self._pids.pop(name, None)
                self._ends[name] = status
        for listener in tuple(self._listeners):
            listener(event)

    def subscribe(self, listener: Callable[[Told], None]) -> Callable[[], None]:
        """Tell the listener, too, until what is returned is called."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return unsubscribe

    def post(self, event: StopAsked) -> None:
        """Let the supervisor hear of this."""
        self._supervisor.post(event)

    def snapshot(self) -> Snapshot:
        """What runs at this moment."""
        machine, plan = self._supervisor.machine, self._supervisor.plan
        return Snapshot(
            name=plan.name,
            file=self._file,
            phase=machine.phase,
            pid=os.getpid(),
            started=self._started,
            serial=self._serial,
            devices=tuple(self._device(device) for device in plan.devices),
            apps=tuple(
                AppSnapshot(
                    name=app.name,
                    command=app.command,
                    life=machine.apps[app.name],
                    where=app.place.where,
                    pid=self._pids.get(app.name),
                    since=self._since.get(app.name),
                    status=self._ends.get(app.name),
                )
                for app in plan.apps
            ),
        )

    def _device(self, device: DevicePlan) -> DeviceSnapshot:
        host = self._host_of[device.name]
        return DeviceSnapshot(
            name=device.name,
            kind=device.kind,
            host=host,
            life=self._supervisor.machine.devices[device.name],
            where=device.place.where,
            pid=self._pids.get(host),
            since=self._since.get(device.name),
            sockets=tuple(self._sockets(device)),
        )

    def _sockets(self, device: DevicePlan) -> Iterator[SocketSnapshot]:
        addresses = dict(self._supervisor.machine.addresses)
        for socket in device.sockets:
            connected = []
            for connect in socket.connects:
                origin = connect.origin
                bound = addresses.get(origin.socket, ()) if origin else ()
                connected.append(bound[origin.index] if origin and origin.index < len(bound) else connect.endpoint)
            yield SocketSnapshot(socket.id, socket.type, addresses.get(socket.id, ()), tuple(connected))
