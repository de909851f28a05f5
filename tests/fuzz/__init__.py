"""Inputs that nobody thought of, and what must hold for each of them.

- `targets.py`: what is done with an input, and what must come of it;
- `mutate.py`: how new inputs are made of old ones;
- `guided.py`: atheris, which keeps what reaches new code;
- `__main__.py`: the command, `make fuzz`;
- `corpus/`: inputs that reach different code, and all that were wrong once. The tests replay them.
"""
