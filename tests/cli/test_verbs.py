"""check, explain, graph and show: what they print, where, and what they end with."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest

from tests.cli.conftest import BAD, BROKER, GOOD, ROOT, Ztopo
from topo.check import checks

WARNING = "ztopo 1\napp seen: PULL connect tcp://127.0.0.1:5999\n"


# check


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.ztopo")), ids=lambda p: p.stem)
def test_examples_are_right(ztopo: Ztopo, path: Path) -> None:
    done = ztopo("check", "-W", path)
    assert done.returncode == 0, done.stdout
    assert done.stdout == ""


def test_a_right_file_says_what_was_understood(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(BROKER)
    done = ztopo("check")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "x.ztopo: ok (1 device, 5 apps, 5 links)\n"


def test_findings_are_shown_in_full(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(BAD)
    done = ztopo("check", "x.ztopo")
    assert done.returncode == 1
    assert done.stdout.startswith("error[ZT201]: a SUB cannot talk to a PUSH\n --> x.ztopo:3:24\n2 | app jobs: PUSH bind")
    assert done.stderr == "1 error\n"


def test_findings_in_one_line_each(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(BAD)
    done = ztopo("check", "--format", "concise")
    assert done.returncode == 1
    assert done.stdout == "x.ztopo:3:24: error[ZT201]: a SUB cannot talk to a PUSH\n"
    assert done.stderr == ""


def test_findings_as_json(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(BAD)
    done = ztopo("check", "--format", "json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert list(document) == ["format_version", "diagnostics"]
    assert document["format_version"] == 1
    (found,) = document["diagnostics"]
    assert set(found) == {"code", "severity", "message", "labels", "notes", "fix"}
    assert (found["code"], found["severity"]) == ("ZT201", "error")
    first = found["labels"][0]
    assert first["file"] == "x.ztopo"
    assert first["start"] == {"line": 3, "column": 24, "offset": 72}
    assert first["end"] == {"line": 3, "column": 28, "offset": 76}
    assert isinstance(first["text"], str)


def test_json_is_a_document_even_if_there_is_nothing_to_say(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(GOOD)
    done = ztopo("check", "--format", "json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"format_version": 1, "diagnostics": []}


def test_a_mesh_without_swap_shows_both_sockets_and_a_fix(ztopo: Ztopo, tmp_path: Path) -> None:
    text = "ztopo 1\ndevice mux: queue {\n    in  ROUTER bind tcp://127.0.0.1:5560\n    out ROUTER bind tcp://127.0.0.1:5561\n}\n"
    (tmp_path / "x.ztopo").write_text(text + "app a: DEALER connect mux.in\napp b: DEALER connect mux.out\n")
    done = ztopo("check")
    assert done.returncode == 1
    assert "error[ZT202]" in done.stdout
    assert "3 |     in  ROUTER" in done.stdout
    assert "4 |     out ROUTER" in done.stdout
    assert "2 + device mux: queue swap {" in done.stdout
    (found,) = json.loads(ztopo("check", "--format", "json").stdout)["diagnostics"]
    assert {label["start"]["line"] for label in found["labels"]} >= {3, 4}
    (edit,) = found["fix"]["edits"]
    fixed = text[: edit["start"]["offset"]] + edit["text"] + text[edit["end"]["offset"] :]
    assert "device mux: queue swap {" in fixed


def test_warnings_fail_only_if_they_should(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(WARNING)
    done = ztopo("check")
    assert done.returncode == 0
    assert "warning[ZT302]" in done.stdout
    assert done.stderr == "1 warning\n"
    assert ztopo("check", "-W").returncode == 1
    assert ztopo("check", ZTOPO_CLI_CHECK_FAIL_ON_WARNING="1").returncode == 1


def test_several_files_are_checked_in_one_go(ztopo: Ztopo, write: Path) -> None:
    done = ztopo("check", "good/good.ztopo", "bad/bad.ztopo", "broker/broker.ztopo", "good/good.ztopo")
    assert done.returncode == 1
    assert done.stdout.count("error[") == 1
    assert re.findall(r"^(\S+): ok", done.stderr, re.MULTILINE) == ["good/good.ztopo", "broker/broker.ztopo"]


def test_one_file_that_cannot_be_read_does_not_hide_the_others(ztopo: Ztopo, write: Path) -> None:
    done = ztopo("check", "missing.ztopo", "bad/bad.ztopo")
    assert done.returncode == 2
    assert "cannot read missing.ztopo: No such file or directory" in done.stderr
    assert "bad/bad.ztopo:3" in done.stdout
    assert json.loads(ztopo("check", "--format", "json", "missing.ztopo").stdout) == {"format_version": 1, "diagnostics": []}


def test_what_is_allowed_is_counted(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(f'{WARNING.rstrip()}  # ztopo: allow ZT302 "started by hand"\n')
    done = ztopo("check", "-W")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "x.ztopo: ok (0 devices, 1 app, 0 links, 1 allowed)\n"


def test_timings_show_every_phase_and_every_check(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(BROKER)
    done = ztopo("check", "--timings")
    assert (done.returncode, done.stdout) == (0, "")
    rows = re.findall(r"^ +[\d.]+ ms +([\d.]+) %  (.+)$", done.stderr, re.MULTILINE)
    named = [name for _, name in rows]
    assert {"read", "parse", "all checks", "in all"} <= set(named)
    assert {name[:5] for name in named if name.startswith("ZT")} == {c.finding.code for c in checks()}
    shares = {name: float(share) for share, name in rows}
    assert sum(s for n, s in shares.items() if not n.startswith("ZT") and n != "in all") == pytest.approx(shares["in all"], abs=1)


def test_infos_are_shown_on_demand_and_count_for_nothing(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(BROKER)
    assert ztopo("check", "-W").stdout == ""
    done = ztopo("check", "-v", "-W")
    assert done.returncode == 0
    assert done.stdout.startswith("info[ZT317]: `broker` may run before `watcher` hears its monitor\n")
    assert done.stderr == "x.ztopo: ok (1 device, 5 apps, 5 links)\n1 info\n"


def test_the_host_is_asked_on_demand(ztopo: Ztopo, tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        (tmp_path / "x.ztopo").write_text(
            f"ztopo 1\ndevice relay: streamer {{\n    in  bind tcp://127.0.0.1:{port}\n    out bind ipc://none/x\n}}\n"
            'app sink: PULL connect relay.out { run "no-such-command" }\n'
        )
        assert ztopo("check").returncode == 0
        done = ztopo("check", "--env", "--format", "concise")
    assert done.returncode == 1
    found = re.findall(r"^x\.ztopo:(\d+):\d+: error\[(ZT\d+)\]", done.stdout, re.MULTILINE)
    assert found == [("3", "ZT601"), ("4", "ZT604"), ("6", "ZT610")]
    assert "ask the host" in ztopo("check", "--env", "--timings").stderr


# explain


def test_a_code_is_explained_with_both_examples(ztopo: Ztopo) -> None:
    done = ztopo("explain", "ZT201")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith("ZT201: linked sockets cannot talk to each other\n")
    assert done.stdout.index("  wrong:\n") < done.stdout.index("  right:\n")
    assert "```" not in done.stdout
    for spelling in ("zt201", "201", "[ZT201]"):
        assert ztopo("explain", spelling).stdout == done.stdout


def test_every_code_can_be_explained(ztopo: Ztopo) -> None:
    from topo.check import findings
    from topo.render import Style
    from topo.render.explanation import render

    catalogue = ztopo("explain")
    assert catalogue.returncode == 0
    listed = re.findall(r"^  (ZT\d+)  (error|warning|info)((?:, [a-z]+)*)  +\S", catalogue.stdout, re.MULTILINE)
    assert [(code, first + more) for code, first, more in listed] == [(c, ", ".join(f.levels)) for c, f in findings().items()]
    for found in findings().values():
        text = render(found, Style(width=80))
        prose = [line for line in text.splitlines() if not line.startswith("    ")]
        assert max(map(len, prose)) <= 80, found.code
        assert "```" not in text
        assert re.sub(r"\x1b\[[0-9;]*m", "", render(found, Style(color=True))).count("\n") == text.count("\n")


def test_an_unknown_code_is_an_error(ztopo: Ztopo) -> None:
    done = ztopo("explain", "ZT2001")
    assert done.returncode == 2
    assert "there is no finding `ZT2001`, did you mean `ZT201`" in done.stderr
    assert "`ztopo explain` lists all of them" in done.stderr


# graph


def test_a_picture_in_characters(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(BROKER)
    done = ztopo("graph")
    assert (done.returncode, done.stderr) == (0, "")
    for word in (
        "broker · queue · process",
        "client[*]",
        "worker[3]",
        "in ROUTER",
        "out DEALER",
        "monitor PUB",
        "tcp://127.0.0.1:5556",
    ):
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert ztopo("graph").stdout == done.stdout


def test_a_picture_in_ascii(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(BROKER)
    done = ztopo("graph", PYTHONIOENCODING="ascii")
    assert done.stdout.isascii()
    assert "\\u" not in done.stdout
    assert "broker - queue - process" in done.stdout


def test_a_picture_in_mermaid(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(BROKER)
    done = ztopo("graph", "--format", "mermaid")
    assert done.stdout.startswith("flowchart TD\n")
    assert 'p1_0 <-->|"tcp://127.0.0.1:5555"| p0_0' in done.stdout


def test_a_picture_into_a_file(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(BROKER)
    done = ztopo("graph", "-o", "picture.txt", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "broker · queue" in (tmp_path / "picture.txt").read_text(encoding="utf-8")
    done = ztopo("graph", "-o", "no/such/folder/picture.txt")
    assert done.returncode == 2
    assert "cannot write no/such/folder/picture.txt" in done.stderr


def test_what_is_wrong_is_drawn_too(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(BAD)
    done = ztopo("graph")
    assert done.returncode == 1
    assert "✗" in done.stdout
    assert "error[ZT201]" in done.stderr


# show


def test_the_expanded_text_can_be_checked(ztopo: Ztopo, write: Path) -> None:
    done = ztopo("show", "broker/broker.ztopo", "--set", "port=7000", "-o", "broker/expanded.ztopo")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    text = (write / "broker" / "expanded.ztopo").read_text()
    assert "bind tcp://127.0.0.1:7001" in text
    assert "param" not in text
    done = ztopo("check", "-W", "broker/expanded.ztopo")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_topology_as_json(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(BROKER)
    done = ztopo("show", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["format_version"] == 1
    assert document["topology"] == "broker"
    assert [a["name"] for a in document["apps"]] == ["client[*]", "worker[0]", "worker[1]", "worker[2]", "watcher"]


def test_json_stands_in_place_of_the_file(ztopo: Ztopo, tmp_path: Path, write: Path) -> None:
    shown = ztopo("show", "--format", "json", "broker/broker.ztopo", "-o", "broker/twin.json")
    assert (shown.returncode, shown.stderr) == (0, "")
    for arguments in (["check"], ["show"], ["graph"], ["graph", "--format", "mermaid"]):
        of_json, of_text = ztopo(*arguments, "broker/twin.json"), ztopo(*arguments, "broker/broker.ztopo")
        assert (of_json.returncode, of_json.stdout) == (of_text.returncode, of_text.stdout)
    document = json.loads((tmp_path / "broker/twin.json").read_text())
    document["devices"][0]["kind"] = "queu"
    (tmp_path / "broker/twin.json").write_text(json.dumps(document, indent=1))
    done = ztopo("check", "broker/twin.json", "--format", "concise")
    line = (tmp_path / "broker/twin.json").read_text().splitlines().index('   "kind": "queu",') + 1
    assert (done.returncode, done.stdout) == (1, f"broker/twin.json:{line}:13: error[ZT105]: there is no device kind `queu`\n")
    assert ztopo("up", "broker/twin.json").returncode == 78


def test_json_is_not_formatted(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"format_version": 1}')
    done = ztopo("fmt", "x.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: x.json is JSON, which is not formatted; `ztopo show x.json` writes it as a text\n"


def test_the_schema_is_written_without_a_file(ztopo: Ztopo) -> None:
    done = ztopo("show", "--schema")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["title"] == "A ZeroMQ topology"


def test_secrets_are_not_shown(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(
        'ztopo 1\nparam password: text = env("PASSWORD")\n'
        'app a: REQ connect tcp://10.0.0.1:5555 { plain_username "joe"; plain_password "${password}" }\n'
    )
    for arguments in (["show"], ["show", "--format", "json"], ["graph"], ["graph", "--format", "mermaid"], ["check"]):
        done = ztopo(*arguments, PASSWORD="hunter2")
        assert done.returncode == 0, done.stderr
        assert "hunter2" not in done.stdout + done.stderr


def test_a_file_with_mistakes_is_not_shown(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text("ztopo 1\napp a: PUSH bind tcp://*:${prt}\n")
    done = ztopo("show")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "error[ZT103]" in done.stderr
