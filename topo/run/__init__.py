"""Running a plan: a supervisor, the processes and threads that it starts, and what they say.

How it works is told at the head of `machine.py`. `start` (in `running.py`) is the way in from Python, `topo/cli/up.py` the one
from the command line.
"""
