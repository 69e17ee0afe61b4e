"""Keys over real sockets: strangers hear nothing, readers command nothing, and secrets stay put."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import zmq

from daemon.client import Answer, Client
from daemon.config import load
from daemon.control import BOUNDS, MAX_REQUEST_BYTES, ControlServer
from daemon.curve import unlock
from daemon.errors import ConfigurationError, UnreachableError, WireError
from daemon.flood_guard import Bounds
from daemon.inbox import Inbox
from daemon.items import RunState
from daemon.journal_bodies import read_records
from daemon.keys import ClientKey, DaemonKeys, Role, make_key, open_keys, read_client_key, revoke_key
from daemon.messages import RunMessage
from daemon.private_files import write_private
from daemon.publish import Publisher
from daemon.requests import Arm

LOOPBACK, EVERYWHERE = "tcp://127.0.0.1:0", "tcp://0.0.0.0:0"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Locked:
    """A daemon's sockets behind keys, without a run behind them."""

    publisher: Publisher
    control: ControlServer
    inbox: Inbox
    folder: Path

    def key(self, name: str) -> ClientKey:
        """The key that was handed to ``name``."""
        found = read_client_key(self.folder / f"{name}.key")
        assert found is not None
        return found

    def client(self, key: ClientKey | None, timeout_s: float = 20.0) -> Client:
        """A client on this machine, whatever the daemon is bound to."""
        anywhere = "0.0.0.0"  # noqa: S104 - what the daemon was bound to
        ends = (e.replace(anywhere, "127.0.0.1") for e in (self.publisher.endpoint, self.control.endpoint))
        return Client(*ends, timeout_s=timeout_s, key=key)


@contextmanager
def locked(folder: Path, endpoint: str = LOOPBACK, bounds: Bounds = BOUNDS) -> Iterator[Locked]:
    """Sockets behind the keys of ``ada`` (reading) and ``bridge`` (control)."""
    now = datetime.now(UTC)
    make_key(folder, "ada", Role.READ, now)
    make_key(folder, "bridge", Role.CONTROL, now)
    keys, inbox = open_keys(str(folder)), Inbox()
    publisher = Publisher(run="r", epoch=1, endpoint=endpoint, now=lambda: now, keys=keys)
    with (
        closing(publisher),
        closing(
            ControlServer(endpoint=endpoint, publisher=publisher, inbox=inbox, keys=keys, bounds=bounds)
        ) as control,
    ):
        yield Locked(publisher, control, inbox, folder)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Locked]:
    """Locked sockets that have said something."""
    with locked(tmp_path / "keys") as sockets:
        sockets.publisher.publish(RunMessage(state=RunState.WAITING))
        yield sockets


def stranger(daemon: Locked) -> ClientKey:
    """A pair that is on no list, with the daemon's true public key."""
    public, secret = zmq.curve_keypair()
    return msgspec.structs.replace(daemon.key("ada"), public=public.decode(), secret=secret.decode())


def test_other_machines_are_served_with_keys_and_never_without(tmp_path: Path) -> None:
    """Any endpoint but loopback demands keys; with them it works, and without one nobody gets a word."""
    with pytest.raises(ConfigurationError, match="keys"):
        Publisher(run="r", epoch=1, endpoint=EVERYWHERE, now=lambda: datetime.now(UTC))
    with locked(tmp_path / "keys", EVERYWHERE) as daemon:
        daemon.publisher.publish(RunMessage(state=RunState.WAITING))
        with daemon.client(daemon.key("ada")) as client:
            assert len(client.snapshot().events) == 1
        with daemon.client(None, timeout_s=0.5) as nobody, pytest.raises(UnreachableError, match="--keys"):
            nobody.snapshot()


def test_a_key_for_reading_reads_and_follows_and_commands_nothing(daemon: Locked) -> None:
    """Snapshot and live events arrive; every command is refused with a reason, counted, and not obeyed."""
    with daemon.client(daemon.key("ada")) as client:
        updates = client.follow(patience_s=0.2)
        assert isinstance(next(updates), Answer)
        daemon.publisher.publish(RunMessage(state=RunState.WORKING))
        live = next(u for u in updates if hasattr(u, "message"))
        assert live.message.state is RunState.WORKING  # type: ignore[union-attr]
        commands: list[Callable[[], None]] = [
            lambda: client.arm("Ada"),
            lambda: client.disarm("Ada"),
            lambda: client.stop("Ada"),
            lambda: client.abort("Ada"),
            lambda: client.acknowledge("1", "Ada"),
        ]
        for command in commands:
            with pytest.raises(WireError, match="for reading only"):
                command()
    assert daemon.inbox.drain() == []
    assert daemon.control.forbidden == len(commands)


def test_events_themselves_go_to_holders_of_a_key(daemon: Locked) -> None:
    """A bare subscriber with an allowed key hears the socket, not only what a client asks for again."""
    with zmq.Context() as context, context.socket(zmq.SUB) as ear:
        ear.setsockopt(zmq.LINGER, 0)
        unlock(ear, daemon.key("ada"))
        ear.subscribe(b"run")
        ear.connect(daemon.publisher.endpoint)
        while not ear.poll(20):
            daemon.publisher.publish(RunMessage(state=RunState.WORKING))
        assert ear.recv_multipart()[0] == b"run"


def test_an_entry_that_breaks_its_reader_locks_nobody_out(daemon: Locked) -> None:
    """The thread that answers handshakes outlives it: before, beside and after the file people come in."""
    entry = daemon.folder / "allowed" / "zzz.toml"
    for text in (None, "name = " + "[" * 3000, None):
        entry.unlink(missing_ok=True)
        if text is not None:
            write_private(entry, text)
        with daemon.client(daemon.key("ada")) as client:
            assert len(client.snapshot().events) == 1


@dataclass(frozen=True)
class Unchecked:
    """A pair that nobody has looked at."""

    public: str
    secret: str


@pytest.mark.timeout(30)
@pytest.mark.parametrize("socket", ["events", "control"])
def test_a_pair_that_no_socket_takes_is_told_and_hangs_nothing(daemon: Locked, socket: str) -> None:
    """If one got past every check: the socket is closed, so that its context can end, and it is raised."""
    keys = DaemonKeys(Unchecked("#" * 40, "#" * 40), daemon.folder)  # type: ignore[arg-type]
    opened: dict[str, Callable[[], object]] = {
        "events": lambda: Publisher(run="r", epoch=1, endpoint=LOOPBACK, now=lambda: NOW, keys=keys),
        "control": lambda: ControlServer(
            endpoint=LOOPBACK, publisher=daemon.publisher, inbox=Inbox(), keys=keys
        ),
    }
    with pytest.raises(zmq.ZMQError):
        opened[socket]()


def test_a_command_carries_the_key_that_was_proven_and_not_the_one_that_is_claimed(daemon: Locked) -> None:
    """A request that names another key, or a reader's that names the bridge, gains nothing by it."""
    for name in ("bridge", "ada"):
        with zmq.Context() as context, context.socket(zmq.REQ) as peer:
            peer.setsockopt(zmq.LINGER, 0)
            unlock(peer, daemon.key(name))
            peer.connect(daemon.control.endpoint)
            claim = {
                "command": "arm",
                "id": 1,
                "schema": 1,
                "by": "Ada",
                "key": "bridge" if name == "ada" else "god",
            }
            peer.send(msgspec.msgpack.encode(claim))
            assert peer.poll(20_000)
            assert msgspec.msgpack.decode(peer.recv_multipart()[0])["ok"] is (name == "bridge")
    (command,) = daemon.inbox.drain()
    assert isinstance(command, Arm)
    assert (command.by, command.key) == ("Ada", "bridge")


def test_strangers_and_plain_peers_are_counted_and_hear_nothing(daemon: Locked) -> None:
    """An unknown key, a false daemon key and no encryption at all: no reply, no event, no change."""
    false_daemon = msgspec.structs.replace(daemon.key("bridge"), daemon=daemon.key("ada").public)
    for key in (stranger(daemon), None, false_daemon):
        with daemon.client(key, timeout_s=0.5) as client, pytest.raises(UnreachableError):
            client.arm("Mallory")
    assert daemon.control.peers_refused > 0
    with zmq.Context() as context, context.socket(zmq.SUB) as ear:
        ear.setsockopt(zmq.LINGER, 0)
        unlock(ear, stranger(daemon))
        ear.subscribe(b"")
        ear.connect(daemon.publisher.endpoint)
        while daemon.publisher.peers_refused == 0:
            daemon.publisher.publish(RunMessage(state=RunState.WORKING))
            ear.poll(10)
        assert ear.poll(100) == 0
    assert daemon.inbox.drain() == []
    with daemon.client(daemon.key("bridge")) as client:
        client.arm("Ada")
    assert len(daemon.inbox.drain()) == 1


def test_a_revoked_key_loses_its_rights_with_its_next_request(daemon: Locked) -> None:
    """On the connection it has: refused; on a new one: not let in."""
    key = daemon.key("bridge")
    with daemon.client(key) as client:
        client.arm("Ada")
        revoke_key(daemon.folder, "bridge")
        with pytest.raises(WireError, match="not allowed any more"):
            client.disarm("Ada")
        with pytest.raises(WireError, match="not allowed any more"):
            client.snapshot()
    with daemon.client(key, timeout_s=0.5) as again, pytest.raises(UnreachableError):
        again.snapshot()
    assert len(daemon.inbox.drain()) == 1


def test_a_command_that_arrives_twice_is_obeyed_once(daemon: Locked) -> None:
    """The same token from the same key is answered alike and not obeyed again; another token is."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.setsockopt(zmq.LINGER, 0)
        unlock(peer, daemon.key("bridge"))
        peer.connect(daemon.control.endpoint)
        for number, token in enumerate(("a", "a", "b", "a", "")):
            asked = {"command": "stop", "id": number, "schema": 1, "by": "Ada", "token": token}
            peer.send(msgspec.msgpack.encode(asked))
            assert peer.poll(20_000)
            answer = msgspec.msgpack.decode(peer.recv_multipart()[0])
            assert (answer["id"], answer["ok"]) == (number, True)
    assert [command.token for command in daemon.inbox.drain()] == ["a", "b", ""]


MUCH = 4 * BOUNDS.unfinished_bytes
LITTLE = 64 * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a connection has received")
@pytest.mark.parametrize(
    ("padding", "in_all", "limit"),
    [
        pytest.param(
            MAX_REQUEST_BYTES - 200, MUCH, BOUNDS.unfinished_bytes, id="large requests, 32 MiB of them"
        ),
        pytest.param(0, 4 * LITTLE, LITTLE, id="small ones, four times a smaller limit"),
        pytest.param(200, 16 * LITTLE, LITTLE // 4, id="of a length that takes a longer header"),
    ],
)
def test_a_busy_client_is_not_taken_for_one_whose_message_never_ends(
    tmp_path: Path, padding: int, in_all: int, limit: int
) -> None:
    """Whatever it sends in whole requests is settled to the byte, encryption and all: it is never hung up on.

    What encryption adds to a small request is half of it: uncounted, it would soon come to the limit.
    """
    bounds = Bounds(unfinished_bytes=limit, unfinished_bytes_each=limit)
    with (
        locked(tmp_path / "keys", bounds=bounds) as daemon,
        zmq.Context() as context,
        context.socket(zmq.DEALER) as peer,
    ):
        peer.setsockopt(zmq.LINGER, 0)
        unlock(peer, daemon.key("ada"))
        peer.connect(daemon.control.endpoint)
        sent, number = 0, 0
        while sent < in_all:
            asked = {
                "command": "snapshot",
                "id": number,
                "schema": 1,
                "padding": "x" * (padding + number % 16),
            }
            packed = msgspec.msgpack.encode(asked)
            peer.send(packed)
            assert peer.poll(20_000)
            assert msgspec.msgpack.decode(peer.recv_multipart()[0])["id"] == number
            sent, number = sent + len(packed), number + 1
        assert (daemon.control.garbage, daemon.control.forbidden) == (0, 0)


@pytest.mark.slow
def test_a_whole_run_with_keys_writes_no_secret_anywhere_and_names_the_key(acquire, tmp_path: Path) -> None:
    """Journal, tables, volume, report, log and messages hold no secret; the audit says whose key it was."""
    folder = tmp_path / "keys"
    make_key(folder, "bridge", Role.CONTROL, datetime.now(UTC))
    acquisition = acquire(publish={"curve_keys": str(folder)})
    publish, key = load(acquisition.config).publish, read_client_key(folder / "bridge.key")
    log = tmp_path / "daemon.log"
    with log.open("wb") as sink:
        command = [sys.executable, "-m", "daemon", "--verbose", "run", str(acquisition.config)]
        process = subprocess.Popen(command, stdout=sink, stderr=sink)
    told: list[bytes] = []

    def listen() -> None:
        with Client(publish.events, publish.control, key=key, timeout_s=5.0) as client:
            for update in client.follow(until=lambda: process.poll() is not None):
                told.append(repr(update).encode())
                if isinstance(update, Answer):
                    client.disarm("Ada")

    listener = threading.Thread(target=listen)
    listener.start()
    assert process.wait(100) == 0, log.read_text()
    listener.join()
    _, audits = read_records(acquisition.outputs.journal, "audit")
    assert {(a["command"], a["by"], a["key"]) for a in audits} == {("Disarm", "Ada", "bridge")}
    daemon = open_keys(str(folder))
    assert key is not None
    assert daemon is not None
    written = [p for p in (*acquisition.outputs.folder.rglob("*"), log) if p.is_file()]
    assert len(written) > 5
    for secret in (key.secret.encode(), daemon.pair.secret.encode()):
        assert not [path for path in written if secret in path.read_bytes()]
        assert not [update for update in told if secret in update]
