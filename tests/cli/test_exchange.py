"""`ztopo import` and `ztopo export` as commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import GOOD, ZTOPO, Ztopo

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
    assert re.search("'visio' is not (one of .*)?'zdcf'", done.stderr)


# systemd


def verified(unit: Path, *scope: str) -> str:
    """What systemd itself has to say of a unit, where there is a systemd."""
    if shutil.which("systemd-analyze") is None:
        return ""
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(unit.parent)}
    done = subprocess.run(
        ["systemd-analyze", *scope, "verify", unit], env=environment, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stderr


@pytest.mark.parametrize(("form", "scope"), [("system", ()), ("user", ("--user",))])
def test_a_unit_of_systemd_runs_the_file_where_it_lies(
    ztopo: Ztopo, tmp_path: Path, form: str, scope: tuple[str, ...], golden: Callable[[Path, str], None]
) -> None:
    folder = tmp_path / "50% of $it"
    folder.mkdir()
    (folder / "my system.ztopo").write_text("ztopo 1\ntopology good\nparam port: port = 1\n" + GOOD.partition("\n")[2])
    done = ztopo("export", "systemd", "--format", form, "--set", "port=5000", "50% of $it/my system.ztopo", "-o", "good.service")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    unit = (tmp_path / "good.service").read_text()
    assert verified(tmp_path / "good.service", *scope) == ""
    unit = unit.replace(str(tmp_path), "FOLDER").replace(str(ZTOPO), "ZTOPO")
    golden(Path(__file__).parent / f"systemd_{form}.out", unit)


def test_what_systemd_cannot_run_is_said(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(
        "ztopo 1\napp a: PUSH bind inproc://a { run inside }\napp b: PULL connect a { run inside }\n"
    )
    done = ztopo("export", "systemd", "x.ztopo")
    assert (done.returncode, done.stdout) == (1, "")
    assert "error[ZT053]: `a` runs inside an application, which systemd has to start instead\n --> x.ztopo:2:" in done.stderr
    done = ztopo("export", "systemd", "-")
    assert (done.returncode, done.stdout) == (1, "")
