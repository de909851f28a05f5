"""Devices as threads of one process and one context: of a worker, or of the application that uses the Python API."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping

from topo.devcore.listener import Listener
from topo.plan import DevicePlan, Origin
from topo.run.counters import Counters, Slots
from topo.run.device import Device
from topo.run.events import Addresses, Command, Drain, Exited, FromDevice, Gone, Started
from topo.run.sockets import Context

__all__ = ["Host", "LocalHost"]

LAST_STEPS = 1.0
"""Seconds that the thread of a device may take from its last word to its end. One that hangs has been given up before."""


class Host:
    """The devices of one process. They come and go; its methods may be called from one thread at a time."""

    def __init__(self, context: Context, slots: Slots, post: Callable[[FromDevice], None], *, lasting: bool) -> None:
        """`post` gets what the devices say; `lasting` is as for `Device`."""
        self._context = context
        self._slots = slots
        self._post = post
        self._lasting = lasting
        self.devices: dict[str, Device] = {}

    def begin(self, plans: Iterable[DevicePlan], slots: Iterable[int], handles: Mapping[Origin, int]) -> None:
        """Let devices bind: new ones, or ones that have ended. `handles` listen for them already, and become theirs."""
        kept = {origin: Listener(handle) for origin, handle in handles.items()}
        for plan, slot in zip(plans, slots, strict=True):
            sockets = {socket.id for socket in plan.sockets}
            device = self.devices[plan.name] = Device(
                plan,
                self._context,
                self._post,
                lasting=self._lasting,
                memory=self._slots.memory(slot),
                kept={origin: listener for origin, listener in kept.items() if origin.socket in sockets},
            )
            device.start()

    def connect(self, addresses: Addresses, names: Iterable[str]) -> None:
        """Let devices connect and run."""
        for name in names:
            self.devices[name].connect(addresses)

    def stop(self, names: Iterable[str], drain: Drain | None = None) -> None:
        """Ask devices to end."""
        for name in names:
            self.devices[name].stop(drain)

    def do(self, name: str, number: int, command: Command) -> None:
        """Let a device carry out a command."""
        self.devices[name].do(number, command)

    def join(self, timeout: float) -> bool:
        """Wait for the end of all of them, and say whether it has come."""
        end = time.monotonic() + timeout
        return all(device.join(max(0.0, end - time.monotonic())) for device in self.devices.values())


class LocalHost:
    """A host in this process, which looks to the supervisor like a process of its own."""

    def __init__(
        self, name: str, context: Context, counters: Counters, post: Callable[[FromDevice | Started | Exited | Gone], None]
    ) -> None:
        self.name = name
        self._post = post
        self._counters = counters
        self.host = Host(context, Slots(counters.handle), post, lasting=True)

    def start(self) -> None:
        """Say that the process runs."""
        self._post(Started(self.name, os.getpid()))

    def begin(self, devices: tuple[DevicePlan, ...], handles: Mapping[Origin, int]) -> None:
        """Start devices."""
        self.host.begin(devices, [self._counters.slot(device.name) for device in devices], handles)

    def connect(self, addresses: Addresses, devices: tuple[str, ...]) -> None:
        """Everything is bound, there."""
        self.host.connect(addresses, devices)

    def stop(self, devices: tuple[str, ...], drain: Drain | None = None) -> None:
        """Ask devices to end."""
        self.host.stop(devices, drain)

    def do(self, device: str, number: int, command: Command) -> None:
        """Let a device carry out a command."""
        self.host.do(device, number, command)

    def dismiss(self) -> None:
        """Nothing more is wanted here."""
        self._post(Exited(self.name, 0))
        self._post(Gone(self.name))

    def close(self) -> None:
        """It has ended: its devices have said their last words, and their threads are about to."""
        self.host.join(LAST_STEPS)
