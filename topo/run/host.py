"""Devices as threads of one process and one context: of a worker, or of the application that uses the Python API."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable

from topo.plan import ProcessPlan
from topo.run.device import Device
from topo.run.events import Addresses, Exited, Failed, FromDevice, Gone, Started, Stopped
from topo.run.sockets import Context

__all__ = ["Host"]


class Host:
    """The devices of one process."""

    def __init__(
        self,
        plan: ProcessPlan,
        context: Context,
        post: Callable[[FromDevice], None],
        on_end: Callable[[], None],
        *,
        lasting: bool = False,
    ) -> None:
        """`post` gets what the devices say, `on_end` is called when the last one has ended; `lasting` is as for `Device`."""
        self._post = post
        self._on_end = on_end
        self._lock = threading.Lock()
        self._left = len(plan.devices)
        self.devices = {d.name: Device(d, context, self._heard, lasting=lasting) for d in plan.devices}

    def start(self) -> None:
        """Let every device bind."""
        for device in self.devices.values():
            device.start()

    def connect(self, addresses: Addresses) -> None:
        """Let every device connect and run."""
        for device in self.devices.values():
            device.connect(addresses)

    def stop(self, names: Iterable[str]) -> None:
        """Ask devices to end."""
        for name in names:
            self.devices[name].stop()

    def join(self, timeout: float) -> bool:
        """Wait for the end of all of them, and say whether it has come."""
        end = time.monotonic() + timeout
        return all(device.join(max(0.0, end - time.monotonic())) for device in self.devices.values())

    def _heard(self, event: FromDevice) -> None:
        self._post(event)
        if isinstance(event, Stopped | Failed):
            with self._lock:
                self._left -= 1
                last = self._left == 0
            if last:
                self._on_end()


class LocalHost:
    """A host in this process, which looks to the supervisor like a process of its own."""

    def __init__(self, plan: ProcessPlan, context: Context, post: Callable[[FromDevice | Started | Exited | Gone], None]) -> None:
        self.name = plan.name
        self._post = post
        self.host = Host(plan, context, post, self._ended, lasting=True)

    def start(self) -> None:
        """Start the devices."""
        self._post(Started(self.name, os.getpid()))
        self.host.start()

    def connect(self, addresses: Addresses) -> None:
        """Everything is bound, there."""
        self.host.connect(addresses)

    def stop(self, devices: tuple[str, ...]) -> None:
        """Ask devices to end."""
        self.host.stop(devices)

    def _ended(self) -> None:
        self._post(Exited(self.name, 0))
        self._post(Gone(self.name))
