"""`ztopo fmt` in place: the file stays the file that it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ZTOPO = str(Path(sys.executable).parent / "ztopo")
UGLY = "ztopo 1\napp   a : PUB bind tcp://*:5555\n"
NEAT = "ztopo 1\napp a: PUB bind tcp://*:5555\n"


def fmt(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ZTOPO, "fmt", path.name], cwd=path.parent, capture_output=True, text=True, check=False)


def test_mode_and_names_stay(tmp_path: Path) -> None:
    path, other = tmp_path / "a.ztopo", tmp_path / "b.ztopo"
    path.write_text(UGLY)
    path.chmod(0o640)
    other.hardlink_to(path)
    assert fmt(path).returncode == 0
    assert path.read_text() == other.read_text() == NEAT
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_by_itself_is_replaced_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.ztopo"
    path.write_text(UGLY)
    before = path.stat().st_ino
    assert fmt(path).returncode == 0
    assert path.read_text() == NEAT
    assert path.stat().st_ino != before
    assert [p.name for p in tmp_path.iterdir()] == ["a.ztopo"]


def test_a_read_only_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.ztopo"
    path.write_text(UGLY)
    path.chmod(0o444)
    done = fmt(path)
    assert (done.returncode, done.stderr) == (2, "error: cannot write a.ztopo: it is read-only\n")
    assert path.read_text() == UGLY
