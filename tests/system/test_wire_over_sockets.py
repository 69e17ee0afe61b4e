"""Daemon and clients over real sockets: nothing is lost, and nobody is held up."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from daemon.client import Answer, Client, Silence
from daemon.errors import UnreachableError, WireError
from daemon.heartbeat import Heartbeat
from daemon.items import RunState
from daemon.messages import HeartbeatMessage, PreviewMessage, RunMessage, ThicknessMessage
from daemon.publish import PREVIEWS_IN_FLIGHT
from daemon.wire import Event

from .sockets import DONE, Sockets, listening, thickness


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


def test_a_beat_that_cannot_be_told_does_not_end_the_heart() -> None:
    """The system refuses to tell the memory once; for the watchdog the daemon would have been dead since."""
    with listening() as daemon, daemon.client() as client:
        beats = itertools.count()

        def vitals() -> HeartbeatMessage:
            if (number := next(beats)) in (0, 2):
                raise OSError(24, "Too many open files")
            return HeartbeatMessage(state=RunState.WAITING, interval_s=0.02, uptime_s=float(number))

        with closing(Heartbeat(daemon.publisher, vitals, interval_s=0.02)):
            heard = (u.message for u in client.follow(patience_s=5.0) if isinstance(u, Event))
            told = [m.uptime_s for m in itertools.islice(heard, 2) if isinstance(m, HeartbeatMessage)]
        assert told == [1.0, 3.0]
