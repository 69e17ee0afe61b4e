"""A line between a browser and the server that can be cut, as when a laptop's lid is shut, and mended."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from threading import Lock, Thread
from typing import Final, cast

PIECE: Final = 65536


class Line:
    """Passes on what comes to ``port`` while it is whole; cut, it drops every connection, old and new."""

    def __init__(self, to: tuple[str, int]) -> None:
        self._to = to
        self._lock = Lock()
        self._open: set[socket.socket] = set()
        self._is_whole = True
        self._ear = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._ear.getsockname()[1])
        Thread(target=self._listen, daemon=True).start()

    def cut(self) -> None:
        """From now on nothing passes."""
        with self._lock:
            self._is_whole = False
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def mend(self) -> None:
        """New connections pass again."""
        self._is_whole = True

    def close(self) -> None:
        """For good."""
        self._ear.close()
        self.cut()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._ear.accept()
                self._join(near)

    def _join(self, near: socket.socket) -> None:
        with self._lock:
            if not self._is_whole:
                near.close()
                return
            far = socket.create_connection(self._to)
            self._open |= {near, far}
        Thread(target=_carry, args=(near, far), daemon=True).start()


def _carry(near: socket.socket, far: socket.socket) -> None:
    """Both ways, until one end hangs up."""
    with suppress(OSError), near, far, selectors.DefaultSelector() as ready:
        ready.register(near, selectors.EVENT_READ, far)
        ready.register(far, selectors.EVENT_READ, near)
        while True:
            for key, _ in ready.select():
                piece = cast("socket.socket", key.fileobj).recv(PIECE)
                if not piece:
                    return
                key.data.sendall(piece)


@contextmanager
def line_to(port: int) -> Generator[Line]:
    """A line to a port of this machine, closed afterwards."""
    line = Line(("127.0.0.1", port))
    try:
        yield line
    finally:
        line.close()
