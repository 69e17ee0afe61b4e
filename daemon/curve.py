"""CURVE on the daemon's sockets: everything is encrypted, and only keys of the allow-list are let in.

ZeroMQ asks an authenticator in the same process about every handshake (ZAP, RFC 27). ``Doorkeeper`` answers
it from the allow-list and vouches for the peer with its public key, which then comes with every
message as ``User-Id``: what a request claims about its sender counts for nothing. Without an answer nobody is
let in (``ZAP_ENFORCE_DOMAIN``). https://rfc.zeromq.org/spec/27
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock, Thread
from typing import Any, Final

import structlog
import zmq
from zmq.utils import z85

from daemon.keys import AllowList, ClientKey, DaemonKeys

_ENDPOINT: Final = "inproc://zeromq.zap.01"
_DOMAIN: Final = b"slicewatch"
_PUBLIC_KEY_BYTES: Final = 32

Socket = zmq.Socket[Any]
_log = structlog.get_logger("slicewatch")


class Doorkeeper:
    """Answers the handshakes of one context on a thread that ends when the context is terminated."""

    def __init__(self, context: zmq.Context[Any], keys: DaemonKeys) -> None:
        self._allowed = AllowList(keys.folder)
        self._refused = 0
        self._lock = Lock()
        self._socket = context.socket(zmq.REP)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(_ENDPOINT)
        self._thread = Thread(target=self._serve, name="doorkeeper", daemon=True)
        self._thread.start()

    @property
    def refused(self) -> int:
        """How many handshakes were refused."""
        with self._lock:
            return self._refused

    def _serve(self) -> None:
        try:
            while True:
                self._socket.send_multipart(self._answer(self._socket.recv_multipart()))
        except zmq.ContextTerminated:
            self._socket.close()

    def _answer(self, parts: Sequence[bytes]) -> list[bytes]:
        request_id = parts[1] if len(parts) > 1 else b""
        public = self._allowed_key(parts)
        if public:
            return [b"1.0", request_id, b"200", b"OK", public.encode("ascii"), b""]
        with self._lock:
            self._refused += 1
        return [b"1.0", request_id, b"400", b"this key is not allowed", b"", b""]

    def _allowed_key(self, parts: Sequence[bytes]) -> str:
        """The public key of a peer that may come in, else nothing."""
        try:
            public = _public_key(parts)
            return public if public is not None and self._allowed.find(public) is not None else ""
        except Exception:
            # Whatever is wrong with one question, the thread that lets people in must not end with it.
            _log.exception("keys.defect")
            return ""


def lock(socket: Socket, keys: DaemonKeys) -> None:
    """Let a daemon's socket, before it is bound, accept holders of allowed keys only."""
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    socket.setsockopt(zmq.CURVE_SECRETKEY, keys.pair.secret.encode("ascii"))
    socket.setsockopt(zmq.ZAP_DOMAIN, _DOMAIN)
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)


def unlock(socket: Socket, key: ClientKey) -> None:
    """Let a client's socket, before it connects, show its key and know the daemon by its own."""
    socket.setsockopt(zmq.CURVE_SERVERKEY, key.daemon.encode("ascii"))
    socket.setsockopt(zmq.CURVE_PUBLICKEY, key.public.encode("ascii"))
    socket.setsockopt(zmq.CURVE_SECRETKEY, key.secret.encode("ascii"))


def _public_key(parts: Sequence[bytes]) -> str | None:
    """The proven key of a ZAP request (version, id, domain, address, identity, mechanism, key); else None."""
    if len(parts) != 7 or parts[0] != b"1.0" or parts[2] != _DOMAIN or parts[5] != b"CURVE":
        return None
    return z85.encode(parts[6]).decode("ascii") if len(parts[6]) == _PUBLIC_KEY_BYTES else None
