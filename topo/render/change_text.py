"""What a change would do, for people: what comes, goes and changes, what that means for messages, and how many may be lost.

Replicas that change alike are shown once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from topo.model import REPLICA
from topo.render import Style, here
from topo.steps import (
    Attach,
    Bind,
    ChangePlan,
    ComponentChange,
    Connect,
    Detach,
    Difference,
    Disconnect,
    Effect,
    End,
    Home,
    Loss,
    SetOption,
    Start,
    Step,
    Unbind,
)
from topo.text import clean, cut, nearest, width, wrap

__all__ = ["render"]

WIDEST = 80
SIGNS = {"added": "+", "removed": "-", "changed": "~"}
SIGN_COLORS = {"+": "green", "-": "red", "~": "yellow"}
EFFECT_COLORS: dict[Effect, str] = {"live": "green", "drain": "cyan", "restart": "yellow", "may drop": "red"}
LEGEND: dict[Effect, str] = {
    "live": "no message is lost",
    "drain": "none is lost; those who send pause until what is under way has arrived",
    "restart": "none is lost; it ends and starts anew, with new counters",
    "may drop": "as many as is said, by the high water marks; what the buffers of the system hold comes on top",
}
LONGEST_NAMES = 3
"""So many names of replicas are shown, of more only how many there are."""


def render(plan: ChangePlan, style: Style) -> str:
    """The whole text."""
    cells = min(style.width, WIDEST)
    lines = [style.paint(line, "bold") for line in wrap(clean(f"{plan.name}: {_counts(plan)}"), cells)]
    done = _done(plan.steps) | dict.fromkeys(_not_there(plan), "it starts at once")
    folders = (here(), _folder(plan.changes))
    for alike in _folded(plan.changes):
        lines += ["", *_component(alike, done.get(alike[0].name, ""), folders, style, cells)]
    legend = [effect for effect in LEGEND if any(change.effect == effect for change in plan.changes)]
    if legend:
        lines.append("")
    for effect in legend:
        first, *more = wrap(LEGEND[effect], cells - 10)
        lines.append(style.paint(effect.ljust(10), EFFECT_COLORS[effect]) + style.paint(first, "dim"))
        lines += [" " * 10 + style.paint(line, "dim") for line in more]
    text = "\n".join(lines) + "\n"
    return text if style.unicode else text.encode("ascii", "replace").decode()


def _counts(plan: ChangePlan) -> str:
    if not plan.changes:
        return f"nothing to change, {len(plan.unchanged):,} unchanged"
    numbers = {action: sum(change.action == action for change in plan.changes) for action in SIGNS}
    counts = [f"{number:,} {action}" for action, number in numbers.items() if number]
    return ", ".join((*counts, f"{len(plan.unchanged):,} unchanged"))


def _folded(changes: Sequence[ComponentChange]) -> list[list[ComponentChange]]:
    """Those that are shown together: replicas of one declaration to which the same happens."""
    alike: dict[object, list[ComponentChange]] = {}
    for change in changes:
        alike.setdefault((change.action, change.kind, change.effect, _of_any(change)), []).append(change)
    return list(alike.values())


def _of_any(change: ComponentChange) -> object:
    """What happens, in the same words whichever replica it is."""
    differences = [(_declared(d.what), _declared(d.before), _declared(d.after)) for d in change.differences]
    losses = [(_declared(loss.why), loss.most, loss.each) for loss in change.losses]
    return repr((_declared(change.name), differences, losses, change.reasons))


def _declared(text: str) -> str:
    return REPLICA.sub("[]", text)


def _folder(changes: Iterable[ComponentChange]) -> str:
    """The folder that all files are in which are called by their whole paths; empty if there is none."""
    found = {os.path.dirname(change.place.file) for change in changes if os.path.isabs(change.place.file)}
    return os.path.commonpath(found) if found else ""


def _done(steps: Sequence[Step]) -> dict[str, str]:
    """What is done with each device or app that there is already, in words."""
    ended, started = (dict(_homes(steps, kind)) for kind in (End, Start))
    anew = {name: _anew(ended[name], started[name], name) for name in ended.keys() & started.keys()}
    attached = {step.device for step in steps if isinstance(step, Attach)}
    in_place: dict[str, list[str]] = {}
    for step in steps:
        match step:
            case Bind(device, socket) | Unbind(device, socket):
                what = f"{_side(socket)} is bound anew"
            case Connect(device, socket) | Disconnect(device, socket):
                what = f"{_side(socket)} is connected anew"
            case SetOption(device, socket):
                what = f"options of {_side(socket)} are set"
            case Detach(device):
                what = "its monitor is made anew" if device in attached else "who reads its monitor gets nothing any more"
            case _:
                continue
        in_place.setdefault(device, []).append(what)
    return anew | {name: f"{', '.join(dict.fromkeys(words))}; the device goes on" for name, words in in_place.items()}


def _not_there(plan: ChangePlan) -> Iterator[str]:
    """Those that start anew and do not run: to end those that do would not be live."""
    started = dict(_homes(plan.steps, Start))
    yield from (c.name for c in plan.changes if c.action == "changed" and c.effect == "live" and c.name in started)


def _side(socket: str) -> str:
    return socket.rpartition(".")[2]


def _homes(steps: Sequence[Step], kind: type[End] | type[Start]) -> Iterator[tuple[str, Home | None]]:
    """Who ends, or starts, and in which process of devices; None is one of its own that is no device's."""
    for step in steps:
        if isinstance(step, kind):
            yield from ((lodger.device.name, lodger.home) for lodger in step.devices)
            yield from ((app.name, None) for app in step.apps)


def _anew(old: Home | None, new: Home | None, name: str) -> str:
    before, after = _where(old, name), _where(new, name)
    return f"its {before} ends, and starts again" if before == after else f"its {before} ends, and a {after} starts"


def _where(home: Home | None, name: str) -> str:
    if home is None or home.name == name:
        return "process"
    return "thread" if home.hosted else f"thread in the process {home.name}"


def _component(alike: list[ComponentChange], done: str, folders: tuple[str, str], style: Style, cells: int) -> Iterator[str]:
    change = alike[0]
    sign = SIGNS[change.action]
    names = (
        ", ".join(c.name for c in alike)
        if len(alike) <= LONGEST_NAMES
        else f"{REPLICA.sub('', change.name)} ({len(alike)} of them)"
    )
    names = cut(clean(names), cells - 12, style.ellipsis)
    effect = style.paint(change.effect, EFFECT_COLORS[change.effect])
    yield f"{style.paint(sign, SIGN_COLORS[sign])} {style.paint(names, 'bold')}{' ' * max(1, cells - 2 - width(names) - len(change.effect))}{effect}"
    yield "    " + style.paint(
        cut(clean(f"{change.kind}, {nearest(change.place.where, *folders)}"), cells - 4, style.ellipsis), "dim"
    )
    for difference in change.differences:
        yield from _difference(difference, style, cells)
    for text in filter(None, (done, *change.reasons)):
        yield from _indented(text, cells)
    for loss in change.losses:
        yield from _indented(_loss(loss, alike), cells)


def _difference(difference: Difference, style: Style, cells: int) -> Iterator[str]:
    what, before, after = (clean(text) for text in (difference.what, difference.before, difference.after))
    arrow = "→" if style.unicode else "->"
    sign = "~" if before and after else "+" if after else "-"
    painted = style.paint(sign, SIGN_COLORS[sign])
    value = f"{before} {arrow} {after}" if before and after else before or after
    if width(what) + width(value) + 8 <= cells:
        yield f"    {painted} {what}: {value}"
        return
    yield f"    {painted} {what}:"
    for text in (before, f"{arrow} {after}") if before and after else (value,):
        yield "        " + cut(text, cells - 8, style.ellipsis)


def _indented(text: str, cells: int) -> Iterator[str]:
    first, *more = wrap(clean(text), cells - 8)
    yield f"    {first}"
    yield from (f"        {line}" for line in more)


def _loss(loss: Loss, alike: list[ComponentChange]) -> str:
    each = (
        " for each peer" if loss.each == "peer" else f" for each {loss.each}" if loss.each else " each" if len(alike) > 1 else ""
    )
    many = "no bound is known" if loss.most is None else f"at most {loss.most:,}{each}"
    return f"{many}: {REPLICA.sub('', loss.why) if len(alike) > 1 else loss.why}"
