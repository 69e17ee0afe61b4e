"""Subscribers that answer heartbeats and do not read, or subscribe without end; strangers who stay."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import msgspec
import numpy as np
import psutil
import pytest
import zmq

from daemon.curve import unlock
from daemon.flood_guard import Bounds
from daemon.items import ThicknessSource
from daemon.keys import Role, make_key, open_keys, read_client_key
from daemon.messages import MetricsMessage, PreviewMessage, ThicknessMessage
from daemon.publish import BOUNDS, Publisher

from .bare_peers import PONG, framed, let_in, ponging, takes

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what connections carry")
pytestmark = linux
SUBSCRIBE_TO_ALL = framed(b"\x01")
IMPATIENT = Bounds(2**20, 64 * 1024, unread_within_s=3.0)


@contextmanager
def publishing(bounds: Bounds = BOUNDS, folder: Path | None = None) -> Generator[Publisher]:
    """The event stream alone, with keys from ``folder`` where there is one."""
    keys = None if folder is None else open_keys(str(folder))
    publisher = Publisher(
        run="r",
        epoch=1,
        endpoint="tcp://127.0.0.1:*",
        now=lambda: datetime.now(UTC),
        keys=keys,
        bounds=bounds,
    )
    with closing(publisher):
        yield publisher


def figure() -> ThicknessMessage:
    """A small message."""
    return ThicknessMessage(index=0, depth_nm=0.0, source=ThicknessSource.RULER)


def picture() -> PreviewMessage:
    """A preview of 256 KiB that does not shrink."""
    noise = np.random.default_rng(0).integers(0, 256, (512, 512), np.uint8)
    return PreviewMessage(index=0, arrays={"image/2kV": noise})


def publish_until(publisher: Publisher, event: Event, seconds: float) -> None:
    """Small messages, a hundred a second at most."""
    deadline = time.monotonic() + seconds
    while not event.wait(0.01) and time.monotonic() < deadline:
        publisher.publish(figure())


@contextmanager
def told_without_end(publisher: Publisher) -> Generator[None]:
    """Small messages, a thousand a second at most, from another thread."""
    over = Event()

    def tell() -> None:
        while not over.wait(0.001):
            publisher.publish(figure())

    thread = Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_subscriber_that_answers_heartbeats_and_does_not_read_is_hung_up_on() -> None:
    """What it holds is freed, and pictures go to the others again."""
    with publishing(IMPATIENT) as publisher, let_in(publisher.endpoint, b"SUB") as subscriber:
        subscriber.sendall(SUBSCRIBE_TO_ALL)
        with ponging(subscriber) as hung_up:
            curve = {"tpcf": np.random.default_rng(0).random(16_384)}
            for plane in range(200):
                publisher.publish(MetricsMessage(plane=plane, arrays=curve))
            while publisher.previews_withheld == 0:
                publisher.publish(picture())
            publish_until(publisher, hung_up, 60.0)
            assert hung_up.is_set()
        withheld = publisher.previews_withheld
        publisher.publish(picture())
        assert publisher.previews_withheld == withheld


def test_a_subscriber_that_reads_too_slowly_for_pictures_is_hung_up_on() -> None:
    """Its kernel always takes some more; but for it the pictures would be withheld from everybody."""
    with publishing(IMPATIENT) as publisher, let_in(publisher.endpoint, b"SUB") as subscriber:
        subscriber.sendall(SUBSCRIBE_TO_ALL)
        with ponging(subscriber) as hung_up:
            noise = np.random.default_rng(0).integers(0, 256, (2048, 2048), np.uint8)
            large = PreviewMessage(index=0, arrays={"image/2kV": noise})
            deadline = time.monotonic() + 60.0
            while not hung_up.wait(0.02) and time.monotonic() < deadline:
                publisher.publish(large)
                _sip(subscriber)
            assert hung_up.is_set()


def _sip(subscriber: socket.socket) -> None:
    """Read a little of what has come: the first picture may have left before the subscription was there."""
    if select.select([subscriber], [], [], 0.0)[0]:
        with suppress(OSError):
            subscriber.recv(65_536)


def test_a_subscriber_that_reads_is_not_hung_up_on() -> None:
    """However much there is: ten times what it takes to be behind, over more than the allowed time."""
    with publishing(IMPATIENT) as publisher, let_in(publisher.endpoint, b"SUB") as subscriber:
        subscriber.sendall(SUBSCRIBE_TO_ALL)
        over, counted = Event(), [0]
        reading = Thread(target=_read, args=(subscriber, over, counted))
        reading.start()
        try:
            deadline, curve = time.monotonic() + 8.0, {"tpcf": np.random.default_rng(0).random(16_384)}
            while not over.wait(0.005) and time.monotonic() < deadline:
                publisher.publish(MetricsMessage(plane=1, arrays=curve))
            assert not over.is_set()
        finally:
            over.set()
            publisher.publish(figure())
            reading.join()
    assert counted[0] > 20 * 2**20


def _read(subscriber: socket.socket, over: Event, counted: list[int]) -> None:
    """Until the test is over; hung up on, it is over."""
    while not over.is_set():
        heard = len(subscriber.recv(2**20))
        counted[0] += heard
        subscriber.sendall(PONG)
        if heard == 0:
            over.set()


def test_subscriptions_take_a_bounded_amount_of_memory() -> None:
    """Topics whose tree in libzmq is as large as can be: twenty peers in turn, each is hung up on in time."""
    depth, before = 11, psutil.Process().memory_info().rss
    with publishing() as publisher, told_without_end(publisher):  # libzmq takes subscriptions when it sends
        for number in range(20):
            topics = (
                bytes([number]) + bytes(255 * (k >> bit & 1) for bit in range(depth)) for k in range(2**depth)
            )
            subscriptions = b"".join(framed(b"\x01" + topic) for topic in topics)
            with let_in(publisher.endpoint, b"SUB") as subscriber:
                while takes(subscriber, subscriptions):
                    pass
            assert publisher.hung_up == number + 1
            assert psutil.Process().memory_info().rss - before < 160 * 2**20


DAEMON = """
import sys
from datetime import UTC, datetime
from daemon.publish import Publisher
publisher = Publisher(run="r", epoch=1, endpoint="tcp://127.0.0.1:*", now=lambda: datetime.now(UTC))
print(publisher.endpoint, flush=True)
sys.stdin.readline()
publisher.close()
"""


def test_a_subscriber_that_subscribes_much_and_goes_at_once_does_not_end_the_process() -> None:
    """libzmq's limit on what waits to be read would, with heartbeats every 5 s: a process of its own."""
    command = [sys.executable, "-c", DAEMON]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        endpoint = daemon.stdout.readline().strip()
        for _ in range(3):
            with let_in(endpoint, b"SUB") as subscriber:
                subscriber.sendall(SUBSCRIBE_TO_ALL * 2000)
        with pytest.raises(subprocess.TimeoutExpired):
            daemon.wait(7.0)
        daemon.communicate("\n")
    assert daemon.returncode == 0


STRANGERS = """
import socket, sys, time
port, count, held = int(sys.argv[1]), int(sys.argv[2]), []
for number in range(count):
    held.append(socket.create_connection(("127.0.0.1", port)))
print("there", flush=True)
sys.stdin.read()
"""


def test_strangers_who_connect_and_say_nothing_take_neither_descriptors_nor_places(tmp_path: Path) -> None:
    """Six hundred of them, twice as many as there are places: whoever has a key keeps its connection."""
    now, folder = datetime.now(UTC), tmp_path / "keys"
    key = read_client_key(make_key(folder, "ada", Role.READ, now))
    with publishing(folder=folder) as publisher, zmq.Context() as context, context.socket(zmq.SUB) as ada:
        assert key is not None
        unlock(ada, key)
        ada.setsockopt(zmq.RECONNECT_IVL, -1)
        ada.subscribe(b"")
        ada.connect(publisher.endpoint)
        while not ada.poll(10):
            publisher.publish(figure())
        before = psutil.Process().num_fds()
        port = publisher.endpoint.rpartition(":")[2]
        command = [sys.executable, "-c", STRANGERS, port, "600"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as strangers:
            assert strangers.stdout is not None
            assert strangers.stdout.readline() == b"there\n"
            deadline = time.monotonic() + 5.0  # of ten, after which libzmq gives up a handshake
            most = before + BOUNDS.connections + 10
            while psutil.Process().num_fds() > most and time.monotonic() < deadline:
                ada.poll(10)
            assert psutil.Process().num_fds() <= most
            heard = publisher.publish(figure())
            number = 0
            while number < heard and ada.poll(20_000):
                number = _number(ada.recv_multipart())
            assert number == heard, "who has a key was hung up on"
            strangers.communicate()


def _number(parts: list[bytes]) -> int:
    return int(msgspec.msgpack.decode(parts[1])["seq"])
