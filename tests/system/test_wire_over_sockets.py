"""Daemon and clients over real sockets: nothing is lost, nobody is held up, nonsense changes nothing."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zmq
from numpy.typing import NDArray

from daemon import wire
from daemon.client import Answer, Client, Silence
from daemon.control import ControlServer
from daemon.errors import UnreachableError, WireError
from daemon.heartbeat import Heartbeat
from daemon.inbox import Inbox
from daemon.items import FinishReason, RunState, ThicknessSource
from daemon.messages import HeartbeatMessage, Message, PreviewMessage, RunMessage, ThicknessMessage
from daemon.publish import PREVIEWS_IN_FLIGHT, Publisher
from daemon.records import KEPT
from daemon.requests import Abort, Acknowledge, Arm, Disarm, Stop
from daemon.wire import Event

DONE = RunMessage(state=RunState.FINISHED, finish_reason=FinishReason.COMPLETED)


@dataclass(frozen=True)
class Sockets:
    """A daemon's two sockets, without a run behind them."""

    publisher: Publisher
    control: ControlServer
    inbox: Inbox

    def client(self, timeout_s: float = 5.0) -> Client:
        """A client of these sockets."""
        return Client(self.publisher.endpoint, self.control.endpoint, timeout_s=timeout_s)


class Blocks:
    """A volume of known labels behind the ``planes`` request."""

    labels = np.random.default_rng(0).integers(0, 2, (30, 40, 50), dtype=np.uint8)

    def shape(self, level: int) -> tuple[int, int, int]:
        """Level 0 only."""
        if level:
            raise WireError("no such level", where="volume", remedy="Ask for level 0.")
        return (30, 40, 50)

    def read(
        self, level: int, first: int, count: int, y: int, x: int, height: int, width: int
    ) -> NDArray[np.uint8]:
        """A block."""
        return self.labels[first : first + count, y : y + height, x : x + width]


@contextmanager
def listening(
    epoch: int = 1,
    run: str = "run-1",
    events: str = "tcp://127.0.0.1:0",
    control: str = "tcp://127.0.0.1:0",
    history: int = 20_000,
    recorded: Sequence[Message] = (),
) -> Iterator[Sockets]:
    """Sockets that are closed afterwards; ``recorded`` is what earlier epochs have told."""
    publisher = Publisher(
        run=run,
        epoch=epoch,
        endpoint=events,
        now=lambda: datetime.now(UTC),
        history_messages=history,
        on_record=() if not recorded else KEPT,
        recorded=lambda topic: (message for message in recorded if message.topic == topic),
    )
    inbox = Inbox()
    with (
        closing(publisher),
        closing(ControlServer(endpoint=control, publisher=publisher, inbox=inbox, volume=Blocks())) as server,
    ):
        yield Sockets(publisher, server, inbox)


def thickness(index: int, *notes: str) -> ThicknessMessage:
    """A thickness that is told by its index."""
    return ThicknessMessage(index=index, depth_nm=10.0 * index, source=ThicknessSource.RULER, notes=notes)


def heard_until_finished(client: Client, patience_s: float = 0.2) -> tuple[list[int], list[int]]:
    """Slice indices and sequence numbers in the order heard, until the run is finished."""
    indices: list[int] = []
    numbers: list[int] = []
    for update in client.follow(patience_s=patience_s):
        events = update.events if isinstance(update, Answer) else (update,)
        for event in events:
            if not isinstance(event, Event):
                continue
            numbers.append(event.envelope.seq)
            if isinstance(event.message, RunMessage):
                return indices, numbers
            if isinstance(event.message, ThicknessMessage):
                indices.append(event.message.index)
    raise AssertionError("the stream ended")


def test_a_late_client_and_one_that_never_left_hear_the_same() -> None:
    """Snapshot, then live: every slice once and in order, for a client that comes while messages flow."""
    with listening() as daemon, daemon.client() as client:
        for index in range(500):
            daemon.publisher.publish(thickness(index))
        feeder = threading.Thread(
            target=lambda: [daemon.publisher.publish(m) for m in (*map(thickness, range(500, 5000)), DONE)]
        )
        feeder.start()
        indices, numbers = heard_until_finished(client)
        feeder.join()
    assert indices == list(range(5000))
    assert numbers == list(range(1, 5002))


def test_messages_that_the_socket_dropped_are_replayed(tmp_path: Path) -> None:
    """A client that stops reading loses messages on the socket, and none in what it is given.

    On a Unix socket, whose buffer is small everywhere: a kernel may hold the whole of it for TCP. The two
    queues hold 20 000 of the messages, so what they drop is more than the history keeps.
    """
    with listening(events=f"ipc://{tmp_path}/events", history=10_000) as daemon, daemon.client() as client:
        daemon.publisher.publish(thickness(0))
        updates = client.follow(patience_s=0.2)
        assert isinstance(next(updates), Answer)
        for index in range(1, 40_000):  # more than the queues and the socket's buffer hold
            daemon.publisher.publish(thickness(index, "x" * 2000))
        heard, anew = [0], 0
        for update in updates:
            if isinstance(update, Answer):
                anew += 1
                heard = sorted(e.message.index for e in update.events)  # type: ignore[union-attr]
            elif isinstance(update, Event):
                heard.append(update.message.index)  # type: ignore[union-attr]
            if heard[-1] == 39_999:
                break
    assert heard == list(range(40_000))
    assert anew == 1, "nothing was dropped: the test shows nothing"


def test_a_restarted_daemon_is_followed_into_its_new_epoch() -> None:
    """Same ports, next epoch: the client is given a new snapshot, rows of before the restart included."""
    with listening() as daemon:
        events, control = daemon.publisher.endpoint, daemon.control.endpoint
        client = Client(events, control, timeout_s=0.5)
        updates = client.follow(patience_s=0.2)
        daemon.publisher.publish(thickness(0))
        assert isinstance(next(updates), Answer)
    silence = next(u for u in updates if isinstance(u, Silence))
    while silence.reachable:
        silence = next(u for u in updates if isinstance(u, Silence))
    with client, listening(2, events=events, control=control, recorded=[thickness(0)]) as daemon:
        daemon.publisher.publish(thickness(1))
        again = next(u for u in updates if isinstance(u, Answer))
        assert again.envelope.epoch == 2
        assert [e.message.index for e in again.events] == [0, 1]  # type: ignore[union-attr]
        daemon.publisher.publish(thickness(2))
        live = next(u for u in updates if isinstance(u, Event))
        assert live.envelope.seq == 2


def test_a_replay_that_is_too_old_is_refused_and_a_follower_starts_anew() -> None:
    """With a short history the client falls back to a snapshot instead of skipping in silence."""
    with listening(history=50) as daemon, daemon.client() as client:
        for index in range(200):
            daemon.publisher.publish(thickness(index))
        for run, epoch, seq in (("run-1", 1, 2), ("run-1", 9, 199), ("other", 1, 199), ("run-1", 1, 300)):
            with pytest.raises(WireError, match="snapshot"):
                client.replay(run, epoch, seq)
        assert [e.envelope.seq for e in client.replay("run-1", 1, 199).events] == [199, 200]
        assert client.replay("run-1", 1, 201).events == ()


def test_commands_reach_the_inbox_once_and_in_order() -> None:
    """Each command arrives with who gave it, and is answered."""
    with listening() as daemon, daemon.client() as client:
        client.acknowledge("alarm-1", "Ada")
        client.arm("Ada")
        client.disarm("Grace")
        client.stop("Ada", "enough")
        client.abort("Ada", "smoke")
        commands = daemon.inbox.drain()
        assert [type(c) for c in commands] == [Acknowledge, Arm, Disarm, Stop, Abort]
        assert [c.by for c in commands] == ["Ada", "Ada", "Grace", "Ada", "Ada"]
        assert daemon.inbox.drain() == []


def test_a_full_inbox_is_refused_not_forgotten() -> None:
    """The hundred-and-first waiting command is told that it was not taken."""
    with listening() as daemon, daemon.client() as client:
        for _ in range(100):
            client.disarm("Ada")
        with pytest.raises(WireError, match="too many"):
            client.disarm("Ada")
        assert len(daemon.inbox.drain()) == 100
        client.disarm("Ada")


def test_blocks_of_the_volume_are_read_exactly_or_refused() -> None:
    """A block equals the volume's; one that sticks out, or a level that is not there, is refused."""
    with listening() as daemon, daemon.client() as client:
        np.testing.assert_array_equal(client.planes(0, 30), Blocks.labels)
        np.testing.assert_array_equal(
            client.planes(3, 2, y=5, x=7, height=11, width=13), Blocks.labels[3:5, 5:16, 7:20]
        )
        for arguments in ({"first": 29, "count": 2}, {"first": 0, "count": 1, "x": 50}):
            with pytest.raises(WireError, match="sticks out"):
                client.planes(**arguments)
        with pytest.raises(WireError, match="no such level"):
            client.planes(0, 1, level=3)


UNPRINTABLE = ["\x1b[31mEve", "Eve\n", "\x00", "Eve\x9b2J", "Eve\u2028", "\u202eevE"]


@pytest.mark.parametrize("by", ["", "x" * 81, *UNPRINTABLE])
def test_a_name_that_would_reach_into_a_terminal_is_refused_before_it_is_sent(by: str) -> None:
    """Escape sequences, line breaks and changes of direction are in no name; other scripts are."""
    with listening() as daemon, daemon.client(timeout_s=30.0) as client:
        with pytest.raises(WireError, match="no request"):
            client.arm(by)
        client.arm("Zoë 名前 ليلى")
        assert [command.by for command in daemon.inbox.drain()] == ["Zoë 名前 ليلى"]


class Broken(Blocks):
    """A volume whose reading fails as nobody foresaw."""

    def shape(self, level: int) -> tuple[int, int, int]:
        """Never known."""
        raise ZeroDivisionError


def test_an_unforeseen_failure_is_told_and_the_next_command_is_heard() -> None:
    """The thread that listens outlives whatever a question runs into."""
    publisher = Publisher(run="r", epoch=1, endpoint="tcp://127.0.0.1:0", now=lambda: datetime.now(UTC))
    inbox = Inbox()
    with (
        closing(publisher),
        closing(
            ControlServer(endpoint="tcp://127.0.0.1:0", publisher=publisher, inbox=inbox, volume=Broken())
        ) as control,
        Client(publisher.endpoint, control.endpoint, timeout_s=30.0) as client,
    ):
        with pytest.raises(WireError, match="ZeroDivisionError"):
            client.planes(0, 1)
        client.stop("Ada")
        assert len(inbox.drain()) == 1


def test_garbage_on_the_control_socket_is_counted_and_changes_nothing() -> None:
    """Wrong frames, maps, schemas and commands: counted, no reply, no command, still serving."""
    with listening() as daemon, zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.setsockopt(zmq.LINGER, 1000)
        peer.connect(daemon.control.endpoint)
        pack = msgspec.msgpack.encode
        garbage = [
            [b""],
            [b"\xc1" * 50],
            [pack({"command": "format the disk", "id": 1, "schema": 1})],
            [pack({"command": "stop", "id": 1, "schema": 1})],  # who?
            [pack({"command": "stop", "id": 1, "schema": 1, "by": "x" * 5000})],
            [pack({"command": "stop", "id": -1, "schema": 1, "by": "x"})],
            [pack({"command": "stop", "id": 1, "schema": 2, "by": "x"})],
            [pack({"command": "stop", "id": 1, "schema": 1, "by": "x"}), b"", b"and more"],
            [b"\x91" * 10_000],
            *([pack({"command": "arm", "id": 1, "schema": 1, "by": by})] for by in UNPRINTABLE),
        ]
        for parts in garbage:
            peer.send_multipart(parts)
        with daemon.client() as client:
            deadline = time.monotonic() + 10.0
            while daemon.control.garbage < len(garbage) and time.monotonic() < deadline:
                client.snapshot()
        assert daemon.control.garbage == len(garbage)
        assert daemon.inbox.drain() == []
        assert peer.poll(0) == 0


def test_a_plain_req_socket_is_answered() -> None:
    """Other languages use REQ: its delimiter comes back."""
    with listening() as daemon, zmq.Context() as context, context.socket(zmq.REQ) as peer:
        peer.setsockopt(zmq.LINGER, 0)
        peer.connect(daemon.control.endpoint)
        peer.send(msgspec.msgpack.encode({"command": "snapshot", "id": 5, "schema": 1}))
        assert peer.poll(5000)
        header, body = peer.recv_multipart()
        assert wire.unpack(header) | {"time": ""} == {
            "schema": 1,
            "run": "run-1",
            "epoch": 1,
            "seq": 0,
            "time": "",
            "id": 5,
            "ok": True,
            "messages": 0,
        }
        assert msgspec.msgpack.decode(body) == []


def test_nobody_there_is_an_error_in_time_and_a_command_does_not_wait_for_a_daemon() -> None:
    """A command given to nobody is not delivered to the daemon that starts later."""
    with listening() as daemon:
        events, control = daemon.publisher.endpoint, daemon.control.endpoint
    with Client(events, control, timeout_s=0.3) as client:
        with pytest.raises(UnreachableError, match="slicewatch run") as caught:
            client.abort("Ada")
        assert caught.value.exit_code == 4
        with listening(events=events, control=control) as daemon, daemon.client() as other:
            other.snapshot()
            client.snapshot()
            assert daemon.inbox.drain() == []


STUCK = """
    import sys, time, zmq
    socket = zmq.Context().socket(zmq.SUB)
    socket.setsockopt(zmq.RCVHWM, 4)
    socket.connect(sys.argv[1])
    socket.subscribe(b"")
    socket.recv_multipart()
    print("subscribed", flush=True)
    time.sleep(600)
"""


def test_a_subscriber_that_stops_reading_loses_pictures_and_holds_nobody_up() -> None:
    """Publishing stays fast and memory flat; a reader beside it gets every number and the newest picture."""
    picture = np.random.default_rng(0).integers(0, 255, (600, 800), dtype=np.uint8)
    with listening() as daemon, daemon.client() as client:
        stuck = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(STUCK), daemon.publisher.endpoint],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        try:
            _publish_until_heard(daemon, stuck)
            updates = client.follow(patience_s=0.2)
            next(updates)
            slowest = 0.0
            for index in range(60):
                began = time.monotonic()
                daemon.publisher.publish(PreviewMessage(index=index, arrays={"image/a": picture}))
                daemon.publisher.publish(thickness(index))
                slowest = max(slowest, time.monotonic() - began)
            heard = [u for u in itertools.islice(updates, 120) if isinstance(u, Event)]
            newest = client.latest("preview")
        finally:
            stuck.kill()
            stuck.communicate()
        withheld = daemon.publisher.previews_withheld
    assert [e.message.index for e in heard if isinstance(e.message, ThicknessMessage)] == list(range(60))
    assert len(heard) == 120
    assert slowest < 0.5
    assert 20 < withheld <= 60 - PREVIEWS_IN_FLIGHT
    assert newest is not None
    np.testing.assert_array_equal(newest.message.arrays["image/a"], picture)


def _publish_until_heard(daemon: Sockets, subscriber: subprocess.Popen[bytes]) -> None:
    """Speak until a subscriber in another process says that it hears."""
    assert subscriber.stdout is not None
    heard = threading.Thread(target=subscriber.stdout.readline)
    heard.start()
    while heard.is_alive():
        daemon.publisher.publish(thickness(0))
        heard.join(0.05)


def test_heartbeats_come_at_once_and_go_on() -> None:
    """The first beat does not wait for the interval; a late client finds the last one in the snapshot."""
    with listening() as daemon, daemon.client() as client:
        beats = itertools.count()

        def vitals() -> HeartbeatMessage:
            return HeartbeatMessage(state=RunState.WAITING, interval_s=0.05, uptime_s=float(next(beats)))

        with closing(Heartbeat(daemon.publisher, vitals, interval_s=0.05)):
            told = [u for u in itertools.islice(client.follow(patience_s=5.0), 4) if isinstance(u, Event)]
        assert all(isinstance(event.message, HeartbeatMessage) for event in told)
        last = client.latest("heartbeat")
        assert last is not None
        assert isinstance(last.message, HeartbeatMessage)
        assert last.message.uptime_s >= 3.0
