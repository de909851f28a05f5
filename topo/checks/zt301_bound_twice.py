"""Endpoints that are bound twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from topo.check import check
from topo.diagnostic import Diagnostic, Edit, Fix, Label
from topo.graph import Graph, ipv6_on
from topo.model import Device, Endpoint, Socket
from topo.source import Span
from topo.zeromq.transports import TRANSPORTS, canonical_port, claims

Bound = tuple[Socket, Endpoint]


@check("ZT301", "one endpoint bound twice")
def bound_twice(graph: Graph) -> Iterator[Diagnostic]:
    """An endpoint has one owner. A second bind to it is refused with "Address already in use".

    `*` stands for all addresses of the host, so `tcp://*:5555` and `tcp://127.0.0.1:5555` are in each other's way. The second
    bind of an ipc path is worse: libzmq takes the path away from the first without a word.

    ```ztopo ZT301
    app jobs: PUSH bind tcp://*:5555
    app news: PUB  bind tcp://127.0.0.1:5555
    ```

    ```ztopo
    app jobs: PUSH bind tcp://*:5555
    app news: PUB  bind tcp://127.0.0.1:5556
    ```

    Replicas share what is written of them, so each needs a number of its own:

    ```ztopo ZT301
    app feed[3]: PUB bind tcp://*:6000
    ```

    ```ztopo
    app feed[3]: PUB bind tcp://*:${6000 + index}
    ```
    """
    taken: dict[str, Bound] = {}
    for socket, endpoint in _exclusive(graph):
        takes, minds = claims(endpoint.address, ipv6_on(socket))
        clash: Bound | None = None
        for key in graph.places(socket, minds):
            clash = clash or taken.get(key)
        if clash is not None:
            yield _clash(graph, clash, (socket, endpoint))
        elif graph.any_number(socket) and endpoint.address.transport != "inproc" and "${" not in endpoint.span.text:
            yield _replicas(socket, endpoint, "each that is started")
        for key in graph.places(socket, takes):
            taken.setdefault(key, (socket, endpoint))


def _exclusive(graph: Graph) -> Iterator[Bound]:
    """What is bound in places that only one can have, not those that the system chooses, nor multicast groups.

    What has a port or a name that nothing else has is in nobody's way.
    """
    alike: dict[tuple[str, str], list[Bound]] = defaultdict(list)
    for transport, endpoints in graph.over.items():
        for written in endpoints if TRANSPORTS[transport].types is None else ():
            address = written.endpoint.address
            if written.use == "bind" and not address.wild_port:
                alike[transport, canonical_port(address.port) or address.address].append((written.socket, written.endpoint))
    for bound in alike.values():
        if len(bound) > 1 or graph.any_number(bound[0][0]):
            yield from bound


def _clash(graph: Graph, first: Bound, second: Bound) -> Diagnostic:
    (owner, taken), (socket, endpoint) = first, second
    if taken.span == endpoint.span:
        same_file = _declared(graph, owner) == _declared(graph, socket)
        return _replicas(socket, endpoint, "each replica") if same_file else _uses(owner, socket, endpoint)
    same = taken.text == endpoint.text
    why = "bound here again" if same else f"taken already, as part of `{taken.text}`"
    if endpoint.address.wild_host and not same:
        why = f"this is also `{taken.text}`"
    return Diagnostic(
        code="ZT301",
        message=f"`{endpoint.text}` is bound by `{owner.declared}` and by `{socket.declared}`",
        labels=(Label(endpoint.span, why), Label(taken.span, f"`{owner.declared}` binds it here")),
        notes=(_what_happens(endpoint),),
    )


def _declared(graph: Graph, socket: Socket) -> str:
    """What the replicas of a socket's device or app have in common: what it is called in its file, as that is used once."""
    component = graph.component(socket)
    if isinstance(component, Device) and component.placement == "app":
        component = graph.components[component.home]
    return component.replica.base if component.replica else component.name


def _uses(first: Socket, second: Socket, endpoint: Endpoint) -> Diagnostic:
    return Diagnostic(
        code="ZT301",
        message=f"`{endpoint.text}` is bound by `{first.id}` and by `{second.id}`",
        labels=(Label(endpoint.span, "each use of this file binds it"),),
        notes=(_what_happens(endpoint), "a param with a value of its own for each `use` tells them apart"),
    )


def _replicas(socket: Socket, endpoint: Endpoint, each: str) -> Diagnostic:
    return Diagnostic(
        code="ZT301",
        message=f"every replica of `{socket.declared}` binds `{endpoint.text}`",
        labels=(Label(endpoint.span, f"{each} binds this"),),
        notes=(_what_happens(endpoint), "`${index}` is the number of the replica; a port `*` lets the system choose"),
        fix=_number(endpoint),
    )


def _what_happens(endpoint: Endpoint) -> str:
    if endpoint.address.transport == "ipc" and not endpoint.address.address.startswith("@"):
        return "the second takes the path away from the first, without a word"
    return "the second bind fails: address already in use"


def _number(endpoint: Endpoint) -> Fix | None:
    span, port = endpoint.span, endpoint.address.port
    if "${" in span.text:
        return None
    if endpoint.address.ported:
        at = span.narrow(port)
        return Fix("number the ports", (Edit(at, f"${{{port} + index}}"),)) if at.text == port else None
    end = span.end - 1 if span.text.endswith('"') else span.end
    return Fix("number them", (Edit(Span(span.source, end, end), ".${index}"),))
