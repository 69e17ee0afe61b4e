"""Floods of connections: descriptors are bounded while nobody looks, and other bounds hold meanwhile."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from threading import Event, Thread, current_thread

import psutil
import pytest

from daemon.items import ThicknessSource
from daemon.messages import ThicknessMessage
from daemon.publish import BOUNDS, Publisher

from .bare_peers import let_in, takes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what connections carry")
ANYWHERE = "tcp://127.0.0.1:*"
GUARD = "flood guard"
ENDLESS = (b"\x01\xc8" + bytes(200)) * 100  # frames, after each of which another is to come

RUSH = """
import resource, socket, sys, time
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
port, count, seconds, held = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), []
over = time.monotonic() + seconds
while time.monotonic() < over:
    while len(held) < count:
        held.append(socket.socket())
        held[-1].setblocking(False)
        held[-1].connect_ex(("127.0.0.1", port))
    if len(held) == count:
        print("there", flush=True)
    time.sleep(0.2)
    if count < 2000:
        del held[:]
sys.stdin.read()
"""


SUBSCRIBE = """
import os, socket, sys
from tests.system.bare_peers import framed, let_in
print("there", flush=True)
while True:
    try:
        with let_in(sys.argv[1], b"SUB") as subscriber:
            while True:
                subscriber.sendall(b"".join(framed(b"\\x01" + os.urandom(8)) for _ in range(500)))
    except (OSError, AssertionError):
        pass
"""


@contextmanager
def strangers(endpoint: str, count: int, seconds: float) -> Generator[None]:
    """Many connections that say nothing, made as fast as can be by another process."""
    command = [sys.executable, "-c", RUSH, endpoint.rpartition(":")[2], str(count), str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as peers:
        try:
            assert peers.stdout is not None
            assert peers.stdout.readline() == b"there\n"
            yield
        finally:
            peers.kill()


class Clock:
    """Monotonic, s; on the guard's thread it waits for ``goes_on``, and raises what ``broken`` says."""

    def __init__(self) -> None:
        self.goes_on, self.waited_for = Event(), Event()
        self.goes_on.set()
        self.broken: list[Exception] = []

    def __call__(self) -> float:
        if current_thread().name == GUARD:
            if not self.goes_on.is_set():
                self.waited_for.set()
            self.goes_on.wait(60.0)
            if self.broken:
                raise self.broken.pop()
        return time.monotonic()


@contextmanager
def publishing(clock: Clock) -> Generator[Publisher]:
    """The event stream alone."""
    publisher = Publisher(run="r", epoch=1, endpoint=ANYWHERE, now=lambda: datetime.now(UTC), clock=clock)
    with closing(publisher):
        try:
            yield publisher
        finally:
            clock.goes_on.set()


def settled(process: psutil.Process) -> int:
    """How many descriptors there are once there are no more of them for half a second."""
    counted = [process.num_fds()]
    while len(counted) < 10 or len(set(counted[-10:])) > 1:
        Event().wait(0.05)
        counted.append(process.num_fds())
    return counted[-1]


def figure() -> ThicknessMessage:
    """A small message."""
    return ThicknessMessage(index=0, depth_nm=0.0, source=ThicknessSource.RULER)


def endless(connection: socket.socket, most_bytes: int) -> int:
    """Send a message without end, as over a network (some 30 MB/s); how much was taken, bytes."""
    sent = 0
    while sent < most_bytes and takes(connection, ENDLESS):
        sent += len(ENDLESS)
        Event().wait(0.0005)
    return sent


def test_descriptors_are_bounded_while_the_guard_does_not_come_to_look() -> None:
    """Three thousand connect at once while it waits for the processor: 256 and 1000 more are let in."""
    clock, process = Clock(), psutil.Process()
    with publishing(clock) as publisher, let_in(publisher.endpoint, b"SUB"):
        clock.goes_on.clear()
        assert clock.waited_for.wait(30.0)
        before = process.num_fds()
        with strangers(publisher.endpoint, 3000, 60.0):
            assert before + 256 < settled(process) < before + 256 + 1000 + 100
            clock.goes_on.set()
            deadline = time.monotonic() + 30.0
            while process.num_fds() > before + BOUNDS.connections + 10 and time.monotonic() < deadline:
                Event().wait(0.05)
            assert process.num_fds() <= before + BOUNDS.connections + 10


def test_other_bounds_hold_while_connections_come_without_end() -> None:
    """Who sends without end is hung up on although the guard always hears of somebody new."""
    with publishing(Clock()) as publisher, strangers(publisher.endpoint, 1000, 60.0):
        sent = []
        for _ in range(5):
            with suppress(OSError, AssertionError), let_in(publisher.endpoint, b"SUB") as subscriber:
                sent.append(endless(subscriber, 200 * 2**20))
        assert max(sent) < 100 * 2**20


def test_subscribers_without_end_keep_no_message_from_leaving() -> None:
    """Each is hung up on soon, and comes again; a run that publishes would wait for as long as they come."""
    with publishing(Clock()) as publisher, ExitStack() as stack:
        for _ in range(5):
            command = [sys.executable, "-c", SUBSCRIBE, publisher.endpoint]
            peer = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            stack.callback(peer.kill)
            assert peer.stdout is not None
            assert peer.stdout.readline() == b"there\n"
        while publisher.hung_up < 20:
            Event().wait(0.05)
        run = Thread(target=lambda: [publisher.publish(figure()) for _ in range(20)], daemon=True)
        run.start()
        run.join(30.0)
        assert not run.is_alive()


def test_a_defect_of_the_guard_leaves_it_on_guard() -> None:
    """It looks again a second later; without it nobody is hung up on, and the end hangs on its socket."""
    clock = Clock()
    with publishing(clock) as publisher, let_in(publisher.endpoint, b"SUB") as subscriber:
        clock.broken.append(OSError(24, "Too many open files"))
        while clock.broken:
            publisher.publish(figure())
        deadline = time.monotonic() + 30.0
        while takes(subscriber, ENDLESS) and time.monotonic() < deadline:
            Event().wait(0.02)
        assert time.monotonic() < deadline
        assert publisher.hung_up == 1
