"""The request socket: one thread owns the ROUTER and answers; commands go to the run through an inbox.

Questions (``snapshot``, ``latest``, ``replay``, ``planes``) are answered here. Commands (``acknowledge``,
``arm``, ``disarm``, ``stop``, ``abort``) are put into a bounded inbox that the runner empties between
slices; their reply says that they were accepted, and the events say what came of them. Garbage is counted
and dropped without a reply; a peer that is gone or does not read loses its replies and holds nobody up
(``daemon.unread_replies``), and one whose request never ends is hung up on (``daemon.flood_guard``).
Where there are keys, a command needs one for control (``daemon.access``) and carries its name from here on.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event as Flag
from threading import Lock, Thread
from typing import Any, Protocol

import msgspec
import numpy as np
import structlog
import zmq
from numpy.typing import NDArray

from daemon.access import Access, ForbiddenError, Peer, require_right
from daemon.curve import Doorkeeper
from daemon.endpoints import HANDSHAKE_WITHIN_MS, bind
from daemon.errors import SlicewatchError, WireError
from daemon.face_block import FACE_FIELDS, FaceBlock
from daemon.flood_guard import FloodGuard
from daemon.inbox import Inbox
from daemon.keys import DaemonKeys
from daemon.publish import Publisher
from daemon.requests import (
    AnyRequest,
    Latest,
    ReadFace,
    ReadPlanes,
    Replay,
    Snapshot,
    accepted,
    answered,
    decode_request,
    refused,
)
from daemon.unread_replies import UnreadReplies
from daemon.wire import Multipart, pack_arrays

POLL_MS = 100
MAX_REQUEST_BYTES = 16 * 1024
QUEUED_REQUESTS = 16  # per peer; then TCP holds it up
BUFFERED_BYTES = 128 * 1024  # the kernel's, per peer; it would grow to some MB for one that does not wait
MAX_BLOCK_BYTES = 64 * 2**20
QUEUED_REPLIES = 16

_log = structlog.get_logger("slicewatch")


class VolumeReader(Protocol):
    """Reads the volume while it grows; called from the control thread."""

    def shape(self, level: int) -> tuple[int, int, int]:
        """(z, y, x) of a pyramid level in voxels; SlicewatchError if there is no such level."""
        ...

    def read(
        self, level: int, first: int, count: int, y: int, x: int, height: int, width: int
    ) -> NDArray[np.uint8]:
        """The labels (count, height, width) of a block that lies inside."""
        ...


class FaceReader(Protocol):
    """Shows any face of the run again; called from the control thread."""

    def read(self, request: ReadFace) -> FaceBlock:
        """The asked part of a layer; SlicewatchError if there is none."""
        ...


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
    ) -> None:
        self._faces = faces
        self._publisher = publisher
        self._inbox = inbox
        self._volume = volume
        self._access = Access(keys)
        self._garbage = 0
        self._forbidden = 0
        self._counts_lock = Lock()
        self._context = zmq.Context()
        self._doorkeeper = Doorkeeper(self._context, keys) if keys else None
        self._socket = _answering_socket(self._context)
        self._replies = UnreadReplies(self._socket)
        self._flood_guard = FloodGuard(self._socket, encrypted=keys is not None)
        try:
            self.endpoint = bind(self._socket, endpoint, keys)
        except Exception:
            self._context.term()
            raise
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
        self._thread.join()
        self._context.term()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            if self._socket.poll(POLL_MS):
                self._answer_one(self._socket.recv_multipart(copy=False))
        self._socket.close(linger=500)

    def _answer_one(self, frames: Sequence[zmq.Frame]) -> None:
        """``[peer, request]`` from a DEALER, ``[peer, empty, request]`` from a REQ."""
        self._flood_guard.taken(frames[1:])
        parts = [frame.bytes for frame in frames]
        delimited = len(parts) == 3 and parts[1] == b""
        try:
            if len(parts) != 2 and not delimited:
                raise WireError("wrong number of frames", where="control", remedy="Send one frame.")
            request = decode_request(parts[-1])
        except WireError:
            with self._counts_lock:
                self._garbage += 1
            return
        reply = self._reply(request, frames[-1])
        if not self._replies.has_room(parts[0], reply):
            reply = refused(request, _unread())
        self._replies.send(parts[:-1], reply)

    def _reply(self, request: AnyRequest, frame: zmq.Frame) -> Multipart:
        try:
            peer = self._access.sender(frame)
            require_right(peer, request)
            return self._answer(request, peer)
        except ForbiddenError as error:
            self._count_forbidden(request, error)
            return refused(request, error)
        except SlicewatchError as error:
            return refused(request, error)
        except Exception as error:  # whatever a question runs into, the next command must find a listener
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

    def _answer(self, request: AnyRequest, peer: Peer) -> Multipart:
        match request:
            case Snapshot():
                return self._stream(request, *self._publisher.snapshot())
            case Latest():
                return self._latest(request)
            case Replay():
                return self._replay(request)
            case ReadPlanes():
                return self._planes(request)
            case ReadFace():
                return self._face(request)
            case _:
                self._inbox.put(msgspec.structs.replace(request, key=peer.name))
                return accepted(request)

    def _stream(self, request: AnyRequest, seq: int, messages: list[Multipart]) -> Multipart:
        """Messages inside one payload frame: a MessagePack array of multiparts."""
        body = msgspec.msgpack.encode(messages)
        return answered(request, self._publisher.envelope(seq), {"messages": len(messages)}, body)

    def _latest(self, request: Latest) -> Multipart:
        seq, message = self._publisher.latest(request.topic)
        return self._stream(request, seq, [] if message is None else [message])

    def _replay(self, request: Replay) -> Multipart:
        seq, messages = self._publisher.since(request.seq)
        asked, here = (request.run, request.epoch), (self._publisher.run, self._publisher.epoch)
        if messages is None or asked != here or request.seq > seq + 1:
            raise WireError(
                f"messages from {request.seq} of epoch {request.epoch} are not kept",
                where=f"replay, at epoch {here[1]}, message {seq}",
                remedy="Ask for a snapshot and go on from there.",
            )
        return self._stream(request, seq, messages)

    def _planes(self, request: ReadPlanes) -> Multipart:
        if self._volume is None:
            raise WireError("there is no volume yet", where="planes", remedy="Wait for the first plane.")
        height, width = _extent(request, self._volume.shape(request.level))
        block = self._volume.read(
            request.level, request.first, request.count, request.y, request.x, height, width
        )
        described, payloads = pack_arrays({"labels": block})
        return answered(
            request, self._publisher.envelope(self._publisher.seq), {"arrays": described}, *payloads
        )

    def _face(self, request: ReadFace) -> Multipart:
        if self._faces is None:
            raise WireError("there is no face yet", where="face", remedy="Wait for the first slice.")
        block = self._faces.read(request)
        described, payloads = pack_arrays({"face": block.pixels})
        told: dict[str, object] = {
            "arrays": described,
            **{name: getattr(block, name) for name in FACE_FIELDS},
        }
        return answered(request, self._publisher.envelope(self._publisher.seq), told, *payloads)


def _unread() -> WireError:
    return WireError(
        "too many replies wait to be read",
        where="control",
        remedy="Read each reply before asking again; those that nobody reads are let go after half a minute.",
    )


def _extent(request: ReadPlanes, shape: tuple[int, int, int]) -> tuple[int, int]:
    """Height and width of a requested block, 0 meaning to the edge; refused when it sticks out or is huge."""
    height = request.height or shape[1] - request.y
    width = request.width or shape[2] - request.x
    ends = (request.first + request.count, request.y + height, request.x + width)
    if any(end > size for end, size in zip(ends, shape, strict=True)) or min(height, width) < 1:
        raise WireError(
            f"the block up to {ends} sticks out", where=f"a volume of {shape}", remedy="Ask for less."
        )
    if request.count * height * width > MAX_BLOCK_BYTES:
        raise WireError(
            f"{request.count * height * width} voxels are too many for one reply",
            where="planes",
            remedy=f"Ask for at most {MAX_BLOCK_BYTES} at a time, or for a coarser level.",
        )
    return height, width


def _answering_socket(context: zmq.Context[Any]) -> zmq.Socket[Any]:
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.SNDHWM, QUEUED_REPLIES)
    socket.setsockopt(zmq.RCVHWM, QUEUED_REQUESTS)
    socket.setsockopt(zmq.RCVBUF, BUFFERED_BYTES)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_REQUEST_BYTES)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 5_000)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_WITHIN_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 15_000)
    return socket
