"""Where things stand in a picture: boxes in rows, messages mostly downwards, wires between the rows. All measured in cells.

How it works, for each part of the picture that hangs together:

1. *Ranks.* Every wire says which of its ends stands higher: what a device's `in` side talks to stands above it, what its other
   sides talk to below; otherwise the sender stands above the receiver. Where that goes round in a ring, one wire is let go.
2. *Nets.* Wires that share a socket are drawn as one line with branches, so that forty workers at one broker are one net.
3. *Rows.* A rank becomes a row, or several if it is too wide. A net that passes a row gets a lane in it. If a row cannot hold
   its lanes, the longest nets are not drawn: who connects says in words where to. So any width can be kept.
4. *Places in the row.* Boxes and lanes are ordered and moved so that they stand near what they are wired to.
5. *Channels.* Between two rows each end of a net has a column, which no other net has, and its crossbar a track; so two nets may
   cross, but never touch.

Nothing depends on chance or on the order of a set: the same picture is laid out the same way each time.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby, pairwise
from math import floor
from operator import itemgetter
from statistics import fmean

import msgspec
import networkx

from topo.picture import Part, Picture, Port, Wire, lean, upper_first
from topo.text import clean, cut, width
from topo.zeromq.sockets import SOCKETS

__all__ = ["Box", "Layout", "Path", "Words", "lay_out"]

ENDPOINT = 34
"""The most cells that an endpoint is given; the middle of a longer one is left out."""
MOST_LANES = 8
"""More lines than this beside a box cannot be followed with the eye."""
SWEEPS = 6
"""How often the rows are ordered anew, downwards and upwards."""
BESIDE = 3
"""Blanks between two boxes, or two sockets of one."""

Piece = tuple[int, int, int, int]


class Words(msgspec.Struct, frozen=True):
    """A text and where it begins. `role` says what it is: name, socket, endpoint or elsewhere."""

    x: int
    y: int
    text: str
    role: str


class Box(msgspec.Struct, frozen=True):
    """A part of the picture. `rule` is the line that its name stands on, if a rule is drawn there."""

    part: Part
    x: int
    y: int
    width: int
    height: int
    rule: int | None
    words: tuple[Words, ...]


class Path(msgspec.Struct, frozen=True):
    """A net, as straight pieces from cell to cell, both included."""

    pieces: tuple[Piece, ...]
    heads: tuple[tuple[int, int, bool], ...]
    """Where messages enter a box: the last cell before its border, and whether the way in is upwards."""
    feet: tuple[tuple[int, int, bool], ...]
    """Where they only leave one: the cell on the border, and whether the way out is upwards."""
    talks: bool


class Layout(msgspec.Struct, frozen=True):
    """The whole, from 0, 0."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    paths: tuple[Path, ...]


def lay_out(picture: Picture, most: int = 80) -> Layout:
    """The layout of a picture in at most so many columns."""
    blocks = []
    for parts in _hanging_together(picture.parts, picture.wires):
        own = {port.id for part in parts for port in part.ports}
        blocks.append(_block(parts, [w for w in picture.wires if w.a in own], most))
    return _shelved(blocks, most)


def _hanging_together(parts: Sequence[Part], wires: Iterable[Wire]) -> list[list[Part]]:
    owner = {port.id: number for number, part in enumerate(parts) for port in part.ports}
    graph: networkx.Graph[int] = networkx.Graph()
    graph.add_nodes_from(range(len(parts)))
    graph.add_edges_from((owner[w.a], owner[w.b]) for w in wires)
    groups = sorted(sorted(group) for group in networkx.connected_components(graph))
    return [[parts[n] for n in group] for group in groups]


def _block(parts: list[Part], wires: list[Wire], most: int) -> Layout:
    """The layout of parts that hang together. Wires are let go until the rest fits."""
    elsewhere: dict[str, list[str]] = defaultdict(list)
    too_much = [w for w in wires if w.a == w.b]
    while True:
        for wire in too_much:
            wires.remove(wire)
            where = "one another" if wire.a == wire.b else wire.b
            elsewhere[wire.a].append(f"{_arrow(wire.forward, wire.backward)} {where}")
        drawing = _Drawing(parts, wires, elsewhere, most)
        too_much = drawing.arrange()
        if too_much:
            continue
        layout = drawing.layout()
        too_much = drawing.touching
        if not too_much:
            return layout


def _arrow(forward: bool, backward: bool) -> str:
    return "↔" if forward and backward else "←" if backward else "→"


def _shelved(blocks: list[Layout], most: int) -> Layout:
    """Several layouts in one: side by side where there is room, else one below the other."""
    boxes: list[Box] = []
    paths: list[Path] = []
    x = y = height = right = 0
    for block in blocks:
        if x and x + block.width > most:
            x, y, height = 0, y + height + 1, 0
        boxes.extend(_moved_box(b, x, y) for b in block.boxes)
        paths.extend(_moved_path(p, x, y) for p in block.paths)
        right, height = max(right, x + block.width), max(height, block.height)
        x += block.width + BESIDE
    return Layout(right, y + height, tuple(boxes), tuple(paths))


def _moved_box(box: Box, x: int, y: int) -> Box:
    words = tuple(Words(w.x + x, w.y + y, w.text, w.role) for w in box.words)
    rule = None if box.rule is None else box.rule + y
    return Box(box.part, box.x + x, box.y + y, box.width, box.height, rule, words)


def _moved_path(path: Path, x: int, y: int) -> Path:
    pieces = tuple((x1 + x, y1 + y, x2 + x, y2 + y) for x1, y1, x2, y2 in path.pieces)
    heads, feet = (tuple((px + x, py + y, up) for px, py, up in ends) for ends in (path.heads, path.feet))
    return Path(pieces, heads, feet, path.talks)


# -- what a drawing consists of while it is being made ----------------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class Net:
    """Wires that share a port: the ports, and whether messages arrive there."""

    wires: list[Wire]
    ports: dict[str, bool]
    talks: bool


@dataclass(eq=False, slots=True)
class Pin:
    """Where a net meets the edge of a box or a lane: so many cells from its left. It may be moved as far as `play`."""

    net: Net
    offset: int
    play: range = range(0)
    receives: bool = False
    cell: int = 0
    """Pins of one socket have the same."""


@dataclass(eq=False, slots=True)
class Item:
    """What stands in a row: a box, or the lane of a net that passes the row. Its words count from its own corner."""

    width: int
    above: list[Pin]
    below: list[Pin]
    part: Part | None = None
    height: int = 0
    rule: int | None = None
    words: list[Words] = field(default_factory=list)
    x: int = 0
    y: int = 0

    def pins(self, up: bool) -> list[Pin]:
        """The pins of its upper or its lower edge."""
        return self.above if up else self.below

    def columns(self, up: bool) -> Iterator[tuple[Pin, int]]:
        """Those pins, and where they are."""
        return ((pin, self.x + pin.offset) for pin in self.pins(up))


Row = list[Item]


class _Drawing:
    """One try at laying out parts that hang together."""

    def __init__(self, parts: list[Part], wires: list[Wire], elsewhere: dict[str, list[str]], most: int) -> None:
        self.parts = parts
        self.wires = wires
        self.most = most
        self.ports = {port.id: port for part in parts for port in part.ports}
        self.owner = {port.id: number for number, part in enumerate(parts) for port in part.ports}
        self.ranks = _ranks(len(parts), [self._order(w) for w in wires])
        self.nets = _nets(wires)
        self.items = self._boxes(elsewhere)
        self.rows: list[Row] = []
        self.met: list[dict[bool, dict[Net, list[tuple[Item, Pin]]]]] = []
        """For each row, and the upper and the lower edge of it, the pins of each net."""
        self.touching: list[Wire] = []
        """The wires of nets that found no columns of their own, and so touch others."""

    def _order(self, wire: Wire) -> tuple[int, int]:
        """The owners of a wire's ends, the one that stands higher first."""
        first, second = upper_first(wire, self.ports)
        return self.owner[first], self.owner[second]

    def _boxes(self, elsewhere: dict[str, list[str]]) -> list[Item]:
        nets_at: dict[str, list[Net]] = defaultdict(list)
        for net in self.nets:
            for port in net.ports:
                nets_at[port].append(net)
        balance: dict[str, int] = defaultdict(int)
        for wire in self.wires:
            a, b = self.ranks[self.owner[wire.a]], self.ranks[self.owner[wire.b]]
            balance[wire.a] += (b > a) - (b < a)
            balance[wire.b] += (a > b) - (a < b)

        def is_above(port: Port) -> bool:
            of_itself = port.role != "app" or not balance[port.id]
            return lean(port) > 0 if of_itself else balance[port.id] < 0

        return [_box(part, is_above, nets_at, elsewhere, self.most) for part in self.parts]

    def arrange(self) -> list[Wire]:
        """Put everything into rows. If something does not fit, the wires that have to go."""
        for item in self.items:
            if item.width > self.most and (item.above or item.below):
                return list(dict.fromkeys(w for pin in (*item.above, *item.below) for w in pin.net.wires))
        rows: list[Row] = [[] for _ in range(max(self.ranks) + 1)]
        for item, rank in zip(self.items, self.ranks, strict=True):
            rows[rank].append(item)
        self._settle(rows)
        rows = [[i for i in row if i.part is not None] for row in self.rows]
        too_much = self._split(rows)
        if not too_much:
            self._settle(rows)
        return list(dict.fromkeys(w for net in too_much for w in net.wires))

    def _split(self, rows: list[Row]) -> list[Net]:
        """Make two rows of one that is too wide, until all fit; or say which nets take too much room."""
        number = 0
        passing = _lanes(rows)
        while number < len(rows):
            row = rows[number]
            lanes = passing[number]
            room = self.most - BESIDE * len(lanes)
            spare = min(MOST_LANES, (self.most - max(i.width for i in row)) // BESIDE)
            if len(lanes) > spare:
                length = {net: sum(net in others for others in passing) for net in lanes}
                return sorted(lanes, key=lambda net: -length[net])[: len(lanes) - spare]
            fits = max(1, bisect_right(list(accumulate(i.width + BESIDE for i in row)), room + BESIDE))
            if fits < len(row):
                rows[number : number + 1] = [row[:fits], row[fits:]]
                number = 0  # the rows above may have got another lane
                passing = _lanes(rows)
            else:
                number += 1
        return []

    # places in the row

    def _settle(self, rows: list[Row]) -> None:
        """Order the rows so that few lines cross, and move things near what they are wired to."""
        self.rows = [
            row + [Item(1, [Pin(net, 0)], [Pin(net, 0)]) for net in lanes] for row, lanes in zip(rows, _lanes(rows), strict=True)
        ]
        self.met = [{up: _met(row, up) for up in (True, False)} for row in self.rows]
        for row in self.rows:
            middle = (self.most - sum(i.width + BESIDE for i in row)) / 2
            _place(row, [middle] * len(row), self.most)
        best = (self._crossings(), [list(row) for row in self.rows])
        for _ in range(SWEEPS):
            for downwards in (True, False):
                self._sweep(downwards, sort=True)
                crossings = self._crossings()
                if crossings < best[0]:
                    best = (crossings, [list(row) for row in self.rows])
        self.rows = best[1]
        for downwards in (True, False, True, False):
            self._sweep(downwards, sort=False)
        for _ in range(SWEEPS):
            for number in (*range(len(self.rows)), *range(len(self.rows) - 2, -1, -1)):
                self._pull(number, (True, False), sort=False)
            self._order_pins()

    def _sweep(self, downwards: bool, sort: bool) -> None:
        numbers = range(1, len(self.rows)) if downwards else range(len(self.rows) - 2, -1, -1)
        for number in numbers:
            self._pull(number, (downwards,), sort)
        self._order_pins()

    def _order_pins(self) -> None:
        """Where several nets meet one socket, let them leave in the order in which they lead away."""
        for number, row in enumerate(self.rows):
            for item in row:
                for up in (True, False):
                    cells: dict[int, list[Pin]] = defaultdict(list)
                    for pin in item.pins(up):
                        cells[pin.cell].append(pin)
                    for pins in cells.values():
                        if len(pins) > 1:
                            pins.sort(key=lambda pin: self._end(number, item, pin, up))
                            for pin, offset in zip(pins, sorted(p.offset for p in pins), strict=True):
                                pin.offset = offset

    def _crossings(self) -> int:
        """About how many lines cross, all spaces between rows together."""
        count = 0
        for upper, lower in pairwise(self.met):
            lines: dict[Net, list[tuple[int, int]]] = {}
            for net, above in upper[False].items():
                below = lower[True].get(net, ())
                lines[net] = [(i.x + p.offset, j.x + q.offset) for i, p in above for j, q in below]
            count += _crossed([line for of_one in lines.values() for line in of_one])
            count -= sum(map(_crossed, lines.values()))
        return count

    def _pull(self, number: int, directions: tuple[bool, ...], sort: bool) -> None:
        row = self.rows[number]
        wanted = {item: self._wanted(number, item, directions) for item in row}
        if sort:
            row.sort(key=lambda item: wanted[item] + item.width / 2)
        _place(row, [wanted[item] for item in row], self.most)

    def _wanted(self, number: int, item: Item, directions: tuple[bool, ...]) -> float:
        """Where an item would stand if only its wires counted."""
        places = [self._end(number, item, pin, up) - pin.offset for up in directions for pin in item.pins(up)]
        return fmean(places) if places else float(item.x)

    def _end(self, number: int, item: Item, pin: Pin, up: bool) -> float:
        """Where the net of a pin is in the next row, or else in its own."""
        other = number - 1 if up else number + 1
        met = self.met[other][not up].get(pin.net, ()) if 0 <= other < len(self.rows) else ()
        ends = [i.x + p.offset for i, p in met]
        ends = ends or [i.x + p.offset for i, p in self.met[number][up][pin.net] if i is not item]
        return fmean(ends) if ends else float(item.x + pin.offset)

    # the result

    def layout(self) -> Layout:
        """Where everything stands, once it is arranged."""
        pieces: dict[Net, list[Piece]] = defaultdict(list)
        y = 0
        for upper, lower in pairwise([[], *self.rows, []]):
            self.touching.extend(w for net in _separate(upper, lower) for w in net.wires if w not in self.touching)
            tracks = {net: y + 1 + track for net, track in _tracks(upper, lower).items()}
            bottom = _end_of_channel(upper, lower, tracks, y)
            height = max((item.height for item in lower), default=0)
            for item in lower:
                hangs = bool(item.above or not item.below)
                item.y = bottom if hangs else bottom + height - item.height
                item.height = item.height or height
            _draw_channel(upper, lower, tracks, y, pieces)
            y = bottom + height
        return self._finished(pieces, y)

    def _finished(self, pieces: dict[Net, list[Piece]], height: int) -> Layout:
        left = min(item.x for row in self.rows for item in row)
        right = max(item.x + item.width for row in self.rows for item in row)
        boxes = [item for row in self.rows for item in row if item.part is not None]
        heads: dict[Net, list[tuple[int, int, bool]]] = defaultdict(list)
        feet: dict[Net, list[tuple[int, int, bool]]] = defaultdict(list)
        for item in boxes:
            for up in (True, False):
                border = item.y if up else item.y + item.height - 1
                for pin, x in item.columns(up):
                    if pin.receives or not pin.net.talks:
                        heads[pin.net].append((x, border - 1 if up else border + 1, not up))
                    else:
                        feet[pin.net].append((x, border, up))
        paths = [Path(tuple(pieces[n]), tuple(heads[n]), tuple(feet[n]), n.talks) for n in self.nets]
        finished = [_moved_box(Box(_part(i), 0, 0, i.width, i.height, i.rule, tuple(i.words)), i.x - left, i.y) for i in boxes]
        return Layout(right - left, height, tuple(finished), tuple(_moved_path(p, -left, 0) for p in paths))


def _part(item: Item) -> Part:
    assert item.part is not None
    return item.part


# -- ranks and nets ---------------------------------------------------------------------------------------------------------------


def _ranks(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """A rank for each of so many things, the first of a pair before the second as far as that is possible."""
    graph: networkx.DiGraph[int] = networkx.DiGraph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from(sorted({(a, b) for a, b in pairs if a != b}))
    graph.remove_edges_from(_closing_rings(graph))
    ranks = [0] * count
    for rank, generation in enumerate(networkx.topological_generations(graph)):
        for node in generation:
            ranks[node] = rank
    for node in range(count):
        below = [ranks[n] for n in graph.successors(node)]
        if below and not graph.in_degree(node):
            ranks[node] = min(below) - 1  # a source stands right above what it feeds
    return ranks


def _closing_rings(graph: networkx.DiGraph[int]) -> list[tuple[int, int]]:
    """Edges without which there is no ring: those that lead back to where a walk from the sources comes from."""
    found = []
    open_now: dict[int, bool] = {}
    for root in sorted(graph, key=lambda n: (graph.in_degree(n) > 0, n)):
        walk = [] if root in open_now else [(root, iter(sorted(graph.successors(root))))]
        while walk:
            node, rest = walk[-1]
            open_now[node] = True
            following = next(rest, None)
            if following is None:
                open_now[node] = False
                walk.pop()
            elif following not in open_now:
                walk.append((following, iter(sorted(graph.successors(following)))))
            elif open_now[following]:
                found.append((node, following))
    return found


def _nets(wires: Sequence[Wire]) -> list[Net]:
    """Wires joined at the ports that have most of them."""
    left = dict.fromkeys(wires)
    nets = []
    while left:
        degree: dict[tuple[str, bool], int] = defaultdict(int)
        for wire in left:
            degree[wire.b, wire.talks] += 1
            degree[wire.a, wire.talks] += 1
        hub, talks = max(degree, key=lambda key: degree[key])
        joined = [w for w in left if w.talks == talks and hub in (w.a, w.b)]
        ports: dict[str, bool] = defaultdict(bool)
        for wire in joined:
            ports[wire.a] |= wire.backward
            ports[wire.b] |= wire.forward
            del left[wire]
        nets.append(Net(joined, dict(ports), talks))
    return nets


def _met(row: Row, up: bool) -> dict[Net, list[tuple[Item, Pin]]]:
    """The pins of each net at an edge of a row."""
    found: dict[Net, list[tuple[Item, Pin]]] = defaultdict(list)
    for item in row:
        for pin in item.pins(up):
            found[pin.net].append((item, pin))
    return dict(found)


def _crossed(lines: Sequence[tuple[int, int]]) -> int:
    """How many pairs of lines cross, each given by its upper and its lower end."""
    count = 0
    seen: list[int] = []
    """The lower ends of lines whose upper ends are further left."""
    for _, together in groupby(sorted(lines), key=itemgetter(0)):
        ends = [end for _, end in together]
        count += sum(len(seen) - bisect_right(seen, end) for end in ends)
        for end in ends:
            insort(seen, end)
    return count


def _lanes(rows: list[Row]) -> list[list[Net]]:
    """For each row the nets that pass it: what joins the space above it, or one further up, with one below."""
    channels: dict[Net, tuple[int, int]] = {}
    for number, row in enumerate(rows):
        for item in row:
            for channel, pins in ((number, item.above), (number + 1, item.below)):
                for pin in pins:
                    first, last = channels.get(pin.net, (channel, channel))
                    channels[pin.net] = min(first, channel), max(last, channel)
    lanes: list[list[Net]] = [[] for _ in rows]
    for net, (first, last) in channels.items():
        for number in range(first, last):
            lanes[number].append(net)
    return lanes


# -- boxes ------------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Cell:
    """A socket in a box: its lines, and the nets that meet it."""

    port: Port
    lines: list[tuple[str, str]]
    nets: list[Net]

    @property
    def width(self) -> int:
        """Of its longest line, and wide enough for its nets."""
        return max(2 * len(self.nets) + 1, *(width(text) for text, _ in self.lines))


def _box(
    part: Part, is_above: Callable[[Port], bool], nets: dict[str, list[Net]], elsewhere: dict[str, list[str]], most: int
) -> Item:
    """A part as a box: the sockets at its upper edge, its name, the sockets at its lower edge."""
    cells = [Cell(port, _lines(port, elsewhere.get(port.id, [])), nets.get(port.id, [])) for port in part.ports]
    above = [c for c in cells if is_above(c.port)]
    below = [c for c in cells if not is_above(c.port)]
    name = _name(part)
    inner = 2 + max(width(name) + 4 * bool(above and below), _across(above), _across(below))
    if inner + 2 > most and not any(c.nets for c in cells):
        return _list(part, name, cells, most)
    item = Item(inner + 2, [], [], part)
    y = 1 + _put(item, above, 1, item.above)
    if above and below:
        item.rule = y
    item.words.append(Words((item.width - width(name)) // 2, y, name, "name"))
    item.height = y + 2 + _put(item, below, y + 1, item.below)
    return item


def _name(part: Part) -> str:
    kind = [part.kind] if part.is_device else []
    if "swap" in part.traits:
        kind = [" ".join([*kind, "swap"])]
    return " · ".join([part.name, *kind, *(t for t in part.traits if t != "swap")])


def _lines(port: Port, elsewhere: list[str]) -> list[tuple[str, str]]:
    lines = [(f"{port.name} {port.type}".strip(), "socket")]
    lines += [(cut(clean(e), ENDPOINT), "endpoint") for e in port.binds]
    arrow = _arrow(SOCKETS[port.type].sends, SOCKETS[port.type].receives)
    lines += [(f"{arrow} {cut(clean(e), ENDPOINT - 2)}", "endpoint") for e in port.outside]
    return lines + [(cut(text, ENDPOINT), "elsewhere") for text in elsewhere]


def _across(cells: list[Cell]) -> int:
    return sum(c.width + BESIDE for c in cells) - BESIDE if cells else 0


def _put(item: Item, cells: list[Cell], top: int, pins: list[Pin]) -> int:
    """Write cells beside each other, evenly spread, and add their pins. The number of lines that took."""
    free = item.width - 2 - sum(c.width for c in cells)
    at = 1.0
    for cell in cells:
        at += free / len(cells) / 2
        left = round(at)
        for number, (text, role) in enumerate(cell.lines):
            item.words.append(Words(left + (cell.width - width(text)) // 2, top + number, text, role))
        middle = left + cell.width // 2
        for number, net in enumerate(cell.nets):
            offset = middle + 2 * number - len(cell.nets) + 1
            play = (
                range(max(left, offset - 4), min(left + cell.width, offset + 5))
                if len(cell.nets) == 1
                else range(offset, offset + 1)
            )
            pins.append(Pin(net, offset, play, net.ports[cell.port.id], left))
        at += cell.width + free / len(cells) / 2
    return max((len(c.lines) for c in cells), default=0)


def _list(part: Part, name: str, cells: list[Cell], most: int) -> Item:
    """A part with more sockets than can stand beside each other: one below the other."""
    lines = [(cut(name, most - 4), "name"), *((cut("  ".join(t for t, _ in c.lines), most - 4), "socket") for c in cells)]
    item = Item(4 + max(width(text) for text, _ in lines), [], [], part, len(lines) + 2)
    item.words.extend(Words(2, number, text, role) for number, (text, role) in enumerate(lines, 1))
    return item


# -- places in a row --------------------------------------------------------------------------------------------------------------


def _place(row: Row, wanted: Sequence[float], most: int) -> None:
    """Move the items of a row as near as possible to where they want to be, in their order and with room between them.

    The least squares under an order: neighbours that would overlap are pooled and share their mean.
    """
    starts = [0]
    for left, right in pairwise(row):
        beside = BESIDE if left.part is not None and right.part is not None else 2
        starts.append(starts[-1] + left.width + beside)
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for item, want, start in zip(row, wanted, starts, strict=True):
        pool = (want - start, 1.0 if item.part is not None else 4.0, 1)  # lanes should be straight
        while pools and pools[-1][0] >= pool[0]:
            mean, weight, count = pools.pop()
            total = weight + pool[1]
            pool = ((mean * weight + pool[0] * pool[1]) / total, total, count + pool[2])
        pools.append(pool)
    means = [floor(mean + 0.5) for mean, _, count in pools for _ in range(count)]
    room = max(0, most - starts[-1] - row[-1].width) if row else 0
    for item, mean, start in zip(row, means, starts, strict=True):
        item.x = start + min(max(0, mean), room)


# -- the space between two rows ---------------------------------------------------------------------------------------------------


def _separate(upper: Row, lower: Row) -> list[Net]:
    """Give every net columns of its own, and make lines straight where a pin needs only a little move.

    Returns the nets for which there was no room.
    """
    without: list[Net] = []
    above = [(pin, x) for item in upper for pin, x in item.columns(False)]
    taken = {x: pin.net for pin, x in above}
    lowers = [(item, pin) for item in lower for pin in item.above]
    for number, (item, pin) in enumerate(lowers):
        others = {i.x + p.offset for n, (i, p) in enumerate(lowers) if n != number}
        ends = [x for p, x in above if p.net is pin.net]
        wished = [ends[0] - item.x] if len(ends) == 1 and sum(p.net is pin.net for _, p in lowers) == 1 else []
        nearby = sorted(pin.play or range(-2, 3), key=lambda o: abs(o - pin.offset))
        for offset in [w for w in wished if w in pin.play] + [pin.offset, *nearby]:
            x = item.x + offset
            if taken.get(x, pin.net) is pin.net and x not in others and (item.part is not None or _is_free(lower, item, x)):
                break
        else:
            without.append(pin.net)
            continue
        if item.part is None:
            item.x = x
        else:
            pin.offset = offset
    return without


def _is_free(row: Row, lane: Item, x: int) -> bool:
    return all(item is lane or not item.x - 2 < x < item.x + item.width + 1 for item in row) and x >= 0


def _tracks(upper: Row, lower: Row) -> dict[Net, int]:
    """A track, from 0, for each net that is not just a straight line, so that few lines cross."""
    ups: dict[Net, list[int]] = defaultdict(list)
    downs: dict[Net, list[int]] = defaultdict(list)
    for row, up, ends in ((upper, False, ups), (lower, True, downs)):
        for item in row:
            for pin, x in item.columns(up):
                ends[pin.net].append(x)
    spans = {net: (min(ups[net] + downs[net]), max(ups[net] + downs[net])) for net in dict.fromkeys([*ups, *downs])}
    order = [net for net, (first, last) in spans.items() if first < last]

    def crossings(a: Net, b: Net) -> int:
        """How often they cross if a's track is above b's."""
        return sum(spans[b][0] <= x <= spans[b][1] for x in downs[a]) + sum(spans[a][0] <= x <= spans[a][1] for x in ups[b])

    for _ in order:
        for number in range(len(order) - 1):
            a, b = order[number : number + 2]
            if crossings(b, a) < crossings(a, b):
                order[number : number + 2] = [b, a]
    tracks: dict[Net, int] = {}
    for net in order:
        first, last = spans[net]
        beneath = [track + 1 for other, track in tracks.items() if spans[other][0] <= last + 1 and first <= spans[other][1] + 1]
        tracks[net] = max(beneath, default=0)
    return tracks


def _end_of_channel(upper: Row, lower: Row, tracks: dict[Net, int], top: int) -> int:
    """Where the lower row begins: below the tracks, with a line for the heads on either side."""
    lows, ups = [p for i in upper for p in i.below], [p for i in lower for p in i.above]
    if not lows and not ups:
        return top + bool(upper and lower)
    both_ways = all(any(p.receives or not p.net.talks for p in pins) for pins in (lows, ups))
    return max(tracks.values(), default=top + both_ways) + 2


def _draw_channel(upper: Row, lower: Row, tracks: dict[Net, int], top: int, pieces: dict[Net, list[Piece]]) -> None:
    columns: dict[Net, list[int]] = defaultdict(list)
    for item in upper:
        for pin, x in item.columns(False):
            columns[pin.net].append(x)
            start = item.y + item.height - (item.part is None)
            pieces[pin.net].append((x, start, x, max(start, tracks.get(pin.net, top))))
    for item in lower:
        for pin, x in item.columns(True):
            columns[pin.net].append(x)
            end = item.y - 1 if item.part is not None else item.y + item.height - 1
            pieces[pin.net].append((x, tracks.get(pin.net, top), x, end))
    for net, y in tracks.items():
        pieces[net].append((min(columns[net]), y, max(columns[net]), y))
