"""Square the numbers that arrive."""

import os

import zmq

context = zmq.Context.instance()
task = context.socket(zmq.PULL)
task.connect(os.environ["ZTOPO_TASK"])
result = context.socket(zmq.PUSH)
result.connect(os.environ["ZTOPO_RESULT"])
while True:
    number = int(task.recv_string())
    result.send_string(f"{number} {number * number}")
