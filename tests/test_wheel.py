"""What a user gets: the wheel is built as on a package index, installed into an empty environment, and used from there.

Built from the source distribution, which is built from the tree. The environment finds what ztopo needs by a path file, so
nothing is downloaded.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

USER = """
import topo
from topo.devcore import Proxy, ProxyError, Statistics, core_name

import topo.steps
from topo.run.snapshot import Snapshot

topology: topo.Topology = topo.load("x.ztopo")
for finding in topology.check():
    message: str = finding.message


def look(proxy: Proxy) -> int:
    statistics: Statistics = proxy.statistics()
    return statistics.frontend.received.messages


def change(new: topo.Topology) -> int:
    with topology.up() as running:
        plan: topo.steps.ChangePlan = running.plan(new)
        running.apply(plan)
        snapshot: Snapshot = running.status()
        counts: dict[str, Statistics] = running.statistics()
        stopped: bool = running.stop(timeout=1)
        return len(snapshot.devices) + len(counts) + len(plan.steps) + stopped


async def change_in_a_task(new: topo.Topology) -> bool:
    async with topology.up_async() as running:
        await running.aio.apply(running.plan(new))
        await running.aio.apply(new)
        ended: bool = await running.aio.wait(timeout=1)
        return ended or await running.aio.stop()


name: str = core_name()
assert issubclass(ProxyError, Exception)
"""

WRONG = """
import topo

topology: int = topo.load(5)
"""

CYTHON = """
# cython: language_level=3
from topo.devcore._core cimport proxy_steerable


def forward(size_t frontend, size_t backend, size_t control):
    cdef int result
    with nogil:
        result = proxy_steerable(<void *>frontend, <void *>backend, NULL, <void *>control)
    return result
"""

USE_CYTHON = """
import threading
import zmq
from forwarding import forward

context = zmq.Context()
sockets = {}
for name, kind in dict(source=zmq.PUSH, frontend=zmq.PULL, backend=zmq.PUSH, sink=zmq.PULL, control=zmq.PAIR, other=zmq.PAIR).items():
    sockets[name] = context.socket(kind)
    sockets[name].linger = 0
for binder, connecter in (("frontend", "source"), ("backend", "sink"), ("control", "other")):
    sockets[binder].bind(f"inproc://{binder}")
    sockets[connecter].connect(f"inproc://{binder}")
results = []
thread = threading.Thread(target=lambda: results.append(forward(*(sockets[n].underlying for n in ("frontend", "backend", "control")))))
thread.start()
sockets["source"].send_multipart([b"through", b"cython"])
assert sockets["sink"].recv_multipart() == [b"through", b"cython"]
sockets["other"].send(b"TERMINATE")
thread.join(10)
assert results == [0], results
context.destroy(0)
print("forwarded")
"""


def run(*command: str | Path, folder: Path, **more: str) -> str:
    """What a command prints. It sees nothing of this project's folder."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "MYPYPATH", "ZTOPO_CORE")
    environment = {k: v for k, v in os.environ.items() if k not in hidden} | more
    done = subprocess.run(
        [str(c) for c in command], cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def copied(target: Path) -> Path:
    """The project as a fresh clone has it, symbolic links and all."""
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        ignore = shutil.ignore_patterns("build", "dist", "*.egg-info", "*.so", "*.c", "__pycache__", ".*_cache", ".venv")
        return Path(shutil.copytree(ROOT, target, symlinks=True, ignore=ignore))
    for name in filter(None, listed.stdout.split("\0")):
        if os.path.lexists(ROOT / name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    return target


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source distribution, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("build")
    source = copied(folder / "clone")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", folder=source, CFLAGS="-O0")
    (archive,) = (folder / "dist").glob("*.tar.gz")
    (wheel,) = (folder / "dist").glob("*.whl")
    return archive, wheel


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    return folder


@pytest.fixture(scope="module")
def installed(empty: Path, distributions: tuple[Path, Path]) -> Path:
    """The environment with the wheel in it and nothing else."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", empty / "bin" / "python")
    run(*pip, "install", "--no-deps", "--no-index", "--quiet", distributions[1], folder=empty)
    return empty


@pytest.fixture(scope="module")
def environment(installed: Path) -> Iterator[Path]:
    """The same, with what ztopo needs within reach."""
    path_file = packages(installed) / "needed.pth"
    path_file.write_text("\n".join(dict.fromkeys(sysconfig.get_paths()[kind] for kind in ("purelib", "platlib"))))
    yield installed
    path_file.unlink()


def packages(environment: Path) -> Path:
    (folder,) = environment.glob("lib/python3*/site-packages")
    return folder


def test_only_topo_lands_in_site_packages(installed: Path) -> None:
    version = run(sys.executable, "-c", "import topo; print(topo.__version__)", folder=ROOT).strip()
    landed = {path.name for path in packages(installed).iterdir()} - {"needed.pth"}
    assert landed == {"topo", f"ztopo-{version}.dist-info"}
    assert {path.name for path in (installed / "bin").iterdir() if "ztopo" in path.name} == {"ztopo"}


def test_the_wheel_has_all_files_and_no_others(distributions: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(distributions[1]) as wheel:
        names = {name for name in wheel.namelist() if name.startswith("topo/")}
        everything = wheel.namelist()
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "topo").rglob("*.py")}
    for package in ("devcore", "grammar"):
        modules |= {f"topo/{package}/{path.name}" for path in (ROOT / package).glob("*.py")}
    assert modules <= names
    data = {
        "topo/py.typed",
        "topo/grammar/ztopo.lark",
        "topo/grammar/expression.lark",
        "topo/grammar/topology.schema.json",
        "topo/render/findings.schema.json",
        "topo/devcore/_core.pxd",
        "topo/devcore/_core.pyi",
    }
    assert data <= names
    extensions = {name for name in names if name.endswith((".so", ".pyd"))}
    assert {name.split(".")[0] for name in extensions} == {"topo/devcore/_core"}
    assert {Path(name).suffix for name in names - modules - extensions} <= {
        ".typed",
        ".lark",
        ".pxd",
        ".pyi",
        ".md",
        ".html",
        ".json",
        ".gram",
    }
    assert not [name for name in everything if not name.startswith("topo/") and ".dist-info/" not in name]


def test_the_command_runs_from_there(environment: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "request_broker.ztopo", tmp_path)
    ztopo = environment / "bin" / "ztopo"
    assert run(ztopo, "check", folder=tmp_path) == ""
    assert "core: cython" in run(ztopo, "--version", folder=tmp_path)
    assert "broker" in run(ztopo, "graph", folder=tmp_path)
    where = run(
        environment / "bin" / "python",
        "-c",
        "import topo, topo.devcore; print(topo.__file__, topo.devcore.__file__)",
        folder=tmp_path,
    )
    assert all(path.startswith(str(packages(environment))) for path in where.split())


def test_a_users_file_type_checks(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(USER)
    (tmp_path / "wrong.py").write_text(WRONG)
    mypy = (
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--cache-dir",
        tmp_path / "cache",
        "--python-executable",
        environment / "bin" / "python",
    )
    run(*mypy, "user.py", folder=tmp_path)
    with pytest.raises(AssertionError, match="incompatible type"):
        run(*mypy, "wrong.py", folder=tmp_path)


def test_cython_code_can_use_the_core(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "forwarding.pyx").write_text(CYTHON)
    (tmp_path / "use.py").write_text(USE_CYTHON)
    python = environment / "bin" / "python"
    run(python, "-m", "Cython.Build.Cythonize", "--inplace", "--build", "-3", "forwarding.pyx", folder=tmp_path, CFLAGS="-O0")
    assert run(python, "use.py", folder=tmp_path) == "forwarded\n"
