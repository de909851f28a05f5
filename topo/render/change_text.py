"""What a change would do, for people: what comes, goes and changes, what that means for messages, and how many may be lost.

Replicas that change alike are shown once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from topo.model import REPLICA
from topo.render import Style
from topo.steps import ChangePlan, ComponentChange, Difference, Effect, Loss
from topo.text import clean, cut, width, wrap

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
    for alike in _folded(plan.changes):
        lines += ["", *_component(alike, style, cells)]
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


def _component(alike: list[ComponentChange], style: Style, cells: int) -> Iterator[str]:
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
    yield "    " + style.paint(cut(clean(f"{change.kind}, {change.place.where}"), cells - 4, style.ellipsis), "dim")
    for difference in change.differences:
        yield from _difference(difference, style, cells)
    for reason in change.reasons:
        yield from _indented(reason, cells)
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
