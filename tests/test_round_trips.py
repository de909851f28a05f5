"""What a topology says stays the same on the way from one form to another: text, JSON, networkx graph, and what is built in Python."""

from __future__ import annotations

from pathlib import Path

import networkx
import pytest
from hypothesis import given, settings

import topo
from tests.models import assert_same, meaning
from tests.render.test_model import DIFFERENT, assert_same_without_modules, of_files
from tests.strategies import Files, modular_files, right_texts, topologies
from topo.compile import Compilation, compile, compile_tree
from topo.model import Model
from topo.source import Source
from topo.unresolve import model_of, tree_of

HERE = Path(__file__).parent


def read(text: str, name: str = "x.ztopo") -> Compilation:
    """Read a text as if it lay beside this file, as what is built here does."""
    return compile(Source(text, name, HERE / name), fragment=True)


def from_graph(model: Model, graph: networkx.MultiDiGraph) -> Compilation:
    """What is made of a graph; it says the same as the model that the graph is of."""
    compilation = compile_tree(tree_of(model_of(graph)))
    assert_same(compilation.model, model)
    return compilation


@given(right_texts())
@settings(max_examples=40, deadline=None)
def test_text_graph_text_graph(text: str) -> None:
    first = read(text)
    made = from_graph(first.model, first.graph.nx)
    assert_same(read(topo.Topology.from_graph(made.graph.nx).to_ztopo()).model, first.model)


@pytest.mark.parametrize("name", DIFFERENT)
def test_everything_that_a_text_can_say_is_in_the_graph(name: str) -> None:
    compilation = read(DIFFERENT[name])
    again = from_graph(compilation.model, compilation.graph.nx)
    assert [str(d) for d in again.diagnostics] == [str(d) for d in compilation.diagnostics], "the places are the same as well"


@given(modular_files())
@settings(max_examples=40, deadline=None)
def test_modules_are_in_the_graph(files: Files) -> None:
    compilation = of_files(files)
    assert_same_without_modules(from_graph(compilation.model, compilation.graph.nx))


@given(topologies())
@settings(max_examples=60, deadline=None)
def test_graph_text_graph(topology: topo.Topology) -> None:
    """What is built in Python, written as a text or as JSON, says the same; and so does what is made of its graph."""
    model = topology.compile().model
    assert not model.doubtful, topology.check()
    text = topology.to_ztopo()
    assert_same(read(text).model, model, text)
    assert read(text).model.name == model.name
    json = topology.to_json()
    assert_same(read(json, "x.json").model, model, json)
    again = topo.Topology.from_graph(topology.graph)
    assert_same(again.compile().model, model)
    assert [str(d) for d in again.check()] == [str(d) for d in topology.check()]


def example() -> topo.Topology:
    return topo.loads(
        "ztopo 1\ntopology whole\ndevice broker: queue { in bind tcp://*:5555; out bind tcp://*:5556 }\n"
        "process more { context { io_threads 2 }; device spare: streamer { in bind tcp://*:5557; out bind inproc://x } }\n"
        "app client: REQ connect broker.in, tcp://127.0.0.1:5558\napp worker[2]: REP connect broker.out\napp other: REP bind tcp://*:5558\n"
    )


def test_what_is_taken_away_from_a_graph_is_gone() -> None:
    graph = example().graph
    graph.remove_nodes_from(["worker[0]", "worker[1]", "spare.in", "spare.out"])
    assert topo.Topology.from_graph(graph).compile().model.apps[0].sockets[0].connects[0].targets
    graph.remove_edges_from([("client", "broker.in"), ("broker.in", "client")])
    text = topo.Topology.from_graph(graph).to_ztopo()
    assert "worker" not in text
    assert "device spare" not in text
    assert "app client: REQ connect tcp://127.0.0.1:5558\n" in text


def test_graphs_can_be_composed() -> None:
    other = topo.Topology("other")
    other.app("extra", "REQ").connect("tcp://127.0.0.1:5555")
    both = networkx.compose(other.graph, example().graph)
    model = topo.Topology.from_graph(both).compile().model
    assert [c.name for c in model.components] == ["extra", "broker", "spare", "client", "worker[0]", "worker[1]", "other"]
    assert [p.context.io_threads for p in model.processes] == [2]
    assert model.apps[0].sockets[0].connects[0].endpoint is not None


@pytest.mark.parametrize(
    ("gone", "why"),
    [
        ("worker[1]", r"worker\[0\] is there, and worker\[1\] is not"),
        ("worker[0]", r"worker\[1\] is there, and worker\[0\] is not"),
    ],
)
def test_a_part_of_a_declaration_is_refused(gone: str, why: str) -> None:
    graph = example().graph
    graph.remove_node(gone)
    with pytest.raises(ValueError, match=why):
        topo.Topology.from_graph(graph)


def test_a_graph_of_something_else_is_refused() -> None:
    graph: networkx.MultiDiGraph = networkx.MultiDiGraph()
    graph.add_node("a")
    with pytest.raises(ValueError, match="the node 'a' has no `component`: it is none of a graph that ztopo made"):
        topo.Topology.from_graph(graph)


def test_what_does_not_resolve_is_not_written() -> None:
    topology = topo.Topology("wrong")
    topology.app("a", "REQ").connect("nobody")
    for write in (topology.to_ztopo, topology.to_json):
        with pytest.raises(topo.TopologyError, match="there is no device, app or module `nobody`"):
            write()


def test_models_that_differ_are_told_apart() -> None:
    one, other = read("app a: REQ connect tcp://10.0.0.1:1").model, read("app a: REQ connect tcp://10.0.0.1:2").model
    assert meaning(one) != meaning(other)
    assert meaning(one) == meaning(read("\n\n  app a:  REQ connect tcp://10.0.0.1:1").model)
