"""Questions are answered beside commands: none that hangs, comes often or is never read delays one."""

from __future__ import annotations

import socket
import time
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from threading import Event, Thread

import msgspec
import numpy as np
import pytest
import zmq
from numpy.typing import NDArray

from daemon.client import Client
from daemon.control import BOUNDS, ControlServer
from daemon.errors import WireError
from daemon.flood_guard import Bounds
from daemon.inbox import Inbox
from daemon.publish import Publisher
from daemon.requests import Abort, AnyCommand

from .bare_peers import let_in, ponging, request
from .sockets import Blocks, Sockets

ANYWHERE = "tcp://127.0.0.1:*"


class LargeBlocks(Blocks):
    """A volume whose planes are 1 MiB each, and how many times it was read."""

    labels = np.random.default_rng(0).integers(0, 2, (64, 1024, 1024), dtype=np.uint8)
    times_read = 0

    def shape(self, level: int) -> tuple[int, int, int]:
        """Level 0 only."""
        return (64, 1024, 1024)

    def read(
        self, level: int, first: int, count: int, y: int, x: int, height: int, width: int
    ) -> NDArray[np.uint8]:
        """A block, in memory of its own as from a store."""
        self.times_read += 1
        return super().read(level, first, count, y, x, height, width).copy()


class HungBlocks(Blocks):
    """A volume on a share that is gone."""

    def __init__(self) -> None:
        self.is_back = Event()
        self.is_read = Event()

    def read(
        self, level: int, first: int, count: int, y: int, x: int, height: int, width: int
    ) -> NDArray[np.uint8]:
        """A block, some day."""
        self.is_read.set()
        self.is_back.wait()
        return super().read(level, first, count, y, x, height, width)


@contextmanager
def serving(volume: Blocks, bounds: Bounds = BOUNDS) -> Generator[tuple[Sockets, list[tuple[float, Abort]]]]:
    """Sockets over a volume, and the aborts that were carried out, each with its time, s."""
    carried_out = list[tuple[float, Abort]]()

    def carry_out(command: AnyCommand) -> None:
        if isinstance(command, Abort):
            carried_out.append((time.monotonic(), command))

    inbox = Inbox(carry_out)
    publisher = Publisher(run="r", epoch=1, endpoint=ANYWHERE, now=lambda: datetime.now(UTC))
    server = ControlServer(endpoint=ANYWHERE, publisher=publisher, inbox=inbox, volume=volume, bounds=bounds)
    with closing(publisher), closing(server):
        yield Sockets(publisher, server, inbox), carried_out


def test_a_question_that_hangs_holds_up_neither_commands_nor_what_is_in_memory() -> None:
    """The output's share is gone under a viewer: the operator's abort is carried out and answered."""
    volume = HungBlocks()
    with serving(volume) as (daemon, carried_out), zmq.Context() as context:
        viewer = context.socket(zmq.DEALER)
        with closing(viewer), daemon.client(timeout_s=10.0) as operator:
            viewer.connect(daemon.control.endpoint)
            viewer.send(msgspec.msgpack.encode({"schema": 1, "command": "planes", "first": 0, "count": 1}))
            assert volume.is_read.wait(30.0)
            operator.abort("Ada")
            assert operator.snapshot().envelope.seq == 0
            assert [abort.by for _, abort in carried_out] == ["Ada"]
            volume.is_back.set()
            assert viewer.poll(30_000)


def test_viewers_that_ask_without_a_pause_hold_up_no_abort() -> None:
    """Forty connections ask for the largest block eight at a time and read: the abort goes past them all."""
    volume = LargeBlocks()
    asked = msgspec.msgpack.encode({"schema": 1, "command": "planes", "first": 0, "count": 64})
    with serving(volume) as (daemon, carried_out), zmq.Context() as context, ExitStack() as stack:
        viewers = [stack.enter_context(context.socket(zmq.DEALER)) for _ in range(40)]
        over = Event()
        for viewer in viewers:
            viewer.setsockopt(zmq.LINGER, 0)
            viewer.connect(daemon.control.endpoint)
            for _ in range(8):
                viewer.send(asked)
        reading = Thread(target=_read_and_ask_again, args=(viewers, asked, over))
        reading.start()
        stack.callback(reading.join)
        stack.callback(over.set)
        deadline = time.monotonic() + 60.0
        with daemon.client(timeout_s=30.0) as operator:
            while volume.times_read < 3 and time.monotonic() < deadline:
                operator.snapshot()
            asked_s = time.monotonic()
            operator.abort("Ada")
            answered_s = time.monotonic()
    assert carried_out[0][0] - asked_s < 3.0
    assert answered_s - asked_s < 3.0


def _read_and_ask_again(viewers: list[zmq.Socket[bytes]], asked: bytes, over: Event) -> None:
    poller = zmq.Poller()
    for viewer in viewers:
        poller.register(viewer, zmq.POLLIN)
    while not over.is_set():
        for viewer, _ in poller.poll(100):
            viewer.recv_multipart(copy=False)
            viewer.send(asked)


def test_a_peer_is_answered_before_the_tenth_question_of_another() -> None:
    """Turns go round: who has asked often waits for who has asked once, and what is too much is told."""
    volume = HungBlocks()
    with serving(volume) as (daemon, _), zmq.Context() as context:
        greedy, modest = context.socket(zmq.DEALER), context.socket(zmq.DEALER)
        with closing(greedy), closing(modest):
            for peer, questions in ((greedy, 20), (modest, 1)):
                peer.connect(daemon.control.endpoint)
                for number in range(questions):
                    asked = {"schema": 1, "command": "planes", "id": number, "first": 0, "count": 1}
                    peer.send(msgspec.msgpack.encode(asked))
                assert volume.is_read.wait(30.0)
            refused = [msgspec.msgpack.decode(greedy.recv_multipart()[0]) for _ in range(3)]
            assert {(told["id"], told["error"]["what"]) for told in refused} == {
                (number, "too many questions wait") for number in (17, 18, 19)
            }
            with daemon.client(timeout_s=30.0) as client:
                client.snapshot()  # the modest one's question has been read by then
            volume.is_back.set()
            assert modest.poll(30_000)
            answered = [msgspec.msgpack.decode(greedy.recv_multipart()[0])["id"] for _ in range(17)]
            assert answered == list(range(17))


@pytest.mark.slow
def test_peers_that_never_read_keep_nobody_from_commanding_and_are_hung_up_on() -> None:
    """Twelve fill what blocks may hold and answer heartbeats: commands are told as they are, snapshots come.

    A block is refused meanwhile, before it is read; then they are hung up on, and blocks are served again.
    """
    volume, bounds = LargeBlocks(), Bounds(8 * 2**20, 8 * 2**20, unread_within_s=20.0)
    with serving(volume, bounds) as (daemon, carried_out), ExitStack() as stack:
        peers = [stack.enter_context(let_in(daemon.control.endpoint, b"DEALER")) for _ in range(12)]
        for peer in peers:
            peer.sendall(request(command="planes", first=0, count=24) * 4)
        stack.enter_context(ponging(*peers))
        with daemon.client(timeout_s=30.0) as client:
            with pytest.raises(WireError, match="wait to be read"):
                _read_for(client, 30.0)
            read = volume.times_read
            with pytest.raises(WireError, match="wait to be read"):
                client.planes(0, 1)
            assert volume.times_read == read
            assert client.snapshot().envelope.seq == 0
            client.stop("Ada")
            client.arm("Ada")
            client.abort("Ada")
            assert [abort.by for _, abort in carried_out] == ["Ada"]
            assert len(daemon.inbox.drain()) == 3
            assert _served_within(client, 60.0)


def _served_within(client: Client, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(WireError):
            return client.planes(0, 1).shape == (1, 1024, 1024)
    return False


def _read_for(client: Client, seconds: float) -> None:
    """Ask for planes until they are refused."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        client.planes(0, 1)


@pytest.mark.slow
def test_a_peer_that_reads_a_little_now_and_then_is_hung_up_on_for_the_oldest_reply() -> None:
    """Its kernel always takes some more, and it answers heartbeats: the age of the reply counts."""
    bounds = Bounds(8 * 2**20, 8 * 2**20, unread_within_s=4.0)
    with serving(LargeBlocks(), bounds) as (daemon, _):
        peer = let_in(daemon.control.endpoint, b"DEALER")
        peer.sendall(request(command="planes", first=0, count=64))
        with ponging(peer) as hung_up:
            deadline = time.monotonic() + 30.0
            while not hung_up.wait(0.1) and time.monotonic() < deadline:
                _sip(peer)
            assert hung_up.is_set()


def _sip(peer: socket.socket) -> None:
    try:
        peer.recv(65_536)
    except OSError:
        return
