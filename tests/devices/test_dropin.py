"""Whoever uses zmq.devices changes the import: the same names, signatures and behaviour."""

from __future__ import annotations

import inspect
import struct
import threading
from collections.abc import Callable
from typing import Any

import pytest
import zmq
import zmq.devices

from tests.devices import work
from tests.devices.conftest import LOCAL, Socket
from tests.processes import PATIENCE
from topo import devices

Make = Callable[..., Socket]
Started = Callable[[Any], Any]

CLASSES = sorted(name for name in zmq.devices.__all__ if name != "monitored_queue")
BACKGROUND = ("Thread", "Process")


def of(where: str, kind: str) -> Any:
    return getattr(devices, where + kind)


def parameters(call: Any) -> list[tuple[str, Any]]:
    return [(p.name, p.default) for p in inspect.signature(call).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]


# The face


def test_there_is_everything_that_zmq_devices_has() -> None:
    assert set(zmq.devices.__all__) <= set(devices.__all__)


@pytest.mark.parametrize("name", CLASSES)
def test_constructors_and_methods_are_called_the_same_way(name: str) -> None:
    theirs, ours = getattr(zmq.devices, name), getattr(devices, name)
    assert parameters(ours) == parameters(theirs)
    for attribute in dir(theirs):
        if attribute.startswith("__") or not inspect.isfunction(getattr(theirs, attribute)):
            continue
        expected = parameters(getattr(theirs, attribute))
        given = parameters(getattr(ours, attribute))
        if "random" in attribute:  # *args and **kwargs there: those of Socket.bind_to_random_port
            expected += parameters(zmq.Socket.bind_to_random_port)[2:]
        assert given[: len(expected)] == expected, attribute
        assert all(default is not inspect.Parameter.empty for _, default in given[len(expected) :]), attribute


@pytest.mark.parametrize("name", CLASSES)
def test_the_classes_are_related_as_there(name: str) -> None:
    theirs, ours = getattr(zmq.devices, name), getattr(devices, name)
    for other in CLASSES:
        assert issubclass(ours, getattr(devices, other)) == issubclass(theirs, getattr(zmq.devices, other))


def test_the_function_is_called_the_same_way() -> None:
    # the compiled function has a signature of its own; these are its parameters, as documented
    expected = ["in_socket", "out_socket", "mon_socket", "in_prefix", "out_prefix"]
    assert [name for name, _ in parameters(devices.monitored_queue)] == expected
    assert parameters(devices.proxy) == parameters(zmq.proxy)
    assert [name for name, _ in parameters(devices.proxy_steerable)] == ["frontend", "backend", "capture", "control"]


def test_attributes_are_those_that_were_given() -> None:
    for device_type in (zmq.STREAMER, zmq.FORWARDER, zmq.QUEUE):
        device = devices.Device(device_type, zmq.SUB, zmq.PUB)
        assert (device.device_type, device.in_type, device.out_type) == (device_type, zmq.SUB, zmq.PUB)
        assert (device.daemon, device.done) == (True, False)
    steerable = devices.ProxySteerable(zmq.PULL, zmq.PUSH, zmq.PUSH, zmq.PAIR)
    assert (steerable.mon_type, steerable.ctrl_type) == (zmq.PUSH, zmq.PAIR)


def test_types_must_be_given() -> None:
    with pytest.raises(TypeError, match="in_type"):
        devices.Device(zmq.QUEUE)
    with pytest.raises(TypeError, match="out_type"):
        devices.Device(zmq.QUEUE, zmq.PULL)


def test_context_factories_are_those_of_threads_and_processes() -> None:
    assert devices.Device.context_factory == zmq.Context.instance
    assert devices.ThreadProxy.context_factory == zmq.Context.instance
    assert devices.ProcessMonitoredQueue.context_factory is zmq.Context


def test_only_sockets_and_prefixes_are_taken(socket: Make) -> None:
    ins, outs, mons = socket(zmq.ROUTER), socket(zmq.DEALER), socket(zmq.PUB)
    with pytest.raises(TypeError, match="a socket is needed"):
        devices.monitored_queue("in", outs, mons)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a prefix is"):
        devices.monitored_queue(ins, outs, mons, in_prefix=1)  # type: ignore[arg-type]


# Messages


@pytest.mark.parametrize("where", BACKGROUND)
def test_one_socket_on_both_sides(where: str, socket: Make, started: Started) -> None:
    for connect in ("connect_in", "connect_out"):
        req = socket(zmq.REQ)
        port = req.bind_to_random_port("tcp://127.0.0.1")
        device = of(where, "Device")(zmq.QUEUE, zmq.REP, -1)
        getattr(device, connect)(f"tcp://127.0.0.1:{port}")
        started(device)
        req.send(b"hello")
        assert req.recv() == b"hello"
        device.stop()


@pytest.mark.parametrize("where", BACKGROUND)
def test_a_proxy_with_a_pushing_monitor(where: str, socket: Make, started: Started) -> None:
    device = of(where, "Proxy")(zmq.PULL, zmq.PUSH, zmq.PUSH)
    ports = [getattr(device, f"bind_{side}_to_random_port")("tcp://127.0.0.1") for side in ("in", "out", "mon")]
    started(device)
    push, pull, mon = (
        socket(type, f"tcp://127.0.0.1:{port}") for type, port in zip((zmq.PUSH, zmq.PULL, zmq.PULL), ports, strict=True)
    )
    push.send_multipart([b"hello", b"there"])
    assert pull.recv_multipart() == [b"hello", b"there"]
    assert mon.recv_multipart() == [b"hello", b"there"]


@pytest.mark.parametrize("where", BACKGROUND)
@pytest.mark.parametrize("prefixes", [(), (b"foo", b"bar"), ("foo", "bar")])
def test_a_monitored_queue(where: str, prefixes: tuple[Any, ...], socket: Make, started: Started) -> None:
    alice, bob, mon = socket(zmq.PAIR), socket(zmq.PAIR), socket(zmq.SUB, subscribe=b"")
    device = of(where, "MonitoredQueue")(zmq.PAIR, zmq.PAIR, zmq.PUB, *prefixes)
    for side, peer in (("in", alice), ("out", bob), ("mon", mon)):
        getattr(device, f"connect_{side}")(f"tcp://127.0.0.1:{peer.bind_to_random_port('tcp://127.0.0.1')}")
    started(device)
    first, second = (p if isinstance(p, bytes) else p.encode() for p in prefixes or (b"in", b"out"))
    heard = _hear(alice, bob, mon, first)
    bob.send_multipart([b"hello", b"alice"])
    assert alice.recv_multipart() == [b"hello", b"alice"]
    assert mon.recv_multipart() == [second, b"hello", b"alice"]
    assert heard


def _hear(sender: Socket, receiver: Socket, mon: Socket, prefix: bytes) -> bool:
    """Send until the monitor has subscribed, which nobody else can tell; what it hears then is whole, prefixed and in order."""
    for number in range(1000):
        sender.send_multipart([b"number", b"%d" % number])
        assert receiver.recv_multipart() == [b"number", b"%d" % number]
        if mon.poll(20):
            heard = [mon.recv_multipart()]  # one of the last: it may have taken its time
            first = int(heard[0][-1])
            heard += [mon.recv_multipart() for _ in range(first, number)]
            return heard == [[prefix, b"number", b"%d" % n] for n in range(first, number + 1)]
    return False


@pytest.mark.parametrize("where", BACKGROUND)
def test_routers_on_both_sides(where: str, socket: Make, started: Started) -> None:
    device = of(where, "MonitoredQueue")(zmq.ROUTER, zmq.ROUTER, zmq.PUB, b"in", b"out")
    ports = device.bind_in_to_random_port("tcp://127.0.0.1"), device.bind_out_to_random_port("tcp://127.0.0.1")
    started(device)
    a, b = (socket(zmq.DEALER, f"tcp://127.0.0.1:{port}", identity=name) for port, name in zip(ports, (b"a", b"b"), strict=True))
    b.send_multipart([b"nobody", b"knock"])  # b is known when something of it has come back
    while device.statistics().frontend.unroutable == 0:
        b.send_multipart([b"nobody", b"knock"])
    a.send_multipart([b"b", b"hello", b"there"])
    assert b.recv_multipart() == [b"a", b"hello", b"there"]
    b.send_multipart([b"a", b"hello", b"back"])
    assert a.recv_multipart() == [b"b", b"hello", b"back"]


def commands_of(control: Socket, *, replies: bool) -> Callable[[bytes], list[bytes]]:
    def command(word: bytes) -> list[bytes]:
        control.send(word)
        return control.recv_multipart() if replies or word == b"STATISTICS" else []

    return command


@pytest.mark.parametrize("where", BACKGROUND)
@pytest.mark.parametrize(("ctrl_type", "peer"), [(zmq.PAIR, zmq.PAIR), (zmq.REP, zmq.REQ)])
def test_a_steerable_proxy(where: str, ctrl_type: int, peer: int, socket: Make, started: Started) -> None:
    device = of(where, "ProxySteerable")(zmq.PULL, zmq.PUSH, zmq.PUSH, ctrl_type)
    for side in ("in", "out", "mon", "ctrl"):
        getattr(device, f"bind_{side}")(LOCAL)
    started(device)
    push, pull, mon = socket(zmq.PUSH, *device.bound_in), socket(zmq.PULL, *device.bound_out), socket(zmq.PULL, *device.bound_mon)
    command = commands_of(socket(peer, *device.bound_ctrl), replies=peer == zmq.REQ)
    push.send(b"hello")
    assert (pull.recv(), mon.recv()) == (b"hello", b"hello")
    command(b"PAUSE")
    before = [struct.unpack("=Q", part)[0] for part in command(b"STATISTICS")]
    assert before == [1, 5, 0, 0, 0, 0, 1, 5]
    push.send(b"wait")
    assert not pull.poll(50)
    command(b"RESUME")
    assert pull.recv() == b"wait"
    command(b"TERMINATE")
    device.join(PATIENCE)
    assert device.done


def test_a_steerable_proxy_without_control_is_a_proxy(socket: Make, started: Started) -> None:
    device = devices.ThreadProxySteerable(zmq.PULL, zmq.PUSH)
    device.bind_in(LOCAL)
    device.bind_out(LOCAL)
    started(device)
    push, pull = socket(zmq.PUSH, *device.bound_in), socket(zmq.PULL, *device.bound_out)
    push.send(b"hello")
    assert pull.recv() == b"hello"
    assert device.bound_ctrl == ()


def test_the_functions_take_sockets_and_end_with_their_context(socket: Make, context: zmq.Context[Socket]) -> None:
    ended: list[type[BaseException]] = []

    def run(call: Callable[..., int], *sockets: Socket | None) -> None:
        try:
            call(*sockets)
        except zmq.ContextTerminated as error:
            ended.append(type(error))
        for one in sockets:
            if one is not None:
                one.close(0)

    inner: zmq.Context[Socket] = zmq.Context()
    threads = []
    for call, monitored in ((devices.proxy, False), (devices.proxy_steerable, False), (devices.monitored_queue, True)):
        ins, outs, mons = inner.socket(zmq.PULL), inner.socket(zmq.PUSH), inner.socket(zmq.PUB) if monitored else None
        ins.bind(LOCAL)
        outs.bind(LOCAL)
        addresses = [one.last_endpoint.decode() for one in (ins, outs)]  # type: ignore[union-attr]
        thread = threading.Thread(target=run, args=(call, ins, outs, mons))
        thread.start()
        threads.append(thread)
        push, pull = socket(zmq.PUSH, addresses[0]), socket(zmq.PULL, addresses[1])
        push.send(b"hello")
        assert pull.recv() == b"hello"
    inner.term()
    for thread in threads:
        thread.join(PATIENCE)
    assert ended == [zmq.ContextTerminated] * 3


def test_a_plain_device_runs_in_the_thread_that_starts_it(socket: Make) -> None:
    device = devices.Device(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    port_in = device.bind_in_to_random_port("tcp://127.0.0.1")
    port_out = device.bind_out_to_random_port("tcp://127.0.0.1")
    thread = threading.Thread(target=device.start)
    thread.start()
    push, pull = socket(zmq.PUSH, f"tcp://127.0.0.1:{port_in}"), socket(zmq.PULL, f"tcp://127.0.0.1:{port_out}")
    push.send(b"hello")
    assert pull.recv() == b"hello"
    device.join(0.01)
    assert not device.done
    device.stop()
    device.join()
    thread.join(PATIENCE)
    assert device.done
    assert device.statistics().backend.sent.messages == 1


# What programs rely on


def test_threads_share_the_context_and_so_inproc(socket: Make, started: Started) -> None:
    shared: zmq.Context[Socket] = zmq.Context.instance()
    device = devices.ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.bind_in("inproc://topo-devices-in")
    device.bind_out("inproc://topo-devices-out")
    started(device)
    assert device._context is shared
    with shared.socket(zmq.PUSH) as push, shared.socket(zmq.PULL) as pull:
        push.connect("inproc://topo-devices-in")
        pull.connect("inproc://topo-devices-out")
        pull.rcvtimeo = int(PATIENCE * 1000)
        push.send(b"hello")
        assert pull.recv() == b"hello"


def test_the_end_of_its_context_is_a_threads_end() -> None:
    own: zmq.Context[Socket] = zmq.Context()
    device = devices.ThreadMonitoredQueue(zmq.ROUTER, zmq.DEALER)
    device.context_factory = lambda: own
    device.start()
    device._context.term()
    device.join(timeout=PATIENCE)
    assert device.done
    assert not device.launcher.is_alive()


def test_a_context_factory_may_be_set_on_the_class(monkeypatch: pytest.MonkeyPatch, started: Started) -> None:
    monkeypatch.setattr(devices.Device, "context_factory", zmq.Context)
    device = started(devices.ThreadProxy(zmq.PULL, zmq.PUSH))
    assert device._context is not zmq.Context.instance()
    device._context.term()


def test_a_context_factory_may_be_set_on_the_class_of_processes(monkeypatch: pytest.MonkeyPatch, started: Started) -> None:
    monkeypatch.setattr(devices.ProcessDevice, "context_factory", staticmethod(work.failing_context))
    with pytest.raises(LookupError, match="no context today"):
        devices.ProcessProxy(zmq.PULL, zmq.PUSH).start()


def test_a_thread_that_is_not_a_daemon_can_be_joined() -> None:
    device = devices.ThreadDevice(zmq.QUEUE, zmq.PULL, zmq.PUSH)
    device.daemon = False
    device.start()
    assert device.launcher.daemon is False
    device.stop()


def test_a_process_has_the_face_of_multiprocessing(started: Started) -> None:
    device = started(devices.ProcessDevice(zmq.QUEUE, zmq.ROUTER, zmq.DEALER))
    launcher = device.launcher
    assert (launcher.is_alive(), launcher.exitcode, launcher.daemon) == (True, None, True)
    assert launcher.name.startswith("ProcessDevice-")
    assert isinstance(launcher.pid, int)
    launcher.terminate()
    device.join(PATIENCE)
    assert (launcher.is_alive(), launcher.exitcode, device.done) == (False, -15, True)


@pytest.mark.parametrize("where", BACKGROUND)
def test_a_subclass_may_make_its_sockets_itself(where: str, socket: Make, started: Started, tmp_path: Any) -> None:
    pull = socket(zmq.PULL)
    device = getattr(work, f"{where}Greeting")(zmq.PULL, zmq.PUSH)
    device.connect_out(f"tcp://127.0.0.1:{pull.bind_to_random_port('tcp://127.0.0.1')}")
    device.more = f"ipc://{tmp_path}/more"
    started(device)
    assert pull.recv() == b"made"
    socket(zmq.PUSH, device.more).send(b"through the other address")
    assert pull.recv() == b"through the other address"


@pytest.mark.parametrize("where", BACKGROUND)
def test_a_subclass_may_have_a_loop_of_its_own(where: str, socket: Make) -> None:
    device = getattr(work, f"{where}Echo")(zmq.QUEUE, zmq.ROUTER, -1)
    port = device.bind_in_to_random_port("tcp://127.0.0.1")
    device.start()
    dealer = socket(zmq.DEALER, f"tcp://127.0.0.1:{port}")
    dealer.send(b"hello")
    assert [dealer.recv(), dealer.recv()] == [b"hello", b"hello"]
    assert not device.done
    dealer.send(b"end")
    device.join(PATIENCE)
    assert device.done


def test_a_subclass_may_call_the_function_itself(socket: Make, started: Started) -> None:
    device = work.ThreadCalling(zmq.PULL, zmq.PUSH)
    port = device.bind_in_to_random_port("tcp://127.0.0.1")
    device.bind_out(LOCAL)
    device.bind_mon(LOCAL)
    device.start(wait=True)
    push, pull = socket(zmq.PUSH, f"tcp://127.0.0.1:{port}"), socket(zmq.PULL, *device.bound_out)
    assert _hear(push, pull, socket(zmq.SUB, *device.bound_mon, subscribe=b"from"), b"from the left")
    device.stop()
    assert device.statistics().backend.sent.messages > 0


def test_run_may_be_the_target_of_a_thread_of_ones_own(socket: Make) -> None:
    device = devices.ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    port = device.bind_in_to_random_port("tcp://127.0.0.1")
    device.bind_out("inproc://topo-devices-own")
    thread = threading.Thread(target=device.run)
    thread.start()
    shared: zmq.Context[Socket] = zmq.Context.instance()
    with shared.socket(zmq.PULL) as pull:
        pull.connect("inproc://topo-devices-own")
        pull.rcvtimeo = int(PATIENCE * 1000)
        socket(zmq.PUSH, f"tcp://127.0.0.1:{port}").send(b"hello")
        assert pull.recv() == b"hello"
    device._wish("terminate")
    thread.join(PATIENCE)
    assert device.done
