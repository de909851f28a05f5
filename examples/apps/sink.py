"""Print the results."""

import os

import zmq

socket = zmq.Context.instance().socket(zmq.PULL)
socket.connect(os.environ["ZTOPO_SINK"])
while True:
    number, square = socket.recv_string().split()
    print(f"{number} squared is {square}")
