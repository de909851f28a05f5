"""analyze: what is printed, and what it ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import BAD, ROOT, Ztopo


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.ztopo")), ids=lambda p: p.stem)
def test_every_example(ztopo: Ztopo, path: Path) -> None:
    done = ztopo("analyze", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines()[1:])) <= 80
    titles = [line for line in done.stdout.splitlines()[1:] if line and not line.startswith(" ")]
    assert titles == [
        "If a device dies",
        "Where no message gets to",
        "Rings",
        "If one does not read",
        "The most that may lie about, at 1 KiB a message",
        "In which order to start",
    ]


def test_in_characters(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "pipeline.ztopo").write_text((ROOT / "examples" / "pipeline.ztopo").read_text())
    text = ztopo("analyze", "--message-size", "2MiB").stdout
    assert "without `tasks`, line 5, there is no contact between `source`, `squarer`\n    with 4 behind" in text
    assert "`results.out`, a PUSH, line 12: after 2000 messages it takes no more from\n" in text
    assert "`tasks`           3,000     1,000    7.8 GiB, line 5\n" in text
    assert text.index("1. `sink`") < text.index("5. `source`")


def test_the_readme_shows_what_is_said(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "pipeline.ztopo").write_text((ROOT / "examples" / "pipeline.ztopo").read_text())
    text = ztopo("analyze").stdout
    shown = text[text.index("  `sink`, line") : text.index("\n\nThe most")]
    assert f"```\n{shown}\n```" in (ROOT / "README.md").read_text()


def test_as_json(ztopo: Ztopo) -> None:
    done = ztopo("analyze", ROOT / "examples" / "request_broker.ztopo", "--format", "json", "--message-size", "100B")
    document = json.loads(done.stdout)
    assert list(document)[:3] == ["format_version", "topology", "message_size"]
    assert document["message_size"] == 100
    (cut,) = document["cuts"]
    assert cut["device"] == "broker"
    assert cut["apart"] == [
        {"name": "client", "next": 2, "all": 2},
        {"name": "worker", "next": 3, "all": 3},
        {"name": "watcher", "next": 1, "all": 1},
    ]
    loads = {load["component"]: load["bytes"] for load in document["loads"]}
    assert loads["watcher"] == 100_000
    assert all(
        item["place"]["file"].endswith("request_broker.ztopo")
        for key in ("cuts", "readers", "stalls", "loads")
        for item in document[key]
    )


@pytest.mark.parametrize("size", ["5", "1.5KiB", "many", "KiB"])
def test_sizes_have_a_unit(ztopo: Ztopo, size: str) -> None:
    done = ztopo("analyze", ROOT / "examples" / "pipeline.ztopo", "--message-size", size)
    assert done.returncode == 2
    assert "is no size, as 512B or 64KiB" in done.stderr


def test_a_wrong_file_is_looked_at_as_far_as_it_goes(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(BAD)
    done = ztopo("analyze")
    assert done.returncode == 1
    assert "error[ZT201]" in done.stderr
    assert "`seen`, a SUB, line 3" in done.stdout
