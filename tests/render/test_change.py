"""What a change would do, as people and as programs read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.worlds import world
from topo.change import plan_change
from topo.compile import compile, make_plan
from topo.plan import Plan
from topo.render import Style, change_json, change_text
from topo.source import Source
from topo.steps import ChangePlan
from topo.text import width

GOLDEN = Path(__file__).parent / "golden"
Golden = Callable[[Path, str], None]

BEFORE = """ztopo 1
topology pipeline
device tasks: streamer {
    in PULL bind tcp://127.0.0.1:*
    out PUSH connect work.in
}
device work: streamer {
    in PULL bind tcp://127.0.0.1:*
    out PUSH bind tcp://127.0.0.1:6001
}
device relay: streamer {
    in PULL connect work.out
    out PUSH bind ipc:///run/user/1000/a-rather-long-name-of-a-folder/and-of-a-socket-in-it
}
device broker: queue {
    in ROUTER bind tcp://127.0.0.1:5555
    out DEALER bind ipc:///tmp/b.out
}
app client[*]: REQ connect broker.in
app worker[4]: REP connect broker.out { run "python worker.py" }
app sink: PULL connect relay.out { run "sink" }
app once: PUSH connect tasks.in { run "once" }
"""
EDITS = (
    ("device tasks: streamer {", "device tasks: streamer {\n    run process"),
    ("127.0.0.1:6001", "127.0.0.1:6002 { sndhwm 5000 }"),
    ("and-of-a-socket-in-it", "and-of-another-socket-in-it"),
    ("127.0.0.1:5555", "127.0.0.1:5556"),
    ("python worker.py", "python worker.py --quick"),
    ('app once: PUSH connect tasks.in { run "once" }\n', 'app extra[2]: PULL connect relay.out { run "extra" }\n'),
)


def plan_of(text: str) -> Plan:
    compilation = compile(Source(text, "pipeline.ztopo"))
    assert compilation.valid, compilation.diagnostics
    return make_plan(compilation)


def change(after: str) -> ChangePlan:
    running = plan_of(BEFORE)
    return plan_change(running, world(running), plan_of(after))


def edited() -> str:
    text = BEFORE
    for old, new in EDITS:
        assert old in text
        text = text.replace(old, new)
    return text


CHANGE = change(edited())


@pytest.mark.parametrize(
    ("name", "style"),
    [("plain", Style()), ("color", Style(color=True)), ("ascii", Style(unicode=False)), ("narrow", Style(width=40))],
)
def test_text(name: str, style: Style, golden: Golden) -> None:
    text = change_text.render(CHANGE, style)
    assert style.color or max(map(width, text.splitlines())) <= style.width
    assert style.unicode or text.isascii()
    golden(GOLDEN / f"change_{name}.out", text)


def test_json(golden: Golden) -> None:
    text = change_json.render(CHANGE, Style())
    golden(GOLDEN / "change_json.out", text)
    document = json.loads(text)
    assert document["counts"] == {"added": 2, "removed": 1, "changed": 9, "unchanged": 0}
    assert [step["step"] for step in document["steps"]].count("Resume") == 1


def test_nothing_to_change() -> None:
    assert change_text.render(change(BEFORE), Style()) == "pipeline: nothing to change, 10 unchanged\n"
    assert json.loads(change_json.render(change(BEFORE), Style()))["changes"] == []


def test_files_that_are_called_by_their_whole_paths_are_called_from_their_folder() -> None:
    def made(text: str) -> Plan:
        return make_plan(compile(Source(text, "/srv/lines/of/a/plant/pipeline.ztopo")))

    running = made(BEFORE)
    text = change_text.render(plan_change(running, world(running), made(edited())), Style())
    assert text == change_text.render(CHANGE, Style())


def test_it_is_said_what_is_done_with_each_device() -> None:
    before = BEFORE.replace("6001\n}", "6001\n    monitor PUB bind tcp://127.0.0.1:6003\n}")
    running = plan_of(before)
    after = edited()
    text = change_text.render(plan_change(running, world(running), plan_of(after)), Style())
    blocks = {block.split()[1]: block for block in text.split("\n\n") if block.startswith("~")}
    assert "    its thread ends, and a process starts\n" in blocks["tasks"]
    work = " ".join(blocks["work"].split())
    assert "options of out are set, who reads its monitor gets nothing any more, out is bound anew; the device goes on" in work
    assert "    its process ends, and starts again\n" in blocks["worker"]


@pytest.mark.parametrize("how", ["ended", "waiting"])
def test_of_one_that_does_not_run_nothing_ends(how: str) -> None:
    running = plan_of(BEFORE)
    text = change_text.render(plan_change(running, world(running, **{how: ["tasks"]}), plan_of(edited())), Style())
    (block,) = (block for block in text.split("\n\n") if block.startswith("~ tasks"))
    assert "    it starts at once\n" in block
    assert "ends" not in block
