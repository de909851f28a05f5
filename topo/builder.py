"""The Python API: a topology loaded from a file or built in code, checked, and run.

What is built here is the same tree that a text gives, with places in the Python file that built it; from there on nothing
knows the difference. This module is the border: what is wrong is raised here, as `TopologyError` with the diagnostics inside.
"""

from __future__ import annotations

import linecache
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from topo.calls import Calls, line_at
from topo.compile import Compilation, compile_tree, judge_host, make_plan, read, tree_of
from topo.diagnostic import Diagnostic, counted, has_errors
from topo.host import wanted
from topo.model import Policy
from topo.plan import Plan, RestartPlan, sources
from topo.source import Source, Span
from topo.syntax import tree
from topo.unresolve import model_of
from topo.unresolve import tree_of as tree_of_model
from topo.zeromq.libzmq import Libzmq

if TYPE_CHECKING:
    import networkx
    import zmq

    from topo.run.running import Running, Starting

__all__ = ["AppBuilder", "DeviceBuilder", "Topology", "TopologyError", "load", "loads"]

B = TypeVar("B", "DeviceBuilder", "AppBuilder")
E = TypeVar("E", bound=Enum)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*")
"""As in the grammar."""
PACKAGE = str(Path(__file__).parent) + os.sep


class TopologyError(Exception):
    """A topology that cannot be made or started. `diagnostics` says why, with places."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        from topo.render import Style
        from topo.render.findings_full import render

        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        super().__init__("\n" + render(self.diagnostics, Style()))


def load(path: str | Path, params: Mapping[str, object] | None = None) -> Topology:
    """The topology that a `.ztopo` file declares.

    `params` sets its params, by name, to Python values or to texts as after `--set`. Raises TopologyError if the text
    cannot be read as ztopo, and OSError if the file cannot be read. What is wrong beyond that is found by `check`.
    """
    source = read(Path(path))
    if isinstance(source, Diagnostic):
        raise TopologyError([source])
    return _from_source(source, params)


def loads(text: str, params: Mapping[str, object] | None = None, name: str = "<text>") -> Topology:
    """The topology that a text declares. Like `load`; relative paths start from the current folder."""
    return _from_source(Source(text, name), params)


def _from_source(source: Source, params: Mapping[str, object] | None) -> Topology:
    file, said = tree_of(source)
    if has_errors(said):
        raise TopologyError(said)
    topology = Topology(params=params)
    topology._source = source
    topology._declared.extend(file.statements)
    return topology


class Topology:
    """Devices, apps and their links. Nothing is looked at before it is asked for: `check`, `graph`, `up`."""

    def __init__(self, name: str | None = None, *, params: Mapping[str, object] | None = None) -> None:
        self.params: dict[str, object] = dict(params or {})
        self._sources: dict[str, Source] = {}
        self._calls = Calls()
        self._declared: list[tree.Statement | DeviceBuilder | AppBuilder] = []
        self._source: Source | None = None
        if name is not None:
            named = self._named(name)
            self._declared.append(tree.Topology(named.span, named))
            self._source = named.span.source

    # Building

    def queue(
        self,
        name: str,
        in_type: str | int = "ROUTER",
        out_type: str | int = "DEALER",
        mon_type: str | int | None = None,
        *prefixes: str | bytes,
        **more: Any,
    ) -> DeviceBuilder:
        """A device that carries requests one way and replies the other. `prefixes` and `more` as for `device`."""
        return self.device(name, "queue", in_type, out_type, mon_type, *prefixes, **more)

    def forwarder(
        self,
        name: str,
        in_type: str | int = "XSUB",
        out_type: str | int = "XPUB",
        mon_type: str | int | None = None,
        *prefixes: str | bytes,
        **more: Any,
    ) -> DeviceBuilder:
        """A device between publishers and subscribers. `prefixes` and `more` as for `device`."""
        return self.device(name, "forwarder", in_type, out_type, mon_type, *prefixes, **more)

    def streamer(
        self,
        name: str,
        in_type: str | int = "PULL",
        out_type: str | int = "PUSH",
        mon_type: str | int | None = None,
        *prefixes: str | bytes,
        **more: Any,
    ) -> DeviceBuilder:
        """A device between pushers and pullers. `prefixes` and `more` as for `device`."""
        return self.device(name, "streamer", in_type, out_type, mon_type, *prefixes, **more)

    def proxy(
        self,
        name: str,
        in_type: str | int,
        out_type: str | int,
        mon_type: str | int | None = None,
        *prefixes: str | bytes,
        **more: Any,
    ) -> DeviceBuilder:
        """A device between any two sockets. `prefixes` and `more` as for `device`."""
        return self.device(name, "proxy", in_type, out_type, mon_type, *prefixes, **more)

    def device(
        self,
        name: str,
        kind: str,
        in_type: str | int,
        out_type: str | int,
        mon_type: str | int | None = None,
        in_prefix: str | bytes = b"in",
        out_prefix: str | bytes = b"out",
        *,
        run: Literal["thread", "process"] = "thread",
        swap: bool = False,
        replicas: int | None = None,
        restart: Policy | RestartPlan | None = None,
    ) -> DeviceBuilder:
        """A device: its kind, and the types of its sockets by name or as pyzmq's constants.

        With `mon_type` it has a monitor, to which every message is copied behind `in_prefix` or `out_prefix`. `swap` exchanges
        the first two parts, which ROUTER-ROUTER needs. `run` says whether it is a thread or a process of its own. `restart` says
        when it is started again: "never", "on-failure" (as without it), "always", or a `topo.RestartPlan` with limits.
        """
        if run not in ("thread", "process"):
            raise ValueError(f"run is 'thread' or 'process', not {run!r}")
        if not isinstance(kind, str):
            raise TypeError(f"kind is a text, such as 'queue', not {kind!r}")
        types = {"in": in_type, "out": out_type, **({"monitor": mon_type} if mon_type is not None else {})}
        device = DeviceBuilder(self, name, kind, types, run, swap, replicas, restart)
        if mon_type is not None and (in_prefix, out_prefix) != (b"in", b"out"):
            device._sides["monitor"].option("prefix", in_prefix, out_prefix)
        return self._add(device)

    def app(
        self,
        name: str,
        type: str | int | None = None,
        *,
        run: str | None = None,
        inside: bool = False,
        replicas: int | None = None,
        restart: Policy | RestartPlan | None = None,
    ) -> AppBuilder:
        """A program around the devices, with one socket of `type`, or with sockets of its own added by `socket`.

        `run` is the command that starts it; an app that is `inside` is this very program: `running.socket(name)` gives it its
        sockets. An app with neither is started by somebody else. `restart` as for `device`, but without it an app never is.
        """
        return self._add(AppBuilder(self, name, type, run, inside, replicas, restart))

    def _add(self, builder: B) -> B:
        self._declared.append(builder)
        return builder

    # Asking

    def compile(self, libzmq: Libzmq | None = None) -> Compilation:
        """Everything that can be said about the topology as it stands; `libzmq` is the one to judge by, pyzmq's if None."""
        return compile_tree(self.as_tree(), self.params, libzmq)

    def check(self, libzmq: Libzmq | None = None, *, verbose: bool = False) -> list[Diagnostic]:
        """What is wrong with the topology, in the order of the places; an empty list if nothing is.

        `verbose` adds what is worth knowing: infos, which count for nothing.
        """
        found = self.compile(libzmq).diagnostics
        return list(found) if verbose else counted(found)

    @property
    def graph(self) -> networkx.MultiDiGraph[Any]:
        """The topology as a networkx directed multigraph: sockets as nodes, links and ways through devices as edges.

        `topo.graph` describes its attributes. It is made anew at each call. Raises TopologyError if names do not resolve.
        """
        return self._named_right().graph.nx

    @classmethod
    def from_graph(cls, graph: networkx.MultiDiGraph[Any]) -> Topology:
        """The topology that a graph shows: one that `graph` made, or a part of it, or several of them composed.

        Its nodes say which devices, apps and sockets there are, its edges what these reach by name; a connect to an endpoint stays.
        What was declared as several replicas is there with all of them. Raises ValueError if something of this does not hold.
        """
        file = tree_of_model(model_of(graph))
        topology = cls()
        topology._source = file.source
        topology._declared.extend(file.statements)
        return topology

    def to_ztopo(self) -> str:
        """The topology as a formatted text in ztopo, which needs no other file; what `ztopo show` writes.

        Raises TopologyError if names do not resolve. Of secrets only a file or a variable that they come from is written.
        """
        return self._shown("ztopo")

    def to_json(self) -> str:
        """The same as JSON, which `load` and every verb read in place of a text."""
        return self._shown("json")

    def _shown(self, form: str) -> str:
        from importlib import import_module

        from topo.render import Style

        compilation = self._named_right()
        text: str = import_module(f"topo.render.model_{form}").render(compilation.graph, Style())
        return text

    def _named_right(self) -> Compilation:
        compilation = self.compile()
        named = [d for d in compilation.diagnostics if d.severity == "error" and d.code < "ZT2"]
        if named:
            raise TopologyError(named)
        return compilation

    def as_tree(self) -> tree.File:
        """The tree, as a text would give it."""
        statements = tuple(d if isinstance(d, tree.Node) else d.as_tree() for d in self._declared)
        return tree.File(self._source or Source("", "<python>", program=True), statements)

    # Running

    def up(self, *, context: zmq.Context[Any] | None = None, on_failure: Callable[[Diagnostic], None] | None = None) -> Running:
        """Start it: thread devices in this process, sharing `context` (`zmq.Context.instance()` if None); the rest beside it.

        Blocks until everything is bound and connected. Use it with `with`; leaving stops everything and waits for it. Raises
        TopologyError if the topology is invalid or this host does not have what it wants, before anything starts, or if
        something of it cannot start, with nothing left running. It installs no signal handlers and may be called from any thread.

        What fails later stops everything. It is logged as it happens, by the logger `ztopo`, `on_failure` is called with it in
        a thread of ztopo's, which goes on only when that returns, and it is raised when the block is left, and by `wait` and `socket`.
        """
        from topo.run.running import start

        plan, where = self._to_start()
        return start(plan, context=context, sources=where, on_failure=on_failure, error=TopologyError)

    def up_async(
        self, *, context: zmq.Context[Any] | None = None, on_failure: Callable[[Diagnostic], None] | None = None
    ) -> Starting:
        """The same for the tasks of an event loop: `async with topology.up_async() as running`, or `running = await ...`.

        What waits is in `running.aio`. A task that is cancelled while it starts leaves nothing running.
        """
        import asyncio

        from topo.run.running import Starting, start_awaited

        async def begin() -> Running:
            plan, where = await asyncio.to_thread(self._to_start)
            return await start_awaited(plan, context=context, sources=where, on_failure=on_failure, error=TopologyError)

        return Starting(begin)

    def wanted(self) -> tuple[Plan, dict[str, Source]]:
        """What it wants to run, and the texts that places of that are in. Raises TopologyError if it is invalid."""
        compilation = self._valid()
        return make_plan(compilation), sources(compilation.graph)

    def _to_start(self) -> tuple[Plan, dict[str, Source]]:
        """The plan of a topology that can start here, and the texts that its places are in."""
        from topo.run import runs_here

        wrong = runs_here()
        if wrong is not None:
            raise TopologyError([wrong])
        from topo.run.survey import survey

        compilation = self._valid()
        said = judge_host(compilation, survey(wanted(compilation.graph)))
        if has_errors(said):
            raise TopologyError(said)
        return make_plan(compilation), sources(compilation.graph)

    def _valid(self) -> Compilation:
        compilation = self.compile()
        if not compilation.valid:
            raise TopologyError(compilation.diagnostics)
        return compilation

    # Places

    def _named(self, name: str) -> tree.Name:
        if not isinstance(name, str) or NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is no name: names have letters, digits, `_`, and `-` inside, and begin with no digit")
        return tree.Name(self._here(name, "name"), name)

    def _here(self, word: str, argument: str) -> Span:
        """The place in the program that called us, where `word` stands in what it gave as `argument`."""
        caller = called = sys._getframe(1)
        while caller.f_back is not None and caller.f_code.co_filename.startswith(PACKAGE):
            called, caller = caller, caller.f_back
        source = self._program(caller.f_code.co_filename, caller.f_lineno)
        call = self._calls.at(caller, called.f_code, source)
        return call.place(word, argument) if call is not None else line_at(source, caller.f_lineno, word)

    def _program(self, name: str, line: int) -> Source:
        source = self._sources.get(name)
        if source is None or len(source.starts) < line:
            text = "".join(linecache.getlines(name))
            text += "\n" * max(0, line - text.count("\n"))  # of what was typed at a prompt only the line's number is known
            path = Path(name).resolve() if Path(name).is_file() else None
            source = self._sources[name] = Source(text, name, path, program=True)
        return source


class _Spec:
    """A socket being built."""

    def __init__(self, topology: Topology, type: str | int | None, argument: str = "type") -> None:
        self.topology = topology
        self.type = None if type is None else _type(topology, type, argument)
        self.clauses: list[tree.Clause] = []
        self.options: list[tree.Option] = []

    def bind(self, *endpoints: str) -> None:
        _must_be_texts(endpoints, "bind takes endpoints, such as 'tcp://127.0.0.1:5555'")
        places = tuple(self._endpoint(e, "endpoints") for e in endpoints)
        self.clauses.append(tree.Bind(places[0].span, places))

    def connect(self, *places: str) -> None:
        _must_be_texts(places, "connect takes endpoints and names of sockets, such as 'broker.in'")
        found = tuple(self._endpoint(p, "places") if "://" in p else _reference(self.topology, p) for p in places)
        self.clauses.append(tree.Connect(found[0].span, found))

    def _endpoint(self, endpoint: str, argument: str) -> tree.EndpointText:
        return tree.EndpointText(self.topology._here(endpoint, argument), endpoint)

    def option(self, option: str | int, *values: int | bytes | str) -> None:
        name = _option_name(option)
        span = self.topology._here(name, "option")
        literals = tuple(tree.Literal(self.topology._here(str(v), "values"), v) for v in values)
        self.options.append(tree.Option(span, tree.Name(span, name), literals))

    def spec(self) -> tree.SocketSpec:
        return tree.SocketSpec(self.type, None, tuple(self.clauses))

    def block(self, span: Span, more: Iterable[tree.Item] = ()) -> tree.Block | None:
        items = (*more, *self.options)
        return tree.Block(span, items) if items else None


class DeviceBuilder:
    """A device being built, with the methods that the devices of `zmq.devices` have.

    Where an address is expected to connect to, the name of another socket will do: `connect_in("feed")`.
    """

    def __init__(
        self,
        topology: Topology,
        name: str,
        kind: str,
        types: Mapping[str, str | int],
        run: str,
        swap: bool,
        replicas: int | None,
        restart: Policy | RestartPlan | None,
    ) -> None:
        self._topology = topology
        self._name = topology._named(name)
        self._kind = tree.Name(topology._here(kind, "kind"), kind)
        self._run = tree.Run(self._name.span, tree.Name(self._name.span, run), None)
        self._swap = tree.Name(topology._here("swap", "swap"), "swap") if swap else None
        self._bracket = _bracket(topology, replicas)
        self._restart = _restart(topology, restart)
        self._sides = {side: _Spec(topology, type, f"{side[:3]}_type") for side, type in types.items()}

    def bind_in(self, *endpoints: str) -> None:
        """Bind the in side to endpoints."""
        self._side("in").bind(*endpoints)

    def bind_out(self, *endpoints: str) -> None:
        """Bind the out side to endpoints."""
        self._side("out").bind(*endpoints)

    def bind_mon(self, *endpoints: str) -> None:
        """Bind the monitor to endpoints."""
        self._side("monitor").bind(*endpoints)

    def connect_in(self, *places: str) -> None:
        """Connect the in side to endpoints, or to what is named."""
        self._side("in").connect(*places)

    def connect_out(self, *places: str) -> None:
        """Connect the out side to endpoints, or to what is named."""
        self._side("out").connect(*places)

    def connect_mon(self, *places: str) -> None:
        """Connect the monitor to endpoints, or to what is named."""
        self._side("monitor").connect(*places)

    def setsockopt_in(self, option: str | int, *values: int | bytes | str) -> None:
        """Set an option of the in side: libzmq's name in lower case, or pyzmq's constant. Durations are in milliseconds."""
        self._side("in").option(option, *values)

    def setsockopt_out(self, option: str | int, *values: int | bytes | str) -> None:
        """Set an option of the out side; see `setsockopt_in`."""
        self._side("out").option(option, *values)

    def setsockopt_mon(self, option: str | int, *values: int | bytes | str) -> None:
        """Set an option of the monitor; see `setsockopt_in`."""
        self._side("monitor").option(option, *values)

    def _side(self, side: str) -> _Spec:
        if side not in self._sides:
            raise ValueError(f"the device {self._name.text} has no monitor: give it a mon_type")
        return self._sides[side]

    def as_tree(self) -> tree.Device:
        """The declaration, as a text would give it."""
        span = self._name.span
        sides = [tree.Side(span, tree.Name(span, side), spec.spec(), spec.block(span)) for side, spec in self._sides.items()]
        return tree.Device(
            span, self._name, self._bracket, self._kind, self._swap, tree.Block(span, (self._run, *self._restart, *sides))
        )


class AppBuilder:
    """An app being built. One with a type has one socket, which `bind`, `connect` and `setsockopt` are about."""

    def __init__(
        self,
        topology: Topology,
        name: str,
        type: str | int | None,
        run: str | None,
        inside: bool,
        replicas: int | None,
        restart: Policy | RestartPlan | None,
    ) -> None:
        if run is not None and inside:
            raise ValueError(f"the app {name} is either run by a command or inside this program")
        if run is not None and not isinstance(run, str):
            raise TypeError(f"run is the command as text, such as 'python client.py', not {run!r}")
        self._topology = topology
        self._name = topology._named(name)
        self._bracket = _bracket(topology, replicas)
        self._restart = _restart(topology, restart)
        self._only = _Spec(topology, type) if type is not None else None
        self._sockets: dict[str, tuple[tree.Name, _Spec]] = {}
        self._run: tree.Run | None = None
        if run is not None:
            span = topology._here(run, "run")
            self._run = tree.Run(span, None, tree.Text(span, _quoted(run)))
        elif inside:
            self._run = tree.Run(self._name.span, tree.Name(self._name.span, "inside"), None)

    def bind(self, *endpoints: str) -> AppBuilder:
        """Bind the only socket to endpoints."""
        self._one().bind(*endpoints)
        return self

    def connect(self, *places: str) -> AppBuilder:
        """Connect the only socket to endpoints, or to what is named: `connect("broker.in")`."""
        self._one().connect(*places)
        return self

    def setsockopt(self, option: str | int, *values: int | bytes | str) -> AppBuilder:
        """Set an option of the only socket: libzmq's name in lower case, or pyzmq's constant."""
        self._one().option(option, *values)
        return self

    def socket(self, name: str, type: str | int) -> SocketBuilder:
        """Add a named socket, to an app without a type."""
        if self._only is not None:
            raise ValueError(f"the app {self._name.text} was made with a type: it has one socket")
        spec = _Spec(self._topology, type)
        self._sockets[name] = (self._topology._named(name), spec)
        return SocketBuilder(spec)

    def _one(self) -> _Spec:
        if self._only is None:
            raise ValueError(f"the app {self._name.text} was made without a type: its sockets are added by `socket`")
        return self._only

    def as_tree(self) -> tree.App:
        """The declaration, as a text would give it."""
        span = self._name.span
        run = (*((self._run,) if self._run else ()), *self._restart)
        if self._only is not None:
            return tree.App(span, self._name, self._bracket, self._only.spec(), self._only.block(span, run))
        sockets = [
            tree.Socket(name.span, name, None, spec.spec(), spec.block(name.span)) for name, spec in self._sockets.values()
        ]
        return tree.App(span, self._name, self._bracket, None, tree.Block(span, (*run, *sockets)))


class SocketBuilder:
    """A named socket of an app being built."""

    def __init__(self, spec: _Spec) -> None:
        self._spec = spec

    def bind(self, *endpoints: str) -> SocketBuilder:
        """Bind it to endpoints."""
        self._spec.bind(*endpoints)
        return self

    def connect(self, *places: str) -> SocketBuilder:
        """Connect it to endpoints, or to what is named."""
        self._spec.connect(*places)
        return self

    def setsockopt(self, option: str | int, *values: int | bytes | str) -> SocketBuilder:
        """Set an option: libzmq's name in lower case, or pyzmq's constant."""
        self._spec.option(option, *values)
        return self


def _must_be_texts(places: tuple[object, ...], wanted: str) -> None:
    for place in places:
        if not isinstance(place, str):
            raise TypeError(f"{wanted}, as text, not {_shown(place)}")
    if not places:
        raise TypeError(f"{wanted}, at least one")


def _shown(value: object) -> str:
    return f"the builder of {value._name.text}" if isinstance(value, DeviceBuilder | AppBuilder) else repr(value)


def _type(topology: Topology, type: str | int, argument: str) -> tree.Name:
    name = _type_name(type)
    return tree.Name(topology._here(name, argument), name)


def _type_name(type: str | int) -> str:
    if isinstance(type, str):
        return type
    import zmq

    return _constant(zmq.SocketType, type, "a socket type, such as zmq.REQ").name


def _option_name(option: str | int) -> str:
    if isinstance(option, str):
        return option
    import zmq

    return _constant(zmq.SocketOption, option, "a socket option, such as zmq.LINGER").name.lower()


def _constant(known: type[E], value: object, wanted: str) -> E:
    try:
        return known(value)
    except ValueError:
        raise ValueError(f"{value!r} is not {wanted}") from None


def _bracket(topology: Topology, replicas: int | None) -> tree.Bracket | None:
    return None if replicas is None else tree.Bracket(topology._here(str(replicas), "replicas"), str(replicas))


def _restart(topology: Topology, given: Policy | RestartPlan | None) -> tuple[tree.Restart, ...]:
    """The statement that says it, in whole milliseconds."""
    if given is None:
        return ()
    if not isinstance(given, str | RestartPlan):
        raise TypeError(f"restart is a policy, such as 'always', or a topo.RestartPlan, not {given!r}")
    policy = given if isinstance(given, str) else given.policy
    here = topology._here(policy, "restart")
    if isinstance(given, str) or given == RestartPlan("never"):
        return (tree.Restart(here, tree.Name(here, policy), None, None, None, None, None),)
    most = tree.Exact(here, "int", given.limit)
    period, backoff, longest = (
        tree.Exact(here, "duration", round(1000 * t)) for t in (given.period, given.backoff, given.longest)
    )
    company = tree.Name(here, given.also) if given.also else None
    return (tree.Restart(here, tree.Name(here, policy), most, period, backoff, longest, company),)


def _quoted(text: str) -> str:
    """A text as it stands between quotes, so that reading it gives it back."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("${", "$${")


REFERENCE_PART = re.compile(r"([A-Za-z_][\w-]*)(?:\[([^\]]*)\])?", re.ASCII)


def _reference(topology: Topology, text: str) -> tree.Reference:
    span = topology._here(text, "places")
    parts = []
    for piece in text.removeprefix(".").split("."):
        match = REFERENCE_PART.fullmatch(piece)
        if match is None:
            raise ValueError(f"{text!r} is neither an endpoint nor the name of a socket")
        name, bracket = match.groups()
        parts.append(tree.Part(span, tree.Name(span, name), None if bracket is None else tree.Bracket(span, bracket)))
    return tree.Reference(span, text.startswith("."), tuple(parts))
