"""`topo.aio.socket`: apps with an event loop whose messages are counted, with real processes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.run import test_joined
from tests.run.conftest import Up, World
from tests.run.test_joined import PIPELINE, last

Ends = Callable[[Up, int], None]

SOURCE = """
import asyncio, contextlib, itertools, signal, topo, zmq
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends where it sends, and has then said of each message that it was sent

async def beat():
    for number in itertools.count():
        print("beat", number, flush=True)
        await asyncio.sleep(0.01)

async def main():
    beating = asyncio.create_task(beat())
    with topo.aio.socket() as socket, contextlib.suppress(zmq.ContextTerminated):
        for number in itertools.count():
            await socket.send_multipart([b"%d" % number, b"half of it"])
            print("sent", number)
            await asyncio.sleep(0.001)

asyncio.run(main())
"""

SINK = """
import asyncio, topo

async def main():
    with topo.aio.socket("sink") as socket:
        while True:
            number, _ = await socket.recv_multipart()
            print("got", number.decode())

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("source", "sink"), [(SOURCE, SINK), (SOURCE, test_joined.SINK), (test_joined.SOURCE, SINK)], ids=["both", "source", "sink"]
)
def test_nothing_is_lost_when_a_device_starts_again_and_when_all_stops(
    world: World, ends_well: Ends, source: str, sink: str
) -> None:
    world.write("source.py", source)
    world.write("sink.py", sink)
    world.topology(PIPELINE.format(placement="process"))
    up = world.up("t.ztopo", "--timeout", "30")
    up.wait_for(r"^sink +\| got 50$")
    again = world.run("restart", "relay")
    assert again.returncode == 0, again.stderr
    seen = last(up, "sink", "got")
    up.wait_for(rf"^sink +\| got {seen + 50}$")
    up.interrupt()
    ends_well(up, 0)
    assert last(up, "sink", "got") == last(up, "source", "sent")
    assert re.findall(r"^sink +\| got (\d+)$", up.text, re.M) == [str(n) for n in range(last(up, "sink", "got") + 1)]
