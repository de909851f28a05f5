"""How what a topology consists of lives, as two tables: an event leads from one state to the next.

Whatever is started has a *life*: a device, an app, a process of devices. LIVES says how it goes on:

    planned -> starting -> bound -> connecting -> ready -> stopping -> ended          a device
    planned -> starting -> ready -> stopping -> leaving -> ended                      an app, a process of devices
    ended -> waiting -> starting                                                      all, while the topology runs

An app or a process is `leaving` when it has ended itself but not yet all that it had started. Who is `waiting` is started again
when its time has come. A pair that LIVES does not have changes nothing: that event came too late to matter.

The topology as a whole is in a *phase*. PHASES says how it goes on:

    binding -> connecting -> running -> stopping -> ended
                                        stopping -> killing -> ended
"""

from __future__ import annotations

from enum import StrEnum

from topo.run.events import Phase

__all__ = ["ALIVE", "LIVES", "PHASES", "STARTABLE", "UNREADY", "Life"]


class Life(StrEnum):
    """Where a device, an app or a process of devices stands."""

    PLANNED = "planned"
    STARTING = "starting"
    BOUND = "bound"
    CONNECTING = "connecting"
    READY = "ready"
    WAITING = "waiting"
    STOPPING = "stopping"
    LEAVING = "leaving"
    ENDED = "ended"


ALIVE = (Life.STARTING, Life.BOUND, Life.CONNECTING, Life.READY, Life.STOPPING)

UNREADY = (Life.STARTING, Life.BOUND, Life.CONNECTING)
STARTABLE = (Life.PLANNED, Life.ENDED, Life.WAITING)

LIVES: dict[tuple[Life, str], Life] = {
    (Life.PLANNED, "start"): Life.STARTING,
    (Life.PLANNED, "stop"): Life.ENDED,
    (Life.ENDED, "await"): Life.WAITING,
    (Life.WAITING, "stop"): Life.ENDED,
    (Life.WAITING, "start"): Life.STARTING,
    (Life.ENDED, "start"): Life.STARTING,
    (Life.STARTING, "started"): Life.READY,
    (Life.STARTING, "refused"): Life.ENDED,
    (Life.STOPPING, "refused"): Life.ENDED,
    (Life.STARTING, "bound"): Life.BOUND,
    (Life.BOUND, "connect"): Life.CONNECTING,
    (Life.CONNECTING, "ready"): Life.READY,
    (Life.STARTING, "stop"): Life.STOPPING,
    (Life.BOUND, "stop"): Life.STOPPING,
    (Life.CONNECTING, "stop"): Life.STOPPING,
    (Life.READY, "stop"): Life.STOPPING,
    **{(life, "stopped"): Life.ENDED for life in ALIVE},
    **{(life, "failed"): Life.ENDED for life in ALIVE},
    **{(life, "lost"): Life.ENDED for life in (*ALIVE, Life.LEAVING)},
    **{(life, "exited"): Life.LEAVING for life in ALIVE},
    (Life.LEAVING, "gone"): Life.ENDED,
}

PHASES: dict[tuple[Phase, str], Phase] = {
    ("binding", "all bound"): "connecting",
    ("connecting", "all ready"): "running",
    ("running", "nothing left"): "stopping",
    ("binding", "failure"): "stopping",
    ("connecting", "failure"): "stopping",
    ("running", "failure"): "stopping",
    ("binding", "stop asked"): "stopping",
    ("connecting", "stop asked"): "stopping",
    ("running", "stop asked"): "stopping",
    ("stopping", "forced"): "killing",
    ("stopping", "all ended"): "ended",
    ("killing", "all ended"): "ended",
}
