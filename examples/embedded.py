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
    for _ in range(2):
        side, *parts = watcher.recv_multipart()
        print("monitor:", side.decode(), [part.decode(errors="replace") for part in parts[-1:]])
