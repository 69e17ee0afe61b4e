"""The HTTP server of the health endpoint: few connections at once, and none for long.

A scrape is one short request. Whoever connects and says nothing, or says it letter by letter, must take
neither threads nor file handles that the daemon needs: a connection is hung up on when its time is over, and
the oldest one as soon as another comes when there are enough. So the next scrape always gets its turn.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from threading import Thread, current_thread
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

AT_ONCE: Final = 16
PATIENCE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Connection:
    channel: socket.socket
    since_s: float


class _Handler(WSGIRequestHandler):
    """Logs nothing: a scrape every few seconds is no news."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named so by its base
        """Nothing."""


class ScrapeServer(ThreadingMixIn, WSGIServer):
    """Answers with ``app``, one request a connection.

    Raises
    ------
    OSError
        The port is taken, or the host is none of this machine's.
    """

    daemon_threads = True
    request_queue_size = 128  # with the usual 5, a burst makes the next scrape wait for a second SYN

    def __init__(
        self,
        host: str,
        port: int,
        app: WSGIApplication,
        *,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        self._patience_s = patience_s
        self._clock = clock
        self._app = app
        self._answering: dict[Thread, _Connection] = {}  # the oldest first
        super().__init__((host, port), _Handler)
        self.set_app(self._answer)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a thread of its own, once there is room for one."""
        self.service_actions()
        if len(self._answering) >= AT_ONCE:
            self._hang_up(next(iter(self._answering)))
        thread = Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        self._answering[thread] = _Connection(request, self._clock())
        thread.start()

    def service_actions(self) -> None:
        """Forget what has ended, and hang up on what should have; called between connections too."""
        now_s = self._clock()
        for thread, connection in list(self._answering.items()):
            if not thread.is_alive():
                del self._answering[thread]
            elif now_s - connection.since_s > self._patience_s:
                self._hang_up(thread)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a peer that went away or was hung up on; the application's errors are told elsewhere."""

    def _hang_up(self, thread: Thread) -> None:
        """Whatever the thread waits for, reading or writing, ends, and it with that."""
        connection = self._answering.pop(thread)
        with suppress(OSError):  # it has ended by itself
            connection.channel.shutdown(socket.SHUT_RDWR)
        thread.join()

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if current_thread() not in self._answering:  # half a request that was cut off looks like a whole one
            raise ConnectionAbortedError
        return self._app(environ, start_response)
