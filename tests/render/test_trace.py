"""Ways of messages, as they are written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from topo.compile import compile, read
from topo.graph import Graph
from topo.render import Style, trace_json, trace_mermaid, trace_text
from topo.source import Source
from topo.trace import Trace, trace

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
Golden = Callable[[Path, str], None]

QUEUES = "\n".join(
    f"device the-queue-number-{n}: queue {{ in bind tcp://*:{5000 + n}; out connect the-queue-number-{n + 1}.in }}"
    for n in range(8)
)
TEXTS = {
    "asked by name": (
        'app hub: ROUTER as REQ bind tcp://*:5\napp leaf: DEALER as REP connect hub { routing_id "\\xff leaf" }',
        "hub",
        "leaf",
    ),
    "by chance": (
        "device d: proxy { in DEALER bind tcp://*:5; out DEALER bind tcp://*:6 }\n"
        "app client[2]: DEALER as REQ connect d.in\napp worker: REP connect d.out",
        "client[1]",
        "worker",
    ),
    "lost": (
        "device mesh: queue swap { in bind tcp://*:5; out ROUTER bind tcp://*:6 }\n"
        'app client: REQ connect mesh.in\napp worker: DEALER connect mesh.out { routing_id "worker" }',
        "client",
        "worker",
    ),
    "many queues": (
        QUEUES + "\ndevice the-queue-number-8: queue { in bind tcp://*:5008; out bind tcp://*:6000 }\n"
        "app client: REQ connect the-queue-number-0.in\napp worker: REP connect the-queue-number-8.out",
        "client",
        "worker",
    ),
    "several ways": (
        "device left: streamer { in bind tcp://*:5; out connect work }\ndevice right: streamer { in bind tcp://*:6; out connect work }\n"
        "app jobs: PUSH connect left.in, right.in\napp work: PULL bind tcp://*:7",
        "jobs",
        "work",
    ),
    "nowhere": (
        "device d: streamer { in bind tcp://*:5; out bind tcp://*:6 }\napp a: PUSH connect d.in\n"
        "app b[2] { socket x: PULL connect d.out; socket y: PUSH connect c }\napp c: PULL bind tcp://*:7",
        "a",
        "c",
    ),
    "unanswered": (
        "device d: proxy { in ROUTER bind tcp://*:5; out PUSH bind tcp://*:6 }\napp a: REQ connect d.in\napp b: PULL connect d.out",
        "a",
        "b",
    ),
}


def graph_of(text: str) -> Graph:
    return compile(Source(text, "x.ztopo", Path("/traces/x.ztopo")), fragment=not text.startswith("ztopo")).graph


def traced(text: str, start: str, end: str) -> Trace:
    graph = graph_of(text)
    found = trace(graph, *([s for s in graph.sockets.values() if name in (s.id, s.owner)] for name in (start, end)), most=3)
    return replace(found, start=start, end=end)


@pytest.fixture(params=TEXTS)
def made(request: pytest.FixtureRequest) -> Trace:
    return traced(*TEXTS[request.param])


@pytest.fixture
def path(request: pytest.FixtureRequest) -> Path:
    return HERE / "traces" / f"{request.node.callspec.params['made'].replace(' ', '_')}.out"


def test_texts(made: Trace, path: Path, golden: Golden) -> None:
    golden(path, trace_text.render(made, Style()))


def test_sequence_diagrams(made: Trace, path: Path, golden: Golden) -> None:
    golden(path.with_suffix(".mermaid.out"), trace_mermaid.render(made, Style()))


@pytest.mark.parametrize("cells", [60, 80, 200])
def test_texts_keep_to_their_width(made: Trace, cells: int) -> None:
    text = trace_text.render(made, Style(width=cells))
    assert max(map(len, text.splitlines())) <= min(cells, 80)


def test_colors_change_nothing_but_the_colors(made: Trace) -> None:
    colored = trace_text.render(made, Style(color=True))
    assert "\x1b[1m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == trace_text.render(made, Style())


def test_without_unicode_everything_has_its_place(made: Trace) -> None:
    plain, text = trace_text.render(made, Style(unicode=False)), trace_text.render(made, Style())
    assert plain.isascii()
    assert [len(line) for line in plain.splitlines()] == [len(line) for line in text.splitlines()]


def test_json_holds_all_of_it(made: Trace) -> None:
    document = json.loads(trace_json.render(made, Style()))
    assert document["format_version"] == 1
    assert [j["verdict"] for j in document["journeys"]] == [j.verdict for j in made.journeys]
    for shown, journey in zip(document["journeys"], made.journeys, strict=True):
        for name, leg in (("before", journey.before), ("there", journey.there), ("back", journey.back)):
            assert (shown[name] is None) == (leg is None)
            if leg is not None:
                assert [[p["kind"] for p in hop["parts"]] for hop in shown[name]["hops"]] == [
                    [p.kind for p in hop.parts] for hop in leg.hops
                ]
                assert all(hop["place"]["file"] == "x.ztopo" for hop in shown[name]["hops"])


def test_json_in_full(golden: Golden) -> None:
    golden(HERE / "traces" / "json.out", trace_json.render(traced(*TEXTS["asked by name"]), Style()))


EXAMPLES_TRACED = [
    ("request_broker", "client[0]", "worker[0]"),
    ("request_broker", "client[0]", "watcher"),
    ("router_mesh", "alice", "bob"),
    ("market_data", "feed[0]", "dashboard"),
    ("pipeline", "source", "squarer[0].task"),
]


@pytest.mark.parametrize(("name", "start", "end"), EXAMPLES_TRACED)
def test_examples(name: str, start: str, end: str, golden: Golden) -> None:
    text = (EXAMPLES / f"{name}.ztopo").read_text(encoding="utf-8")
    drawn = trace_text.render(traced(text, start, end), Style())
    golden(HERE / "traces" / f"{name}-{end.partition('[')[0]}.out", drawn)


def test_the_readme_shows_what_is_drawn() -> None:
    source = read(EXAMPLES / "request_broker.ztopo")
    assert isinstance(source, Source)
    drawn = trace_text.render(traced(source.text, "client[0]", "worker[0]"), Style())
    there = drawn[drawn.index("there\n") : drawn.index("back\n")].strip()
    assert there in (EXAMPLES.parent / "README.md").read_text()
