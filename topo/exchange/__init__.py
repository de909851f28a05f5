"""What other programs write and read: one file per form and way, found by looking into this folder.

- `import_zdcf.py` has `read`, which takes a `Source` and returns a text in ztopo, or None where it cannot be one, and what there
  is to say: what is wrong with the other form, and what of it ztopo has nothing for.
- `export_zdcf.py` has `write`, which takes a `Graph`, one of its `FORMATS` and the params that were set from outside, and returns the
  other form, or None where the topology cannot be one, and what of the topology that has nothing for.

So nothing is lost in silence. A file whose name begins with `_` is a part of those that import it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["forms", "module"]


def forms(way: str) -> list[str]:
    """What there is to `import`, or to `export`."""
    start = f"{way}_"
    return sorted(path.stem.removeprefix(start) for path in Path(__file__).parent.glob(f"{start}*.py"))


def module(way: str, form: str) -> Any:
    """The module of one of them; what it has, the head of this one says."""
    return import_module(f"topo.exchange.{way}_{form}")
