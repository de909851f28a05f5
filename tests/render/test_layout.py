"""The picture of any topology: it fits, nothing touches what it does not belong to, and every wire is drawn or named."""

from __future__ import annotations

from collections import Counter, defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from topo.layout import Layout, Path, lay_out
from topo.picture import Part, Picture, Port, Wire
from topo.render import Style
from topo.render.graph_ascii import render

TYPES = {"in": "ROUTER", "out": "DEALER", "monitor": "PUB"}


@st.composite
def pictures(draw: st.DrawFn, most: int = 12) -> Picture:
    names = [f"n{i}" for i in range(draw(st.integers(1, most)))]
    parts = [draw(_part(name)) for name in names]
    ids = [port.id for part in parts for port in part.ports]
    pairs = draw(st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)), max_size=2 * most)) if ids else []
    wires = [
        Wire(a, b, *draw(st.tuples(st.booleans(), st.booleans())), "tcp://x:1", draw(st.booleans()))
        for a, b in dict.fromkeys(pairs)
    ]
    return Picture("any", tuple(parts), tuple(wires))


@st.composite
def _part(draw: st.DrawFn, name: str) -> Part:
    endpoint = st.sampled_from(["tcp://*:5555", "ipc://some.socket", "ipc:///a/very/long/path/to/a/socket/in/some/folder"])
    if draw(st.booleans()):
        sides = ["in", "out", "monitor"][: draw(st.integers(2, 3))]
        ports = [Port(f"{name}.{s}", s, s, TYPES[s], tuple(draw(st.lists(endpoint, max_size=2)))) for s in sides]  # type: ignore[arg-type]
        return Part(name, True, "queue", ("swap",) if draw(st.booleans()) else (), tuple(ports), True)
    types = draw(st.lists(st.sampled_from(["PUB", "SUB", "REQ", "REP", "PAIR", "PUSH", "PULL"]), max_size=9))
    ports = [Port(f"{name}.s{n}", f"s{n}", "app", t, tuple(draw(st.lists(endpoint, max_size=1)))) for n, t in enumerate(types)]
    return Part(name, False, "app", (), tuple(ports), draw(st.booleans()))


def cells(path: Path) -> dict[tuple[int, int], set[str]]:
    found: dict[tuple[int, int], set[str]] = defaultdict(set)
    for x1, y1, x2, y2 in path.pieces:
        for x in range(x1, x2 + 1):
            for y in range(y1, y2 + 1):
                found[x, y].add("across" if y1 == y2 and x1 != x2 else "along")
    return found


def inside_boxes(layout: Layout) -> Counter[tuple[int, int]]:
    return Counter((x, y) for b in layout.boxes for x in range(b.x, b.x + b.width) for y in range(b.y, b.y + b.height))


@given(pictures(), st.sampled_from([60, 80, 120]))
@settings(max_examples=150, deadline=None)
def test_boxes_fit_and_do_not_overlap(picture: Picture, most: int) -> None:
    layout = lay_out(picture, most)
    assert layout.width <= most
    assert len(layout.boxes) == len(picture.parts)
    boxes = inside_boxes(layout)
    assert max(boxes.values()) == 1
    assert all(0 <= x < layout.width and 0 <= y < layout.height for x, y in boxes)
    for box in layout.boxes:
        for words in box.words:
            assert box.x < words.x
            assert words.x + len(words.text) < box.x + box.width
            assert box.y < words.y < box.y + box.height - 1


@given(pictures(), st.sampled_from([60, 80]))
@settings(max_examples=150, deadline=None)
def test_lines_touch_no_box_and_no_other_line(picture: Picture, most: int) -> None:
    layout = lay_out(picture, most)
    boxes = inside_boxes(layout)
    drawn: dict[tuple[int, int], set[str]] = {}
    for path in layout.paths:
        mine = cells(path)
        assert not any(place in boxes for place in mine)
        for place, ways in mine.items():
            if place in drawn:
                assert drawn[place] | ways == {"across", "along"}, "two nets meet, and do not just cross"
                assert len(drawn[place]) == len(ways) == 1
            drawn[place] = ways


@given(pictures(), st.sampled_from([60, 80]))
@settings(max_examples=150, deadline=None)
def test_every_line_hangs_together_and_ends_at_boxes(picture: Picture, most: int) -> None:
    layout = lay_out(picture, most)
    borders = {(x, y): b.part.name for b in layout.boxes for x in range(b.x, b.x + b.width) for y in (b.y, b.y + b.height - 1)}
    reached: Counter[frozenset[str]] = Counter()
    for path in layout.paths:
        mine = set(cells(path))
        ends = [(x, y + (-1 if up else 1)) for x, y, up in path.heads] + [(x, y) for x, y, _ in path.feet]
        assert {(x, y) for x, y, _ in path.heads} <= mine
        assert {(x, y + (-1 if up else 1)) for x, y, up in path.feet} <= mine
        assert len(_connected(mine)) == 1
        reached[frozenset(borders[end] for end in ends)] += 1
    said = "\n".join(words.text for box in layout.boxes for words in box.words if words.role in ("elsewhere", "socket"))
    for wire in picture.wires:
        ends = {wire.a.split(".")[0], wire.b.split(".")[0]}
        assert any(ends <= names for names in reached) or wire.b in said or "…" in said or "one another" in said


def _connected(places: set[tuple[int, int]]) -> list[set[tuple[int, int]]]:
    groups = []
    left = set(places)
    while left:
        walk = [left.pop()]
        group = set(walk)
        while walk:
            x, y = walk.pop()
            for place in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
                if place in left:
                    left.remove(place)
                    group.add(place)
                    walk.append(place)
        groups.append(group)
    return groups


@given(pictures(most=5))
@settings(max_examples=30, deadline=None)
def test_the_same_picture_is_drawn_the_same_way(picture: Picture) -> None:
    assert render(picture, Style()) == render(picture, Style())
    assert render(picture, Style(unicode=False)).isascii()


def test_fifty_devices_fit() -> None:
    """A tree of forwarders with an app at each leaf and a monitor on each device."""
    parts, wires = [], []
    for n in range(50):
        ports = (Port(f"d{n}.in", "in", "in", "XSUB"), Port(f"d{n}.out", "out", "out", "XPUB", (f"tcp://*:{6000 + n}",)))
        parts.append(Part(f"d{n}", True, "forwarder", (), ports, True))
        if n:
            wires.append(Wire(f"d{n}.in", f"d{(n - 1) // 3}.out", False, True, "", True))
        if 3 * n + 1 >= 50:
            parts.append(Part(f"app{n}", False, "app", (), (Port(f"app{n}", "", "app", "SUB"),)))
            wires.append(Wire(f"app{n}", f"d{n}.out", False, True, "", True))
    text = render(Picture("tree", tuple(parts), tuple(wires)), Style())
    assert max(len(line) for line in text.splitlines()) <= 80
    for part in parts:
        assert f" {part.name} " in text
