"""The event stream: a PUB socket, gap-free numbers, and what late clients ask for (DESIGN §7).

Every message takes the next number of the epoch and is remembered before it is sent, so whatever a
subscriber misses can be asked for again. Sending never waits: the socket drops for a subscriber whose queue
is full. Pictures go first. libzmq tells when it has let go of a payload; while the pictures of earlier
previews are still queued for somebody, further previews are sent without theirs (a client fetches the newest
with ``latest``), so a subscriber that stops reading holds a few pictures at most, until it is hung up on: by
``daemon.flood_guard``, or by the kernel if it is gone. The socket is used only while holding the lock: that
is the full fence that ZeroMQ demands when a socket passes between threads.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from threading import Lock
from typing import Any

import zmq

from daemon.curve import Doorkeeper
from daemon.endpoints import HANDSHAKE_WITHIN_MS, bind
from daemon.flood_guard import UNREAD_WITHIN_S, Bounds, FloodGuard
from daemon.history import History
from daemon.keys import DaemonKeys
from daemon.messages import Message, PreviewMessage
from daemon.wire import SCHEMA, Envelope, Multipart, Part, encode, without_arrays

HISTORY_MESSAGES = 2_000  # some 2 MB; an hour of heartbeats
QUEUED_MESSAGES = 10_000  # per subscriber; some 5 MB for one that has stopped reading
PREVIEWS_IN_FLIGHT = 4
FRAME_FROM_BYTES = 4096  # below that another copy costs less than a frame
LINGER_MS = 2_000
SUBSCRIPTION_BYTES = 1024  # subscribers send topics, and CURVE handshakes of 300 bytes; more ends it
BOUNDS = Bounds(unfinished_bytes=512 * 1024, unfinished_bytes_each=16 * 1024)
"""What subscribers send is subscriptions; one to everything takes 3 bytes, and a handshake below 1 KiB."""
SUBSCRIPTIONS_AHEAD = 16
"""Of each subscriber. Whoever sends has libzmq take in all that are there first: it must be quicker at that
than those who subscribe without end, or a message would never leave, and the run wait for that."""
BUFFERED_BYTES = 16 * 1024  # the kernel's, per subscriber; it would grow to some MB
_MORE = int(zmq.SNDMORE)


class Publisher:
    """Publishes messages of one run and epoch; safe to call from several threads.

    With ``keys`` nobody hears anything without an allowed one. ``recorded`` fetches the last words on one
    of the topics ``on_record``, earlier epochs' too, from where they are kept, on the thread of who asks.

    Raises
    ------
    ConfigurationError
        The endpoint is not loopback, and there are no keys.
    WireError
        The endpoint cannot be bound.
    """

    def __init__(
        self,
        *,
        run: str,
        epoch: int,
        endpoint: str,
        now: Callable[[], datetime],
        history_messages: int = HISTORY_MESSAGES,
        keys: DaemonKeys | None = None,
        on_record: Collection[str] = (),
        recorded: Callable[[str], Iterable[Message]] = lambda _topic: (),
        bounds: Bounds = BOUNDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run = run
        self.epoch = epoch
        self._now = now
        self._lock = Lock()
        self._seq = 0
        self._withheld = 0
        self._history = History(history_messages, frozenset(on_record))
        self._on_record = tuple(on_record)
        self._recorded = recorded
        self._clock = clock
        self._unread_within_s = bounds.unread_within_s
        self._in_flight: deque[tuple[float, zmq.MessageTracker]] = deque()
        self._context = zmq.Context()
        self._doorkeeper = Doorkeeper(self._context, keys) if keys else None
        self._socket = publishing_socket(self._context)
        self._flood_guard = FloodGuard(self._socket, bounds, encrypted=keys is not None, clock=clock)
        # what zmq.Socket.send wraps; the wrapping, for sockets that are still drafts, is half of its time
        self._send_frame = super(zmq.Socket, self._socket).send
        self._closed = False
        try:
            self.endpoint = bind(self._socket, endpoint, keys)
        except Exception:
            self._context.term()
            raise

    def publish(self, message: Message) -> int:
        """Number, remember and send a message; return its number. After ``close`` it is only remembered."""
        with self._lock:
            self._seq += 1
            parts = encode(message, self.envelope(self._seq))
            if message.arrays:
                parts = _owned(message, parts)
            self._history.remember(message, self._seq, parts)
            if not self._closed:
                self._send(message, parts)
            return self._seq

    @property
    def seq(self) -> int:
        """The number of the last message."""
        with self._lock:
            return self._seq

    def snapshot(self) -> tuple[int, list[Multipart]]:
        """The last number, and the last message on every subject, those on record before all others.

        What is recorded may be newer than the number: then it is about to be told again.
        """
        with self._lock:
            seq, recent = self._seq, self._history.latest()
        told = (message for topic in self._on_record for message in self._recorded(topic))
        older = (message for message in told if (message.topic, message.key) not in recent)
        return seq, [*(encode(message, self.envelope(0)) for message in older), *recent.values()]

    def latest(self, topic: str) -> tuple[int, Multipart | None]:
        """The last number, and the last message of a topic."""
        with self._lock:
            seq, recent = self._seq, self._history.latest()
        told = [parts for (about, _), parts in recent.items() if about == topic]
        if not told and topic in self._on_record:
            told = [encode(message, self.envelope(0)) for message in self._recorded(topic)]
        return seq, told[-1] if told else None

    def since(self, seq: int) -> tuple[int, list[Multipart] | None]:
        """The last number, and the messages from ``seq`` on; None when they are no longer kept."""
        with self._lock:
            return self._seq, [] if seq == self._seq + 1 else self._history.since(seq)

    @property
    def previews_withheld(self) -> int:
        """How many previews went out without pictures because somebody was behind."""
        with self._lock:
            return self._withheld

    @property
    def hung_up(self) -> int:
        """How many subscribers were hung up on because they sent or subscribed without end."""
        return self._flood_guard.hung_up

    @property
    def peers_refused(self) -> int:
        """How many handshakes failed for want of an allowed key."""
        return self._doorkeeper.refused if self._doorkeeper else 0

    def envelope(self, seq: int) -> Envelope:
        """The envelope of a message, or of an answer given now, that is numbered ``seq``."""
        return Envelope(SCHEMA, self.run, self.epoch, seq, self._now())

    def close(self) -> None:
        """Give the last messages two seconds to leave, then free the port."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._socket.close(linger=LINGER_MS)
        self._context.term()

    def _send(self, message: Message, parts: Multipart) -> None:
        if not message.arrays:
            self._send_figures(parts)
        elif not isinstance(message, PreviewMessage):
            self._send_with_payload(parts)
        elif self._somebody_is_behind():
            self._withheld += 1
            self._send_figures(without_arrays(parts))
        else:
            self._send_tracked(parts)

    def _send_figures(self, parts: Multipart) -> None:
        """Topic and header, as nearly every message; ``send_multipart`` would take six times as long."""
        topic, header = parts
        self._send_frame(topic, _MORE)
        self._send_frame(header)

    def _send_with_payload(self, parts: Multipart) -> None:
        """A frame is sent from the memory that the history keeps, whose users libzmq counts by itself."""
        *leading, last = (part.obj if isinstance(part, memoryview) else part for part in parts)
        for part in leading:
            self._send_frame(part, _MORE)
        self._send_frame(last)

    def _send_tracked(self, parts: Multipart) -> None:
        """Send without copying, so that the tracker tells when every queue has let go of the message."""
        tracker = self._socket.send_multipart(parts, copy=False, track=True)
        if tracker is not None:
            self._in_flight.append((self._clock(), tracker))

    def _somebody_is_behind(self) -> bool:
        """Who reads so slowly that a picture waits for half a minute is hung up on like who does not."""
        while self._in_flight and self._in_flight[0][1].done:
            self._in_flight.popleft()
        if self._in_flight and self._clock() - self._in_flight[0][0] > self._unread_within_s:
            self._flood_guard.end_the_slowest()
        return len(self._in_flight) >= PREVIEWS_IN_FLIGHT


def _owned(message: Message, parts: Multipart) -> Multipart:
    """The same parts in memory that nobody else writes to; this is the only time that a payload is copied.

    Large payloads are copied into frames: libzmq sends and frees them without waking a thread of Python.
    Those of previews stay with Python, which alone tells when they have been let go.
    """
    topic, header, *payloads = parts
    own = bytes if isinstance(message, PreviewMessage) else _framed
    return topic, header, *map(own, payloads)


def _framed(payload: Part) -> Part:
    return zmq.Frame(payload, copy=True).buffer if len(payload) >= FRAME_FROM_BYTES else bytes(payload)


def _notice_the_dead(socket: zmq.Socket[Any]) -> None:
    """Hang up on who is gone without a word, by the kernel's means.

    With heartbeats of ZMTP and a limit on what waits to be read, libzmq 4.3.5 ends the process when a peer
    goes that it had stopped reading from (``Assertion failed: !_io_error``).
    """
    for option, value in (
        (zmq.TCP_KEEPALIVE, 1),
        (zmq.TCP_KEEPALIVE_IDLE, 10),
        (zmq.TCP_KEEPALIVE_INTVL, 5),
        (zmq.TCP_KEEPALIVE_CNT, 3),
        (zmq.TCP_MAXRT, round(1000 * UNREAD_WITHIN_S)),
    ):
        socket.setsockopt(option, value)


def publishing_socket(context: zmq.Context[Any]) -> zmq.Socket[Any]:
    """A PUB socket that drops for who does not read and hangs up on who is gone; not bound yet."""
    socket = context.socket(zmq.PUB)
    socket.setsockopt(zmq.SNDHWM, QUEUED_MESSAGES)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_WITHIN_MS)
    socket.setsockopt(zmq.MAXMSGSIZE, SUBSCRIPTION_BYTES)
    socket.setsockopt(zmq.RCVBUF, BUFFERED_BYTES)
    socket.setsockopt(zmq.RCVHWM, SUBSCRIPTIONS_AHEAD)
    _notice_the_dead(socket)
    socket.copy_threshold = 0
    return socket
