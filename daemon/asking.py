"""Asking a daemon: a request goes out, and its answer comes within a time, or nobody is there."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import zmq

from daemon.endpoints import connect
from daemon.errors import UnreachableError, WireError
from daemon.keys import ClientKey
from daemon.requests import AnyRequest, Failure, Reply, decode_request
from daemon.wire import SCHEMA, garbage, pack, read_fields, unpack


class Asker:
    """A request socket of ``context``; an answer may take ``timeout_s`` on the monotonic ``clock``.

    Raises
    ------
    ConfigurationError
        The endpoint is none.
    """

    def __init__(
        self,
        context: zmq.Context[Any],
        endpoint: str,
        *,
        timeout_s: float,
        key: ClientKey | None,
        clock: Callable[[], float],
    ) -> None:
        self._context = context
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._key = key
        self._clock = clock
        self._socket = self._dealer()

    def ask(self, request: AnyRequest) -> tuple[dict[str, Any], list[bytes]]:
        """Header and payload of the answer; UnreachableError after the time-out, WireError if refused."""
        data = pack(request)
        decode_request(data)  # what the daemon would drop without an answer is refused here, at once
        self._send(data)
        deadline = self._clock() + self._timeout_s
        while (left_s := deadline - self._clock()) > 0 and self._socket.poll(math.ceil(left_s * 1000)):
            header_part, *payload = self._socket.recv_multipart()
            header = unpack(header_part)
            if header.get("id") == request.id:
                _raise_if_refused(header)
                return header, payload
        raise self._unreachable()

    def _send(self, data: bytes) -> None:
        try:
            self._socket.send(data)
        except zmq.Again as error:
            raise self._unreachable() from error

    def _unreachable(self) -> UnreachableError:
        """Hang up too: a command must not reach a daemon that starts an hour later."""
        self._socket.close(linger=0)
        self._socket = self._dealer()
        return UnreachableError(
            f"no daemon has answered within {self._timeout_s:g} s",
            where=self._endpoint,
            remedy="Start it with 'slicewatch run CONFIG', give its control endpoint, or, where it asks for "
            "one, a key that it allows (--keys).",
        )

    def _dealer(self) -> zmq.Socket[Any]:
        socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.IMMEDIATE, 1)  # nothing is queued for a daemon that is not there
        socket.setsockopt(zmq.SNDTIMEO, math.ceil(self._timeout_s * 1000))
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 2_000)
        connect(socket, self._endpoint, self._key)
        return socket


def _raise_if_refused(header: dict[str, Any]) -> None:
    reply = read_fields(header, Reply)
    if reply.schema != SCHEMA:
        raise garbage(f"schema {reply.schema} is not {SCHEMA}")
    if not reply.ok:
        why = reply.error or Failure("refused without a reason", "control", "See the daemon's log.")
        raise WireError(why.what, where=why.where, remedy=why.remedy)
