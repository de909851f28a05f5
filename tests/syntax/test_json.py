"""JSON is a twin of the text: what `show` writes is read again as the same model, and what is wrong with it is said at its place."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topo
from tests.models import assert_same
from tests.render.test_model import DIFFERENT, compiled, of_files, shape
from tests.strategies import Files, modular_files, right_texts
from topo.compile import Compilation, compile, read
from topo.diagnostic import Diagnostic, counted
from topo.picture import picture, port_id
from topo.render import FORMAT_VERSION, Style, graph_ascii, model_json, model_ztopo
from topo.source import Source
from topo.syntax.grammar import text as grammar_text
from topo.syntax.json_reader import read as read_tree
from topo.syntax.json_shape import mistakes_of
from topo.syntax.json_text import MOST_DEPTH, MOST_MISTAKES, read_json
from topo.syntax.mistakes import FORM_VERSION
from topo.zeromq.libzmq import Libzmq

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("examples/*.ztopo"), *ROOT.glob("tests/corpus/good/*.ztopo")])
SCHEMA = json.loads(grammar_text("topology.schema.json"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def from_json(text: str) -> Compilation:
    return compile(Source(text, "x.json", ROOT / "x.json"), libzmq=Libzmq())


def found(text: str) -> list[str]:
    return [str(d) for d in counted(from_json(text).diagnostics)]


def assert_twin(compilation: Compilation) -> str:
    """What is shown as JSON is valid, and read as the same model, which is shown as the same JSON but for the places."""
    text = model_json.render(compilation.graph, Style())
    document = json.loads(text)
    VALIDATOR.validate(document)
    again = from_json(text)
    assert_same(again.model, compilation.model, text)
    twice = json.loads(model_json.render(again.graph, Style()))
    assert without_places(twice) == without_places(document)
    assert (without_comments(model_ztopo.render(again.graph, Style()))) == without_comments(
        model_ztopo.render(compilation.graph, Style())
    )
    assert {d.code for d in again.diagnostics} >= {d.code for d in compilation.diagnostics}
    return text


def without_places(value: Any) -> Any:
    if isinstance(value, list):
        return [without_places(v) for v in value]
    if isinstance(value, dict):
        return {k: without_places(v) for k, v in value.items() if not k.endswith("place")}
    return value


def without_comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.strip().startswith("# ")]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_file_and_its_json_are_twins(path: Path) -> None:
    source = read(path)
    assert isinstance(source, Source)
    assert_twin(compile(source))


@pytest.mark.parametrize("name", DIFFERENT)
def test_everything_that_a_text_can_say_is_kept(name: str) -> None:
    assert_twin(compiled(DIFFERENT[name]))


@given(right_texts())
@settings(max_examples=40, deadline=None)
def test_any_right_text_has_a_twin(text: str) -> None:
    assert_twin(compiled(text))


@given(modular_files())
@settings(max_examples=50, deadline=None)
def test_modules_have_a_twin(files: Files) -> None:
    assert_twin(of_files(files))


@given(st.binary(max_size=20))
@settings(max_examples=100, deadline=None)
def test_any_bytes_come_back(data: bytes) -> None:
    written = "".join(f"\\x{byte:02x}" for byte in data)
    assert_twin(compiled(f'app a: SUB connect tcp://10.0.0.1:5555, "ipc:///{written}" {{ subscribe "{written}" }}'))


# What a generator writes

SMALL = """{
  "format_version": 1,
  "topology": "broker",
  "devices": [
    {"name": "broker", "kind": "queue", "sockets": [
      {"name": "in", "binds": [{"endpoint": "tcp://*:5555"}, {"endpoint": "ipc://broker"}]},
      {"name": "out", "binds": [{"endpoint": "tcp://*:5556"}]}
    ]}
  ],
  "apps": [
    {"name": "client[*]", "sockets": [{"name": "client", "type": "REQ", "connects": [{"to": [{"socket": "broker.in"}]}]}]},
    {"name": "worker[0]", "folder": "sub", "run": "python ${w}.py", "sockets": [
      {"name": "w", "type": "REP", "connects": [{"to": [{"socket": "broker.out", "bind": 0}]}],
       "options": [{"name": "linger", "values": [{"kind": "duration", "value": 1e3}]}]}]},
    {"name": "worker[1]", "sockets": [
      {"name": "w[0]", "type": "REP", "connects": [{"to": [{"socket": "broker.out"}]}]},
      {"name": "w[1]", "type": "REP", "connects": [{"endpoint": "tcp://127.0.0.1:5556"}]}]}
  ]
}
"""


def test_what_is_left_out_is_as_in_a_text() -> None:
    compilation = from_json(SMALL)
    assert counted(compilation.diagnostics) == []
    model = compilation.model
    assert model.name == "broker"
    broker = model.devices[0]
    assert [(s.id, s.type) for s in broker.sockets] == [("broker.in", "ROUTER"), ("broker.out", "DEALER")]
    assert broker.placement == "thread"
    client, first, second = model.apps
    assert client.replica is not None
    assert client.replica.count is None
    assert client.sockets[0].connects[0].targets[0].index == 1, "ipc is nearer than tcp"
    assert (first.run, first.folder) == ("python ${w}.py", str(ROOT / "sub"))
    assert second.folder == str(ROOT)
    assert (first.replica, second.replica) == (type(first.replica)("worker", 0, 2), type(first.replica)("worker", 1, 2))
    assert first.sockets[0].options[0].values[0].value == 1000
    assert [s.id for s in second.sockets] == ["worker[1].w[0]", "worker[1].w[1]"]
    VALIDATOR.validate(json.loads(SMALL))


@pytest.mark.parametrize("place", ["null", "{}", '{"file": ["x", {"start": NaN}]}', "3", '{"file"}'])
def test_a_place_is_passed_over(place: str) -> None:
    said = found(f'{{"format_version": 1, "apps": [{{"name": "a", "place": {place}, "run_place": {{"deep": [1]}}}}]}}')
    wrong = {
        "3": ["x.json:1:55: error[ZT021]: `place` is an object, not a whole number"],
        '{"file"}': ["x.json:1:62: error[ZT020]: expected `:`, found `}`"],
        '{"file": ["x", {"start": NaN}]}': ["x.json:1:80: error[ZT020]: expected a value, found `NaN`"],
    }
    assert said == wrong.get(place, [])


def test_a_relative_path_starts_from_the_document() -> None:
    (device,) = from_json(SMALL).model.devices
    assert device.sockets[0].binds[1].endpoint.text == f"ipc://{ROOT}/broker"


UNLIKE = {
    "structure": '{"name": "a[0]", "sockets": [{"name": "w", "type": "REP", "binds": [{"endpoint": "tcp://*:1"}]}]}, {"name": "a[1]", "run": "x"}',
    "types": '{"name": "a[0]", "sockets": [{"name": "w", "type": "REP", "binds": [{"endpoint": "tcp://*:1"}]}]}, '
    '{"name": "a[1]", "sockets": [{"name": "w", "type": "SUB", "binds": [{"endpoint": "tcp://*:2"}]}]}',
    "sockets of one app": '{"name": "a", "sockets": [{"name": "w[0]", "type": "REP", "binds": [{"endpoint": "tcp://*:1"}]}, '
    '{"name": "w[1]", "type": "PUB", "binds": [{"endpoint": "ipc:///x"}, {"endpoint": "tcp://*:3"}]}]}, '
    '{"name": "b", "sockets": [{"name": "b", "type": "REQ", "connects": [{"to": [{"socket": "a.w[0]"}]}]}]}',
    "durations": '{"name": "a[0]", "sockets": [{"name": "w", "type": "REP", "options": [{"name": "linger", "values": [{"kind": "duration", "value": 5}]}]}]}, '
    '{"name": "a[1]", "sockets": [{"name": "w", "type": "REP", "options": [{"name": "linger", "values": [{"kind": "duration", "value": 7}]}]}]}',
    "nobody of any number": '{"name": "a[*]", "sockets": [{"name": "w", "type": "REQ", "connects": [{"to": []}, {"endpoint": "tcp://10.0.0.1:1"}]}]}',
    "docs": '{"name": "a[0]", "doc": "One."}, {"name": "a[1]", "doc": "Two."}',
    "second of two binds": '{"name": "a", "sockets": [{"name": "w", "type": "REP", "binds": [{"endpoint": "tcp://*:1"}, {"endpoint": "tcp://*:2"}]}]}, '
    '{"name": "b", "sockets": [{"name": "b", "type": "REQ", "connects": [{"to": [{"socket": "a", "bind": 1}]}]}]}',
}  # fmt: skip


@pytest.mark.parametrize("name", UNLIKE)
def test_a_picture_has_every_socket_of_replicas_that_are_not_alike(name: str) -> None:
    graph = from_json(APP % UNLIKE[name]).graph
    shown = picture(graph)
    ports = {port.id for part in shown.parts for port in part.ports}
    assert ports == {port_id(graph, socket) for socket in graph.sockets.values()}
    assert {end for wire in shown.wires for end in (wire.a, wire.b)} <= ports
    assert graph_ascii.render(shown, Style())


def test_a_socket_that_is_the_only_one_of_some_replicas_has_two_ports() -> None:
    work = '"type": "REP", "binds": [{"endpoint": "tcp://127.0.0.1:*"}]'
    text = (
        f'{{"name": "a[0]", "sockets": [{{"name": "w", {work}}}]}}, {{"name": "a[1]", "sockets": [{{"name": "w", {work}}}, {{"name": "v", {work}}}]}}, '
        '{"name": "b", "sockets": [{"name": "b", "type": "REQ", "connects": [{"to": [{"socket": "a[0]"}, {"socket": "a[1].w"}]}]}]}'
    )
    shown = picture(from_json(APP % text).graph)
    assert [port.id for port in shown.parts[0].ports] == ["a", "a.w", "a.v"]
    assert [(wire.a, wire.b) for wire in shown.wires] == [("b", "a"), ("b", "a.w")]


@pytest.mark.parametrize("name", UNLIKE)
def test_what_no_declaration_can_stand_for_is_written_apart(name: str) -> None:
    """In JSON replicas may have nothing in common; the text means the same all the same."""
    compilation = from_json(APP % UNLIKE[name])
    assert not [d for d in compilation.diagnostics if d.code < "ZT2"], compilation.diagnostics
    text = model_ztopo.render(compilation.graph, Style())
    again = compile(Source(text, "x.ztopo", ROOT / "x.ztopo"))
    assert not again.model.doubtful, f"{text}\n{again.diagnostics}"
    if name != "second of two binds":
        assert shape(again.model)[1:] == shape(compilation.model)[1:], text
    links = [[(link.a.type, link.b.type, link.endpoint) for link in c.graph.links] for c in (again, compilation)]
    assert links[0] == links[1], text


# What is wrong

DEVICE = '{"format_version": 1, "devices": [%s]}'
APP = '{"format_version": 1, "apps": [%s]}'
SOCKET = APP % '{"name": "a", "sockets": [{"name": "a", "type": "SUB", "connects": [{"endpoint": "tcp://10.0.0.1:1"}], %s}]}'
OPTION = SOCKET % '"options": [{"name": "subscribe", "values": [%s]}]'

WRONG = {
    # not JSON
    "": "1:1: error[ZT020]: expected a value, and the text ends",
    "{": "1:2: error[ZT020]: expected a key in quotes, and the text ends",
    "[1, 2": "1:6: error[ZT020]: expected `,` or `]`, and the text ends",
    '{"format_version": 1,}': "1:21: error[ZT020]: no comma stands behind the last of several",
    '{"format_version": 1} {': "1:23: error[ZT020]: expected the end of the text, found `{`",
    "{'format_version': 1}": "1:2: error[ZT020]: expected a key in quotes, found `'`",
    '{"format_version" 1}': "1:19: error[ZT020]: expected `:`, found `1`",
    '{"format_version": NaN}': "1:20: error[ZT020]: expected a value, found `NaN`",
    '{"format_version": 1 // one\n}': "1:22: error[ZT020]: expected `,` or `}`, found `/`",
    '{"format_version": 1, "topology": "a': "1:35: error[ZT020]: the text does not end",
    '{"format_version": 1, "topology": "a\nb"}': "1:37: error[ZT020]: a line end or another control character stands in a text as an escape, `\\n`",
    '{"format_version": 1, "topology": "\\q"}': "1:36: error[ZT020]: this escape means nothing in JSON",
    '{"format_version": 1, "topology": "\\ud800"}': "1:36: error[ZT020]: half of a pair of surrogates is no character",
    '{"format_version": 1, "apps": [], "apps": []}': "1:36: error[ZT020]: the key `apps` stands twice in one object",
    # another version
    "{}": "1:1: error[ZT002]: the document does not say which version it is written in",
    '{"format_version": 2, "hosts": []}': "1:20: error[ZT002]: version 2 of a topology as JSON is not known here",
    '{"format_version": 1, "topology": ""}': "1:36: error[ZT021]: `` is not a name",
    '{"format_version": "1"}': "1:21: error[ZT021]: `format_version` is `1`, not `1`",
    # another form
    "[]": "1:1: error[ZT021]: the document is an object, not a list",
    '{"format_version": 1, "devicez": []}': "1:24: error[ZT021]: there is no key `devicez` here",
    '{"format_version": 1, "devices": {}}': "1:34: error[ZT021]: `devices` is a list, not an object",
    APP % "{}": "1:32: error[ZT021]: `name` is missing here",
    APP % "3": "1:32: error[ZT021]: what stands in `apps` is an object, not a whole number",
    APP % '{"name": "a b"}': "1:42: error[ZT021]: `a b` is not a name",
    APP % '{"name": "a", "run": 3}': "1:53: error[ZT021]: `run` is a text, not a whole number",
    APP % '{"name": "a", "context": {"io_threads": 2000}}': "1:72: error[ZT021]: `io_threads` is 1,024 or less, not `2000`",
    APP % '{"name": "a", "context": {"max_sockets": 1.5}}': "1:73: error[ZT021]: `max_sockets` is a whole number, not a number with a fraction",
    DEVICE % '{"name": "d", "kind": "queue", "run": "inside"}': "1:74: error[ZT021]: `run` is `thread` or `process`, not `inside`",
    SOCKET % '"binds": [{}]': "1:145: error[ZT021]: `endpoint` is missing here",
    SOCKET % '"options": [{"name": "linger", "values": []}]': "1:176: error[ZT021]: `values` is empty",
    OPTION % '{"kind": "txt", "value": ""}': "1:190: error[ZT021]: `kind` is `int` or `duration` or `size` or `bool` or `text` or `any` or `file` or `env`, not `txt`",
    OPTION % '{"kind": "text", "value": 3}': "1:206: error[ZT021]: `value` is a text, not a whole number",
    OPTION % '{"kind": "text", "value": "\\\\q"}': "1:207: error[ZT021]: `\\\\q` is not a text in which a backslash is `\\\\`, or `\\xNN` for a byte",
    OPTION % ('{"kind": "int", "value": 1%s}' % ("0" * 5000)): f"1:205: error[ZT021]: `value` is 9,223,372,036,854,775,807 or less, not `1{'0' * 56}...`",
    OPTION % '{"kind": "int", "value": 1e400}': "1:205: error[ZT021]: `value` is a whole number, not a number with a fraction",
    SOCKET % '"options": [{"name": "plain_password", "values": null}]': "1:157: error[ZT021]: `plain_password` has no values here: it is a secret, which JSON does not hold",
    # another topology than it says
    APP % '{"name": "a"}, {"name": "a"}': "1:57: error[ZT102]: the name `a` is declared twice",
    APP % '{"name": "a"}, {"name": "a[0]"}': "1:57: error[ZT102]: the name `a[0]` is declared twice",
    APP % '{"name": "a[0]"}, {"name": "a[2]"}': "1:60: error[ZT109]: there is no `a[1]`: of several all are there, from 0 on",
    APP % '{"name": "a.b"}, {"name": "a"}': "1:42: error[ZT021]: `a.b` is named as part of `a`, and `home` does not say so",
    DEVICE % '{"name": "d", "kind": "queue", "home": "g"}': "1:75: error[ZT101]: there is no process or app `g`",
    '{"format_version": 1, "devices": [{"name": "d", "kind": "queue", "home": "a"}], "apps": [{"name": "a"}]}': "1:45: error[ZT021]: `d` is part of `a`, and has another name in front",
    '{"format_version": 1, "devices": [{"name": "d", "kind": "queue", "home": "g[0]"}], "processes": [{"name": "g[0]"}]}': "1:45: error[ZT021]: `d` is part of `g[0]`, and has another number",
    SOCKET % '"connects": [{"to": [{"socket": "b"}]}]': "1:136: error[ZT020]: the key `connects` stands twice in one object",
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_is_said_once_and_at_its_place(text: str) -> None:
    assert found(text) == [f"x.json:{WRONG[text]}"]


def test_the_names_in_json_are_looked_up_as_those_in_a_text() -> None:
    text = (Path(__file__).parent / "mistakes.json").read_text()
    assert found(text) == (Path(__file__).parent / "mistakes.out").read_text().splitlines()


def test_a_document_of_mistakes_says_no_more_than_some() -> None:
    wrong = ", ".join(['{"name": 1}'] * 1000)
    assert len(found(APP % wrong)) == MOST_MISTAKES
    twice = ", ".join(['"a": 1'] * 1000)
    assert len(found(f"{{{twice}}}")) == MOST_MISTAKES


def test_replicas_are_bounded() -> None:
    (said,) = found(APP % ", ".join(f'{{"name": "a[{number}]"}}' for number in range(10_001)))
    assert said == "x.json:1:42: error[ZT109]: 10,001 replicas: 10,000 is the most"


@pytest.mark.parametrize("bracket", ["[", '{"a":'])
def test_depth_is_bounded(bracket: str) -> None:
    (said,) = found(bracket * 100_000)
    assert said.endswith(f"lists and objects stand in each other more than {MOST_DEPTH} deep")


def test_nothing_is_said_of_what_refers_to_what_is_lost() -> None:
    text = (
        '{"format_version": 1, "apps": [{"name": "a", "colour": 3}, '
        '{"name": "b", "sockets": [{"name": "b", "type": "PULL", "connects": [{"to": [{"socket": "a"}, {"socket": "a.x"}]}]}]}]}'
    )
    assert found(text) == ["x.json:1:47: error[ZT021]: there is no key `colour` here"]


# The schema


def test_the_schema_is_one_and_says_what_each_key_is() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert FORMAT_VERSION == FORM_VERSION == SCHEMA["properties"]["format_version"]["const"]
    for properties in (SCHEMA["properties"], *(d.get("properties", {}) for d in SCHEMA["$defs"].values())):
        for key, schema in properties.items():
            schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
            assert "description" in schema or key in {"io_threads", "max_sockets", "line", "column", "offset"}, key


WHOLE = json.loads(
    model_json.render(
        compiled(
            "## Doc.\ndevice d: queue swap { run process; in bind tcp://*:1, ipc://x { linger 5s; routing_id \"x\" }; out same }\n"
            "process g[2] { context { io_threads 2 }; device e: queue { in bind inproc://e; out connect d.in } }\n"
            "app a[2] { context { max_sockets 5 }; device f: queue { in bind tcp://*:*; out bind inproc://f }\n"
            "socket s[2]: DEALER as REQ connect .f.in, tcp://10.0.0.1:1 { immediate true; routing_id *; sndbuf 1KiB; sndhwm 5 } }\n"
            'app b { run inside }'
        ).graph,
        Style(),
    )
)  # fmt: skip

values = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 3000), st.sampled_from([1.0, 1.5, 1e400, -1e300, 10**20]),
    st.sampled_from(["", "in", "a", "a b", "int", "text", "any", "file", "*", "\\", "\\x00", "thread", "a[0]", "a[*]", "a.b[3]", "\x00"]),
    st.just([]), st.just({}), st.just([{}]), st.just({"kind": "int", "value": 1}), st.just({"to": []}), st.just({"endpoint": "x"}),
).map(deepcopy)  # fmt: skip


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """A document like `WHOLE` with some things in it changed, left out, or added."""
    document = deepcopy(WHOLE)
    for _ in range(draw(st.integers(1, 3))):
        at = document
        while isinstance(at, dict | list) and at:
            key = draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
            inner = at[key]
            if isinstance(inner, dict | list) and inner and draw(st.integers(0, 9)):
                at = inner
                continue
            match draw(st.integers(0, 3)):
                case 0:
                    del at[key]
                case 1 if isinstance(at, dict):
                    at[draw(st.sampled_from(["name", "kind", "value", "to", "endpoint", "place", "other"]))] = draw(values)
                case _:
                    at[key] = draw(values)
            break
    return document


@given(documents())
@settings(max_examples=300, deadline=None)
def test_the_shape_that_is_asked_for_is_the_one_of_the_schema(document: Any) -> None:
    """What a validator from elsewhere accepts is accepted, and nothing else."""
    text = json.dumps(document).replace("Infinity", "1e400")
    value, said = read_json(Source(text))
    assert value is not None
    assert not said
    mistakes = list(mistakes_of(value))
    assert (not mistakes) == VALIDATOR.is_valid(document), [m.message for m in mistakes]
    from_json(text)


@given(st.one_of(st.text(), st.lists(st.sampled_from([*'{}[],:"\\', '"name"', '"apps"', '"format_version": 1,', "1", "-", "e", ".", "true", " ", "\ud800"]))
    .map("".join)))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_any_text_gives_a_tree_or_mistakes(text: str) -> None:
    """Exactly what the standard library reads is JSON, but for what it is lenient about."""
    source = Source(text, "x.json")
    value, said = read_json(source)
    assert (value is None) <= bool(said)
    assert all(isinstance(d, Diagnostic) and d.span is not None for d in said)
    try:
        wanted = json.loads(text)
    except ValueError:
        wanted = None
        assert said
    if value is not None and not said:
        assert plain(value) == wanted
    read_tree(source)


def plain(value: Any) -> Any:
    match value.value:
        case dict() as members:
            return {key: plain(member.json) for key, member in members.items()}
        case list() as items:
            return [plain(item) for item in items]
        case other:
            return other


# In place of a text


def test_json_is_known_by_its_name_or_its_beginning(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(SMALL)
    assert [d.name for d in topo.load(tmp_path / "x.json").compile(Libzmq()).model.devices] == ["broker"]
    assert [d.name for d in topo.loads(f"\n  {SMALL}").compile(Libzmq()).model.devices] == ["broker"]
    (tmp_path / "y.json").write_text("ztopo 1")
    with pytest.raises(topo.TopologyError, match="expected a value, found `ztopo`"):
        topo.load(tmp_path / "y.json")


def test_a_module_can_be_json() -> None:
    files = {"main.ztopo": 'ztopo 1\nuse "/pools/x.json" as x[2]\napp c: REQ connect x.broker.in', "x.json": SMALL.replace("*:", "*:*").replace("*:*5555", "*:*").replace("*:*5556", "*:*")}  # fmt: skip
    compilation = of_files(files)
    assert not [d for d in compilation.diagnostics if d.code < "ZT2"], compilation.diagnostics
    assert {t.socket for t in compilation.model.apps[-1].sockets[0].connects[0].targets} == {"x[0].broker.in", "x[1].broker.in"}
    assert compilation.model.apps[0].sockets[0].connects[0].targets[0].socket == "x[0].broker.in"


def test_a_secret_is_kept_by_where_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "hunter2")
    for number in range(2):
        (tmp_path / f"key{number}").write_text("hunter3\n")
    text = (
        'ztopo 1\nparam p = env("PASSWORD")\napp a: REQ connect tcp://10.0.0.1:1 { plain_password ${p} }\n'
        'app b[2]: REQ connect tcp://10.0.0.1:1 { plain_password file "key${index}" }\n'
    )
    compilation = compile(Source(text, "x.ztopo", tmp_path / "x.ztopo"))
    shown = assert_twin(compilation)
    expanded = model_ztopo.render(compilation.graph, Style())
    assert "hunter" not in shown + expanded
    assert 'plain_password env("PASSWORD")' in expanded
    assert f'plain_password file "{tmp_path}/key${{index}}"' in expanded
    assert_same(compile(Source(expanded, "x.ztopo", tmp_path / "x.ztopo")).model, compilation.model)
