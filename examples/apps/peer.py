"""Greet another peer by its name twice a second, and print what it says."""

import os
import sys
import time

import zmq

me, other = sys.argv[1:]
socket = zmq.Context.instance().socket(zmq.DEALER)
socket.routing_id = me.encode()
socket.connect(os.environ[f"ZTOPO_{me.upper()}"])
number = 0
while True:
    number += 1
    socket.send_multipart([other.encode(), f"greeting {number}".encode()])
    while socket.poll(0):
        sender, text = socket.recv_multipart()
        print(f"{sender.decode()} says: {text.decode()}")
    time.sleep(0.5)
