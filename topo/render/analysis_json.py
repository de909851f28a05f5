"""What a topology is like, as one JSON document.

    {
      "format_version": 1,
      "topology": "pipeline",
      "message_size": 1024,
      "cuts": [{"device": "tasks", "apart": [{"name": "squarer", "next": 3, "all": 5}], "place": PLACE}],
                                                 what has no contact without the device: how many of a name are next to it, and
                                                 how many devices and apps hang on these in all
      "unreached": [{"socket": "a.b", "type": "PULL", "place": PLACE}],
      "rings": [{"devices": ["a", "b"], "place": PLACE}],
      "readers": [{"socket": "sink", "feeds": [FEED], "place": PLACE}],
      "stalls": [
        {
          "socket": "results.out", "type": "PUSH",
          "does": "takes no more",               from its feeds; "drops"; "waits"
          "shared": false,                       whether only once none of its peers reads
          "feeds": [FEED], "place": PLACE
        }
      ],
      "loads": [
        {
          "component": "tasks", "to_send": 1000, "to_read": 1000, "bytes": 2048000,    null is without bound
          "each": false,                         whether that is for each of any number of peers
          "place": PLACE
        }
      ],
      "start": [[{"name": "sink", "count": 1}]]
    }

    FEED: {"sender": "squarer[0].result", "count": 3, "holds": 2000}    count senders are declared alike

Counts of messages are those of the high water marks; both ends of a link add.
"""

from __future__ import annotations

from typing import Any

from topo.analysis import Analysis, Feed, Names, Part
from topo.render import Style, place, to_json

__all__ = ["render"]


def render(analysis: Analysis, style: Style) -> str:
    """The whole document."""
    size = analysis.message_size
    document = {
        "topology": analysis.name,
        "message_size": size,
        "cuts": [
            {"device": c.device.name, "apart": [_part(part) for part in c.apart], "place": place(c.device.span)}
            for c in analysis.cuts
        ],
        "unreached": [{"socket": s.id, "type": s.type, "place": place(s.span)} for s in analysis.unreached],
        "rings": [{"devices": [d.name for d in ring.devices], "place": place(ring.devices[0].span)} for ring in analysis.rings],
        "readers": [
            {"socket": reader.id, "feeds": [_feed(feed) for feed in feeds], "place": place(reader.span)}
            for reader, feeds in analysis.readers
        ],
        "stalls": [
            {
                "socket": stall.socket.id,
                "type": stall.socket.type,
                "does": stall.does,
                "shared": stall.shared,
                "feeds": [_feed(feed) for feed in stall.feeds],
                "place": place(stall.socket.span),
            }
            for stall in analysis.stalls.values()
        ],
        "loads": [
            {
                "component": load.component.name,
                "to_send": load.to_send,
                "to_read": load.to_read,
                "bytes": None if load.messages is None else load.messages * size,
                "each": load.each,
                "place": place(load.component.span),
            }
            for load in analysis.loads
        ],
        "start": [_names(names) for names in analysis.start],
    }
    return to_json(document)


def _part(part: Part) -> dict[str, Any]:
    return {"name": part.name, "next": part.next, "all": part.all}


def _names(names: Names) -> list[dict[str, Any]]:
    return [{"name": name, "count": count} for name, count in names]


def _feed(feed: Feed) -> dict[str, Any]:
    return {"sender": feed.sender.id, "count": feed.count, "holds": feed.holds}
