"""`show`: the expanded text means what the file meant, and the JSON has everything but secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models import meaning
from tests.strategies import Files, modular_files, right_texts
from topo.compile import Compilation, compile, read
from topo.diagnostic import has_errors
from topo.graph import Graph
from topo.model import App, Component, Device, Model, Socket
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
    "groups": "process g[2] { context { io_threads ${index + 1}; max_sockets 9 }; device a: queue { in bind inproc://a; out connect b.in }; device b: queue { in bind inproc://b${index}; out connect a[others].in } }\nprocess h { }",
    "one process": "process g { device a[2]: queue { in bind inproc://a${index}; out connect .in }\n## Doc.\ndevice b: queue { in bind inproc://b; out connect a[1].in } }",
    "in apps": "app s[2] { context { io_threads 3 }; device d[2]: queue { in bind tcp://*:${6000 + index}; out bind inproc://d }\nsocket w[2]: REP connect .d[index].out, s[others].d.out; socket v: REQ connect .d.in }\napp t: REQ connect s.d.in, s[1].d[0].in",
    "same": "device d: proxy swap { in ROUTER bind tcp://*:1; out same; monitor PUB bind ipc://d }\napp a: DEALER as REQ connect d.in",
    "one context": "app a: REP bind tcp://*:1 { linger 0; context { max_sockets 5 } }",
    "nobody": 'app p[1]: PUB bind tcp://*:1\napp q[1]: SUB connect q[others] { subscribe "" }\napp r { socket w[1]: SUB connect p[others] { subscribe "" } }',
    "counts": "app s[i: 3] { socket w[i + 1]: REP bind tcp://*:${6000 + 10 * i + index} }\napp t: REQ connect s.w, s[2].w[1]",
    "nothing": "app a\napp b[2] { run \"b ${index}\" }",
}  # fmt: skip


def compiled(text: str, folder: Path = ROOT) -> Compilation:
    return compile(Source(text, "x.ztopo", folder / "x.ztopo"), fragment=not text.startswith("ztopo"))


def graph_of(text: str) -> Graph:
    compilation = compiled(text)
    assert compilation.graph is not None, compilation.diagnostics
    assert not compilation.graph.model.doubtful, compilation.diagnostics
    return compilation.graph


def assert_same(graph: Graph) -> None:
    text = model_ztopo.render(graph, Style())
    again = compiled(text)
    assert again.graph is not None, f"{text}\n{again.diagnostics}"
    assert meaning(again.model) == meaning(graph.model), text
    assert model_ztopo.render(again.graph, Style()) == text


@pytest.mark.parametrize("name", DIFFERENT)
def test_the_expanded_text_means_the_same(name: str) -> None:
    assert_same(graph_of(DIFFERENT[name]))


def shape(model: Model) -> Any:
    """Everything in a model but names of devices, apps and their replicas, places, and the folders that commands run in.

    Whatever has a name is known by its place among all. One connect to several is as good as several.
    """
    number = {c.name: n for n, c in enumerate(model.components)} | {p.name: n for n, p in enumerate(model.processes)}
    place = {s.id: (n, m) for n, c in enumerate(model.components) for m, s in enumerate(c.sockets)}
    return [
        model.name,
        [_shape(c, number, place) for c in model.components],
        [(p.context.io_threads, p.context.max_sockets) for p in model.processes],
    ]


def _shape(component: Component, number: dict[str, int], place: dict[str, tuple[int, int]]) -> Any:
    sockets = [_socket_shape(socket, place) for socket in component.sockets]
    match component:
        case Device():
            home = number[component.home] if component.home else None
            swap, prefixes = component.swap is not None, component.prefixes
            return [component.kind, component.placement, home, swap, prefixes, component.doc, sockets]
        case App():
            context = (component.context.io_threads, component.context.max_sockets)
            variables = [s.variable for s in component.sockets]
            return [component.run, component.inside, context, component.doc, variables, sockets]


def _socket_shape(socket: Socket, place: dict[str, tuple[int, int]]) -> Any:
    return [
        (socket.role, socket.type, socket.program),
        [b.endpoint.text for b in socket.binds],
        [(o.name, [(v.kind, v.value) for v in o.values]) for o in socket.options],
        [c.endpoint.text for c in socket.connects if c.endpoint is not None],
        sorted((place[t.socket], t.index) for c in socket.connects for t in c.targets),
        sorted(place[id] for c in socket.connects if not c.targets for id in c.unbound),
    ]


def assert_same_without_modules(compilation: Compilation) -> str:
    """What is shown of a topology of several files is one text that means the same."""
    text = model_ztopo.render(compilation.graph, Style())
    again = compiled(text)
    assert not again.model.doubtful, f"{text}\n{again.diagnostics}"
    assert shape(again.model) == shape(compilation.model), text
    assert {d.code for d in again.diagnostics} == {d.code for d in compilation.diagnostics}, text
    twice = model_ztopo.render(again.graph, Style())
    assert _without_comments(twice) == _without_comments(text)
    return text


def _without_comments(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.strip().startswith("# ")]
    return [line.partition("  # ")[0] for line in lines]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_the_expanded_text_of_a_file_means_the_same(path: Path) -> None:
    source = read(path)
    assert isinstance(source, Source)
    compilation = compile(source)
    text = assert_same_without_modules(compilation)
    again = compile(Source(text, path.name, path))
    assert not has_errors(again.diagnostics)
    if not any(span.source is not source for span in (c.span for c in compilation.model.components)):
        assert meaning(again.model) == meaning(compilation.model)


def of_files(files: Files) -> Compilation:
    """The topology of files that are in no folder."""

    def reader(path: Path, name: str) -> Source:
        return Source(files[path.name], name, path)

    return compile(Source(files["main.ztopo"], "main.ztopo", ROOT / "main.ztopo"), reader=reader)


@given(modular_files())
@settings(max_examples=150, deadline=None)
def test_modules_expand_to_one_text_that_means_the_same(files: Files) -> None:
    compilation = of_files(files)
    assert not [d for d in compilation.diagnostics if d.code < "ZT2" and d.severity == "error"], compilation.diagnostics
    assert_same_without_modules(compilation)


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


def test_replicas_that_differ_without_a_rule_are_written_apart() -> None:
    table = "app a[40]: REP bind tcp://*:${6000 + index}\napp b[20]: REQ connect a[(index * index * index) % 40]"
    text = assert_same_without_modules(compiled(table))
    assert "# b[7]\napp b-7 {\n    socket b: REQ connect a[23]" in text
    assert "app a[40]: REP bind tcp://*:${6000 + index}" in text


POOL = """ztopo 1
param from: socket
## Hands out the work.
device jobs: streamer { in connect ${from}; out bind tcp://127.0.0.1:* }
app worker[2]: PULL connect jobs.out { run "python worker.py" }
process more { context { io_threads 2 }; device spare: streamer { in connect jobs.out; out bind ipc://spare } }
app busy[2] {
    device inner: streamer { in bind tcp://127.0.0.1:*; out bind inproc://x }
    socket done: PULL connect .inner.out, busy[others].inner.out
}
"""

USING = """ztopo 1
topology using
app feed[2]: PUSH bind tcp://127.0.0.1:${6000 + index}
app pool-jobs: PUSH bind tcp://127.0.0.1:6002
use "pool.ztopo" as pool { from feed }
use "pool.ztopo" as dc[2] { from feed[index] }
app sink[2]: PULL connect dc[index].jobs.out { run "python sink.py" }
app all: PULL connect dc.jobs.out, pool.busy.inner.out
"""

FLAT = """ztopo 1
topology using
# Commands run in the folder of the file. These were in several files: each says where it ran.

app feed[2]: PUSH bind tcp://127.0.0.1:${6000 + index}

app pool-jobs: PUSH bind tcp://127.0.0.1:6002

# pool.jobs of "pool.ztopo"
## Hands out the work.
device pool-jobs-2: streamer {
    in PULL connect feed  # tcp://127.0.0.1:6000, tcp://127.0.0.1:6001
    out PUSH bind tcp://127.0.0.1:*
}

# pool.worker[2] of "pool.ztopo"
app pool-worker[2] {
    run "python worker.py"  # ran in "/pools"
    socket worker: PULL connect pool-jobs-2.out  # tcp://127.0.0.1:*
}

# pool.more of "pool.ztopo"
process pool-more {
    context { io_threads 2 }
    # pool.spare of "pool.ztopo"
    device pool-spare: streamer {
        in PULL connect pool-jobs-2.out  # tcp://127.0.0.1:*
        out PUSH bind ipc:///pools/spare
    }
}

# pool.busy[2] of "pool.ztopo"
app pool-busy[2] {
    device inner: streamer {
        in PULL bind tcp://127.0.0.1:*
        out PUSH bind inproc://x
    }
    socket done: PULL connect .inner.out, pool-busy[others].inner.out  # inproc://x
}
"""

END = """
# sink[0]
app sink-0 {
    run "python sink.py"  # ran in "HERE"
    socket sink: PULL connect dc-0-jobs.out  # tcp://127.0.0.1:*
}

# sink[1]
app sink-1 {
    run "python sink.py"  # ran in "HERE"
    socket sink: PULL connect dc-1-jobs.out  # tcp://127.0.0.1:*
}

app all: PULL connect dc-0-jobs.out, dc-1-jobs.out, pool-busy.inner.out  # tcp://127.0.0.1:*, inproc://x
"""


def test_what_comes_from_modules_is_written_flat() -> None:
    files = {"main.ztopo": USING.replace('"pool', '"/pools/pool'), "pool.ztopo": POOL}
    text = assert_same_without_modules(of_files(files))
    assert text.startswith(FLAT)
    assert text.endswith(END.replace("HERE", str(ROOT)))


def test_one_folder_is_said_once() -> None:
    text = assert_same_without_modules(
        of_files({"main.ztopo": 'ztopo 1\nuse "/pools/pool.ztopo" as pool', "pool.ztopo": 'ztopo 1\napp a { run "a" }'})
    )
    assert text.count("folder") == text.count("/pools") == 1


def test_json_says_in_which_process_a_device_is() -> None:
    document = json.loads(model_json.render(of_files({"main.ztopo": USING, "pool.ztopo": POOL}).graph, Style()))
    homes = {d["name"]: (d["run"], d["home"]) for d in document["devices"]}
    assert homes["pool.jobs"] == ("thread", None)
    assert homes["pool.spare"] == (None, "pool.more")
    assert homes["pool.busy[1].inner"] == (None, "pool.busy[1]")
    assert {"io_threads": 2, "max_sockets": None} in [p["context"] for p in document["processes"]]


def test_json_says_where_a_connect_leads() -> None:
    graph = graph_of("app a[2]: REP bind tcp://*:${6000 + index}\napp b: REQ connect a, tcp://127.0.0.1:6000")
    (socket,) = json.loads(model_json.render(graph, Style()))["apps"][2]["sockets"]
    by_name, by_address = socket["connects"]
    assert by_name["to"] == [{"socket": "a[0]", "bind": 0}, {"socket": "a[1]", "bind": 0}]
    assert "endpoint" not in by_name
    assert by_address["endpoint"] == "tcp://127.0.0.1:6000"
    assert "to" not in by_address
    assert by_name["place"] == {
        "file": "x.ztopo",
        "start": {"line": 2, "column": 20, "offset": 62},
        "end": {"line": 2, "column": 21, "offset": 63},
    }
