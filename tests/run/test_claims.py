"""Who has an address."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from topo.run import claims
from topo.run.children import lines_of
from topo.run.folder import Refused, claim, folder_of


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_holder_of_a_port_is_found(host: str) -> None:
    with socket.socket() as held:
        held.bind((host, 0))
        held.listen()
        found = claims.holder(f"tcp://*:{held.getsockname()[1]}")
    assert found is not None
    assert found.pid == os.getpid()
    assert "python" in found.command


def test_the_holder_of_a_port_is_found_behind_ipv6() -> None:
    with socket.socket(socket.AF_INET6) as held:
        held.bind(("::", 0))
        held.listen()
        found = claims.holder(f"tcp://127.0.0.1:{held.getsockname()[1]}")
    assert found is not None
    assert found.pid == os.getpid()


def test_another_address_is_not_the_holder() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.2", 0))
        held.listen()
        assert claims.holder(f"tcp://127.0.0.1:{held.getsockname()[1]}") is None


def test_an_abstract_name_has_a_holder_too() -> None:
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(f"\0ztopo-test-{os.getpid()}")
        held.listen()
        found = claims.holder(f"ipc://@ztopo-test-{os.getpid()}")
    assert found is not None
    assert found.pid == os.getpid()


def test_what_nobody_holds_has_no_holder(tmp_path: Path) -> None:
    assert claims.holder(f"ipc://{tmp_path}/nothing") is None
    assert claims.holder("inproc://nothing") is None


def test_a_socket_whose_queue_is_full_is_taken(tmp_path: Path) -> None:
    path = str(tmp_path / "busy")
    with socket.socket(socket.AF_UNIX) as held, socket.socket(socket.AF_UNIX) as waiting:
        held.bind(path)
        held.listen(0)
        waiting.connect(path)
        with pytest.raises(OSError, match="Address already in use"), claims.claimed(f"ipc://{path}"):
            pass


def test_two_claims_on_one_folder_come_one_after_the_other(tmp_path: Path) -> None:
    order: list[str] = []
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with claims.claimed(f"ipc://{tmp_path}/a"):
            inside.set()
            leave.wait(30)
            order.append("first")

    def second() -> None:
        with claims.claimed(f"ipc://{tmp_path}/b"):
            order.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert inside.wait(30)
    threads[1].start()
    leave.set()
    for thread in threads:
        thread.join(30)
    assert order == ["first", "second"]


def test_a_folder_that_somebody_keeps_locked_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "PATIENCE", 0.01)
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with claims.claimed(f"ipc://{tmp_path}/a"):
            pass
    finally:
        os.close(handle)


def test_only_the_file_that_was_bound_is_removed(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/a"
    with socket.socket(socket.AF_UNIX) as first:
        first.bind(str(tmp_path / "a"))
        known = claims.identity(endpoint)
        assert known is not None
        (tmp_path / "a").rename(tmp_path / "moved")
        with socket.socket(socket.AF_UNIX) as second:
            second.bind(str(tmp_path / "a"))
            claims.remove(endpoint, known, wild=False)
            assert (tmp_path / "a").exists()
            other = claims.identity(endpoint)
            assert other is not None
            claims.remove(endpoint, other, wild=False)
            assert not (tmp_path / "a").exists()


def test_with_a_wild_address_goes_the_folder_that_was_made_for_it(tmp_path: Path) -> None:
    made = tmp_path / "tmpabcdef"
    made.mkdir()
    endpoint = f"ipc://{made}/socket"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(made / "socket"))
    known = claims.identity(endpoint)
    assert known is not None
    claims.remove(endpoint, known, wild=True)
    assert not made.exists()
    claims.remove(endpoint, known, wild=True)  # libzmq was faster


# The runtime folder


def runtime(folder: Path) -> dict[str, str]:
    return {"XDG_RUNTIME_DIR": str(folder)}


def test_the_folder_is_its_users_alone_and_goes_away(tmp_path: Path) -> None:
    with claim("t", "t.ztopo", environment=runtime(tmp_path)) as home:
        folder = home.folder
        assert folder == tmp_path / "ztopo" / "t"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()


def test_a_second_claim_is_refused_and_says_by_whom(tmp_path: Path) -> None:
    with (
        claim("t", "t.ztopo", environment=runtime(tmp_path)),
        pytest.raises(Refused, match=f"`t` runs already, in process {os.getpid()}"),
        claim("t", "other.ztopo", environment=runtime(tmp_path)),
    ):
        pass


def test_two_topologies_have_two_folders(tmp_path: Path) -> None:
    with claim("a", "", environment=runtime(tmp_path)) as a, claim("b", "", environment=runtime(tmp_path)) as b:
        assert a.folder != b.folder


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "ztopo").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="cannot be used"), claim("t", "", environment=runtime(tmp_path)):
        pass


def test_paths_stay_short_whatever_the_name(tmp_path: Path) -> None:
    names = ["t", "a" * 300, "a" * 299 + "b", "ä" * 100, "../up", "a/b", ".", ""]
    folders = [folder_of(name, runtime(Path("/run/user/1000000"))) for name in names]
    assert len(set(folders)) == len(names)
    assert all(len(os.fsencode(f)) < 60 and f.parent.name in ("ztopo", "ztopo-0", f"ztopo-{os.getuid()}") for f in folders)


def test_the_first_folder_that_is_there_is_used(tmp_path: Path) -> None:
    environment = {"XDG_RUNTIME_DIR": str(tmp_path / "nothing"), "RUNTIME_DIRECTORY": f"{tmp_path}:/other"}
    assert folder_of("t", environment) == tmp_path / "ztopo" / "t"


def test_a_lock_ends_with_the_process_that_had_it(tmp_path: Path) -> None:
    program = "import sys; from topo.run.folder import claim\nwith claim('t', ''): print('mine', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, **runtime(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"mine\n"
        with pytest.raises(Refused, match=f"in process {holder.pid}"), claim("t", "", environment=runtime(tmp_path)):
            pass
        holder.kill()
        holder.wait()
        with claim("t", "", environment=runtime(tmp_path)):
            pass
    finally:
        holder.kill()
        holder.communicate()


# Output


def test_lines_come_whole_however_they_are_read() -> None:
    parts = iter([b"on", b"e\ntw", b"o\n\nlast", b""])
    assert list(lines_of(lambda: next(parts))) == [("one", False), ("two", False), ("", False), ("last", False)]


def test_a_line_that_is_too_long_is_cut_between_characters() -> None:
    parts = iter(["é".encode() * 5000 + b"\n", b"x", b""])
    pieces = list(lines_of(lambda: next(parts)))
    assert [len(text) for text, _ in pieces] == [4096, 904, 1]
    assert [goes_on for _, goes_on in pieces] == [False, True, False]
