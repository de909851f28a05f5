"""Commands that are not there, or cannot be run."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.host import Host, command_of

WHY = {
    errno.ENOENT: "is not there",
    errno.ENOTDIR: "is not there",
    errno.EISDIR: "is a folder",
    errno.EACCES: "may not be executed",
}


@check("ZT610", "a command that cannot be run")
def no_such_command(graph: Graph, host: Host) -> Iterator[Diagnostic]:
    """The first word of a command is a program: a path, from the folder of the file on, or a name that is looked up in PATH.

    In PATH the folder of the Python that runs ztopo comes first, so `python` is that one.

    Where there is no program `jobs.sh`:

    ```ztopo ZT610
    app jobs: PUSH bind tcp://*:5556 { run "./jobs.sh --all" }
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5556 { run "python jobs.py --all" }
    ```
    """
    for app in graph.model.apps if host.missing else ():
        command = command_of(app)
        if command is None or command not in host.missing or app.run_span is None:
            continue
        why = WHY.get(host.missing[command], "cannot be run")
        yield Diagnostic(
            code="ZT610",
            message=f"`{app.name}` cannot be started: `{command.word}` {why}",
            labels=(Label(app.run_span.narrow(command.word), why if "/" in command.word else "in no folder of PATH"),),
            notes=(f"commands run in {command.folder}",) if "/" in command.word[1:] and command.word[0] != "/" else (),
        )
