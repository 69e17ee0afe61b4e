"""Hangs up on peers that libzmq lets go on for ever: its limits are on frames and queues, not on connections.

- **A message that never ends.** Frames of a message that is not complete yet are in no queue that a limit is
  set on: a peer that announces one more frame for ever fills the memory. What can be seen is how much a
  connection has sent, which the kernel counts, and how much of that the daemon has taken as whole requests.
  What one peer, and all peers of a socket together, have sent beyond that is held below a bound: above it the
  one that has sent most is hung up on, and libzmq frees its half of a message. A frame takes 64 bytes of
  memory at least and 2 on the wire, 32 times as much; so do requests that wait to be taken. Nothing is taken
  from subscribers: for them this bounds subscriptions, which take many times their bytes in libzmq's tree.
- **A peer that does not read.** Answers to heartbeats show that somebody writes, not that anybody reads. The
  kernel knows what it could not hand over: who leaves that unread for ``UNREAD_WITHIN_S`` is hung up on.
- **Ever more connections.** Each takes a descriptor, which the daemon needs for images and the abort. Above
  the bound the oldest is hung up on that has not been through its handshake, or else the oldest.

Encrypted and plain connections are counted alike; where the kernel does not count (other systems than Linux,
``ipc://``), nobody is hung up on. What a peer answers to heartbeats is forgiven as fast as it comes.
"""

from __future__ import annotations

import struct
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Any, Final

import structlog
import zmq

from daemon.account import Account
from daemon.operating_system import hang_up, traffic

UNREAD_WITHIN_S: Final = 30.0
LOOK_S: Final = 0.02  # a peer on this machine sends some 10 MB in that time
_AFTER_DEFECT_S: Final = 1.0
_SHARE_OF_LOOKING: Final = 0.02  # of one core, however many peers there are
_SEALED_BYTES: Final = 33  # "\x07MESSAGE", short nonce, flags, authenticator: https://rfc.zeromq.org/spec/26
_SHORT_FRAME: Final = 255  # up to that its length is one byte, above it eight; flags are another
_PONG_BYTES_PER_S: Final = 2.0  # 9 bytes every 5 s, and what encryption adds to them
_STRANGER_IS_TOLD: Final = 72  # bytes: our greeting, 64, and no READY yet
_SEALED_STRANGER_IS_TOLD: Final = 242  # and our WELCOME, 170; what follows is for holders of an allowed key
_EVENTS: Final = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
_TOLD: Final = struct.Struct("=hi")  # event and descriptor: the first frame of zmq_socket_monitor(3)

_log = structlog.get_logger("slicewatch")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the peers of one socket may take: bytes unfinished by all and by each of them, connections."""

    unfinished_bytes: int
    unfinished_bytes_each: int
    connections: int = 256
    unread_within_s: float = UNREAD_WITHIN_S


class FloodGuard:
    """Watches the connections of a socket that is not bound yet; its thread ends with its context."""

    def __init__(
        self,
        socket: zmq.Socket[Any],
        bounds: Bounds,
        *,
        encrypted: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bounds = bounds
        self._sealed = _SEALED_BYTES if encrypted else 0
        self._stranger_is_told = _SEALED_STRANGER_IS_TOLD if encrypted else _STRANGER_IS_TOLD
        self._forgiven_per_s = _PONG_BYTES_PER_S + self._sealed / 5.0
        self._clock = clock
        self._lock = Lock()
        self._accounts: dict[int, Account] = {}  # oldest first
        self._hung_up = Counter[str]()
        self._monitor = _monitor(socket)
        self._thread = Thread(target=self._watch, name="flood guard", daemon=True)
        self._thread.start()

    @property
    def hung_up(self) -> int:
        """How many peers were hung up on because they sent without end."""
        with self._lock:
            return self._hung_up["endless_message"]

    def taken(self, frames: Sequence[zmq.Frame]) -> None:
        """A complete request has come out of the socket: the frames behind the peer's address."""
        connection = source(frames[-1]) if frames else None
        if connection is None:
            return
        on_the_wire = sum(self._wire_bytes(len(frame)) for frame in frames)
        with self._lock:
            account = self._accounts.get(connection)
            if account is not None:
                account.settled += on_the_wire

    def end_the_slowest(self) -> None:
        """Hang up on the peer that has been behind for longest, if that is long."""
        now_s = self._clock()
        with self._lock:
            behind = {
                connection: account.behind_since_s
                for connection, account in self._accounts.items()
                if account.behind_since_s is not None
            }
            if behind:
                slowest = min(behind, key=behind.__getitem__)
                if now_s - behind[slowest] >= self._bounds.unread_within_s:
                    self._end(slowest, "does_not_read")

    def _wire_bytes(self, length: int) -> int:
        framed = length + self._sealed
        return framed + (9 if framed > _SHORT_FRAME else 2)

    def _watch(self) -> None:
        """Look every 20 ms, or less often when looking at many peers takes long."""
        looked_s, pause_s = self._clock(), LOOK_S
        while True:
            try:
                self._hear(looked_s + pause_s)
                now_s = self._clock()
                if now_s >= looked_s + pause_s:
                    elapsed_s, looked_s = now_s - looked_s, now_s
                    self._look(now_s, elapsed_s)
                    pause_s = max(LOOK_S, (self._clock() - now_s) / _SHARE_OF_LOOKING)
            except zmq.ContextTerminated:
                self._monitor.close(linger=0)
                return
            except Exception:
                # Without this thread nobody is hung up on, and the context waits for its socket for ever.
                _log.exception("socket.defect")
                Event().wait(_AFTER_DEFECT_S)

    def _hear(self, until_s: float) -> None:
        """Wait for peers that come and go, and no longer than that while there are any, however many come."""
        with self._lock:
            patience_ms = max(1, round(1000 * (until_s - self._clock()))) if self._accounts else None
        self._monitor.poll(patience_ms)
        while self._monitor.poll(0):
            event, connection = _TOLD.unpack(self._monitor.recv_multipart()[0])
            self._note(event, connection)
            if self._clock() >= until_s:
                return

    def _note(self, event: int, connection: int) -> None:
        seen = traffic(connection) if event == zmq.EVENT_ACCEPTED else None
        with self._lock:
            self._accounts.pop(connection, None)
            if seen is not None:
                self._accounts[connection] = Account(seen.peer, seen.received)
            while len(self._accounts) > self._bounds.connections:
                self._end(self._first_to_go(), "too_many_connections")

    def _first_to_go(self) -> int:
        """The oldest connection that has not been through its handshake, or else the oldest."""
        for connection, account in self._accounts.items():
            if account.acknowledged > self._stranger_is_told:
                continue
            seen = traffic(connection)
            if seen is None or seen.acknowledged <= self._stranger_is_told:
                return connection
            account.acknowledged = seen.acknowledged
        return next(iter(self._accounts))

    def _look(self, now_s: float, elapsed_s: float) -> None:
        """Bring all accounts up to date, and hang up on whoever is over a bound."""
        with self._lock:
            for connection, account in list(self._accounts.items()):
                seen = traffic(connection)
                if seen is None or seen.peer != account.peer:
                    del self._accounts[connection]
                else:
                    account.see(seen, now_s)
                    account.forgive(self._forgiven_per_s * elapsed_s)
                    self._judge(connection, account, now_s)
            while (
                sum(account.unfinished for account in self._accounts.values()) > self._bounds.unfinished_bytes
            ):
                worst = max(self._accounts, key=lambda connection: self._accounts[connection].unfinished)
                self._end(worst, "endless_message")

    def _judge(self, connection: int, account: Account, now_s: float) -> None:
        if account.unfinished > self._bounds.unfinished_bytes_each:
            self._end(connection, "endless_message")
        elif account.unread_for_s(now_s) > self._bounds.unread_within_s:
            self._end(connection, "does_not_read")

    def _end(self, connection: int, why: str) -> None:
        """Hang up; every power of two is logged, so that a peer which comes again cannot fill the log."""
        account = self._accounts.pop(connection)
        hang_up(connection, account.peer)
        self._hung_up[why] += 1
        so_far = self._hung_up[why]
        if so_far & (so_far - 1) == 0:
            told = {"peer": account.peer, "unfinished_bytes": account.unfinished, "so_far": so_far}
            _log.warning(f"socket.{why}", **told)


def _monitor(socket: zmq.Socket[Any]) -> zmq.Socket[Any]:
    """Who connects and goes, with a short queue: while it is full, libzmq lets nobody else in.

    The usual one would let 2000 in, more than there may be descriptors for, before the first is hung up on.
    """
    address = f"inproc://flood-guard-{id(socket)}"
    socket.monitor(address, _EVENTS)
    monitor = socket.context.socket(zmq.PAIR)
    monitor.setsockopt(zmq.RCVHWM, 1)  # and the 1000 of libzmq's own end
    monitor.connect(address)
    return monitor


def source(frame: zmq.Frame) -> int | None:
    """The descriptor that a frame was read from; None where libzmq does not tell (peers of ZMTP 1)."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return None
