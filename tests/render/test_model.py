"""`show`: the expanded text means what the file meant, and the JSON has everything but secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import right_texts
from topo.compile import Compilation, compile, read
from topo.diagnostic import has_errors
from topo.graph import Graph
from topo.render import Style, model_json, model_ztopo
from topo.source import Source

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("examples/*.ztopo"), *ROOT.glob("tests/corpus/good/*.ztopo")])

DIFFERENT = {
    "sums": 'app a[3]: PUB bind tcp://*:${6000 + 10 * index}\napp b[3]: SUB connect a[index] { subscribe "${index}"; sndhwm ${index + 5} }',
    "neighbours": "device d[4]: streamer { in PULL bind inproc://d${index}; out PUSH connect d[(index + 1) % 4].in }",
    "others": 'app p[3] { socket out: PUB bind tcp://*:${7000 + index}; socket in: SUB connect p[others].out { subscribe "" } }',
    "one of them": "app a[3]: REP bind tcp://*:${6000 + index}\napp b: REQ connect a[1]\napp c: REQ connect a",
    "parts": "app a[2]: REP bind tcp://*:${6000 + index}\napp b[5]: REQ connect a[index / 3]",
    "no rule": "app a[5]: REP bind tcp://*:${6000 + index}\napp b[3]: REQ connect a[index * index]",
    "zeros": "app a[12]: REP bind ipc://a0${index}.socket\napp b: REQ connect a",
    "growing numbers": "app a[12]: REP bind tcp://*:5${index}0\napp b: REQ connect a",
    "sockets in apps": "app s[i: 2] { socket w[j: 3]: REP bind tcp://*:${6000 + 10 * i + j}; socket v: REQ connect .w }",
    "sockets of one app": "app s { socket w[3]: REP bind tcp://*:${6000 + index} }\napp t: REQ connect s.w[2]\napp u: REQ connect s.w",
    "own sockets": 'app s[2] { socket w: PUB bind tcp://*:${6000 + index}; socket v: SUB connect .w { subscribe "" } }',
    "one socket with a name": 'app sink { run "x"; socket work: PULL bind tcp://*:6000 }\napp a: PUSH connect sink',
    "several binds": "device d: queue { in bind tcp://*:5555, ipc://d; out bind tcp://*:5556 }\napp a: REQ connect d.in.tcp\napp b: REQ connect d.in",
    "texts": r'app a: ROUTER bind tcp://*:6000 { routing_id "a\"\\\x01\xff$${x}é" }' + "\napp b: DEALER connect a",
    "dollars": r'app a[2]: ROUTER bind tcp://*:${6000 + index} { routing_id "\x24${index}" }' + "\napp b: DEALER connect a",
    "paths": 'app a: REP bind "ipc://with blank, and ${x}{}"\napp b: REQ connect a\nparam x = "y"',
    "values": "app a: PUB bind tcp://*:6000 { linger 1h; sndbuf 64KiB; immediate true; tcp_keepalive -1; routing_id * }",
    "docs": "## One.\n## Two.\napp a: REP bind tcp://*:6000\n## Three.\napp b[*]: REQ connect a",
    "any number": "app a: REP bind tcp://*:6000\napp b[*] { run inside; socket x: REQ connect a; socket y: REQ connect a }",
    "nothing": "app a\napp b[2] { run \"b ${index}\" }",
}  # fmt: skip


def compiled(text: str, folder: Path = ROOT) -> Compilation:
    return compile(Source(text, "x.ztopo", folder / "x.ztopo"), fragment=not text.startswith("ztopo"))


def graph_of(text: str) -> Graph:
    compilation = compiled(text)
    assert compilation.graph is not None, compilation.diagnostics
    assert not compilation.graph.model.doubtful, compilation.diagnostics
    return compilation.graph


def meaning(graph: Graph) -> Any:
    """Everything in the model but where it is written."""
    document = json.loads(model_json.render(graph, Style()))
    assert document["format_version"] == 1
    return _without_places(document)


def _without_places(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_places(v) for v in value]
    if isinstance(value, dict):
        return {k: _without_places(v) for k, v in value.items() if k != "place" and not k.endswith("_place")}
    return value


def assert_same(graph: Graph) -> None:
    text = model_ztopo.render(graph, Style())
    again = compiled(text)
    assert again.graph is not None, f"{text}\n{again.diagnostics}"
    assert meaning(again.graph) == meaning(graph), text
    assert model_ztopo.render(again.graph, Style()) == text


@pytest.mark.parametrize("name", DIFFERENT)
def test_the_expanded_text_means_the_same(name: str) -> None:
    assert_same(graph_of(DIFFERENT[name]))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_the_expanded_text_of_a_file_means_the_same(path: Path) -> None:
    source = read(path)
    assert isinstance(source, Source)
    compilation = compile(source)
    assert compilation.graph is not None
    text = model_ztopo.render(compilation.graph, Style())
    again = compile(Source(text, path.name, path))
    assert again.graph is not None
    assert meaning(again.graph) == meaning(compilation.graph)
    assert not has_errors(again.diagnostics)


@given(right_texts())
@settings(max_examples=60, deadline=None)
def test_any_right_text_expands_to_one_that_means_the_same(text: str) -> None:
    assert_same(graph_of(text))


@given(st.binary(max_size=20).filter(bool))
@settings(max_examples=100, deadline=None)
def test_any_bytes_come_back(data: bytes) -> None:
    written = "".join(f"\\x{byte:02x}" for byte in data)
    assert_same(graph_of(f'app a: SUB connect tcp://10.0.0.1:5555 {{ subscribe "{written}" }}'))


@given(st.lists(st.integers(0, 3), min_size=2, max_size=4))
@settings(max_examples=50, deadline=None)
def test_any_numbers_come_back(numbers: list[int]) -> None:
    """Whatever replicas refer to, there is an expression for it."""
    table = " + ".join(f"{v} * (1 / ((index - {n}) * (index - {n}) + 1))" for n, v in enumerate(numbers))
    text = f"app a[4]: REP bind tcp://*:${{6000 + index}}\napp b[{len(numbers)}]: REQ connect a[{table}]"
    assert_same(graph_of(text))


def test_secrets_are_left_out() -> None:
    graph = graph_of('app a: REQ connect tcp://10.0.0.1:5555 { plain_username "joe"; plain_password "hunter2"; linger 0 }')
    for text in (model_ztopo.render(graph, Style()), model_json.render(graph, Style())):
        assert "hunter2" not in text
        assert "plain_password" in text
    (option,) = [
        o
        for o in json.loads(model_json.render(graph, Style()))["apps"][0]["sockets"][0]["options"]
        if o["name"] == "plain_password"
    ]
    assert option["values"] is None
    again = compiled(model_ztopo.render(graph, Style()))
    assert again.graph is not None
    assert [o.name for o in again.graph.model.apps[0].sockets[0].options] == ["plain_username", "linger"]


def test_what_cannot_be_written_says_so() -> None:
    text = "app a[40]: REP bind tcp://*:${6000 + index}\napp b[20]: REQ connect a[(index * index * index) % 40]"
    with pytest.raises(model_ztopo.Inexpressible):
        model_ztopo.render(graph_of(text), Style())


def test_json_says_where_a_connect_leads() -> None:
    graph = graph_of("app a[2]: REP bind tcp://*:${6000 + index}\napp b: REQ connect a, tcp://127.0.0.1:6000, tcp://10.0.0.1:1")
    (socket,) = json.loads(model_json.render(graph, Style()))["apps"][2]["sockets"]
    by_name, by_address, outside = socket["connects"]
    assert by_name["endpoint"] is None
    assert [(t["socket"], t["bind"], t["endpoint"]) for t in by_name["to"]] == [
        ("a[0]", 0, "tcp://127.0.0.1:6000"),
        ("a[1]", 0, "tcp://127.0.0.1:6001"),
    ]
    assert by_address["endpoint"] == "tcp://127.0.0.1:6000"
    assert [t["socket"] for t in by_address["to"]] == ["a[0]"]
    assert outside["to"] == []
    assert by_name["place"] == {
        "file": "x.ztopo",
        "start": {"line": 2, "column": 20, "offset": 62},
        "end": {"line": 2, "column": 21, "offset": 63},
    }
