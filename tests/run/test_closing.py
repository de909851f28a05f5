"""What is bound is given up, and libzmq's own threads go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import zmq

from tests.processes import PATIENCE
from topo.devcore.closing import Closing
from topo.run.sockets import Bindings, _listening

ADDRESSES = (
    "tcp://127.0.0.1:*",
    "ipc://{folder}/there",
    "ipc://./here",
    "ipc://@ztopo-closing-{id}",
    "inproc://inside",
    "ipc://*",
)


def test_all_that_a_socket_listens_at_is_read_before_nobody_reads_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with zmq.Context() as context:
        socket, bindings = context.socket(zmq.PULL), Bindings()
        for index, address in enumerate(ADDRESSES):
            bindings.bind_to(socket, "x", index, address.format(folder=tmp_path, id=id(context)))
        listening = _listening(bindings._bound, socket)
        assert len(listening) == 5
        socket.unbind("inproc://inside")
        closing = Closing(context, socket, listening)
        socket.close()
        closing.wait()
        assert closing._left.total() == 0
        goes_on(context, tmp_path)


def test_files_alone_are_not_waited_for(tmp_path: Path) -> None:
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        bindings = Bindings()
        bindings.bind_to(socket, "x", 0, f"ipc://{tmp_path}/there")
        assert _listening(bindings._bound, socket) == []


def goes_on(context: zmq.Context[Any], folder: Path) -> None:
    """A message goes through the context."""
    with context.socket(zmq.PULL) as receiving, context.socket(zmq.PUSH) as sending:
        receiving.rcvtimeo = int(PATIENCE * 1000)
        receiving.bind(f"ipc://{folder}/again")
        sending.connect(f"ipc://{folder}/again")
        sending.send(b"x")
        assert receiving.recv() == b"x"
