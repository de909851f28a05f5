"""A command that no shell could split into words."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import lru_cache

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph


@check("ZT113", "a command that cannot be split into words", allowable=False)
def command_not_split(graph: Graph) -> Iterator[Diagnostic]:
    r"""A command is split into words as a shell does it, and run without a shell.

    A quote that is never closed, or a command without any word, cannot be run.

    ```ztopo ZT113
    app jobs: PUSH bind tcp://127.0.0.1:5555 { run "python 'jobs.py" }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://127.0.0.1:5555 { run "python 'all jobs.py'" }
    ```

    What a shell would do beyond that, as with `|`, `&&`, `$HOME` or `*`, is not done: name the shell for it, as in
    `run "sh -c 'python jobs.py | tee log'"`.
    """
    for app in graph.model.apps:
        why = "" if app.run is None else _wrong(app.run)
        if why and app.run_span is not None:
            yield Diagnostic(
                code="ZT113",
                message=f"the command of `{app.name}` cannot be split into words",
                labels=(Label(app.run_span, why),),
                notes=("a command is split as a shell would, and run without one",),
            )


@lru_cache(maxsize=1024)  # replicas have the same
def _wrong(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError as error:
        return str(error).lower()
    return "" if words and words[0] else "there is no command in it"
