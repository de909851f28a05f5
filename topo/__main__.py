"""The way into the `ztopo` command, for its script and for `python -m topo`."""

from __future__ import annotations

from typing import NoReturn

from topo.signals import hold_back

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command. Signals wait until its verb can hear them."""
    hold_back()
    from topo.cli import main as run

    run()


if __name__ == "__main__":
    main()
