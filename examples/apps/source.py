"""Push numbers to be squared."""

import os
import time

import zmq

socket = zmq.Context.instance().socket(zmq.PUSH)
socket.connect(os.environ["ZTOPO_SOURCE"])
number = 0
while True:
    number += 1
    socket.send_string(f"{number}")
    time.sleep(0.2)
