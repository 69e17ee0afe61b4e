"""From the thread that listens to the daemon to the web server's loop: something has come.

A slice is told in a dozen messages within some milliseconds. The first of them opens a short window and all
that comes within it is shown at once, so that pages are neither late nor drawn a dozen times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

GATHER_S: Final = 0.03


class News:
    """Calls ``tell`` on ``loop``, ``gather_s`` after something has come."""

    def __init__(
        self, tell: Callable[[], None], loop: asyncio.AbstractEventLoop, gather_s: float = GATHER_S
    ) -> None:
        self._tell = tell
        self._loop = loop
        self._gather_s = gather_s
        self._is_open = False

    def arrived(self) -> None:
        """Something has come; from any thread. Once the loop is closed nobody is told any more."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._open)

    def _open(self) -> None:
        if not self._is_open:
            self._is_open = True
            self._loop.call_later(self._gather_s, self._close)

    def _close(self) -> None:
        self._is_open = False
        self._tell()
