"""What all verbs share: help, versions, wrong usage, the default file, options from the environment, streams, signals."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import BAD, BROKER, GOOD, ROOT, ZTOPO, Ztopo

VERBS = sorted(p.stem for p in (ROOT / "topo" / "cli").glob("[!_]*.py"))


def test_the_help_lists_all_verbs(ztopo: Ztopo) -> None:
    done = ztopo("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    assert re.findall(r"^  (\w+)  ", done.stdout, re.MULTILINE) == VERBS
    assert "..." not in done.stdout.partition("Commands:")[2], "each says what it does in a line"
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help(ztopo: Ztopo, verb: str) -> None:
    done = ztopo(verb, "-h")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: ztopo {verb} ")
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_the_help_imports_nothing_heavy() -> None:
    code = "import sys; from topo.cli import ztopo; ztopo.main(['--help'], standalone_mode=False); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"zmq", "lark", "networkx", "rich", "msgspec", "hypothesis", "numpy"}
    assert heavy & set(done.stderr.split()) == set()


def test_a_check_imports_no_more_than_it_needs(write: Path) -> None:
    code = (
        "import sys; from topo.cli import ztopo\n"
        "ztopo.main(['check', 'good.ztopo'], standalone_mode=False)\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=write / "good", capture_output=True, text=True, check=True)
    assert {"networkx", "rich"} & set(done.stderr.split()) == set()


def test_the_version_says_what_runs(ztopo: Ztopo) -> None:
    done = ztopo("--version")
    assert re.fullmatch(r"ztopo \d+\.\d+\.\d+\S* \(pyzmq \S+, libzmq \d+\.\d+\.\d+, core: cython\)\n", done.stdout)
    assert "core: python" in ztopo("--version", ZTOPO_CORE="python").stdout


def test_without_a_verb_it_shows_the_help(ztopo: Ztopo) -> None:
    done = ztopo()
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == ztopo("--help").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("chekc",), "there is no verb `chekc`, did you mean `check`?"),
        (("validat",), "did you mean `validate`?"),
        (("zzzzzz",), f"there is no verb `zzzzzz`, there are {', '.join(f'`{v}`' for v in VERBS)}\n"),
        (("run", "x.ztopo"), "there is no verb `run`, did you mean `up`?"),
        (("help",), "there is no verb `help`, did you mean `--help`?"),
        (("x.ztopo",), "there is no verb `x.ztopo`: to start a file, write `ztopo up x.ztopo`"),
        (("./none.ztopo",), "to start a file, write `ztopo up ./none.ztopo`"),
        (("check", "--fromat", "json"), "'--format'?"),
        (("--nonsense",), "No such option"),
        (("check", "--format", "xml"), "is not one of 'concise', 'full', 'github', 'json', 'sarif'"),
        (("check", "--set", "port"), "'port' is not of the form name=value"),
        (("check", "--set", "=5"), "not of the form name=value"),
        (("check", "--color", "blue"), "is not one of 'auto', 'always', 'never'"),
        (("graph", "--width", "10"), "10 is not in the range"),
    ],
)
def test_wrong_usage_is_said(ztopo: Ztopo, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "x.ztopo").write_text(GOOD)
    done = ztopo(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert "--help' for help" in done.stderr


def test_a_verb_has_another_name(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(GOOD)
    assert ztopo("validate").returncode == 0
    assert ztopo("validate", ZTOPO_CLI_CHECK_FORMAT="json").stdout.startswith("{")


# the default file


@pytest.mark.parametrize("verb", ["check", "graph", "show"])
def test_the_only_file_need_not_be_named(ztopo: Ztopo, tmp_path: Path, verb: str) -> None:
    (tmp_path / "only.ztopo").write_text(GOOD)
    (tmp_path / "folder.ztopo").mkdir()
    assert ztopo(verb).returncode == 0


@pytest.mark.parametrize("verb", ["check", "graph", "show", "up"])
def test_of_several_files_none_is_chosen(ztopo: Ztopo, tmp_path: Path, verb: str) -> None:
    for name in ("b.ztopo", "a.ztopo"):
        (tmp_path / name).write_text(GOOD)
    done = ztopo(verb)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "several .ztopo files" in done.stderr
    assert done.stderr.index("a.ztopo\n") < done.stderr.index("b.ztopo\n")


@pytest.mark.parametrize("verb", ["check", "graph", "show", "up"])
def test_without_a_file_it_says_so(ztopo: Ztopo, verb: str) -> None:
    done = ztopo(verb)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "there is no .ztopo file in this folder" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "printed", "told"),
    [
        (["fmt", "-"], 0, "ztopo 1\napp jobs: PUSH bind", ""),
        (["fmt", "--check", "-"], 1, "", "<stdin> would change\n"),
        (["fmt", "--diff", "-"], 0, "--- <stdin>\n+++ <stdin> (formatted)\n", ""),
        (["check", "-"], 0, "", "<stdin>: ok (0 devices, 2 apps, 1 link)\n"),
        (["show", "-"], 0, "ztopo 1\n", ""),
        (["graph", "-"], 0, "", ""),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_a_dash_is_standard_input(tmp_path: Path, arguments: list[str], code: int, printed: str, told: str) -> None:
    text = GOOD.replace(": PUSH", ":  PUSH")
    done = subprocess.run([ZTOPO, *arguments], cwd=tmp_path, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stdout.startswith(printed)
    assert bool(done.stdout) == (arguments[0] in ("show", "graph") or bool(printed))
    assert done.stderr == told


def test_what_is_wrong_with_standard_input_is_said(tmp_path: Path) -> None:
    for data, said in ((BAD.encode(), "--> <stdin>:3:24"), (b"\xff", "<stdin> is not UTF-8")):
        done = subprocess.run([ZTOPO, "check", "-"], cwd=tmp_path, input=data, capture_output=True, check=False)
        assert done.returncode == 1
        assert said in done.stdout.decode()
    done = subprocess.run([ZTOPO, "fmt", "-"], cwd=tmp_path, input=b"app x: PUB:", capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.endswith(b"<stdin> is left as it is\n")


# options


def test_options_come_from_the_environment(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(BROKER)
    assert '"format_version": 1' in ztopo("check", ZTOPO_CLI_CHECK_FORMAT="json").stdout
    assert "tcp://127.0.0.1:7000" in ztopo("show", ZTOPO_CLI_SHOW_SET="port=7000").stdout
    assert "tcp://127.0.0.1:8000" in ztopo("show", "--set", "port=8000", ZTOPO_CLI_SHOW_SET="port=7000").stdout
    assert ztopo("show", ZTOPO_CLI_SHOW_FORMAT="xml").returncode == 2


@pytest.mark.parametrize("verb", ["check", "graph", "show", "up"])
def test_params_are_set(ztopo: Ztopo, tmp_path: Path, verb: str) -> None:
    (tmp_path / "x.ztopo").write_text(BROKER)
    done = ztopo(verb, "--set", "prt=1")
    assert done.returncode == (78 if verb == "up" else 1)
    assert "`prt` is set, but there is no such param" in done.stdout + done.stderr
    assert "did you mean `port`?" in done.stdout + done.stderr


# streams


def test_colors_where_they_are_wanted(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text(BAD)
    assert "\x1b[" not in ztopo("check").stdout
    assert "\x1b[1;31merror[ZT201]" in ztopo("check", "--color", "always").stdout
    assert "\x1b[" in ztopo("check", "--color", "always", NO_COLOR="1").stdout
    assert "\x1b[" in ztopo("check", ZTOPO_CLI_CHECK_COLOR="always").stdout


@pytest.mark.parametrize(
    ("environment", "colored"),
    [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colors_on_a_terminal(write: Path, environment: dict[str, str], colored: bool) -> None:
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [ZTOPO, "check"], cwd=write / "bad", stdout=theirs, stderr=subprocess.DEVNULL, env={**clean(), **environment}
        )
        os.close(theirs)
        assert ("\x1b[" in read_all(ours)) == colored
        assert process.wait(60) == 1
    finally:
        os.close(ours)


def clean() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM") and not k.startswith("ZTOPO_")}


def read_all(handle: int) -> str:
    found = b""
    while True:
        try:
            piece = os.read(handle, 65536)
        except OSError:  # the other end of a terminal is closed
            piece = b""
        if not piece:
            return found.decode()
        found += piece


@pytest.mark.parametrize(("folder", "code"), [("good", 0), ("bad", 1)])
def test_a_reader_that_goes_away_changes_nothing(write: Path, folder: str, code: int) -> None:
    for command in (["check", "--format", "json"], ["graph"], ["show"]):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [ZTOPO, *command], cwd=write / folder, stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
        os.close(writer)
        assert done.returncode == code, done.stderr
        assert "Broken" not in done.stderr
        assert "Exception" not in done.stderr


def test_closed_streams_do_no_harm(write: Path) -> None:
    for closing, code in ((">&-", 1), ("2>&-", 1), (">&- 2>&- <&-", 1)):
        done = subprocess.run(
            f"'{ZTOPO}' check {closing}", shell=True, cwd=write / "bad", capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["show"], ["graph"], ["check", "--format", "json"], ["explain"], ["--version"], ["--help"], ["show", "-h"]],
    ids=" ".join,
)
def test_a_full_disk_is_said(write: Path, arguments: list[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    buffered = {name: value for name, value in clean().items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [ZTOPO, *arguments], cwd=write / "good", stdout=full, stderr=subprocess.PIPE, text=True, env=buffered, check=False
        )
    assert done.returncode == 2
    assert done.stderr == "error: cannot write to standard output: No space left on device\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_encoding_will_do(ztopo: Ztopo, tmp_path: Path, encoding: str) -> None:
    (tmp_path / "x.ztopo").write_text("ztopo 1\napp ünknown: PUB # 日本\n", encoding="utf-8")
    done = ztopo("check", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert done.returncode == 1
    assert {"ascii": "\\xfcnknown", "latin-1": "\ufffdnknown", "utf-8": "ünknown"}[encoding] in done.stdout
    assert ("\\u65e5" in done.stdout) == (encoding != "utf-8")


def test_a_file_name_that_is_no_text(ztopo: Ztopo, tmp_path: Path) -> None:
    name = os.fsdecode(b"gr\xfcn.ztopo")
    (tmp_path / name).write_text(BAD)
    for arguments in (["check"], ["check", "--format", "json"], ["show", "--format", "json"], ["show"], ["graph"]):
        assert ztopo(*arguments).returncode == 1


def test_an_interrupt_ends_with_130(tmp_path: Path) -> None:
    """Interrupted while it reads: from a pipe that nobody has written to yet."""
    os.mkfifo(tmp_path / "x.ztopo")
    process = subprocess.Popen(
        [ZTOPO, "check", "x.ztopo"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with open(tmp_path / "x.ztopo", "w"):  # opens once the command has opened it, so it is reading now
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert "Abort" not in err


def test_a_mistake_of_our_own_asks_for_a_report(write: Path) -> None:
    code = (
        "import topo.compile, topo.cli, sys\n"
        "def broken(*_, **__): raise RuntimeError('this is broken')\n"
        "topo.compile.compile = broken\n"
        "sys.argv = ['ztopo', 'check', 'good.ztopo']\n"
        "topo.cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=write / "good", capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "RuntimeError: this is broken" in done.stderr
    assert "Please report it" in done.stderr


def test_names_on_the_command_line_are_proposed_too(ztopo: Ztopo, tmp_path: Path) -> None:
    (tmp_path / "x.ztopo").write_text("ztopo 1\nparam base: port\napp a: PUB bind tcp://*:${base}\n")
    assert "did you mean `base`?" in ztopo("check", "--set", "base=1", "--set", "bsae=1").stdout
    assert "did you mean `ZT201`" in ztopo("explain", "ZT2001").stderr
    assert "did you mean `explain`?" in ztopo("explian").stderr
    assert "'--format'?" in ztopo("check", "--fromat", "json").stderr
