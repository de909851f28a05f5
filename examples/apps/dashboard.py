"""Print the prices of the names given, of all if none is."""

import os
import sys

import zmq

socket = zmq.Context.instance().socket(zmq.SUB)
socket.connect(os.environ.get("ZTOPO_DASHBOARD") or os.environ["ZTOPO_ARCHIVE"])
for name in sys.argv[1:] or [""]:
    socket.subscribe(name)
while True:
    print(socket.recv_string())
