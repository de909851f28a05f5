"""`ztopo check --fix`: what is mended, what is said, what is written and where."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import ZTOPO, Ran, Ztopo

WRONG = 'app a: PUSH bind TCP://*:5_555 { LINGER 0; immediate "true" }\napp b: PULL connect a, c\n'
MENDED = "ztopo 1\napp a: PUSH bind tcp://*:5555 { linger 0; immediate true }\napp b: PULL connect a, c\n"
REMAINS = "2:24: error[ZT101]: there is no device, app or module `c`"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "x.ztopo"
    path.write_text(WRONG)
    return path


def piped(folder: Path, text: str, *arguments: str) -> Ran:
    return subprocess.run([ZTOPO, *arguments], cwd=folder, input=text, capture_output=True, text=True, check=False)


def test_safe_fixes_are_applied_and_said_and_the_rest_is_shown(ztopo: Ztopo, path: Path) -> None:
    done = ztopo("check", "--fix", "--format", "concise")
    assert done.returncode == 1
    assert path.read_text() == MENDED
    assert done.stdout == "x.ztopo:3:24: error[ZT101]: there is no device, app or module `c`\n"
    assert done.stderr == (
        "x.ztopo:1:1: fixed[ZT002]: say which version it is\n"
        "x.ztopo:1:18: fixed[ZT307]: write `tcp`\n"
        "x.ztopo:1:34: fixed[ZT501]: write `linger`\n"
        "x.ztopo:1:54: fixed[ZT502]: leave out the quotes\n"
        "x.ztopo:2:26: fixed[ZT304]: write `5555`\n"
    )


def test_it_ends_with_what_remains(ztopo: Ztopo, path: Path) -> None:
    path.write_text(WRONG.replace(", c", ""))
    assert ztopo("check").returncode == 1
    assert ztopo("check", "--fix").returncode == 0
    done = ztopo("check", "--fix")
    assert (done.returncode, done.stderr) == (0, "x.ztopo: ok (0 devices, 2 apps, 1 link)\n")


def test_without_it_the_summary_says_that_there_is_something_to_mend(ztopo: Ztopo, path: Path) -> None:
    done = ztopo("check")
    assert done.stderr == "5 errors, of which --fix mends 4\n"
    assert path.read_text() == WRONG


@pytest.mark.parametrize("arguments", [["--fix", "--diff"], ["--diff"]])
def test_diff_shows_only(ztopo: Ztopo, path: Path, arguments: list[str]) -> None:
    before = path.stat()
    done = ztopo("check", *arguments, "--format", "concise")
    assert done.returncode == 1
    assert done.stdout == (
        "--- x.ztopo\n+++ x.ztopo (fixed)\n@@ -1,2 +1,3 @@\n"
        '-app a: PUSH bind TCP://*:5_555 { LINGER 0; immediate "true" }\n'
        "+ztopo 1\n+app a: PUSH bind tcp://*:5555 { linger 0; immediate true }\n"
        " app b: PULL connect a, c\n"
    )
    assert f"x.ztopo:{REMAINS}" in done.stderr
    assert "fixed" not in done.stderr
    assert path.read_text() == WRONG
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_standard_input_goes_to_standard_output(tmp_path: Path) -> None:
    done = piped(tmp_path, WRONG, "check", "--fix", "--format", "concise", "-")
    assert done.returncode == 1
    assert done.stdout == MENDED
    assert "<stdin>:3:24: error[ZT101]" in done.stderr
    right = piped(tmp_path, MENDED.replace(", c", ""), "check", "--fix", "-")
    assert (right.returncode, right.stdout) == (0, MENDED.replace(", c", ""))
    assert list(tmp_path.iterdir()) == []


def test_a_document_tells_what_remains(ztopo: Ztopo, path: Path) -> None:
    done = ztopo("check", "--fix", "--format", "json")
    assert [d["code"] for d in json.loads(done.stdout)["diagnostics"]] == ["ZT101"]


def test_a_file_with_nothing_to_mend_is_not_touched(ztopo: Ztopo, path: Path) -> None:
    path.write_text(MENDED)
    os.utime(path, ns=(1, 1))
    assert ztopo("check", "--fix").returncode == 1
    assert path.stat().st_mtime_ns == 1


def test_the_file_stays_the_file_that_it_was(ztopo: Ztopo, path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + WRONG.replace("\n", "\r\n").encode())
    path.chmod(0o640)
    (tmp_path / "link.ztopo").symlink_to(path)
    (tmp_path / "other.ztopo").hardlink_to(path)
    assert ztopo("check", "--fix", "link.ztopo").returncode == 1
    assert path.read_bytes() == b"\xef\xbb\xbf" + MENDED.replace("\n", "\r\n").encode()
    assert (tmp_path / "link.ztopo").is_symlink()
    assert path.samefile(tmp_path / "other.ztopo")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_written_is_said_and_the_others_are_mended(ztopo: Ztopo, path: Path, tmp_path: Path) -> None:
    (tmp_path / "fixed.ztopo").write_text(WRONG)
    path.chmod(0o444)
    done = ztopo("check", "--fix", "x.ztopo", "fixed.ztopo")
    assert done.returncode == 2
    assert "error: cannot write x.ztopo: it is read-only" in done.stderr
    assert path.read_text() == WRONG
    assert (tmp_path / "fixed.ztopo").read_text() == MENDED


def test_a_module_is_mended_only_if_it_is_named(ztopo: Ztopo, tmp_path: Path) -> None:
    module, main = tmp_path / "pool.ztopo", tmp_path / "main.ztopo"
    module.write_text("ztopo 1\napp jobs: PULL bind TCP://*:5555\n")
    main.write_text('ztopo 1\nuse "pool.ztopo" as pool\napp a: PUSH connect pool.jobs\n')
    done = ztopo("check", "--fix", "main.ztopo")
    assert done.returncode == 1
    assert "pool.ztopo:2:21" in done.stdout
    assert ztopo("check", "--fix", "main.ztopo", "pool.ztopo").returncode == 0
    assert ztopo("check", "main.ztopo").returncode == 0


def test_params_are_set_for_what_is_mended_too(ztopo: Ztopo, path: Path) -> None:
    path.write_text("ztopo 1\nparam port: port\napp a: PUSH bind TCP://*:${port}\napp b: PULL connect a\n")
    assert ztopo("check", "--fix", "--set", "port=5555").returncode == 0
    assert "bind tcp://*:${port}" in path.read_text()
