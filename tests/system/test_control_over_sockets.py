"""What is asked and commanded over the control socket: once, in order, refused with a reason, or garbage."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
import zmq

from daemon import wire
from daemon.caller import Caller, caller_of
from daemon.client import Client
from daemon.control import ControlServer
from daemon.errors import UnreachableError, WireError
from daemon.inbox import Inbox
from daemon.publish import Publisher
from daemon.requests import Abort, Acknowledge, Arm, Disarm, Stop

from .sockets import Blocks, listening


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


def test_a_defect_in_the_listening_thread_does_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever breaks there, the next command finds a listener, and closing hangs on nothing."""
    broken = iter([OSError(24, "Too many open files")])

    def caller(frames: Sequence[zmq.Frame]) -> Caller:
        for error in broken:
            raise error
        return caller_of(frames)

    monkeypatch.setattr("daemon.control.caller_of", caller)
    with listening() as daemon:
        with daemon.client(timeout_s=0.3) as unlucky, pytest.raises(UnreachableError):
            unlucky.snapshot()
        with daemon.client(timeout_s=10.0) as client:
            client.abort("Ada")
        assert [command.by for command in daemon.inbox.drain()] == ["Ada"]
