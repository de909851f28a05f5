"""A topology inside one program: a queue as a thread, its clients and workers reached over inproc."""

import threading

import zmq

import topo

topology = topo.Topology("embedded")

broker = topology.queue("broker", zmq.ROUTER, zmq.DEALER, zmq.PUB)
broker.bind_in("inproc://requests")
broker.bind_out("inproc://work")
broker.bind_mon("inproc://copies")

topology.app("client", zmq.REQ, inside=True).connect("broker.in")
topology.app("worker", zmq.REP, inside=True).connect("broker.out")
topology.app("watcher", zmq.SUB, inside=True).connect("broker.monitor").setsockopt("subscribe", "")


def answer(socket: zmq.Socket[bytes]) -> None:
    """Square numbers until the empty message comes."""
    while question := socket.recv():
        socket.send(b"%d" % int(question) ** 2)
    socket.send(b"")
    socket.close()


with topology.up() as running:
    worker = threading.Thread(target=answer, args=(running.socket("worker"),))
    worker.start()
    client, watcher = running.socket("client"), running.socket("watcher")
    for number in range(1, 4):
        client.send(b"%d" % number)
        print(number, "squared is", int(client.recv()))
    client.send(b"")
    client.recv()
    worker.join()
    seen = set()
    while seen != {"in", "out"}:  # the first copies may have come before the watcher was known to listen
        side, *parts = watcher.recv_multipart()
        seen.add(side.decode())
        print("monitor:", side.decode(), parts[-1].decode())
