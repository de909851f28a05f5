"""Ask a question twice a second and print the answer."""

import os
import time

import zmq

socket = zmq.Context.instance().socket(zmq.REQ)
socket.connect(os.environ["ZTOPO_CLIENT"])
number = 0
while True:
    number += 1
    socket.send_string(f"{number}")
    print(f"{number} squared is {socket.recv_string()}")
    time.sleep(0.5)
