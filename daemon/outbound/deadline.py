"""The time that all of one try at a peer may take, whatever it sends meanwhile.

A time-out of a socket covers one read: a peer that sends a byte a second would never meet it, and every try
would leave a thread and a connection behind.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Lock, Timer
from types import TracebackType


class Deadline:
    """Hangs up on the held connections ``limit_s`` seconds after it was entered, or not at all once left."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._lock = Lock()
        self._held: list[socket.socket] = []
        self._is_over = False
        self._timer = Timer(limit_s, self._cut)
        self._timer.daemon = True

    @property
    def is_over(self) -> bool:
        """Whether the time was up before it was left."""
        with self._lock:
            return self._is_over

    def hold(self, connection: socket.socket) -> None:
        """Put a connection under it, before the first byte from there is waited for.

        Held by a copy: libraries wrap a socket anew for TLS, and the copy ends it all the same.

        Raises
        ------
        TimeoutError
            The time is up.
        """
        with self._lock:
            if self._is_over:
                raise TimeoutError("no time is left")
            self._held.append(connection.dup())

    def __enter__(self) -> Deadline:
        with suppress(RuntimeError):  # no thread to be had: the time-outs of the socket remain
            self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for copy in self._held:
                copy.close()
            self._held.clear()

    def _cut(self) -> None:
        with self._lock:
            self._is_over = True
            for copy in self._held:
                with suppress(OSError):  # it has ended by itself
                    copy.shutdown(socket.SHUT_RDWR)
