"""Whatever a file holds, and whatever it is: something is said about it, and never a traceback."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ztopo

Make = Callable[[Path], object]


def text(content: str) -> Make:
    return lambda path: path.write_text("ztopo 1\n" + content, encoding="utf-8")


def data(content: bytes) -> Make:
    return lambda path: path.write_bytes(content)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(32 * 1024 * 1024 + 1)


DEEP = 50_000

WRONG: dict[str, Make] = {
    "empty": data(b""),
    "blank": data(b" \n\t\n"),
    "only a comment": data(b"# nothing"),
    "binary": data(random.Random(1).randbytes(4096)),
    "NULs": data(b"ztopo 1\n\0\0\0\n"),
    "not UTF-8": data("ztopo 1\n# grün\n".encode("latin-1")),
    "UTF-16": data("ztopo 1\n".encode("utf-16")),
    "half of a surrogate": data(b"ztopo 1\n# \xed\xa0\x80\n"),
    "over 32 MiB": sparse,
    "over 32 MiB of text": data(b"ztopo 1\n" + b"#" * (32 * 1024 * 1024)),
    "a newer version": lambda path: path.write_text("ztopo 2\nnew thing -> another\n"),
    "a version beyond all numbers": lambda path: path.write_text("ztopo 99999999999999999999999\n"),
    "no version": lambda path: path.write_text("app a: PUSH bind tcp://*:5555\n"),
    "not ztopo at all": text("version: '3'\nservices:\n  web: [a, b]\n"),
    "control characters": text("app a\x1b[31m: PUB\x07 bind tcp://*:5555\n"),
    "a text without an end": text('app a { run "python\n'),
    "a block without an end": text("device a: queue {\n    in ROUTER bind tcp://*:1\n"),
    "blocks that are not opened": text("}\n" * 1000),
    "deep blocks": text("app a { " * DEEP + "}" * DEEP),
    "deep blocks without an end": text("app a { " * DEEP),
    "deep brackets": text("app a: PUB bind tcp://*:${" + "(" * DEEP + "1" + ")" * DEEP + "}\n"),
    "deep calls": text("param x = " + "env(" * DEEP + ")" * DEEP + "\n"),
    "long lines": text("app a: PUB bind tcp://*:" + "1" * 1_000_000 + "\n"),
    "very many mistakes": text("oops oops oops\n" * 20_000),
    "far too many replicas": text("app a[99999999999999999999]: PUB bind tcp://*:5555\n"),
    "numbers beyond all": text("app a: PUB bind tcp://*:5555 { sndhwm 99999999999999999999999999 }\n"),
    "division by zero": text("app a: PUB bind tcp://*:${1 / 0}\n"),
    "params that need each other": text("param a = ${b}\nparam b = ${a}\napp x: PUB bind tcp://*:${a}\n"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_texts_are_findings(ztopo: Ztopo, tmp_path: Path, kind: str) -> None:
    WRONG[kind](tmp_path / "x.ztopo")
    done = ztopo("check", "x.ztopo")
    assert done.returncode == 1
    assert "error[ZT" in done.stdout
    assert "x.ztopo" in done.stdout
    assert not any(character in done.stdout for character in "\x00\x07\x1b")
    assert len(done.stdout) < 1_000_000


@pytest.mark.parametrize(
    "kind", ["empty", "binary", "over 32 MiB", "a newer version", "a block without an end", "control characters"]
)
@pytest.mark.parametrize(("verb", "code"), [("graph", 1), ("show", 1), ("up", 78)])
def test_every_verb_refuses_them(ztopo: Ztopo, tmp_path: Path, kind: str, verb: str, code: int) -> None:
    WRONG[kind](tmp_path / "x.ztopo")
    done = ztopo(verb, "x.ztopo", XDG_RUNTIME_DIR=str(tmp_path))
    assert done.returncode == code
    assert "error[ZT" in done.stderr


def loop(path: Path) -> None:
    path.symlink_to(path)


UNREADABLE: dict[str, Make] = {
    "a folder": lambda path: path.mkdir(),
    "nothing": lambda path: None,
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a link to itself": loop,
    "not allowed": lambda path: (path.write_text("ztopo 1\n"), path.chmod(0)),
}


@pytest.mark.parametrize("kind", UNREADABLE)
@pytest.mark.parametrize("verb", ["check", "graph", "show", "up"])
def test_what_cannot_be_read_is_said(ztopo: Ztopo, tmp_path: Path, kind: str, verb: str) -> None:
    if kind == "not allowed" and os.geteuid() == 0:
        pytest.skip("root may read anything")
    UNREADABLE[kind](tmp_path / "x.ztopo")
    done = ztopo(verb, "x.ztopo", XDG_RUNTIME_DIR=str(tmp_path))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: cannot read x.ztopo: ")


@pytest.mark.parametrize("name", ["x.ztopo/y.ztopo", "", "a" * 5000])
def test_names_of_no_file(ztopo: Ztopo, tmp_path: Path, name: str) -> None:
    (tmp_path / "x.ztopo").write_text("ztopo 1\n")
    (tmp_path / "z.ztopo").write_text("ztopo 1\n")
    done = ztopo("graph", name)
    assert done.returncode == 2
    assert done.stderr.startswith(("error: cannot read", "error: this folder holds several"))


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfztopo 1\napp a: PUSH bind tcp://127.0.0.1:5555\napp b: PULL connect a\n",
        b"ztopo 1\r\napp a: PUSH bind tcp://127.0.0.1:5555\r\napp b: PULL connect a\r\n",
        b"ztopo 1\napp a: PUSH bind tcp://127.0.0.1:5555\napp b: PULL connect a",
        "ztopo 1\n# grün 日本 \U0001f389\napp a: PUSH bind tcp://127.0.0.1:5555\napp b: PULL connect a\n".encode(),
    ],
    ids=["byte order mark", "carriage returns", "no end of line", "beyond ASCII"],
)
def test_what_is_unusual_but_right(ztopo: Ztopo, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.ztopo").write_bytes(content)
    assert ztopo("check", "-W", "x.ztopo").returncode == 0
