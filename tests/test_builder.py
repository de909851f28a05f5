"""The Python API: topologies loaded and built, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx
import pytest
import zmq

import topo
from topo.diagnostic import Diagnostic
from topo.zeromq.libzmq import Libzmq

BROKER = """ztopo 1
topology broker
param port: port = 5555
device broker: queue {
    in      ROUTER bind tcp://*:${port}
    out     DEALER bind inproc://work
    monitor PUB bind tcp://*:${port + 1} { prefix "from", "to"; sndhwm 10 }
}
app client: REQ connect broker.in { run inside }
app worker: REP connect broker.out { run inside; linger 250ms }
"""


def build() -> topo.Topology:
    topology = topo.Topology("broker")
    broker = topology.queue("broker", zmq.ROUTER, zmq.DEALER, zmq.PUB, in_prefix=b"from", out_prefix="to")
    broker.bind_in("tcp://*:5555")
    broker.bind_out("inproc://work")
    broker.bind_mon("tcp://*:5556")
    broker.setsockopt_mon(zmq.SNDHWM, 10)
    topology.app("client", zmq.REQ, inside=True).connect("broker.in")
    topology.app("worker", "REP", inside=True).connect("broker.out").setsockopt("linger", 250)
    return topology


def test_what_is_built_is_what_a_text_gives() -> None:
    built, loaded = build().compile(Libzmq()).model, topo.loads(BROKER).compile(Libzmq()).model
    assert built is not None
    assert loaded is not None
    for one, other in zip(built.components, loaded.components, strict=True):
        assert one.name == other.name
        for a, b in zip(one.sockets, other.sockets, strict=True):
            assert (a.id, a.type, a.role) == (b.id, b.type, b.role)
            assert [x.endpoint.text for x in a.binds] == [x.endpoint.text for x in b.binds]
            assert [x.targets for x in a.connects] == [x.targets for x in b.connects]
            assert [(o.name, [(v.kind, v.value) for v in o.values]) for o in a.options] == [
                (o.name, [(v.kind, v.value) for v in o.values]) for o in b.options
            ]
    assert built.devices[0].prefixes == loaded.devices[0].prefixes == (b"from", b"to")


def test_what_is_built_is_clean() -> None:
    assert build().check(Libzmq()) == []
    assert topo.loads(BROKER).check(Libzmq()) == []


def test_a_mistake_points_into_the_program() -> None:
    topology = topo.Topology("wrong")
    topology.app("jobs", "PUSH").bind("tcp://*:5555")
    topology.app("work", "PULL").connect("job")  # here
    (diagnostic,) = topology.check(Libzmq())
    assert diagnostic.code == "ZT101"
    assert diagnostic.span is not None
    assert diagnostic.span.source.path == Path(__file__).resolve()
    assert diagnostic.span.text == "job"
    line = next(n for n, text in enumerate(Path(__file__).read_text(encoding="utf-8").splitlines(), 1) if text.endswith("# here"))
    assert diagnostic.span.position.line == line


def test_a_program_is_offered_no_edits_but_told_what_to_do() -> None:
    topology = topo.Topology("wrong")
    mux = topology.queue("mux", zmq.ROUTER, zmq.ROUTER)
    mux.bind_in("tcp://*:5555")
    mux.bind_out("tcp://*:5556")
    (diagnostic,) = topology.check(Libzmq())
    assert diagnostic.code == "ZT202"
    assert diagnostic.fix is None
    assert diagnostic.notes[-1] == "exchange the first two parts"


def test_each_argument_has_its_own_place() -> None:
    topology = topo.Topology("wrong")
    mux = topology.queue(
        "mux",
        zmq.ROUTER,  # in
        out_type=zmq.ROUTER,  # out
    )
    mux.bind_in("tcp://*:5555")
    mux.bind_out("tcp://*:5556")
    (diagnostic,) = topology.check(Libzmq())
    assert marked(diagnostic) == [
        ("queue", "    mux = topology.queue("),
        ("ROUTER", "        zmq.ROUTER,  # in"),
        ("ROUTER", "        out_type=zmq.ROUTER,  # out"),
    ]


def test_one_of_several_on_a_line_has_its_own_place() -> None:
    topology = topo.Topology("wrong")
    kind = "XPUB"
    "ö"; mux = topology.queue("mux", "ROUTER", "ROUTER"); mux.bind_in("inproc://a"); mux.bind_out("inproc://b")  # fmt: skip  # noqa: E702
    topology.app("sub", kind).connect("inproc://c").connect("nobody", "nothing")
    found = topology.check(Libzmq())
    by_code = {d.code: d for d in found}
    first, second = (label.span for label in by_code["ZT202"].labels[1:])
    assert (first.text, second.text, second.start - first.end) == ("ROUTER", "ROUTER", len('", "'))
    assert [d.span.text for d in found if d.code == "ZT101" and d.span] == ["nobody", "nothing"]


def marked(diagnostic: Diagnostic) -> list[tuple[str, str]]:
    """What a diagnostic marks, and the lines that it stands in."""
    spans = [label.span for label in diagnostic.labels]
    return [(s.text, s.source.line(s.position.line)) for s in spans]


def test_a_program_that_declares_in_a_loop_hears_of_each() -> None:
    topology = topo.Topology("loop")
    for number in range(3):
        topology.app(f"app{number}", "PUSH").connect(f"nobody{number}")
    assert [d.code for d in topology.check(Libzmq())] == ["ZT101"] * 3


def test_the_graph_is_a_networkx_multidigraph() -> None:
    graph = build().graph
    assert isinstance(graph, networkx.MultiDiGraph)
    assert nodes(graph) == {"broker.in", "broker.out", "broker.monitor", "client", "worker"}
    assert networkx.has_path(graph, "client", "worker")
    assert networkx.has_path(graph, "worker", "client")
    assert networkx.has_path(graph, "client", "broker.monitor")
    assert not networkx.has_path(graph, "broker.monitor", "client")


def nodes(graph: object) -> set[str]:
    assert isinstance(graph, networkx.MultiDiGraph)
    return set(graph.nodes)


def test_a_text_that_cannot_be_read_raises_with_the_diagnostics() -> None:
    with pytest.raises(topo.TopologyError, match="there is no declaration") as caught:
        topo.loads("ztopo 1\nfoo\n", name="x.ztopo")
    assert [d.code for d in caught.value.diagnostics] == ["ZT007"]
    assert "x.ztopo:2" in str(caught.value)


def test_a_file_is_loaded_with_params(tmp_path: Path) -> None:
    path = tmp_path / "broker.ztopo"
    path.write_text(BROKER)
    model = topo.load(path, {"port": 7000}).compile(Libzmq()).model
    assert model is not None
    assert model.devices[0].sockets[0].binds[0].endpoint.text == "tcp://*:7000"
    (diagnostic,) = topo.load(path, {"prot": 7000}).check(Libzmq())
    assert diagnostic.code == "ZT103"
    (diagnostic,) = topo.load(path, {"port": "70000"}).check(Libzmq())
    assert diagnostic.code == "ZT104"


def test_an_invalid_topology_is_not_started() -> None:
    topology = topo.Topology("wrong")
    topology.app("work", "PULL").connect("nobody")
    with pytest.raises(topo.TopologyError):
        topology.up()


@pytest.mark.parametrize("name", ["a.in", "", "../x/y", "my broker", "1st", "a\n", 3])
def test_a_name_is_one_that_the_language_has(name: Any) -> None:
    topology = topo.Topology("t")
    for use in (topo.Topology, topology.queue, topology.app, lambda n: topology.app("a").socket(n, "PUSH")):
        with pytest.raises(ValueError, match="is no name: names have letters"):
            use(name)


@pytest.mark.parametrize("run", ["proces", 3, None])
def test_a_device_runs_as_a_thread_or_a_process(run: Any) -> None:
    with pytest.raises(ValueError, match="run is 'thread' or 'process', not "):
        topo.Topology("t").queue("b", run=run)


def test_wrong_arguments_are_said_in_the_words_of_the_api() -> None:
    topology: Any = topo.Topology("t")
    broker = topology.queue("broker")
    with pytest.raises(TypeError, match=r"connect takes .* such as 'broker.in', as text, not the builder of broker"):
        topology.app("a", "REQ").connect(broker)
    with pytest.raises(TypeError, match=r"bind takes endpoints, such as 'tcp://127.0.0.1:5555', as text, not 5555"):
        broker.bind_in("tcp://127.0.0.1", 5555)
    with pytest.raises(TypeError, match=r"bind takes endpoints, .*, at least one"):
        broker.bind_in()
    with pytest.raises(ValueError, match=r"99 is not a socket type, such as zmq.REQ"):
        topology.queue("b", 99)
    with pytest.raises(ValueError, match=r"99999 is not a socket option, such as zmq.LINGER"):
        broker.setsockopt_in(99999, 1)
    with pytest.raises(TypeError, match=r"run is the command as text"):
        topology.app("b", run=3)
    with pytest.raises(TypeError, match=r"kind is a text"):
        topology.device("b", 3, "PULL", "PUSH")


def test_prefixes_may_follow_the_types_as_in_pyzmq() -> None:
    for kind in ("queue", "forwarder", "streamer", "proxy"):
        topology = topo.Topology("t")
        getattr(topology, kind)("d", "PULL", "PUSH", "PUB", b"from", b"to")
        model = topology.compile(Libzmq()).model
        assert model is not None
        assert model.devices[0].prefixes == (b"from", b"to")


def test_wrong_use_raises_at_once() -> None:
    topology = topo.Topology("wrong")
    with pytest.raises(ValueError, match="no monitor"):
        topology.queue("broker").bind_mon("tcp://*:5555")
    with pytest.raises(ValueError, match="neither an endpoint nor"):
        topology.app("a", "PUSH").connect("not a name")
    with pytest.raises(ValueError, match="without a type"):
        topology.app("b").bind("tcp://*:5555")
