"""`ztopo import` and `ztopo export` as commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import GOOD, Ztopo

ZPL = """\
version = 1.0
apps
    jobs
        devices
            jobs
                type = zmq_streamer
                sockets
                    frontend
                        bind = tcp://127.0.0.1:5555
                        option
                            swap = 1000
                    backend
                        type = PUSH
                        bind = tcp://127.0.0.1:5556
"""

TEXT = """\
ztopo 1

device jobs: streamer {
    run process
    in  PULL bind tcp://127.0.0.1:5555
    out PUSH bind tcp://127.0.0.1:5556
}
"""


def test_zdcf_becomes_a_text(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "jobs.zpl").write_text(ZPL)
    done = ztopo("import", "zdcf", "jobs.zpl")
    assert (done.returncode, done.stdout) == (0, TEXT)
    assert "warning[ZT051]: the option `swap` is not carried over\n  --> jobs.zpl:11:29\n" in done.stderr
    assert ztopo("import", "zdcf", "jobs.zpl", "-o", "jobs.ztopo").stdout == ""
    assert (tmp_path / "jobs.ztopo").read_text() == TEXT
    assert ztopo("check", "-W", "jobs.ztopo").returncode == 0
    assert ztopo("fmt", "--check", "jobs.ztopo").returncode == 0


def test_a_text_becomes_zdcf(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(GOOD)
    done = ztopo("export", "zdcf")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert list(json.loads(done.stdout)["apps"]) == ["jobs", "work"]
    done = ztopo("export", "zdcf", "--format", "zpl", "-o", "x.zpl")
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "x.zpl").read_text().startswith("version = 1.0\napps\n    jobs\n")


def test_what_cannot_be_done_is_said(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "new.json").write_text('{"version": 2.0}')
    done = ztopo("import", "zdcf", "new.json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "error[ZT050]: version 2 of ZDCF is not known here\n --> new.json:1:13\n" in done.stderr
    assert ztopo("import", "zdcf", "missing.json").returncode == 2
    (tmp_path / "binary").write_bytes(b"\x00\xff")
    assert ztopo("import", "zdcf", "binary").returncode == 1
    (tmp_path / "x.ztopo").write_text("ztopo 1\napp a: PUSH connect nobody\n")
    done = ztopo("export", "zdcf")
    assert (done.returncode, done.stdout) == (1, "")
    assert "error[ZT101]" in done.stderr
    done = ztopo("export", "zdcf", "--format", "xml")
    assert (done.returncode, done.stderr) == (2, "error: zdcf is not written as xml, but as json or zpl\n")


@pytest.mark.parametrize("verb", ["import", "export"])
def test_an_unknown_form_is_refused(ztopo: Ztopo, verb: str) -> None:
    done = ztopo(verb, "visio", "x")
    assert done.returncode == 2
    assert "'visio' is not 'zdcf'" in done.stderr
