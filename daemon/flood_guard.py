"""Hangs up on peers whose messages never end: libzmq limits the size of a frame, not the number of frames.

Frames of a message that is not complete yet are in no queue that a limit is set on, and no socket shows them:
a peer that announces one more frame for ever fills the memory. What can be seen is how much a connection has
sent, which the kernel counts, and how much of that the daemon has taken as complete requests. What all peers
of a socket together have sent beyond that is held below ``UNFINISHED_BYTES``: above it the one that has sent
most is hung up on, and libzmq frees its half of a message. A frame takes 64 bytes of memory at least and 2 on
the wire, so the worst that this comes to is 32 times as much. Encrypted and plain connections are counted
alike; where the kernel does not count (other systems than Linux, ``ipc://``), nobody is hung up on.

What a peer answers to heartbeats is forgiven as fast as it comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Any, Final

import structlog
import zmq
from zmq.utils.monitor import recv_monitor_message

from daemon.operating_system import hang_up, traffic

UNFINISHED_BYTES: Final = 8 * 2**20
LOOK_S: Final = 0.02  # a peer on this machine sends some 10 MB in that time
_SHARE_OF_LOOKING: Final = 0.02  # of one core, however many peers there are
_SEALED_BYTES: Final = 33  # "\x07MESSAGE", short nonce, flags, authenticator: https://rfc.zeromq.org/spec/26
_SHORT_FRAME: Final = 255  # up to that its length is one byte, above it eight; flags are another
_PONG_BYTES_PER_S: Final = 2.0  # 9 bytes every 5 s, and what encryption adds to them
_EVENTS: Final = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED

_log = structlog.get_logger("slicewatch")


@dataclass(slots=True)
class _Account:
    """Bytes of the connection with a peer: received at the last look, and taken or forgiven until now."""

    peer: str
    received: float
    settled: float = 0.0

    @property
    def unfinished(self) -> float:
        return max(0.0, self.received - self.settled)


class FloodGuard:
    """Watches the connections of a socket that is not bound yet; its thread ends with its context."""

    def __init__(
        self, socket: zmq.Socket[Any], *, encrypted: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sealed = _SEALED_BYTES if encrypted else 0
        self._forgiven_per_s = _PONG_BYTES_PER_S + self._sealed / 5.0
        self._clock = clock
        self._accounts: dict[int, _Account] = {}
        self._hung_up = 0
        self._lock = Lock()
        self._monitor = socket.get_monitor_socket(_EVENTS)
        self._thread = Thread(target=self._watch, name="flood guard", daemon=True)
        self._thread.start()

    @property
    def hung_up(self) -> int:
        """How many peers were hung up on."""
        with self._lock:
            return self._hung_up

    def taken(self, frames: Sequence[zmq.Frame]) -> None:
        """A complete request has come out of the socket: the frames behind the peer's address."""
        connection = _source(frames[-1]) if frames else None
        if connection is None:
            return
        on_the_wire = sum(self._wire_bytes(len(frame)) for frame in frames)
        with self._lock:
            account = self._accounts.get(connection)
            if account is not None:
                account.settled += on_the_wire

    def _wire_bytes(self, length: int) -> int:
        framed = length + self._sealed
        return framed + (9 if framed > _SHORT_FRAME else 2)

    def _watch(self) -> None:
        """Look every 20 ms, or less often when looking at many peers takes long."""
        looked_s = self._clock()
        pause_s = LOOK_S
        try:
            while True:
                self._hear(looked_s + pause_s - self._clock())
                now_s = self._clock()
                if now_s >= looked_s + pause_s:
                    self._look(now_s - looked_s)
                    looked_s, pause_s = now_s, max(LOOK_S, (self._clock() - now_s) / _SHARE_OF_LOOKING)
        except zmq.ContextTerminated:
            self._monitor.close(linger=0)

    def _hear(self, seconds: float) -> None:
        """Wait for peers that come and go, and no longer than that while there are any."""
        with self._lock:
            patience_ms = max(1, round(1000 * seconds)) if self._accounts else None
        self._monitor.poll(patience_ms)
        while self._monitor.poll(0):
            told = recv_monitor_message(self._monitor)
            self._note(told["event"], int(told["value"]))

    def _note(self, event: int, connection: int) -> None:
        seen = traffic(connection) if event == zmq.EVENT_ACCEPTED else None
        with self._lock:
            self._accounts.pop(connection, None)
            if seen is not None:
                self._accounts[connection] = _Account(seen.peer, seen.received)

    def _look(self, elapsed_s: float) -> None:
        """Bring all accounts up to date, and hang up until what is unfinished is little enough."""
        with self._lock:
            for connection, account in list(self._accounts.items()):
                seen = traffic(connection)
                if seen is None or seen.peer != account.peer:
                    del self._accounts[connection]
                else:
                    account.received = seen.received
                    account.settled += min(account.unfinished, self._forgiven_per_s * elapsed_s)
            while sum(account.unfinished for account in self._accounts.values()) > UNFINISHED_BYTES:
                self._end(max(self._accounts, key=lambda connection: self._accounts[connection].unfinished))

    def _end(self, connection: int) -> None:
        """Hang up; every power of two is logged, so that a peer which comes again cannot fill the log."""
        account = self._accounts.pop(connection)
        hang_up(connection, account.peer)
        self._hung_up += 1
        if self._hung_up & (self._hung_up - 1) == 0:
            told = {"peer": account.peer, "unfinished_bytes": account.unfinished, "so_far": self._hung_up}
            _log.warning("socket.endless_message", **told)


def _source(frame: zmq.Frame) -> int | None:
    """The descriptor that a frame was read from; None where libzmq does not tell (peers of ZMTP 1)."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return None
