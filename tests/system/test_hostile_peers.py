"""Peers that mean harm, on both sockets: the daemon goes on, obeys nobody, and takes no memory for it."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import psutil
import pytest
import zmq

from daemon.client import Client
from daemon.control import BOUNDS, MAX_REQUEST_BYTES, ControlServer
from daemon.errors import WireError
from daemon.face_block import FaceBlock
from daemon.inbox import Inbox
from daemon.items import ThicknessSource
from daemon.messages import ThicknessMessage
from daemon.publish import Publisher
from daemon.requests import ReadFace
from daemon.unread_replies import SHARED_BYTES
from daemon.volume_reader import StoredVolume

from .bare_peers import ZMTP, introduced, let_in, takes

Pair = tuple[Publisher, ControlServer, Inbox]


@pytest.fixture
def daemon() -> Iterator[Pair]:
    """A daemon's sockets without a run behind them."""
    anywhere, inbox = "tcp://127.0.0.1:*", Inbox()
    publisher = Publisher(run="r", epoch=1, endpoint=anywhere, now=lambda: datetime.now(UTC))
    server = ControlServer(endpoint=anywhere, publisher=publisher, inbox=inbox, volume=StoredVolume())
    with closing(publisher), closing(server):
        yield publisher, server, inbox


def serves(daemon: Pair) -> None:
    """A well-behaved client gets the last number, and no command has come of anything."""
    publisher, control, inbox = daemon
    number = publisher.publish(ThicknessMessage(index=0, depth_nm=0.0, source=ThicknessSource.RULER))
    with Client(publisher.endpoint, control.endpoint, timeout_s=30.0) as client:
        assert client.snapshot().envelope.seq == number
    assert inbox.drain() == []


def noise(endpoint: str, data: bytes) -> None:
    """Bytes on a bare TCP connection; whether the other end hangs up first does not matter."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        try:
            connection.sendall(data)
        except (ConnectionError, TimeoutError):
            return


RAW = {
    "nothing": b"",
    "noise": os.urandom(5000),
    "http": b"GET / HTTP/1.1\r\nHost: daemon\r\n\r\n",
    "half a greeting": ZMTP[:7],
    "greeting then noise": ZMTP + b"\x03\x01NULL".ljust(54, b"\x00") + os.urandom(5000),
    "a frame of 2^62 bytes": ZMTP + b"\x03\x01NULL".ljust(54, b"\x00") + b"\x02" + b"\x40" + bytes(7),
    "an old version": b"\x01\x00" + os.urandom(50),
}


@pytest.mark.parametrize("data", RAW.values(), ids=RAW.keys())
def test_raw_bytes_on_either_port_change_nothing(daemon: Pair, data: bytes) -> None:
    """Whatever is not ZeroMQ is hung up on."""
    for endpoint in (daemon[0].endpoint, daemon[1].endpoint):
        for _ in range(5):
            noise(endpoint, data)
    serves(daemon)


def test_oversized_frames_end_the_connection_that_sends_them(daemon: Pair) -> None:
    """On both sockets; the daemon's memory does not hold them, and others are served.

    Written by hand: libzmq's own XSUB crashes its process over a subscription of this size.
    """
    before = psutil.Process().memory_info().rss
    frame = b"\x02" + (2**23).to_bytes(8, "big") + b"\x01" * 2**23
    for kind, endpoint in ((b"SUB", daemon[0].endpoint), (b"DEALER", daemon[1].endpoint)):
        for _ in range(10):
            noise(endpoint, introduced(kind) + frame)
    serves(daemon)
    assert psutil.Process().memory_info().rss - before < 64 * 2**20


def test_a_request_of_just_the_permitted_size_is_looked_at_and_refused(daemon: Pair) -> None:
    """The limit is on frames, so a long map is garbage for its content and is counted."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.setsockopt(zmq.LINGER, 5000)
        peer.connect(daemon[1].endpoint)
        peer.send(b"\xc1" * MAX_REQUEST_BYTES)
        peer.send_multipart([b"x"] * 500)
        deadline = time.monotonic() + 60.0
        while daemon[1].garbage < 2 and time.monotonic() < deadline:
            peer.poll(10)
    assert daemon[1].garbage == 2
    serves(daemon)


def endless(length: int) -> bytes:
    """About a MiB of frames of this length, each announcing another one."""
    size = length.to_bytes(8, "big") if length > 255 else bytes([length])
    frame = (b"\x03" if length > 255 else b"\x01") + size + b"x" * length
    return frame * (2**20 // len(frame))


ENDLESS = [
    pytest.param(1, b"DEALER", MAX_REQUEST_BYTES, 1, id="requests of large frames"),
    pytest.param(1, b"DEALER", 0, 1, id="requests of empty frames"),
    pytest.param(1, b"DEALER", MAX_REQUEST_BYTES, 8, id="eight peers with requests"),
    pytest.param(0, b"SUB", 1000, 1, id="subscriptions of large frames"),
    pytest.param(0, b"SUB", 0, 1, id="subscriptions of empty frames"),
]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a connection has received")
@pytest.mark.parametrize(("end", "kind", "length", "peers"), ENDLESS)
def test_who_sends_a_message_that_never_ends_is_hung_up_on(
    daemon: Pair, end: Literal[0, 1], kind: bytes, length: int, peers: int
) -> None:
    """Each frame is small enough and none is the last: 400 MiB are not taken, and nobody else notices."""
    publisher, control, _ = daemon
    piece = endless(length)
    with Client(publisher.endpoint, control.endpoint, timeout_s=30.0) as witness, ExitStack() as stack:
        before, number = psutil.Process().memory_info().rss, witness.snapshot().envelope.seq
        connections = [
            stack.enter_context(let_in((publisher, control)[end].endpoint, kind)) for _ in range(peers)
        ]
        for _ in range(400):
            connections = [connection for connection in connections if takes(connection, piece)]
        assert connections == []
        assert psutil.Process().memory_info().rss - before < 32 * BOUNDS.unfinished_bytes + 64 * 2**20
        assert witness.snapshot().envelope.seq == number
    assert (publisher.hung_up, control.garbage) == ((peers, 0) if end == 0 else (0, peers))
    serves(daemon)


class _Pictures:
    """Faces without a run: the same noise for each, which does not shrink."""

    def __init__(self) -> None:
        self._pixels = np.random.default_rng(3).integers(0, 256, (512, 512), dtype=np.uint8)

    def read(self, request: ReadFace) -> FaceBlock:
        return FaceBlock(self._pixels, (512, 512), (0, 0), (1.0, 1.0), request.step)


@pytest.mark.slow
def test_replies_that_nobody_reads_hold_a_bounded_amount_of_memory() -> None:
    """A hundred peers ask for 1 GiB of pictures; who reads is answered."""
    anywhere = "tcp://127.0.0.1:*"
    publisher = Publisher(run="r", epoch=1, endpoint=anywhere, now=lambda: datetime.now(UTC))
    server = ControlServer(endpoint=anywhere, publisher=publisher, inbox=Inbox(), faces=_Pictures())
    asked = msgspec.msgpack.encode(ReadFace(id=1, slice=1, layer="image/2kV"))
    before = psutil.Process().memory_info().rss
    with closing(publisher), closing(server), ExitStack() as peers:
        for _ in range(100):
            peer = peers.enter_context(let_in(server.endpoint, b"DEALER"))
            peer.sendall((b"\x00" + bytes([len(asked)]) + asked) * 40)
        with Client(publisher.endpoint, server.endpoint, timeout_s=60.0) as client:
            for _ in range(100):  # peers are served in turn: by then all requests have been read
                assert client.face(1, "image/2kV").pixels.shape == (512, 512)
        assert psutil.Process().memory_info().rss - before < SHARED_BYTES + 32 * 2**20


@pytest.mark.slow
def test_a_thousand_connects_and_disconnects_leave_nothing_behind(daemon: Pair) -> None:
    """Neither file handles nor threads nor memory; messages flow meanwhile and none is lost to a client."""
    publisher, control, _ = daemon
    process = psutil.Process()
    with Client(publisher.endpoint, control.endpoint, timeout_s=30.0) as client, zmq.Context() as context:
        begun = client.snapshot().envelope.seq
        _churn(context, daemon, 100)
        handles, memory = process.num_fds() if os.name == "posix" else 0, process.memory_info().rss
        _churn(context, daemon, 1000)
        told = client.replay("r", 1, begun + 1).events
    assert [event.envelope.seq for event in told] == list(range(begun + 1, begun + 1101))
    assert process.memory_info().rss - memory < 32 * 2**20
    deadline = time.monotonic() + 60.0
    while os.name == "posix" and process.num_fds() > handles + 20 and time.monotonic() < deadline:
        serves(daemon)
    assert os.name != "posix" or process.num_fds() <= handles + 20
    serves(daemon)


def _churn(context: zmq.Context[zmq.Socket[bytes]], daemon: Pair, times: int) -> None:
    for number in range(times):
        with context.socket(zmq.SUB) as fleeting:
            fleeting.setsockopt(zmq.LINGER, 0)
            fleeting.subscribe(b"")
            fleeting.connect(daemon[0].endpoint)
        noise(daemon[number % 2].endpoint, ZMTP)  # type: ignore[union-attr]
        daemon[0].publish(ThicknessMessage(index=number, depth_nm=0.0, source=ThicknessSource.RULER))


PATHS = ["../../etc/passwd", "/etc/passwd", "..\\..\\x", "a" * 80]


@pytest.mark.parametrize("path", PATHS)
def test_no_field_of_a_request_is_taken_for_a_path(daemon: Pair, tmp_path: Path, path: str) -> None:
    """Topics, runs, alarms and blocks that look like paths are answered by what is in memory, or refused."""
    before = set(tmp_path.rglob("*"))
    asked = [
        {"command": "latest", "topic": path},
        {"command": "replay", "run": path, "epoch": 1, "seq": 1},
        {"command": "planes", "first": 0, "count": 1, "level": path},
        {"command": "planes", "first": path, "count": 1},
    ]
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.setsockopt(zmq.LINGER, 0)
        peer.connect(daemon[1].endpoint)
        for number, request in enumerate(asked[:2]):
            peer.send(msgspec.msgpack.encode({"schema": 1, "id": number, **request}))
            assert peer.poll(30_000)
            header, *body = peer.recv_multipart()
            answer = msgspec.msgpack.decode(header)
            assert answer["ok"] is False or body == [msgspec.msgpack.encode([])]
        for request in asked[2:]:
            peer.send(msgspec.msgpack.encode({"schema": 1, "id": 9, **request}))
    with Client(daemon[0].endpoint, daemon[1].endpoint, timeout_s=30.0) as client, pytest.raises(WireError):
        client.planes(0, 1, level=2**40)
    assert set(tmp_path.rglob("*")) == before
    serves(daemon)
