"""The table of what runs: a line for each socket of a device, each process that devices share, and each app.

The first line of a device has what is the device's as a whole; the lines of one device stay together however they are sorted.
Where the columns have no room, the dispensable ones are left out; JSON has everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from topo.text import clean, cut, plural, width
from topo.watch import DeviceRates, Rates, SideRates

__all__ = ["COLUMNS", "Column", "Group", "Row", "fitting", "groups", "head", "line", "ordered", "summary"]

Value = float | str | None
Row = dict[str, Value]
"""What stands in a line, by the keys of the columns; what is missing has no meaning there, and None is not known."""

NARROWEST_NAME, LONG_NAME, WIDEST_NAME = 12, 20, 60
"""In cells: a name may lose its middle down to the first, and columns give way until it has the second."""
QUIET_STATES = ("stopped", "running")
"""Of a device's loop, those about which there is nothing to say beyond how the device lives."""


class Group(msgspec.Struct, frozen=True):
    """The lines of one device, app or process."""

    name: str
    rows: tuple[Row, ...]


class Column(msgspec.Struct, frozen=True):
    """A column: its key, by which one sorts, its head, the fewest cells, how a value is shown, and how dispensable it is."""

    key: str
    head: str
    cells: int
    show: Callable[[Value], str]
    dispensable: int = 0


def short(value: Value) -> str:
    """A number in at most five cells: `0.3`, `12`, `9999`, `12.3k`, `1.2M`."""
    if not isinstance(value, int | float):
        return _text(value)
    if value < 9.95 and value != int(value):
        return f"{value:.1f}"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            shown = value / min(size, 1e3 if unit == "k" else size)
            return f"{shown:.{1 if shown < 99.95 else 0}f}{unit}"
    return f"{value:.0f}"


def size(value: Value) -> str:
    """A number of bytes in at most seven cells: `824B`, `1.2KiB`, `12.3MiB`."""
    if not isinstance(value, int | float):
        return _text(value)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 999.5 or unit == "GiB":
            break
        value /= 1024
    return f"{value:.0f}{unit}" if unit == "B" or value >= 99.95 else f"{value:.1f}{unit}"


def _percent(value: Value) -> str:
    return f"{value:.1f}" if isinstance(value, int | float) else _text(value)


def _text(value: Value) -> str:
    return "-" if value is None else clean(str(value))


COLUMNS = (
    Column("name", "NAME", NARROWEST_NAME, _text),
    Column("type", "TYPE", 6, _text, 7),
    Column("peers", "PEERS", 5, short, 1),
    Column("in", "IN/S", 5, short),
    Column("out", "OUT/S", 5, short),
    Column("parts", "PARTS/S", 7, short, 9),
    Column("bytes", "BYTES/S", 7, size, 2),
    Column("unroutable", "UNROUTABLE", 10, short, 8),
    Column("full", "FULL", 5, short, 8),
    Column("lost", "LOST", 5, short, 8),
    Column("dropped", "DROPPED", 7, short),
    Column("held", "HELD", 5, short, 6),
    Column("state", "STATE", 10, _text),
    Column("cpu", "CPU%", 5, _percent, 3),
    Column("memory", "MEMORY", 7, size, 4),
    Column("restarts", "RESTARTS", 8, short, 5),
)
LEFT = ("name", "type", "state")
"""Columns of texts; numbers end at the same cell."""


# What stands in it


def groups(rates: Rates) -> list[Group]:
    """All lines: devices as they were declared, then the processes that they share, then apps."""
    found = [Group(device.name, tuple(_device(device))) for device in rates.devices]
    for host in rates.hosts:
        row: Row = {"name": host.name, "cpu": host.cpu, "memory": host.memory, "state": f"hosts {host.devices}"}
        found.append(Group(host.name, (row,)))
    for app in rates.apps:
        state = "halted" if app.halted else app.life if app.status is None or app.life != "ended" else f"ended {app.status}"
        row = {"name": app.name, "cpu": app.cpu, "memory": app.memory, "restarts": app.restarts, "state": state}
        found.append(Group(app.name, (row,)))
    return found


def _device(device: DeviceRates) -> list[Row]:
    rows = [_side(device, socket) for socket in device.sockets] or [{"name": device.name}]
    whole: Row = {"cpu": device.cpu, "restarts": device.restarts, "state": _state(device, rows[0])}
    if device.host == device.name:
        whole["memory"] = device.memory
    return [rows[0] | whole, *rows[1:]]


def _state(device: DeviceRates, first: Row) -> str:
    """How a device lives; of one that runs what its `first` side or its loop has to say beyond that."""
    if device.halted:
        return "halted"
    quiet = device.state is None or device.state in QUIET_STATES or device.life != "ready"
    return str(first.get("state") or (device.life if quiet else device.state))


def _side(device: DeviceRates, socket: SideRates) -> Row:
    row: Row = {"name": socket.id, "type": socket.type, "peers": socket.peers}
    if socket.received is not None and socket.sent is not None:
        row |= {
            "in": socket.received.messages_per_second,
            "out": socket.sent.messages_per_second,
            "parts": socket.received.parts_per_second + socket.sent.parts_per_second,
            "bytes": socket.received.bytes_per_second + socket.sent.bytes_per_second,
            "unroutable": socket.unroutable,
            "full": socket.full,
            "lost": socket.lost,
            "dropped": socket.unroutable + socket.full + socket.lost,
            "held": socket.held,
        }
        if socket.waiting:
            row["state"] = "waits"
    elif device.copies is not None:
        copies = device.copies
        row |= {"out": copies.passed_per_second, "dropped": copies.dropped, "held": copies.waiting}
    return row


def ordered(found: Iterable[Group], key: str | None, reverse: bool = False) -> list[Group]:
    """Groups in the order of a column, the largest first, texts from A on; None is the order of the file."""
    kept = list(found)
    if key is not None:
        text = key in LEFT
        kept.sort(key=lambda group: _rank(group, key), reverse=not text)
    return kept[::-1] if reverse else kept


def _rank(group: Group, key: str) -> tuple[float, str]:
    if key == "name":
        return 0.0, group.name
    values = [row.get(key) for row in group.rows]
    known = [value for value in values if isinstance(value, int | float)]
    return sum(known) if known else -1.0, min((value for value in values if isinstance(value, str)), default="")


def summary(rates: Rates, ago: str) -> str:
    """The line above the table; it begins with the topology's name."""
    flows = [side.received for device in rates.devices for side in device.sockets if side.received is not None]
    messages = sum(flow.messages_per_second for flow in flows)
    lost = sum(s.unroutable + s.full + s.lost for d in rates.devices for s in d.sockets)
    parts = [
        f"{clean(rates.name)}: {rates.phase}",
        f"up {ago}",
        f"{short(messages)} messages/s in",
        f"{short(lost)} dropped",
        plural(len(rates.devices), "device"),
        plural(len(rates.apps), "app"),
    ]
    return ", ".join(parts)


# How it is laid out


def fitting(found: Iterable[Group], cells: int) -> list[tuple[Column, int]]:
    """The columns that have room, and how many cells each takes."""
    longest = max((width(_text(row["name"])) for group in found for row in group.rows), default=0)
    columns: tuple[Column, ...] = COLUMNS
    while _room(columns) + min(longest, LONG_NAME) > cells and (rank := max(column.dispensable for column in columns)):
        columns = tuple(column for column in columns if column.dispensable != rank)
    name = max(NARROWEST_NAME, min(longest, WIDEST_NAME, cells - _room(columns)))
    return [(column, name if column.key == "name" else column.cells) for column in columns]


def _room(columns: Sequence[Column]) -> int:
    """How many cells a line takes beside the name."""
    return sum(column.cells + 1 for column in columns if column.key != "name")


def head(columns: Iterable[tuple[Column, int]]) -> str:
    """The line of heads."""
    return " ".join(_cell(column, column.head, cells) for column, cells in columns).rstrip()


def line(row: Row, columns: Iterable[tuple[Column, int]]) -> str:
    """One line of the table."""
    cells = (_cell(column, column.show(row[column.key]) if column.key in row else "", cells) for column, cells in columns)
    return " ".join(cells).rstrip()


def _cell(column: Column, text: str, cells: int) -> str:
    text = cut(text, cells)
    blanks = " " * (cells - width(text))
    return text + blanks if column.key in LEFT else blanks + text
