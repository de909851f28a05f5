"""The way of a message as one JSON document.

{
  "format_version": 1,
  "from": "client", "to": "worker",          as they were asked for
  "stands": [{"name": "client", "socket": "client[0]", "count": 2}],    count is null for any number
  "journeys": [
    {
      "from": "client[0]", "to": "worker[0]",
      "verdict": "answered",                 "by chance": the answer comes to one of several in turn; "unanswered"; "one way";
                                             "lost": the message does not arrive
      "why": null, "place": null,            why it is not simply answered, and the reason in the file
      "before": LEG or null,                 the subscription that goes ahead
      "there": LEG, "back": LEG or null
    }
  ],
  "more": false,                             whether there are more ways
  "halts": [{"socket": "worker[0]", "why": "...", "place": PLACE}]      how far messages get where there is no way
}

LEG: {"arrives": true, "why": null, "place": null, "hops": [HOP]}

HOP: {
  "socket": "broker.in", "type": "ROUTER", "program": null,
  "action": "labels", "text": "puts the id of who sent it in front",
  "among": 1,                                among how many peers it goes in turn; null is any number
  "over": "tcp://127.0.0.1:5555",            what it came over, or null within a device or a program
  "parts": [PART],                           after the action
  "place": PLACE
}

PART: {
  "kind": "id",                              or "request id", "delimiter", "prefix", "subscription", "body", "answer"
  "of": "client[0]",                         whose id it is, else null
  "known_to": "broker.in",                   the only ROUTER that knows by an id whom it has made it up for, else null
  "value": null                              the bytes, where the file says them, as in `ztopo show --format json`
}
"""

from __future__ import annotations

from typing import Any

from topo.envelope import Hop, Journey, Leg, Part, sentence
from topo.render import Style, place, shown_bytes, to_json
from topo.source import Span
from topo.trace import Trace

__all__ = ["render"]


def render(trace: Trace, style: Style) -> str:
    """The whole document."""
    document = {
        "from": trace.start,
        "to": trace.end,
        "stands": [{"name": name, "socket": socket.id, "count": count or None} for name, socket, count in trace.stands],
        "journeys": [_journey(journey) for journey in trace.journeys],
        "more": trace.more,
        "halts": [{"socket": socket.id, "why": why, "place": place(socket.span)} for socket, why in trace.halts],
        "other_way": trace.other_way,
    }
    return to_json(document)


def _journey(journey: Journey) -> dict[str, Any]:
    return {
        "from": journey.start.id,
        "to": journey.end.id,
        "verdict": journey.verdict,
        **_reason(journey.why, journey.where),
        "before": _leg(journey.before),
        "there": _leg(journey.there),
        "back": _leg(journey.back),
    }


def _reason(why: str, where: Span | None) -> dict[str, Any]:
    return {"why": why or None, "place": None if where is None else place(where)}


def _leg(leg: Leg | None) -> dict[str, Any] | None:
    if leg is None:
        return None
    return {"arrives": leg.arrives, **_reason(leg.why, leg.where), "hops": [_hop(hop) for hop in leg.hops]}


def _hop(hop: Hop) -> dict[str, Any]:
    return {
        "socket": hop.socket.id,
        "type": hop.socket.type,
        "program": hop.socket.program or None,
        "action": hop.action,
        "text": sentence(hop),
        "among": hop.among,
        "over": None if hop.link is None else hop.link.endpoint,
        "parts": [_part(part) for part in hop.parts],
        "place": place(hop.socket.span),
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "kind": part.kind,
        "of": part.of or None,
        "known_to": part.at or None,
        "value": None if part.value is None else shown_bytes(part.value),
    }
