"""Snapshots of topologies that do not run: what a plan comes to once everything is bound and connected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count

from topo.plan import DevicePlan, Plan, SocketPlan
from topo.run.events import Addresses
from topo.run.snapshot import AppSnapshot, DeviceSnapshot, Snapshot, SocketSnapshot
from topo.run.sockets import connect_to

__all__ = ["world"]


def world(
    plan: Plan,
    known: Mapping[tuple[str, str], str] | None = None,
    ended: Iterable[str] = (),
    waiting: Iterable[str] = (),
    statuses: Mapping[str, int] | None = None,
    serial: int = 7,
) -> Snapshot:
    """What `plan` is like when it runs. `known` are the addresses of wild endpoints, by socket and endpoint."""
    ports = count(40001)
    lives = dict.fromkeys(ended, "ended") | dict.fromkeys(waiting, "waiting")
    addresses: Addresses = {
        socket.id: tuple(_real(socket.id, bind.endpoint, known or {}, ports) for bind in socket.binds)
        for device in plan.devices
        for socket in device.sockets
    }

    def device(plan: DevicePlan, host: str) -> DeviceSnapshot:
        life = lives.get(plan.name, "ready")
        sockets = tuple(socket_of(socket) for socket in plan.sockets)
        return DeviceSnapshot(plan.name, plan.kind, host, life, plan.place.where, sockets=sockets)

    def socket_of(plan: SocketPlan) -> SocketSnapshot:
        return SocketSnapshot(plan.id, plan.type, addresses[plan.id], tuple(connect_to(c, addresses) for c in plan.connects))

    def app(name: str, command: tuple[str, ...], where: str) -> AppSnapshot:
        status = (statuses or {}).get(name)
        return AppSnapshot(name, command, "ready" if status is None else "ended", where, status=status)

    return Snapshot(
        name=plan.name,
        file="t.ztopo",
        phase="running",
        pid=1,
        started=0.0,
        serial=serial,
        devices=tuple(device(d, host.name) for host in plan.hosts for d in host.devices),
        apps=tuple(app(a.name, a.command, a.place.where) for a in plan.apps),
    )


def _real(socket: str, endpoint: str, known: Mapping[tuple[str, str], str], ports: Iterable[int]) -> str:
    if (socket, endpoint) in known:
        return known[socket, endpoint]
    number = next(iter(ports))
    if endpoint == "ipc://*":
        return f"ipc:///tmp/{number}/socket"
    return endpoint.replace("//*:", "//0.0.0.0:").replace(":*", f":{number}")
