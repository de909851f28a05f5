"""What zmq.devices is known to do badly: one test for each, named after it."""

from __future__ import annotations

import gc
import os
import pickle
import select
import signal
import socket as sockets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import zmq

from tests.devices import work
from tests.devices.conftest import LOCAL, Socket
from tests.processes import PATIENCE, Lines
from topo import devices
from topo.devcore.starter import default_starter

Make = Callable[..., Socket]
Started = Callable[[Any], Any]

BACKGROUND = ("Thread", "Process")


def of(where: str, kind: str) -> Any:
    return getattr(devices, where + kind)


def streamer(where: str, **bound: str) -> Any:
    """A queue from PULL to PUSH, both bound."""
    device = of(where, "MonitoredQueue")(zmq.PULL, zmq.PUSH)
    device.bind_in(bound.get("ins", LOCAL))
    device.bind_out(bound.get("outs", LOCAL))
    return device


def taken_port() -> tuple[sockets.socket, str]:
    holder = sockets.create_server(("127.0.0.1", 0))
    return holder, f"tcp://127.0.0.1:{holder.getsockname()[1]}"


# Bind, option and type errors are invisible to the caller


@pytest.mark.parametrize("where", BACKGROUND)
def test_a_bind_that_fails_is_raised_by_start(where: str, capfd: pytest.CaptureFixture[str]) -> None:
    holder, address = taken_port()
    with holder:
        device = streamer(where, outs=address)
        with pytest.raises(devices.DeviceError) as caught:
            device.start()
    assert (caught.value.errno, caught.value.side, caught.value.call) == (zmq.EADDRINUSE, "out", f"bind_out({address!r})")
    assert str(caught.value) == f"bind_out({address!r}): Address already in use"
    assert device.done
    assert not device.launcher.is_alive()
    device.join()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("where", BACKGROUND)
def test_a_monitor_that_cannot_be_bound_is_raised_by_start(where: str) -> None:
    device = streamer(where)
    device.bind_mon("tcp://127.0.0.1:no-port")
    with pytest.raises(zmq.ZMQError, match="bind_mon"):
        device.start()


@pytest.mark.parametrize("where", BACKGROUND)
def test_an_option_that_is_refused_is_raised_by_start(where: str) -> None:
    device = streamer(where)
    device.setsockopt_in(zmq.RCVHWM, -1)
    with pytest.raises(devices.DeviceError, match=r"setsockopt_in\(RCVHWM\): Invalid argument"):
        device.start()


@pytest.mark.parametrize("linger", ["1", None])
def test_a_linger_of_the_wrong_type_is_told_once(linger: object, capfd: pytest.CaptureFixture[str]) -> None:
    device = streamer("Process")
    device.setsockopt_in(zmq.LINGER, linger)
    with pytest.raises(TypeError):
        device.start()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("where", BACKGROUND)
def test_an_option_of_the_wrong_type_is_raised_by_start(where: str) -> None:
    device = streamer(where)
    device.setsockopt_out(zmq.SNDHWM, "many")
    with pytest.raises(TypeError) as caught:
        device.start()
    assert "in setsockopt_out(SNDHWM) of a device" in caught.value.__notes__


@pytest.mark.parametrize("where", BACKGROUND)
def test_a_socket_type_that_does_not_exist_is_raised_by_start(where: str) -> None:
    with pytest.raises(devices.DeviceError, match="in_type 99: Invalid argument"):
        of(where, "Device")(zmq.QUEUE, 99, zmq.PUSH).start()


@pytest.mark.parametrize("where", BACKGROUND)
def test_without_waiting_an_error_is_raised_by_join_and_told_as_usual(
    where: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    device = of(where, "Device")(zmq.QUEUE, 99, zmq.PUSH)
    device.start(wait=False)
    with pytest.raises(devices.DeviceError, match="in_type 99"):
        device.join(PATIENCE)
    assert isinstance(device.error, devices.DeviceError)
    assert device.done
    device.join()
    assert [arguments.exc_type for arguments in told] == ([devices.DeviceError] if where == "Thread" else [])
    assert ("DeviceError: in_type 99" in capfd.readouterr().err) == (where == "Process")


@pytest.mark.parametrize("where", BACKGROUND)
def test_a_monitor_that_cannot_send_is_raised_by_start(where: str) -> None:
    device = of(where, "Proxy")(zmq.PULL, zmq.PUSH, zmq.SUB)
    device.connect_mon("tcp://127.0.0.1:1")
    with pytest.raises(devices.DeviceError, match=r"mon socket \(tcp://127.0.0.1:1\): "):
        device.start()


@pytest.mark.parametrize("where", BACKGROUND)
def test_an_error_in_a_subclass_is_raised_by_start_if_it_is_to_wait(where: str) -> None:
    device = getattr(work, f"{where}Failing")(zmq.QUEUE, 99, zmq.PUSH)
    with pytest.raises(devices.DeviceError, match="in_type 99"):
        device.start(wait=True)


@pytest.mark.parametrize("where", BACKGROUND)
def test_an_error_that_ends_it_later_is_raised_by_join(
    where: str, socket: Make, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    device = getattr(work, f"{where}Failing")(zmq.QUEUE, zmq.PULL, zmq.PUSH)
    port = device.bind_in_to_random_port("tcp://127.0.0.1")
    device.start()
    socket(zmq.PUSH, f"tcp://127.0.0.1:{port}").send(b"fail")
    with pytest.raises(LookupError, match="as it was meant to"):
        device.join(PATIENCE)
    assert device.done
    assert [arguments.exc_type for arguments in told] == ([LookupError] if where == "Thread" else [])
    assert ("LookupError: as it was meant to" in capfd.readouterr().err) == (where == "Process")


def test_a_start_that_takes_too_long_is_given_up() -> None:
    go_on = threading.Event()
    device = streamer("Thread")

    def late() -> zmq.Context[Socket]:
        go_on.wait(PATIENCE)
        return zmq.Context.instance()

    device.context_factory = late
    with pytest.raises(TimeoutError, match=r"is not ready after 0\.01 s"):
        device.start(wait=0.01)
    go_on.set()
    device.stop()


def test_a_process_that_cannot_begin_is_raised_by_start(capfd: pytest.CaptureFixture[str]) -> None:
    device = devices.ProcessProxy(zmq.PULL, zmq.PUSH)
    device.note = work.Unlucky()  # type: ignore[attr-defined]  # as a subclass might
    with pytest.raises(ChildProcessError, match="ended with status 1 before it was ready"):
        device.start()
    assert "it does not like to be unpickled" in capfd.readouterr().err


# done stays False in the parent for ever


def test_done_is_true_when_a_process_has_ended(started: Started) -> None:
    device = started(streamer("Process"))
    assert not device.done
    os.kill(device.launcher.pid, signal.SIGKILL)
    with pytest.raises(ChildProcessError, match="was ended by a signal: Killed"):
        device.join(PATIENCE)
    assert device.done


def test_a_process_that_ends_without_a_word_is_an_error(socket: Make) -> None:
    device = work.ProcessLeaving(zmq.QUEUE, zmq.PULL, zmq.PUSH)
    port = device.bind_in_to_random_port("tcp://127.0.0.1")
    device.start()
    socket(zmq.PUSH, f"tcp://127.0.0.1:{port}").send(b"go")
    with pytest.raises(ChildProcessError, match="ended with status 3; its standard error"):
        device.join(PATIENCE)
    assert device.launcher.exitcode == 3


# No way to learn the port of tcp://*:*


@pytest.mark.parametrize("where", BACKGROUND)
def test_the_real_addresses_are_told(where: str, started: Started, tmp_path: Path) -> None:
    device = of(where, "ProxySteerable")(zmq.PULL, zmq.PUSH, zmq.PUB, zmq.REP)
    device.bind_in("tcp://*:*")
    device.bind_in(f"ipc://{tmp_path}/in")
    device.bind_out(b"tcp://127.0.0.1:*")
    device.bind_mon("tcp://127.0.0.1:*")
    device.bind_ctrl("tcp://127.0.0.1:*")
    assert device.bound_in == ()
    started(device)
    anywhere, path = device.bound_in
    assert (anywhere.rpartition(":")[0], path) == ("tcp://0.0.0.0", f"ipc://{tmp_path}/in")
    for (address,) in (device.bound_out, device.bound_mon, device.bound_ctrl):
        assert int(address.removeprefix("tcp://127.0.0.1:")) > 0


# bind_X_to_random_port: a race


@pytest.mark.parametrize("where", BACKGROUND)
def test_a_random_port_is_held_from_the_moment_it_is_known(where: str, socket: Make, started: Started) -> None:
    device = of(where, "Device")(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    port = device.bind_in_to_random_port("tcp://127.0.0.1")
    device.bind_out(LOCAL)
    with pytest.raises(zmq.ZMQError, match="in use"):
        socket(zmq.PULL).bind(f"tcp://127.0.0.1:{port}")
    push = socket(zmq.PUSH, f"tcp://127.0.0.1:{port}")
    push.send(b"sent before the device was started")
    started(device)
    assert device.bound_in == (f"tcp://127.0.0.1:{port}",)
    assert socket(zmq.PULL, *device.bound_out).recv() == b"sent before the device was started"


@pytest.mark.parametrize("where", BACKGROUND)
def test_a_restart_keeps_the_port_and_the_peers(where: str, socket: Make, started: Started) -> None:
    device = of(where, "Device")(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    push = socket(zmq.PUSH, f"tcp://127.0.0.1:{device.bind_in_to_random_port('tcp://127.0.0.1')}", immediate=1, reconnect_ivl=1)
    pull = socket(zmq.PULL, f"tcp://127.0.0.1:{device.bind_out_to_random_port('tcp://127.0.0.1')}", reconnect_ivl=1)
    started(device)
    push.send(b"first")
    assert pull.recv() == b"first"
    with push.get_monitor_socket(zmq.EVENT_CONNECT_RETRIED) as watch:
        device.stop()
        assert watch.poll(int(PATIENCE * 1000)), "the peer has not noticed"  # what it sends before is lost
        push.disable_monitor()
    started(device)
    assert push.poll(int(PATIENCE * 1000), zmq.POLLOUT)
    push.send(b"second")
    assert pull.recv() == b"second"


@contextmanager
def busy(context: zmq.Context[Socket]) -> Iterator[None]:
    """Hold up the thread of a context that does its work: it waits to tell a monitor of attempts to connect, and nobody listens."""
    there, here = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    here.connect(f"tcp://127.0.0.1:{there.bind_to_random_port('tcp://127.0.0.1')}")
    loud = context.socket(zmq.PAIR)
    loud.reconnect_ivl = 1
    watch = loud.get_monitor_socket()
    with sockets.socket() as held:  # bound, but nobody accepts
        held.bind(("127.0.0.1", 0))
        loud.connect(f"tcp://127.0.0.1:{held.getsockname()[1]}")
        here.send(b"")
        while there.poll(200):
            there.recv()
            here.send(b"")
        try:
            yield
        finally:
            draining = threading.Event()

            def drain() -> None:
                while not draining.is_set():
                    if watch.poll(10):
                        watch.recv_multipart()

            thread = threading.Thread(target=drain)
            thread.start()
            assert there.poll(int(PATIENCE * 1000))
            loud.disconnect(loud.last_endpoint)
            draining.set()
            thread.join()
            for one in (watch, loud, here, there):
                one.close(linger=0)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does not tell")
def test_a_stop_waits_until_nobody_listens_at_a_port_that_is_kept(context: zmq.Context[Socket]) -> None:
    """Else the former listener could take the connections that are meant for the next start, and drop them."""
    device = devices.ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.context_factory = lambda: context
    device.bind_in_to_random_port("tcp://127.0.0.1")
    (listener,) = device._reserved.values()
    listening = os.fstat(listener.handle).st_ino
    left: list[int] = []

    def stop() -> None:
        device.stop()
        left.append(descriptors_of(listening))

    device.start()
    with busy(context):
        stopping = threading.Thread(target=stop)
        stopping.start()
        while not all(one.closed for one in device._sockets):
            pass
        stopping.join(0.1)  # it would be over
    stopping.join(PATIENCE)
    assert left == [1]


def descriptors_of(inode: int) -> int:
    """How many descriptors of this process are one file."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # closed by now
            found += os.stat(f"/proc/self/fd/{name}").st_ino == inode
    return found


def test_random_ports_stay_in_their_range_and_differ() -> None:
    device = devices.ThreadProxySteerable(zmq.PULL, zmq.PUSH, zmq.PUSH, zmq.PAIR)
    ports = [
        getattr(device, f"bind_{side}_to_random_port")("tcp://127.0.0.1", min_port=25000, max_port=25050)
        for side in ("in", "out", "mon", "ctrl")
    ]
    assert len(set(ports)) == 4
    assert all(25000 <= port < 25050 for port in ports)


def test_a_range_without_a_free_port_is_an_error() -> None:
    device = devices.ThreadDevice(zmq.QUEUE, zmq.PULL, zmq.PUSH)
    with pytest.raises(zmq.ZMQBindError):  # noqa: PT012  # some of the ports may be taken by others
        for _ in range(11):
            device.bind_in_to_random_port("tcp://127.0.0.1", 25100, 25110)


def test_an_address_that_is_not_ours_is_an_error() -> None:
    device = devices.ThreadDevice(zmq.QUEUE, zmq.PULL, zmq.PUSH)
    with pytest.raises(zmq.ZMQError, match="assign"):
        device.bind_in_to_random_port("tcp://192.0.2.1")
    with pytest.raises(zmq.ZMQError):
        device.bind_in_to_random_port("tcp://no-such-interface")


def test_a_random_port_at_an_address_in_bytes() -> None:
    device = devices.ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    port = device.bind_in_to_random_port(b"tcp://127.0.0.1")
    device.start()
    assert device.bound_in == (f"tcp://127.0.0.1:{port}",)
    device.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="the interface is called otherwise")
def test_a_random_port_at_an_interface_and_in_a_path(socket: Make, started: Started, tmp_path: Path) -> None:
    device = devices.ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    port = device.bind_in_to_random_port("tcp://lo")
    path = f"ipc://{tmp_path}/out"
    number = device.bind_out_to_random_port(path, 25200, 25250)
    started(device)
    socket(zmq.PUSH, f"tcp://127.0.0.1:{port}").send(b"hello")
    assert socket(zmq.PULL, f"{path}:{number}").recv() == b"hello"


@pytest.mark.skipif(not zmq.has("ipc") or not sockets.has_ipv6, reason="no IPv6")
def test_a_random_port_over_both_ips(socket: Make, started: Started) -> None:
    device = devices.ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.setsockopt_in(zmq.IPV6, 1)
    port = device.bind_in_to_random_port("tcp://*")
    device.bind_out(LOCAL)
    started(device)
    pull = socket(zmq.PULL, *device.bound_out)
    for address in ("[::1]", "127.0.0.1"):
        socket(zmq.PUSH, f"tcp://{address}:{port}", ipv6=True).send(address.encode())
        assert pull.recv() == address.encode()


def test_the_backlog_of_a_reserved_port_is_the_sockets(started: Started) -> None:
    device = devices.ThreadDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.setsockopt_in(zmq.BACKLOG, 7)
    port = device.bind_in_to_random_port("tcp://127.0.0.1")
    started(device)
    listening = subprocess.run(["ss", "-ltnH", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
    assert listening.split()[2] == "7"


# No stop


@pytest.mark.parametrize("where", BACKGROUND)
@pytest.mark.parametrize("kind", ["Device", "Proxy", "ProxySteerable", "MonitoredQueue"])
def test_a_device_can_be_stopped(where: str, kind: str, socket: Make) -> None:
    device = of(where, kind)(in_type=zmq.PULL, out_type=zmq.PUSH)
    device.bind_in(LOCAL)
    device.bind_out(LOCAL)
    device.stop()
    device.start()
    push, pull = socket(zmq.PUSH, *device.bound_in), socket(zmq.PULL, *device.bound_out)
    push.send(b"hello")
    assert pull.recv() == b"hello"
    device.stop()
    assert device.done
    assert not device.launcher.is_alive()
    assert device.statistics().backend.sent.messages == 1
    device.stop()


def test_a_device_that_runs_here_can_be_stopped_by_a_signal() -> None:
    device = devices.Device(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    before = signal.signal(signal.SIGALRM, lambda *_: device.stop())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)  # again and again: one may come before it runs
        device.start()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert device.done


def test_a_loop_of_ones_own_is_not_stopped_in_a_thread_but_ended_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    own: zmq.Context[Socket] = zmq.Context()
    thread = work.ThreadDeaf(zmq.QUEUE, zmq.PULL, zmq.PUSH)
    thread.context_factory = lambda: own
    thread.start()
    with pytest.raises(TimeoutError, match="end its context"):
        thread.stop(0.05)
    own.term()
    thread.join(PATIENCE)
    assert thread.done
    process = work.ProcessDeaf(zmq.QUEUE, zmq.PULL, zmq.PUSH)
    process.start()
    process.stop(0.05)
    assert process.launcher.exitcode == -signal.SIGTERM


@pytest.mark.parametrize("where", BACKGROUND)
def test_a_device_can_be_paused_and_drained(where: str, socket: Make) -> None:
    device = streamer(where)
    device.pause()
    device.start()
    push, pull = socket(zmq.PUSH, *device.bound_in), socket(zmq.PULL, *device.bound_out)
    for number in range(10):
        push.send(b"%d" % number)
    assert not pull.poll(50)
    device.resume()
    assert pull.recv() == b"0"
    device.drain(received=(10, 0))
    device.join(PATIENCE)
    assert [pull.recv() for _ in range(9)] == [b"%d" % number for number in range(1, 10)]
    assert device.done
    assert device.statistics().backend.sent.messages == 10


def test_statistics_are_zero_before_the_start() -> None:
    assert streamer("Thread").statistics() == streamer("Process").statistics() == devices.NOTHING_YET


def test_draining_needs_an_end() -> None:
    with pytest.raises(ValueError, match="say which"):
        streamer("Thread").drain()


def test_statistics_outlast_a_process_that_was_killed(socket: Make, started: Started) -> None:
    device = started(streamer("Process"))
    assert device.statistics().state in ("stopped", "running")
    push, pull = socket(zmq.PUSH, *device.bound_in), socket(zmq.PULL, *device.bound_out)
    push.send_multipart([b"one", b"two"])
    pull.recv_multipart()
    while device.statistics().backend.sent.messages == 0:
        time.sleep(0)  # it counts at the end of a turn, and nobody tells when that is
    device.launcher.kill()
    device.join(PATIENCE)
    sent = device.statistics().backend.sent
    assert (sent.messages, sent.parts, sent.bytes) == (1, 2, 6)


# Terminating hangs with one undelivered message at default LINGER -1


@pytest.mark.parametrize("where", BACKGROUND)
def test_ending_does_not_hang_with_an_undelivered_message(where: str, socket: Make) -> None:
    own: zmq.Context[Socket] = zmq.Context()
    device = of(where, "MonitoredQueue")(zmq.PULL, zmq.PUSH)
    if where == "Thread":
        device.context_factory = lambda: own
    device.bind_in(LOCAL)
    device.connect_out("tcp://127.0.0.1:1")  # nobody listens there
    device.start()
    socket(zmq.PUSH, *device.bound_in).send(b"nobody will ever take this")
    device.drain(received=(1, 0))
    device.join(PATIENCE)
    assert device.done
    ending = threading.Thread(target=own.term)
    ending.start()
    ending.join(PATIENCE)
    assert not ending.is_alive()


def test_a_fork_of_the_application_does_not_steer_its_devices(socket: Make) -> None:
    device = streamer("Process")
    device.start(wait=False)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            for steer in (device.stop, device.pause, device.resume, lambda: device.drain(quiet=0)):
                with pytest.raises(RuntimeError, match="another process"):
                    steer()
            assert device.bound_in == ()  # the news are the application's
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert device._has_come_to(("ready", "ended"), PATIENCE)
    socket(zmq.PUSH, device.bound_in[0]).send(b"still here")
    assert socket(zmq.PULL, device.bound_out[0]).recv() == b"still here"
    device.stop()


def test_linger_is_what_it_was_set_to(started: Started) -> None:
    default: zmq.Context[Socket] = zmq.Context()
    default.sockopts[zmq.LINGER] = 77
    device = devices.ThreadDevice(zmq.QUEUE, zmq.PULL, zmq.PUSH)
    device.setsockopt_in(zmq.LINGER, 55)
    device.context_factory = lambda: default
    started(device)
    assert [one.linger for one in device._sockets] == [55, 77]
    device.stop()
    default.term()


def test_linger_is_set_before_a_socket_binds(started: Started) -> None:
    """Set later, it does not bound the end of a context whose peers go: see test_documentation."""
    lingers: list[int] = []

    class Noted(zmq.Socket[bytes]):
        def bind(self, addr: str) -> Any:
            lingers.append(self.linger)
            return super().bind(addr)

    class Noting(zmq.Context[Noted]):
        _socket_class = Noted

    device = devices.ThreadMonitoredQueue(zmq.PULL, zmq.PUSH)
    device.context_factory = Noting
    device.setsockopt_in(zmq.LINGER, 55)
    for bind in (device.bind_in, device.bind_out, device.bind_mon):
        bind(LOCAL)
    started(device)
    assert lingers == [55, devices.LINGER, devices.LINGER]
    device.stop()
    device._context.term()


# join() before start()


@pytest.mark.parametrize("where", BACKGROUND)
def test_a_join_before_the_start_says_so(where: str) -> None:
    with pytest.raises(RuntimeError, match="has not been started"):
        streamer(where).join()


@pytest.mark.parametrize("where", BACKGROUND)
def test_a_second_start_says_so(where: str, started: Started) -> None:
    device = started(streamer(where))
    with pytest.raises(RuntimeError, match="runs already"):
        device.start()


# Message without body through ROUTER-ROUTER corrupts the next one


def routers(where: str, socket: Make, started: Started) -> tuple[Any, Socket, Socket]:
    """A queue between ROUTERs, and a peer on each side that it knows."""
    device = of(where, "MonitoredQueue")(zmq.ROUTER, zmq.ROUTER)
    device.bind_in(LOCAL)
    device.bind_out(LOCAL)
    started(device)
    a, b = socket(zmq.DEALER, *device.bound_in, identity=b"a"), socket(zmq.DEALER, *device.bound_out, identity=b"b")
    b.send_multipart([b"nobody"])
    while device.statistics().frontend.unroutable == 0:
        b.send_multipart([b"nobody"])
    return device, a, b


@pytest.mark.parametrize("where", BACKGROUND)
def test_a_message_without_body_between_routers_stays_one(where: str, socket: Make, started: Started) -> None:
    _, a, b = routers(where, socket, started)
    a.send_multipart([b"b"])
    a.send_multipart([b"b", b"second"])
    assert b.recv_multipart() == [b"a"]
    assert b.recv_multipart() == [b"a", b"second"]


# REQ client cannot use ROUTER-ROUTER


def test_what_a_req_sends_between_routers_is_counted_as_unroutable(socket: Make, started: Started) -> None:
    device, _, _ = routers("Thread", socket, started)
    socket(zmq.REQ, *device.bound_in).send_multipart([b"b", b"job"])
    device.drain(received=(1, 0))
    device.join(PATIENCE)
    assert device.statistics().backend.unroutable == 1


# A blocking monitor blocks everything


@pytest.mark.parametrize("where", BACKGROUND)
@pytest.mark.parametrize("mon_type", [zmq.PUSH, zmq.DEALER, zmq.PAIR])
def test_a_monitor_without_peer_holds_nothing_up(where: str, mon_type: int, socket: Make, started: Started) -> None:
    device = of(where, "MonitoredQueue")(zmq.PULL, zmq.PUSH, mon_type)
    device.setsockopt_mon(zmq.SNDHWM, 3)
    for side in ("in", "out", "mon"):
        getattr(device, f"bind_{side}")(LOCAL)
    started(device)
    push, pull = socket(zmq.PUSH, *device.bound_in), socket(zmq.PULL, *device.bound_out)
    for number in range(10):
        push.send(b"%d" % number)
        assert pull.recv() == b"%d" % number
    device.drain(received=(10, 0))
    device.join(PATIENCE)
    capture = device.statistics().capture
    assert (capture.passed, capture.waiting + capture.dropped) == (0, 10)


# One full direction blocks the other


def test_a_direction_that_is_full_does_not_hold_up_the_other(socket: Make, started: Started) -> None:
    device = devices.ThreadMonitoredQueue(zmq.DEALER, zmq.DEALER)
    device.bind_in(LOCAL)
    device.bind_out("inproc://topo-devices-full")  # nobody comes: full from the beginning
    started(device)
    left = socket(zmq.DEALER, *device.bound_in)
    left.send(b"nowhere to go")
    shared: zmq.Context[Socket] = zmq.Context.instance()
    with shared.socket(zmq.DEALER) as right:
        right.rcvhwm = 1
        right.connect("inproc://topo-devices-full")
        while not (now := device.statistics()).backend.sent.messages or now.waiting != ("backend",):  # until no more is taken
            if left.poll(0, zmq.POLLOUT):
                left.send(b"x" * 1000)
        right.send(b"back")
        assert left.recv() == b"back"


# EINTR in mid-message loses a frame

INTERRUPTED = """
import signal, sys
from topo.devices import MonitoredQueue
import zmq

device = MonitoredQueue(zmq.PULL, zmq.PUSH)
print(device.bind_in_to_random_port("tcp://127.0.0.1"), device.bind_out_to_random_port("tcp://127.0.0.1"), flush=True)
ticks = [0]
def tick(*_):
    ticks[0] += 1
signal.signal(signal.SIGALRM, tick)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
try:
    device.start()
except KeyboardInterrupt:
    signal.setitimer(signal.ITIMER_REAL, 0)
    print("interrupted", device.done, ticks[0] > 10, flush=True)
"""


def test_signals_in_the_main_thread_tear_no_message(socket: Make) -> None:
    process = subprocess.Popen(
        [sys.executable, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    lines = Lines(process)
    try:
        assert process.stdin is not None
        process.stdin.write(INTERRUPTED)
        process.stdin.close()
        ports = lines.wait_for(r"(\d+) (\d+)").groups()
        push, pull = (socket(type, f"tcp://127.0.0.1:{port}") for type, port in zip((zmq.PUSH, zmq.PULL), ports, strict=True))
        for number in range(2000):
            push.send_multipart([b"%d" % number, b"part", b"last"])
            if number >= 50:
                assert pull.recv_multipart() == [b"%d" % (number - 50), b"part", b"last"]
        for number in range(1950, 2000):
            assert pull.recv_multipart() == [b"%d" % number, b"part", b"last"]
        process.send_signal(signal.SIGINT)
        lines.wait_for("interrupted True True")
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        lines.close()


# SNDTIMEO on a device socket kills it


@pytest.mark.parametrize("where", BACKGROUND)
def test_a_send_timeout_does_not_end_it(where: str, socket: Make, started: Started) -> None:
    device = of(where, "MonitoredQueue")(zmq.PULL, zmq.PUSH)
    device.setsockopt_out(zmq.SNDTIMEO, 1)
    device.setsockopt_in(zmq.RCVTIMEO, 1)
    device.bind_in(LOCAL)
    device.bind_out(LOCAL)
    started(device)
    push = socket(zmq.PUSH, *device.bound_in)
    push.send(b"early")
    while device.statistics().waiting != ("backend",):
        time.sleep(0)  # there is nothing to wait for but this
    assert socket(zmq.PULL, *device.bound_out).recv() == b"early"


# Unroutable message with ROUTER_MANDATORY kills the device


@pytest.mark.parametrize("where", BACKGROUND)
@pytest.mark.parametrize("mandatory", [None, 1])
def test_what_cannot_be_routed_is_counted_and_ends_nothing(
    where: str, mandatory: int | None, socket: Make, started: Started
) -> None:
    device = of(where, "MonitoredQueue")(zmq.ROUTER, zmq.DEALER)
    if mandatory is not None:
        device.setsockopt_in(zmq.ROUTER_MANDATORY, mandatory)
    device.bind_in(LOCAL)
    device.bind_out(LOCAL)
    started(device)
    client, worker = socket(zmq.DEALER, *device.bound_in), socket(zmq.DEALER, *device.bound_out)
    worker.send_multipart([b"nobody", b"lost"])
    client.send(b"question")
    envelope, question = worker.recv_multipart()
    worker.send_multipart([envelope, b"answer to " + question])
    assert client.recv() == b"answer to question"
    device.stop()
    assert device.statistics().frontend.unroutable == 1


def test_router_mandatory_stays_what_it_was_set_to(socket: Make, started: Started) -> None:
    device = devices.ThreadMonitoredQueue(zmq.ROUTER, zmq.DEALER)
    device.setsockopt_in(zmq.ROUTER_MANDATORY, 0)
    device.bind_in(LOCAL)
    device.bind_out(LOCAL)
    started(device)
    socket(zmq.DEALER, *device.bound_out).send_multipart([b"nobody", b"lost"])
    device.drain(received=(0, 1))
    device.join(PATIENCE)
    assert device.statistics().frontend.unroutable == 0


# Leak on termination


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does not tell")
@pytest.mark.parametrize(("where", "times"), [("Thread", 50), ("Process", 20)])
def test_starts_and_stops_leave_no_descriptor_and_no_thread(where: str, times: int, socket: Make) -> None:
    counts = []
    device = streamer(where)
    port = device.bind_in_to_random_port("tcp://127.0.0.1")
    for _ in range(times + 1):  # the first makes the starter, or the context with its threads
        device.start()
        with socket(zmq.PUSH, f"tcp://127.0.0.1:{port}") as push, socket(zmq.PULL, *device.bound_out) as pull:
            push.send(b"hello")
            assert pull.recv() == b"hello"
        device.stop()
        counts.append((len(os.listdir("/proc/self/fd")), threading.active_count()))
    (files, threads), (files_then, threads_then) = counts[0], counts[-1]
    assert threads_then == threads
    assert files_then < files + times  # libzmq closes the last connections in its own time


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does not tell")
@pytest.mark.parametrize("end", ["stopped", "killed", "refused"])
def test_a_process_device_leaves_nothing_behind(end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No descriptor, thread, mapping or process from one start to the next, however it ended, and no file once it was stopped."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    holder, taken = taken_port()
    device = streamer("Process", ins="ipc://*", outs=taken if end == "refused" else LOCAL)
    holdings = []
    with holder:
        for _ in range(10):  # the first makes the starter
            if end == "refused":
                with pytest.raises(devices.DeviceError):
                    device.start()
            else:
                device.start()
            if end == "killed":
                os.kill(device.launcher.pid, signal.SIGKILL)
                with pytest.raises(ChildProcessError):
                    device.join(PATIENCE)
            device.stop()
            assert device.done
            holdings.append(holding())
    assert holdings == holdings[:1] * 10
    assert holdings[0][-1] == []
    assert end == "killed" or list(tmp_path.iterdir()) == []


def holding() -> tuple[int, list[str], int, list[str]]:
    """How many descriptors this process has, what threads, how many statistics are mapped, and whom its starter has as children."""
    gc.collect()  # errors that were raised hold what raised them
    starter = default_starter().pid
    return (
        len(os.listdir("/proc/self/fd")),
        sorted(thread.name for thread in threading.enumerate()),
        Path("/proc/self/maps").read_text().count("ztopo statistics"),
        Path(f"/proc/{starter}/task/{starter}/children").read_text().split(),
    )


# context_factory=lambda: PicklingError under spawn and forkserver


def test_a_context_factory_that_cannot_cross_is_refused_with_advice() -> None:
    device = devices.ProcessProxy(zmq.PULL, zmq.PUSH)
    device.context_factory = lambda: zmq.Context(2)
    with pytest.raises(pickle.PicklingError, match=r"context_factory of ProcessProxy cannot go .*io_threads=N"):
        device.start()
    assert device.done


def test_something_else_that_cannot_cross_is_named() -> None:
    device = devices.ProcessProxy(zmq.PULL, zmq.PUSH)
    device.lock = threading.Lock()  # type: ignore[attr-defined]  # as a subclass might
    with pytest.raises(pickle.PicklingError, match="lock of ProcessProxy cannot go to another process"):
        device.start()


def threads_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does not tell")
def test_io_threads_are_the_alternative(started: Started) -> None:
    counts: list[int] = []
    for device in (
        devices.ProcessProxy(zmq.PULL, zmq.PUSH),
        devices.ProcessProxy(zmq.PULL, zmq.PUSH, io_threads=3),
        devices.ProcessProxy(zmq.PULL, zmq.PUSH),
    ):
        if counts and len(counts) == 2:
            device.context_factory = work.two_io_threads
        counts.append(threads_of(started(device).launcher.pid))
    assert [count - counts[0] for count in counts] == [0, 2, 1]


# ZAP cannot be provided to a ProcessDevice


def test_a_context_factory_can_bring_a_zap_handler_along(socket: Make, started: Started) -> None:
    device = devices.ProcessDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
    device.context_factory = work.guarded_context
    device.setsockopt_in(zmq.PLAIN_SERVER, 1)
    device.setsockopt_in(zmq.ZAP_DOMAIN, "global")
    device.bind_in(LOCAL)
    device.bind_out(LOCAL)
    started(device)
    pull = socket(zmq.PULL, *device.bound_out)
    stranger, known = (socket(zmq.PUSH, plain_username=b"known", plain_password=password) for password in (b"guessed", b"secret"))
    watch = stranger.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
    for one in (stranger, known):
        one.connect(*device.bound_in)
    known.send(b"known")
    assert pull.recv() == b"known"
    assert watch.poll(int(PATIENCE * 1000))
    watch.close()
    stranger.disable_monitor()


# zmq.HWM: EINVAL


@pytest.mark.parametrize("where", BACKGROUND)
def test_hwm_sets_both(where: str, started: Started) -> None:
    device = of(where, "Device")(zmq.QUEUE, zmq.ROUTER, zmq.DEALER)
    device.setsockopt_in(zmq.HWM, 7)
    started(device)
    if where == "Thread":
        assert (device._sockets[0].sndhwm, device._sockets[0].rcvhwm) == (7, 7)


# Ctrl-C reaches ProcessDevices

CTRL_C = """
import signal
import zmq
from topo.devices import ProcessDevice

device = ProcessDevice(zmq.STREAMER, zmq.PULL, zmq.PUSH)
device.bind_in("tcp://127.0.0.1:*")
device.bind_out("tcp://127.0.0.1:*")
device.start()
try:
    print(*device.bound_in, *device.bound_out, device.launcher.pid, flush=True)
    signal.pause()
except KeyboardInterrupt:
    context = zmq.Context()
    push, pull = context.socket(zmq.PUSH), context.socket(zmq.PULL)
    push.connect(*device.bound_in)
    pull.connect(*device.bound_out)
    push.send(b"still there")
    print(pull.recv().decode(), flush=True)
    context.destroy()
"""


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_ctrl_c_does_not_reach_a_process_but_the_end_of_the_application_does(end: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    )
    lines = Lines(process)
    try:
        assert process.stdin is not None
        process.stdin.write(CTRL_C)  # read from standard input, and without a main guard
        process.stdin.close()
        pid = int(lines.wait_for(r"tcp:\S+ tcp:\S+ (\d+)").group(1))
        watch = os.pidfd_open(pid)
        os.killpg(process.pid, end)  # what a terminal does
        if end == signal.SIGINT:
            lines.wait_for("still there")
        process.wait(PATIENCE)
        assert select.select([watch], [], [], PATIENCE)[0], "the device is still there"
        os.close(watch)
    finally:
        process.kill()
        process.wait()
        lines.close()
