"""Where devices live when a topology runs: in processes that they share, in modules, in the programs of apps, on one socket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.run.conftest import Up, World
from tests.run.test_up import CLIENT, WORKER

Ends = Callable[[Up, int], None]


def io_threads(process: int) -> int:
    """How many I/O threads the ZeroMQ contexts of a process have."""
    names = [(task / "comm").read_text() for task in Path(f"/proc/{process}/task").iterdir()]
    return sum(name.startswith("ZMQbg/IO/") for name in names)


def test_devices_of_a_process_share_it_and_its_context(world: World, ends_well: Ends) -> None:
    world.write("client.py", CLIENT)
    world.write("worker.py", WORKER)
    world.topology(
        """
process gateway[2] {
    context { io_threads ${index + 2}; max_sockets 20 }
    device calls: queue { in bind tcp://127.0.0.1:*; out bind inproc://calls }
    device back: queue { in connect inproc://calls; out bind ipc://back${index} }
}
app client: REQ connect calls[1].in { run "python client.py" }
app worker: REP connect back[1].out { run "python worker.py" }
device alone: streamer { in bind ipc://alone.in; out bind ipc://alone.out }
"""
    )
    up = world.up("t.ztopo")
    names = ["calls[0]", "back[0]", "calls[1]", "back[1]"]
    alone = up.pid_of("alone")
    processes = {name: up.pid_of(name) for name in names}
    assert sorted(Counter(processes.values()).values()) == [2, 2]
    assert processes["calls[1]"] == processes["back[1]"] != alone
    up.wait_for(r"^client +\| answer 2$")  # through both devices, over inproc
    assert io_threads(processes["calls[0]"]) == 2
    assert io_threads(processes["calls[1]"]) == 3
    assert io_threads(alone) == 1
    up.interrupt()
    ends_well(up, 0)


def test_a_topology_of_modules_runs(world: World, ends_well: Ends) -> None:
    pools = world.folder / "pools"
    pools.mkdir()
    (pools / "worker.py").write_text(WORKER.replace("import os, zmq", "import os, zmq\nprint('in', os.getcwd())"))
    (pools / "pool.ztopo").write_text(
        """ztopo 1
param from: socket
device jobs: queue { in connect ${from}; out bind ipc://jobs-${name} }
param name: text
app worker: REP connect jobs.out { run "python worker.py" }
"""
    )
    world.write("client.py", CLIENT)
    world.topology(
        """
device front: queue { in bind tcp://127.0.0.1:*; out bind tcp://127.0.0.1:* }
use "pools/pool.ztopo" as pool[2] { from front.out; name "number${index}" }
app client: REQ connect front.in { run "python client.py" }
"""
    )
    up = world.up("t.ztopo")
    up.wait_for(r"^pool\[1\]\.jobs +ready +process \d+, pools/pool\.ztopo:3$")
    up.wait_for(rf"^ +out +ipc://{pools}/jobs-number1$")
    up.wait_for_all(rf"^pool\[0\]\.worker +\| in {pools}$", rf"^pool\[1\]\.worker +\| in {pools}$", r"^client +\| answer 6$")
    up.interrupt()
    ends_well(up, 0)


PEER = """
import os, sys, zmq
socket = zmq.Context.instance().socket(zmq.DEALER)
socket.routing_id = sys.argv[1].encode()
socket.connect(os.environ["ZTOPO_" + sys.argv[1].upper()])
"""

ASKER = """
answer = None
while answer is None:  # whom nobody has heard of yet cannot be reached
    socket.send_multipart([b"teller", b"where are you"])
    answer = socket.recv_multipart() if socket.poll(100) else None
print("got", answer)
"""

TELLER = """
while True:
    who, what = socket.recv_multipart()
    socket.send_multipart([who, b"here"])
"""


def test_peers_reach_each_other_by_name_through_one_socket(world: World, ends_well: Ends) -> None:
    world.write("asker.py", PEER + ASKER)
    world.write("teller.py", PEER + TELLER)
    world.topology(
        """
device switch: queue swap {
    in      ROUTER bind tcp://127.0.0.1:*
    out     same
    monitor PUB bind ipc://seen
}
app asker: DEALER connect switch.in { routing_id "asker"; run "python asker.py asker" }
app teller: DEALER connect switch.in { routing_id "teller"; run "python teller.py teller" }
"""
    )
    up = world.up("t.ztopo")
    up.wait_for(r"^switch +ready")
    up.wait_for(r"^asker +\| got \[b'teller', b'here'\]$")
    up.interrupt()
    ends_well(up, 0)


SERVER = """
import os, threading, zmq
context = zmq.Context.instance()
frontend, backend = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
frontend.bind(os.environ["ZTOPO_CLIENTS_IN"])
backend.bind(os.environ["ZTOPO_CLIENTS_OUT"])
threading.Thread(target=zmq.proxy, args=(frontend, backend), daemon=True).start()
worker = context.socket(zmq.REP)
worker.connect(os.environ["ZTOPO_ANSWERS"])
print("process", os.getpid())
while True:
    worker.send_string(str(int(worker.recv_string()) * 2))
"""


def test_a_device_in_an_app_is_the_business_of_its_program(world: World, ends_well: Ends) -> None:
    world.write("client.py", CLIENT)
    world.write("server.py", SERVER)
    world.topology(
        """
app server {
    run "python server.py"
    device clients: queue { in bind ipc://clients; out bind inproc://work }
    socket answers: REP connect .clients.out
}
app client: REQ connect server.clients.in { run "python client.py" }
"""
    )
    up = world.up("t.ztopo")
    up.wait_for(r"^t is ready: 2 apps; ")  # and no device
    up.wait_for(r"^client +\| answer 2$")
    up.interrupt()
    ends_well(up, 0)
    assert "clients" not in up.text
