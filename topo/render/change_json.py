"""What a change would do, as one JSON document.

    {
      "format_version": 1,
      "topology": "pipeline",
      "serial": 17,                               what runs when it was asked; it changes with whatever happens
      "counts": {"added": 1, "removed": 0, "changed": 1, "unchanged": 7},
      "changes": [
        {
          "name": "work", "kind": "device",       or "app", or "socket" of the program that runs the topology
          "action": "changed",                    or "added", "removed"
          "effect": "may drop",                   or "live", "drain", "restart"
          "place": {"file": "pipeline.ztopo", "line": 8},
          "differences": [
            {"what": "in bind", "before": "tcp://127.0.0.1:40003", "after": "tcp://127.0.0.1:6000", "place": PLACE}
          ],                                      "before" or "after" is "" where there is none; a secret is "(secret)"
          "reasons": ["a device of another kind is another device"],
          "losses": [
            {"why": "what is on its way to work.in", "most": 1000, "each": ""}
          ]                                       null is without a bound; "each": for each peer of this name
        }
      ],
      "unchanged": ["tasks"],
      "steps": [{"step": "Pause", "says": "pause tasks.out", "where": ""}]
    }

A plan that can be applied is another document: `ztopo plan -o FILE` writes it.
"""

from __future__ import annotations

from typing import Any

from topo.plan import Place
from topo.render import Style, to_json
from topo.steps import ChangePlan, ComponentChange, said, where

__all__ = ["render"]


def render(plan: ChangePlan, style: Style) -> str:
    """The whole document."""
    actions = [change.action for change in plan.changes]
    document = {
        "topology": plan.name,
        "serial": plan.serial,
        "counts": {
            **{action: actions.count(action) for action in ("added", "removed", "changed")},
            "unchanged": len(plan.unchanged),
        },
        "changes": [_change(change) for change in plan.changes],
        "unchanged": list(plan.unchanged),
        "steps": [{"step": type(step).__name__, "says": said(step), "where": where(step)} for step in plan.steps],
    }
    return to_json(document, line=120)


def _change(change: ComponentChange) -> dict[str, Any]:
    return {
        "name": change.name,
        "kind": change.kind,
        "action": change.action,
        "effect": change.effect,
        "place": _place(change.place),
        "differences": [
            {"what": d.what, "before": d.before, "after": d.after, "place": _place(d.place)} for d in change.differences
        ],
        "reasons": list(change.reasons),
        "losses": [{"why": loss.why, "most": loss.most, "each": loss.each} for loss in change.losses],
    }


def _place(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line}
