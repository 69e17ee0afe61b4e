"""The request socket: one thread owns the ROUTER, obeys commands at once and sends questions to clerks.

Commands (``acknowledge``, ``arm``, ``disarm``, ``stop``, ``abort``) are put into a bounded inbox that the
runner empties between slices; their reply says that they were accepted, and the events say what came of them.
Questions (``snapshot``, ``latest``, ``replay``, ``planes``, ``face``) are answered on other threads
(``daemon.reception``), so that none of them, however long it takes, keeps a command waiting. Garbage is
counted and dropped without a reply; a peer that is gone or does not read loses its replies and holds nobody
up (``daemon.unread_replies``), and one whose request never ends is hung up on (``daemon.flood_guard``).
Where there are keys, a command needs one for control (``daemon.access``) and carries its name from here on.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Event as Flag
from threading import Lock, Thread
from typing import Any, Final

import msgspec
import structlog
import zmq

from daemon.access import Access, ForbiddenError, require_right
from daemon.answering import Answers, FaceReader, VolumeReader
from daemon.caller import caller_of
from daemon.clerk import Bell
from daemon.curve import Doorkeeper
from daemon.endpoints import HANDSHAKE_WITHIN_MS, NO_LIMIT, bind
from daemon.errors import SlicewatchError, WireError
from daemon.flood_guard import Bounds, FloodGuard
from daemon.inbox import Inbox
from daemon.keys import DaemonKeys
from daemon.operating_system import seed_the_c_library
from daemon.publish import Publisher
from daemon.reception import Reception
from daemon.requests import AnyRequest, Command, accepted, decode_request, refused
from daemon.wire import Multipart

POLL_MS: Final = 100
HELD_UP_POLL_MS: Final = 5  # nobody tells when a reply has been read
ANSWERS_WITHIN_S: Final = 1.0  # what is asked before the end is answered if that takes no longer
MAX_REQUEST_BYTES: Final = 16 * 1024
BUFFERED_BYTES: Final = 128 * 1024
"""The kernel's, per peer; it would grow to some MB for one that does not wait."""
QUEUED_REPLIES: Final = 16
BOUNDS: Final = Bounds(unfinished_bytes=8 * 2**20, unfinished_bytes_each=8 * 2**20)

_log = structlog.get_logger("slicewatch")


class ControlServer:
    """Answers requests until closed.

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
        endpoint: str,
        publisher: Publisher,
        inbox: Inbox,
        volume: VolumeReader | None = None,
        keys: DaemonKeys | None = None,
        faces: FaceReader | None = None,
        bounds: Bounds = BOUNDS,
    ) -> None:
        self._inbox = inbox
        self._access = Access(keys)
        self._garbage = 0
        self._forbidden = 0
        self._counts_lock = Lock()
        self._context = zmq.Context()
        self._doorkeeper = Doorkeeper(self._context, keys) if keys else None
        self._socket = _answering_socket(self._context)
        self._flood_guard = FloodGuard(self._socket, bounds, encrypted=keys is not None)
        try:
            self.endpoint = bind(self._socket, endpoint, keys)
        except Exception:
            self._context.term()
            raise
        self._bell = Bell()
        answers = Answers(publisher, volume, faces)
        self._reception = Reception(self._socket, answers.reply, self._bell, bounds.unread_within_s)
        self._stopping = Flag()
        self._thread = Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    @property
    def garbage(self) -> int:
        """How many requests were dropped because they were none, or hung up on because they did not end."""
        with self._counts_lock:
            return self._garbage + self._flood_guard.hung_up

    @property
    def forbidden(self) -> int:
        """How many requests were refused because the peer's key does not allow them."""
        with self._counts_lock:
            return self._forbidden

    @property
    def peers_refused(self) -> int:
        """How many handshakes failed for want of an allowed key."""
        return self._doorkeeper.refused if self._doorkeeper else 0

    def close(self) -> None:
        """Answer what has arrived, then free the port."""
        self._stopping.set()
        self._bell.ring()
        self._thread.join()
        self._reception.close()
        self._bell.close()
        self._context.term()

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._bell.fileno(), zmq.POLLIN)
        while not self._stopping.is_set():
            self._serve_safely(poller)
        deadline_s = time.monotonic() + ANSWERS_WITHIN_S
        while self._reception.is_busy and time.monotonic() < deadline_s:
            self._serve_safely(poller)
        self._socket.close(linger=500)

    def _serve_safely(self, poller: zmq.Poller) -> None:
        """Whatever is wrong with one request or reply, the thread that takes aborts goes on."""
        try:
            self._serve_once(poller)
        except Exception:
            _log.exception("control.defect")
            self._stopping.wait(POLL_MS / 1000)

    def _serve_once(self, poller: zmq.Poller) -> None:
        ready = dict(poller.poll(HELD_UP_POLL_MS if self._reception.is_held_up else POLL_MS))
        if self._bell.fileno() in ready:
            self._bell.hush()
        if self._socket in ready:
            self._receive(self._socket.recv_multipart(copy=False))
        self._reception.turn()

    def _receive(self, frames: Sequence[zmq.Frame]) -> None:
        """``[peer, request]`` from a DEALER, ``[peer, empty, request]`` from a REQ."""
        self._flood_guard.taken(frames[1:])
        delimited = len(frames) == 3 and len(frames[1]) == 0
        try:
            if len(frames) != 2 and not delimited:
                raise WireError("wrong number of frames", where="control", remedy="Send one frame.")
            request = decode_request(frames[-1].bytes)
        except WireError:
            with self._counts_lock:
                self._garbage += 1
            return
        caller = caller_of(frames)
        reply = self._obeyed_or_refused(request, frames[-1])
        if reply is None:
            self._reception.ask(caller, request)
        else:
            self._reception.reply(caller, reply)

    def _obeyed_or_refused(self, request: AnyRequest, frame: zmq.Frame) -> Multipart | None:
        """The reply to a command, or to who may not ask; None for a question, which is to be answered."""
        try:
            peer = self._access.sender(frame)
            require_right(peer, request)
            if not isinstance(request, Command):
                return None
            self._inbox.put(msgspec.structs.replace(request, key=peer.name))
            return accepted(request)
        except ForbiddenError as error:
            self._count_forbidden(request, error)
            return refused(request, error)
        except SlicewatchError as error:
            return refused(request, error)
        except Exception as error:  # whatever a command runs into, the next one must find a listener
            _log.exception("control.unexpected", request=type(request).__name__)
            what = f"the request failed: {type(error).__name__}"
            return refused(request, WireError(what, where="control", remedy="See the daemon's log."))

    def _count_forbidden(self, request: AnyRequest, error: ForbiddenError) -> None:
        """Every power of two is logged, so that a peer which goes on asking cannot fill the log."""
        with self._counts_lock:
            self._forbidden += 1
            told = self._forbidden & (self._forbidden - 1) == 0
        if told:
            asked = type(request).__name__
            _log.warning("control.forbidden", request=asked, why=error.what, so_far=self._forbidden)


def _answering_socket(context: zmq.Context[Any]) -> zmq.Socket[Any]:
    seed_the_c_library()  # libzmq counts peers from rand(), and ends the process if one bears the next number
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.SNDHWM, QUEUED_REPLIES)
    socket.setsockopt(zmq.RCVHWM, NO_LIMIT)
    socket.setsockopt(zmq.RCVBUF, BUFFERED_BYTES)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_REQUEST_BYTES)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 5_000)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_WITHIN_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 15_000)
    return socket
