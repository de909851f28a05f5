"""Answer each number with its square."""

import os

import zmq

socket = zmq.Context.instance().socket(zmq.REP)
socket.connect(os.environ["ZTOPO_WORKER"])
while True:
    number = int(socket.recv_string())
    socket.send_string(f"{number * number}")
