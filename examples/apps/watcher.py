"""Print what a monitor copies: the side a message came from, and its last part."""

import os

import zmq

socket = zmq.Context.instance().socket(zmq.SUB)
socket.connect(os.environ["ZTOPO_WATCHER"])
socket.subscribe("in")
socket.subscribe("out")
while True:
    side, *parts = socket.recv_multipart()
    print(f"{side.decode()}: {parts[-1].decode()}")
