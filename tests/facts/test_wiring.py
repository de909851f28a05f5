"""Contexts and what they refuse."""

from __future__ import annotations

import errno
from contextlib import ExitStack

import zmq

from tests.facts.sockets import Socket, refusal


def test_a_context_refuses_more_sockets_than_it_may_have() -> None:
    """ZT402."""
    with ExitStack() as stack:
        context = stack.enter_context(zmq.Context())
        context.max_sockets = 3
        opened: list[Socket] = []

        def open_one() -> None:
            opened.append(stack.enter_context(context.socket(zmq.PUSH)))

        assert [refusal(open_one) for _ in range(5)] == [0, 0, 0, errno.EMFILE, errno.EMFILE]


def test_without_io_threads_only_inproc_works() -> None:
    """ZT403."""
    with zmq.Context(io_threads=0) as context, context.socket(zmq.PUSH) as socket:
        for endpoint in ("tcp://127.0.0.1:*", "ipc://*"):
            assert refusal(lambda endpoint=endpoint: socket.bind(endpoint)) == zmq.EMTHREAD
        assert refusal(lambda: socket.connect("tcp://127.0.0.1:9")) == zmq.EMTHREAD
        assert refusal(lambda: socket.bind("inproc://within")) == 0


def test_an_affinity_to_threads_that_are_not_there_is_refused() -> None:
    """ZT525."""
    with zmq.Context(io_threads=2) as context:
        for affinity, refused in ((1, 0), (2, 0), (4, zmq.EMTHREAD), (6, 0), (12, zmq.EMTHREAD)):
            with context.socket(zmq.PUSH) as socket:
                socket.affinity = affinity
                assert refusal(lambda: socket.bind("tcp://127.0.0.1:*")) == refused, affinity
                assert refusal(lambda: socket.connect("tcp://127.0.0.1:9")) == refused
                if affinity == 12:
                    assert refusal(lambda: socket.bind("inproc://within")) == 0
                socket.close(0)
