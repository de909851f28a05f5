"""Publish prices that wander; the argument makes two feeds differ."""

import os
import random
import sys
import time

import zmq

chance = random.Random(int(sys.argv[1]))
prices = {name: chance.uniform(50, 500) for name in ("AAPL", "GOOG", "MSFT")}
socket = zmq.Context.instance().socket(zmq.PUB)
socket.connect(os.environ["ZTOPO_FEED"])
while True:
    name = chance.choice(sorted(prices))
    prices[name] *= 1 + chance.uniform(-0.01, 0.01)
    socket.send_string(f"{name} {prices[name]:.2f}")
    time.sleep(0.2)
