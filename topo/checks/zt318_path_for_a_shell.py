"""ipc paths that only a shell would understand."""

from __future__ import annotations

import re
from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph

SHELL = re.compile(r"(?<=/)~[^/]*(?=/)|\$\w+|\$\{\w+\}")


@check("ZT318", "an ipc path that no shell expands", "warning")
def path_for_a_shell(graph: Graph) -> Iterator[Diagnostic]:
    """There is no shell that would put a folder in the place of `~` or `$HOME`: they are names like any other.

    A bind then fails, because there is no folder of that name, or makes a file that nobody looks for there.

    ```ztopo ZT318
    app jobs: PUSH bind ipc://~/jobs
    ```

    What the environment says comes in by a param:

    ```ztopo
    param home = env("HOME", "/tmp")
    app jobs: PUSH bind ipc://${home}/jobs
    ```
    """
    for written in graph.over.get("ipc", ()):
        path, span = written.endpoint.address.address, written.endpoint.span
        found = SHELL.search(path) if ("~" in path or "$" in path) and not path.startswith("@") else None
        if found is not None:
            yield Diagnostic(
                code="ZT318",
                message=f"`{found[0]}` in an ipc path is a name, and nothing stands for it",
                severity="warning",
                labels=(Label(span.narrow(found[0]), "no shell reads this"),),
                notes=('`param home = env("HOME")` and `ipc://${home}/...` say what a shell would',),
            )
