"""Options that there are not."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label, did_you_mean
from topo.graph import Graph
from topo.model import Option
from topo.zeromq.options import ALIASES, OPTIONS, PSEUDO, known


@check("ZT501", "an option that there is not", allowable=False)
def unknown_option(graph: Graph) -> Iterator[Diagnostic]:
    """Options have libzmq's names, in lower case. Two words of ours stand beside them: `hwm` for both directions, and a
    monitor's `prefix`.

    ```ztopo ZT501
    app jobs: PUSH bind tcp://*:5555 { lingr 0 }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555 { linger 0; hwm 5000 }
    ```
    """
    for _, option in graph.settings:
        if known(option.name) is None:
            yield _unknown(option)


def _unknown(option: Option) -> Diagnostic:
    lower = option.name.lower().removeprefix("zmq_")
    right = ALIASES.get(lower, lower)
    sure = known(right) is not None
    notes: tuple[str, ...]
    if sure:
        notes = (f"it is called `{right}` now" if lower in ALIASES else f"it is written `{right}`",)
    else:
        notes = did_you_mean(lower, (*OPTIONS, *PSEUDO))
        right = notes[0].split("`")[1] if notes else ""
    return Diagnostic(
        code="ZT501",
        message=f"there is no option `{option.name}`",
        labels=(Label(option.span),),
        notes=notes or ("options are named as in zmq_setsockopt(3), in lower case",),
        fix=Fix(f"write `{right}`", (Edit(option.span, right),), safe=sure) if right else None,
    )
