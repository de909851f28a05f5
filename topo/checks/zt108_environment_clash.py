"""Two sockets of an app that share an environment variable."""

from __future__ import annotations

from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Label
from topo.graph import Graph
from topo.model import Socket


@check("ZT108", "two sockets of an app share an environment variable")
def environment_clash(graph: Graph) -> Iterator[Diagnostic]:
    """An app that ztopo starts finds the endpoints of its sockets in its environment.

    The variable is `ZTOPO_` and the name of the socket in capitals, with `_` in place of `-`; that of a side of a device in
    the app has the device's name in front. Two names that are the same after that would share one variable, and the app could
    not tell the two apart.

    ```ztopo ZT108
    app sink {
        run "python sink.py"
        socket all-jobs: PULL bind tcp://127.0.0.1:5555
        socket all_jobs: PULL bind tcp://127.0.0.1:5556
    }
    ```

    ```ztopo
    app sink {
        run "python sink.py"
        socket all-jobs: PULL bind tcp://127.0.0.1:5555
        socket old-jobs: PULL bind tcp://127.0.0.1:5556
    }
    ```
    """
    for app in graph.model.apps:
        if not app.started:
            continue
        first: dict[str, Socket] = {}
        for variable, socket in graph.variables(app):
            other = first.setdefault(variable, socket)
            if other is not socket:
                yield Diagnostic(
                    code="ZT108",
                    message=f"`{other.declared}` and `{socket.declared}` share the environment variable {variable}",
                    labels=(Label(socket.span, f"{variable} too"), Label(other.span, f"{variable} here")),
                    notes=("give one of them another name",),
                )
