"""Every example runs: the files under `ztopo up` with their programs in processes of their own, the Python one by itself."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import Lines

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted(p.stem for p in (ROOT / "examples").glob("*.ztopo"))
ZTOPO = str(Path(sys.executable).parent / "ztopo")

EXPECTED = {
    "request_broker": [
        r"client\[0\] +\| \d+ squared is \d+",
        r"client\[1\] +\| 2 squared is 4",
        r"watcher +\| in: 2",
        r"watcher +\| out: 4",
    ],
    "market_data": [r"dashboard +\| AAPL \d+\.\d\d", r"dashboard +\| MSFT \d+\.\d\d", r"archive +\| GOOG \d+\.\d\d"],
    "pipeline": [r"sink +\| 1 squared is 1", r"sink +\| 4 squared is 16"],
    "router_mesh": [r"alice +\| bob says: greeting \d+", r"bob +\| alice says: greeting \d+"],
}
"""What must be seen, in any order."""


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A copy of the examples, so that what runs is relative to a folder of the test's own."""
    return Path(shutil.copytree(ROOT / "examples", tmp_path / "examples"))


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime folder of the test's own."""
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


def test_every_example_is_expected_here() -> None:
    assert set(EXPECTED) == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_checks_clean(name: str) -> None:
    done = subprocess.run([ZTOPO, "check", "-W", f"examples/{name}.ztopo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith(f"examples/{name}.ztopo: ok (")


@pytest.fixture
def up(examples: Path, runtime: Path, request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], Lines]]:
    name: str = request.param
    settings = ["--set", "frontend=tcp://127.0.0.1:*"] if name == "request_broker" else []
    process = subprocess.Popen(
        [ZTOPO, "up", f"{name}.ztopo", *settings], cwd=examples, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines = Lines(process)
    try:
        yield process, lines
    finally:
        process.kill()
        process.wait()
        lines.close()


@pytest.mark.parametrize("up", EXAMPLES, indirect=True, ids=EXAMPLES)
def test_runs_and_stops_cleanly(up: tuple[subprocess.Popen[str], Lines], examples: Path, request: pytest.FixtureRequest) -> None:
    process, lines = up
    name = request.node.callspec.params["up"]
    lines.wait_for_all([re.compile(pattern) for pattern in EXPECTED[name]])
    process.send_signal(signal.SIGINT)
    lines.wait_for_end()
    assert process.wait(timeout=30) == 0, lines.text
    assert [p for p in examples.iterdir() if p.is_socket()] == []


def test_embedded() -> None:
    done = subprocess.run(
        [sys.executable, "examples/embedded.py"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    answers, copies = done.stdout.splitlines()[:3], done.stdout.splitlines()[3:]
    assert answers == ["1 squared is 1", "2 squared is 4", "3 squared is 9"]
    assert {line.split()[1] for line in copies} == {"in", "out"}


def test_every_topology_in_the_readme_is_right(tmp_path: Path) -> None:
    blocks = re.findall(r"^```\w*\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    texts = [block for block in blocks if block.startswith("ztopo 1")]
    assert len(texts) == 2
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.ztopo").write_text(text, encoding="utf-8")
        for verb in (["check", "-W"], ["fmt", "--check"]):
            done = subprocess.run([ZTOPO, *verb, f"{number}.ztopo"], cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
