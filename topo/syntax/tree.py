"""What a text says, before any name is looked up. One class per construct, named as the rule in `grammar/ztopo.lark`.

The Python API (`topo/builder.py`) makes the same tree, with places in the Python file, and so does JSON
(`topo/syntax/json_reader.py`); from here on nobody can tell them apart. JSON says of everything what it is, once for each
replica: for that there are `Numbered`, `Ends` and `Exact`.
"""

from __future__ import annotations

import typing

import msgspec

from topo.source import Source, Span

__all__ = [
    "App",
    "Bind",
    "Block",
    "Bracket",
    "Call",
    "Clause",
    "Connect",
    "Context",
    "Device",
    "End",
    "EndpointText",
    "Ends",
    "Exact",
    "File",
    "FileText",
    "Host",
    "Interpolation",
    "Item",
    "Literal",
    "Name",
    "Number",
    "Numbered",
    "On",
    "Option",
    "OptionSet",
    "Param",
    "Part",
    "Place",
    "Process",
    "Reference",
    "Restart",
    "Run",
    "Same",
    "Secured",
    "Security",
    "Several",
    "Side",
    "Socket",
    "SocketSpec",
    "Star",
    "Statement",
    "Text",
    "Topology",
    "Use",
    "Value",
    "Version",
    "With",
]


class Node(msgspec.Struct, frozen=True, gc=False):
    """Anything in the tree; `span` is all of it."""

    span: Span


# Leaves


class Name(Node, frozen=True, gc=False):
    """A name or a keyword."""

    text: str


class Bracket(Node, frozen=True, gc=False):
    """`[...]`: `text` is what stands inside."""

    text: str


class Numbered(Node, frozen=True, gc=False):
    """In place of a bracket: which replica a declaration is by itself, and of how many."""

    index: int
    count: int


class Text(Node, frozen=True, gc=False):
    """A quoted text; `raw` is what stands between the quotes, escapes and `${...}` not yet worked out."""

    raw: str


class Number(Node, frozen=True, gc=False):
    """A number with or without a unit, not yet looked at."""

    text: str


class EndpointText(Node, frozen=True, gc=False):
    """An endpoint written bare."""

    text: str


class Interpolation(Node, frozen=True, gc=False):
    """`${...}` as a value: `text` is what stands inside."""

    text: str


class Star(Node, frozen=True, gc=False):
    """`*` as a value."""


class Literal(Node, frozen=True, gc=False):
    """A value that the Python API was given, as it is."""

    value: int | bytes | str


class Exact(Node, frozen=True, gc=False):
    """A value that is known with its kind; nothing in it is worked out."""

    kind: typing.Literal["int", "bool", "duration", "size", "text", "any"]
    value: int | bytes


class FileText(Node, frozen=True, gc=False):
    """`file "path"`: the content of a file."""

    path: Text | Exact


class Part(Node, frozen=True, gc=False):
    """One step of a reference: a name and which replica."""

    name: Name
    bracket: Bracket | None


class Reference(Node, frozen=True, gc=False):
    """`broker.in`, `feed[0]`, `.clients.out`; a single word is one too. `own` is the leading dot."""

    own: bool
    parts: tuple[Part, ...]


class End(Node, frozen=True, gc=False):
    """A socket that is connected to, by the name that all know it by, and which of its binds is meant, if that is said."""

    socket: Name
    bind: int | None
    bind_span: Span


class Ends(Node, frozen=True, gc=False):
    """In place of a reference: the sockets that it stands for."""

    ends: tuple[End, ...]


class Call(Node, frozen=True, gc=False):
    """`env("PORT", 5555)`."""

    name: Name
    arguments: tuple[Value, ...]


class Several(Node, frozen=True, gc=False):
    """Several values with commas between: a list."""

    values: tuple[Value, ...]


Value = Text | Number | EndpointText | Interpolation | Star | Literal | Exact | FileText | Call | Reference | Several
Place = EndpointText | Text | Interpolation | Reference | Exact | Ends

# Sockets


class Bind(Node, frozen=True, gc=False):
    """`bind A, B`."""

    places: tuple[Place, ...]


class Connect(Node, frozen=True, gc=False):
    """`connect A, B`."""

    places: tuple[Place, ...]


class Same(Node, frozen=True, gc=False):
    """`out same`: the device has one socket."""


class Secured(Node, frozen=True, gc=False):
    """`secured by NAME`."""

    name: Name
    role: Name | None


Clause = Bind | Connect | Same | Secured


class SocketSpec(msgspec.Struct, frozen=True, gc=False):
    """What follows the name of a socket: `ROUTER bind ...`. `program` is the REQ of `DEALER as REQ`."""

    type: Name | None
    program: Name | None
    clauses: tuple[Clause, ...]


class Option(Node, frozen=True, gc=False):
    """`linger 0`, `prefix "in", "out"`."""

    name: Name
    values: tuple[Value, ...]


class With(Node, frozen=True, gc=False):
    """`with NAME`: the options of a named set."""

    name: Name


class Block(Node, frozen=True, gc=False):
    """`{ ... }`."""

    items: tuple[Item, ...]


class Side(Node, frozen=True, gc=False):
    """A side of a device: in, out, monitor, control."""

    side: Name
    spec: SocketSpec
    block: Block | None


class Socket(Node, frozen=True, gc=False):
    """A named socket of an app."""

    name: Name
    bracket: Bracket | Numbered | None
    spec: SocketSpec
    block: Block | None


class Run(Node, frozen=True, gc=False):
    """`run thread`, `run process`, `run inside`, `run "command"`; exactly one of the two is set."""

    how: Name | None
    command: Text | Exact | None


class Restart(Node, frozen=True, gc=False):
    """`restart on-failure max 5 in 60s backoff 100ms..5s with rest`. `company` is what stands behind `with`."""

    policy: Name
    most: Value | None
    period: Value | None
    backoff: Value | None
    longest: Value | None
    company: Name | None


class On(Node, frozen=True, gc=False):
    """`on rack[0]`: on which host."""

    host: Reference


class Context(Node, frozen=True, gc=False):
    """`context { io_threads 4 }`."""

    block: Block


# Declarations


class Version(Node, frozen=True, gc=False):
    """`ztopo 1`."""

    number: Number


class Topology(Node, frozen=True, gc=False):
    """`topology NAME`."""

    name: Name


class Param(Node, frozen=True, gc=False):
    """`param port: port = 5555`."""

    name: Name
    type: Name | None
    default: Value | None
    doc: str = ""


class Device(Node, frozen=True, gc=False):
    """`device broker: queue { ... }`."""

    name: Name
    bracket: Bracket | Numbered | None
    kind: Name
    swap: Name | None
    block: Block
    doc: str = ""


class Process(Node, frozen=True, gc=False):
    """`process gateway { ... }`: devices that share a process."""

    name: Name
    bracket: Bracket | Numbered | None
    block: Block


class App(Node, frozen=True, gc=False):
    """`app client: REQ connect broker.in`, or `app sink { socket work: ... }`. `spec` is set in the first form."""

    name: Name
    bracket: Bracket | Numbered | None
    spec: SocketSpec | None
    block: Block | None
    doc: str = ""
    folder: str = ""
    """The folder that its command runs in, if that is not the one of its text."""


class Use(Node, frozen=True, gc=False):
    """`use "pool.ztopo" as pool { size 8 }`."""

    path: Text
    name: Name
    bracket: Bracket | None
    block: Block | None


class Host(Node, frozen=True, gc=False):
    """`host rack[8] "10.0.0.${10 + index}"`."""

    name: Name
    bracket: Bracket | None
    address: Value


class Security(Node, frozen=True, gc=False):
    """`security internal: curve { ... }`."""

    name: Name
    mechanism: Name
    block: Block | None


class OptionSet(Node, frozen=True, gc=False):
    """`options wan { ... }`."""

    name: Name
    block: Block


Statement = Version | Topology | Param | Device | Process | App | Use | Host | Security | OptionSet
Item = Side | Socket | Device | App | Run | Restart | On | Context | With | Option | Param


class File(msgspec.Struct, frozen=True):
    """A whole text.

    `doubtful` are the places of statements that could not be read as they stand: what is made of them is a guess, and nothing
    is said about it. `lost` are the names of devices and apps that may have been declared where nothing could be read.
    """

    source: Source
    statements: tuple[Statement, ...]
    doubtful: tuple[Span, ...] = ()
    lost: frozenset[str] = frozenset()
