"""What runs and how fast, as one JSON document: the counters as they are, and what they came to per second.

{
  "format_version": 1,
  "topology": "request_broker", "file": "...", "phase": "running", "pid": 4711, "started": 1700000000.0, "serial": 5,
  "interval": 1.002,                         seconds between the two looks that the rates are from
  "devices": [
    {
      "name": "broker", "kind": "queue", "host": "broker", "life": "ready", "where": "request_broker.ztopo:8",
      "pid": 4712, "thread": 4713, "restarts": 0, "since": 1700000000.2,
      "state": "running", "last_message": 1700000012000000000,
      "cpu": 3.2, "memory": 20000000,        percent of a core; bytes; null is not known, here and everywhere
      "sockets": [
        {
          "id": "broker.in", "type": "ROUTER", "bound": ["tcp://0.0.0.0:5555"], "connected": [],
          "peers": 2,                        connections at this moment
          "received": FLOW, "sent": FLOW,    null of a monitor
          "unroutable": 0, "full": 0, "lost": 0, "held": 0, "waiting": false
        }
      ],
      "copies": {"passed": 0, "passed_per_second": 0.0, "waiting": 0, "dropped": 0}      null without a monitor
    }
  ],
  "hosts": [{"name": "thread host", "pid": 4714, "devices": 2, "cpu": 0.0, "memory": 30000000}],
  "apps": [
    {"name": "client[0]", "life": "ready", "where": "...", "pid": 4715, "restarts": 0, "since": 1700000000.3,
     "status": null, "cpu": 0.1, "memory": 25000000}
  ]
}

FLOW: {"messages": 9, "parts": 27, "bytes": 90, "messages_per_second": 1.0, "parts_per_second": 3.0, "bytes_per_second": 10.0}
"""

from __future__ import annotations

import msgspec

from topo.board import groups, ordered
from topo.render import Style, to_json
from topo.watch import Rates

__all__ = ["render"]


def render(rates: Rates, style: Style, sort: str | None = None) -> str:
    """The whole document."""
    document = msgspec.to_builtins(rates)
    position = {group.name: n for n, group in enumerate(ordered(groups(rates), sort))}
    for kind in ("devices", "hosts", "apps"):
        document[kind] = sorted(document[kind], key=lambda thing: position[thing["name"]])
    return to_json({"topology": document.pop("name"), **document})
